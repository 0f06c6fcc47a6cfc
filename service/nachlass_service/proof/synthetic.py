"""Finds a synthetic example: a made-up sample that the validator and the predictor accept."""

from __future__ import annotations

import json
import time
from itertools import islice
from typing import Any

from nachlass_service.base.errors import ServiceError
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.manifest import Counts
from nachlass_service.bundle.model import Model
from nachlass_service.bundle.strict_json import encode
from nachlass_service.proof.candidates import TooLargeCandidateError, candidates
from nachlass_service.proof.waiting_child import WaitingChild
from nachlass_service.scoring.sample_schema import SampleSchema

MAX_TRIES = 200
MAX_SEARCH_S = 3.0
"""The time after which no further candidate is tried.

Two builds of one commit have to find the same example, so the number of tries is the main
limit. The time matters only for a model that rejects many candidates slowly. It does not cut off
a call, and the first candidate is tried in any case.
"""
MAX_CALL_RATIO = 10
"""The most time that a call may take, in multiples of the average time for a sample."""


class SyntheticSearch:
    """A forked child that searches for an example, because a candidate may crash the model."""

    def __init__(self, bundle: Bundle, model: Model) -> None:
        self._child = WaitingChild(lambda counts: _search(bundle, model, json.loads(counts)))

    def find(self, counts: Counts, seconds_per_sample: float) -> Any:
        """Return the example, or None; `counts` are those of the features in the baseline."""
        limit_s = 2 * MAX_SEARCH_S + MAX_CALL_RATIO * seconds_per_sample
        answer = self._child.answer(encode(counts), limit_s)
        return None if answer is None else json.loads(answer)

    def end(self) -> None:
        """End the child."""
        self._child.end()


def _search(bundle: Bundle, model: Model, counts: Counts) -> bytes:
    """Return the first accepted candidate as JSON, or null."""
    given = bundle.manifest.input
    schema = SampleSchema(given.schema, is_strict=True)
    ends_at = time.monotonic() + MAX_SEARCH_S
    try:
        for candidate in islice(candidates(given.schema, given.features, counts), MAX_TRIES):
            text = encode(candidate)  # a predictor may change its samples
            try:
                schema.check(candidate)
                model.predict(candidate)
            except ServiceError:
                if time.monotonic() > ends_at:
                    break
            else:
                return text
    except TooLargeCandidateError:
        pass
    return b"null"
