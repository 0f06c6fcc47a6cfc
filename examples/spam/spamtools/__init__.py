"""Shared code of the notebooks: some mail, its clean-up, parameters and stages."""
