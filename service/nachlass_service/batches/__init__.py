"""Requests with many samples: formats, and the flow of rows."""
