import plot_tool
