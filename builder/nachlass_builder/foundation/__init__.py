"""What every room stands on: errors, processes, progress, settings."""
