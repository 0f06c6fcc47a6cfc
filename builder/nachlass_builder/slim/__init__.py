"""The environment that serves: the smallest one that the proof accepts."""
