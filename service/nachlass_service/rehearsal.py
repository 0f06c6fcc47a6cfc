"""Tries in a fresh process whether a bundle can be served. Model environment."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from tempfile import TemporaryFile
from typing import Any

from nachlass_service.bundle import Bundle
from nachlass_service.errors import BundleError
from nachlass_service.model import Model, load_model
from nachlass_service.pool import in_another_thread

FEW_SAMPLES = 8
ENOUGH_S = 1.0
"""A model that takes longer for fewer samples has shown enough."""
LIMIT_S = 300


def score_few(bundle: Bundle, model: Model, run: Callable[[Callable[[], Any]], Any]) -> None:
    """Score a few samples, alone and as a batch where that is proven; raises ServiceError.

    `run` does each piece of work, in whatever thread predictions are made.
    """
    ends_at = time.monotonic() + ENOUGH_S
    for sample in _few(bundle):
        run(partial(model.predict, sample))
        if time.monotonic() > ends_at:
            return
    # Read anew: a predictor may have changed the samples it was given.
    if bundle.manifest["batch"] and (samples := list(_few(bundle))):
        run(partial(model.validate_and_predict_batch, samples))


def load_and_score_few(bundle: Bundle) -> None:
    """Load the model and score a few samples, in this process; raises ServiceError."""
    score_few(bundle, load_model(bundle), in_another_thread)


def _few(bundle: Bundle) -> Iterator[Any]:
    """The first samples."""
    return (sample for sample, _prediction in islice(bundle.samples(), FEW_SAMPLES))


def rehearse(bundle: Bundle, is_given_up: Callable[[], bool]) -> None:
    """Load the model and score a few samples, in a process of its own; raises BundleError.

    It ends early when it `is_given_up`.
    """
    command = [sys.executable, "-P", "-m", "nachlass_service", "load", str(bundle.path)]
    with TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said
            )
        except OSError as error:
            raise BundleError(f"the service's own Python cannot be started: {error}") from error
        ends_at = time.monotonic() + LIMIT_S
        while process.poll() is None:
            if is_given_up() or time.monotonic() > ends_at:
                process.kill()
                process.wait()
                raise BundleError(f"the model was not loaded within {LIMIT_S} s, or was given up")
            time.sleep(0.05)
        said.seek(0)
        lines = said.read().decode("utf-8", "replace").strip().splitlines()
    if process.returncode:
        raise BundleError(lines[-1] if lines else f"loading ended with {process.returncode}")
