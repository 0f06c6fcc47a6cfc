"""From a request's bytes to a prediction: validate, admit, predict, count."""
