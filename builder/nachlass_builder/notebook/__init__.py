"""Reading notebooks: their cells, their names, and the choice of which to build."""
