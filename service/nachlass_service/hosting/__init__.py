"""The service as processes: gunicorn's master and workers, capacity, reloads."""
