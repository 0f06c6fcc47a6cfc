"""The bundle on disk: its files, its manifest, and how it gets to its place."""
