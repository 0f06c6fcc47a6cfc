"""What `nachlass doctor` checks: the tools, the package indexes and the folders of a build."""
