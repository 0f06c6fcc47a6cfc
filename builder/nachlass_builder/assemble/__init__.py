"""The whole build; start reading with `build`."""
