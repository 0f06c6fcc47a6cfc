"""The naive service: Flask with prometheus_client in multiprocess mode."""

import time

from flask import Flask, jsonify, request
from prometheus_client import Counter, Histogram
from the_model import predictor

app = Flask(__name__)
predictions = Counter("predictions", "Predictions", ["value"])
seconds = Histogram("processing_seconds", "Seconds")


@app.post("/predict")
def predict():
    started = time.perf_counter()
    prediction = predictor(request.get_json())
    predictions.labels(str(prediction)).inc()
    seconds.observe(time.perf_counter() - started)
    return jsonify(prediction)
