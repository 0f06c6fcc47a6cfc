"""The serving environment: the smallest one that the proof accepts."""
