"""Scores a few samples before anything is served."""

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
"""A model that takes longer for fewer samples has shown enough."""


def score_few(bundle: Bundle, model: Model, run: Callable[[Callable[[], Any]], Any]) -> None:
    """Score a few samples, alone and as a batch where that is proven; raises ServiceError.

    `run` does each piece of work, in whatever thread predictions are made.
    """
    ends_at = time.monotonic() + WARM_UP_S
    for sample in _few(bundle):
        run(partial(model.predict, sample))
        if time.monotonic() > ends_at:
            return
    # Read anew: a predictor may have changed the samples it was given.
    if bundle.manifest.batch and (samples := list(_few(bundle))):
        run(partial(model.validate_and_predict_batch, samples))


def _few(bundle: Bundle) -> Iterator[Any]:
    """The first samples."""
    return (sample for sample, _prediction in islice(bundle.samples(), FEW_SAMPLES))
