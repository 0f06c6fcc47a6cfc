"""Tries in a fresh process whether a bundle can be served. Model environment."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from nachlass_service.bundle import Bundle
from nachlass_service.errors import BundleError
from nachlass_service.model import Model, load_model

FEW_SAMPLES = 8
ENOUGH_S = 1.0
"""A model that takes longer for fewer samples has shown enough."""
LIMIT_S = 300


def score_few(bundle: Bundle, model: Model) -> None:
    """Score a few samples, alone and as a batch where that is proven; raises ServiceError."""
    ends_at = time.monotonic() + ENOUGH_S
    for sample in _few(bundle):
        model.predict(sample)
        if time.monotonic() > ends_at:
            return
    # Read anew: a predictor may have changed the samples it was given.
    if bundle.manifest["batch"] and (samples := list(_few(bundle))):
        model.validate_and_predict_batch(samples)


def load_and_score_few(bundle: Bundle) -> None:
    """Load the model and score a few samples, in this process; raises ServiceError."""
    score_few(bundle, load_model(bundle))


def _few(bundle: Bundle) -> Iterator[Any]:
    """The first samples."""
    return (sample for sample, _prediction in islice(bundle.samples(), FEW_SAMPLES))


def rehearse(bundle: Bundle) -> None:
    """Load the model and score a few samples, elsewhere; raises BundleError."""
    command = [sys.executable, "-P", "-m", "nachlass_service", "load", str(bundle.path)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BundleError(f"the model was not loaded within {LIMIT_S} s") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise BundleError(said[-1] if said else f"loading ended with status {done.returncode}")
