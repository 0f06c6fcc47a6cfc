"""The bundle on disk: its files, its manifest, and staging and publishing it."""
