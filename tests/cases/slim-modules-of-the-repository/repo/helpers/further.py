import deep_tool
