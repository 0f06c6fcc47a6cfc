"""Batches, which are requests with many samples: formats, and the flow of rows."""
