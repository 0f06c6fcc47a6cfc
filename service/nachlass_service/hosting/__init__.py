"""Runs the service's processes: gunicorn's master and workers, capacity, reloads."""
