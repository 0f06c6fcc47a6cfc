"""The source: its location, its files, and the settings of its build."""
