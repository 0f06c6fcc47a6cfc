"""What every room stands on: errors, settings, the log."""
