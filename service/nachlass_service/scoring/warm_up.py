"""Scores a few samples before the service is ready."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.model import Model

FEW_SAMPLES = 8
WARM_UP_S = 1.0
"""The time after which a slow model scores no more samples."""


def score_few(bundle: Bundle, model: Model, run: Callable[[Callable[[], Any]], Any]) -> None:
    """Score a few samples, one by one and, if proven, as a batch; raises ServiceError.

    `run` does each piece of work in a prediction thread.
    """
    ends_at = time.monotonic() + WARM_UP_S
    for sample in _few(bundle):
        run(partial(model.predict, sample))
        if time.monotonic() > ends_at:
            return
    # Read again, because a predictor may change its samples.
    if bundle.manifest.batch and (samples := list(_few(bundle))):
        run(partial(model.validate_and_predict_batch, samples))


def _few(bundle: Bundle) -> Iterator[Any]:
    """Return the first samples."""
    return (sample for sample, _prediction in islice(bundle.samples(), FEW_SAMPLES))
