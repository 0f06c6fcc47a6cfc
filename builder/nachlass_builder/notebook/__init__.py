"""Reading notebooks: their cells, their names, which of them are built."""
