"""A handwritten FastAPI service; with METRICS, prometheus_client in multiprocess mode."""

import os
import time

from fastapi import FastAPI, Request
from the_model import predictor

app = FastAPI()

if "METRICS" in os.environ:
    from prometheus_client import Counter, Histogram

    predictions = Counter("predictions", "Predictions", ["value"])
    seconds = Histogram("processing_seconds", "Seconds")

    @app.post("/predict")
    async def predict(request: Request):
        started = time.perf_counter()
        prediction = predictor(await request.json())
        predictions.labels(str(prediction)).inc()
        seconds.observe(time.perf_counter() - started)
        return prediction

else:

    @app.post("/predict")
    async def predict(request: Request):
        return predictor(await request.json())
