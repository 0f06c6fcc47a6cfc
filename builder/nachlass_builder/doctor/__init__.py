"""The checks of `nachlass doctor`: tools, package indexes and folders of a build."""
