"""Metrics over all workers, and drift detection."""
