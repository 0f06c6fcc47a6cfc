"""Turns a request's bytes into a prediction: validates, admits, predicts, counts."""
