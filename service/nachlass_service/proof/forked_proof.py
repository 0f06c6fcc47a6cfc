"""Tests whether a model that is loaded before a fork can predict after it.

A preloading server loads the model in a parent that never scores and scores in several
children at once. Libraries whose threads do not survive a fork hang in the children.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from itertools import islice

from nachlass_service.bundle.agreement import agree
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.model import Model
from nachlass_service.proof.waiting_child import fork, kill

CHILDREN = 4
MAX_SAMPLES = 200
"""The most samples that a child scores one by one: few show whether a fork breaks the model."""
ALLOWANCE_S = 10.0
"""The children's timeout in seconds, in addition to ten times the parent's scoring time."""
AGREES, DIFFERS = 0, 1
ALONE, ALSO_AS_A_BATCH = b"a", b"b"


class ForkedProof:
    """Children that are forked after the model is loaded and before it is first called.

    They wait for the parent's instructions and exit when the parent does.
    """

    def __init__(self, bundle: Bundle, model: Model) -> None:
        waiting, self._start = os.pipe()

        def prove() -> int:
            os.close(self._start)
            mode = os.read(waiting, 1)
            return _score(bundle, model, batch=mode == ALSO_AS_A_BATCH) if mode else DIFFERS

        self._children = [fork(prove) for _ in range(CHILDREN)]
        os.close(waiting)

    def problem(self, seconds: float, *, batch: bool) -> str | None:
        """Let the children score samples that took the parent `seconds`; return any problem."""
        limit_s = ALLOWANCE_S + 10 * seconds
        with suppress(BrokenPipeError):  # all children were killed
            os.write(self._start, (ALSO_AS_A_BATCH if batch else ALONE) * CHILDREN)
        ends_at = time.monotonic() + limit_s
        problems = [_wait(child, ends_at, limit_s) for child in self._children]
        self._children = []
        return next(filter(None, problems), None)

    def end(self) -> None:
        """End the remaining children."""
        os.close(self._start)
        for child in self._children:
            _wait(child, ends_at=0.0, limit_s=0.0)


def _score(bundle: Bundle, model: Model, *, batch: bool) -> int:
    """Score the samples as a batch and one by one; return AGREES if the predictions agree."""
    random = bundle.random_fields
    if batch:
        answers = model.validate_and_predict_batch([sample for sample, _ in bundle.samples()])
        recorded = (prediction for _, prediction in bundle.samples())
        if not all(agree(r, a, random) for r, a in zip(recorded, answers, strict=True)):
            return DIFFERS
    few = islice(bundle.samples(), MAX_SAMPLES)
    return AGREES if all(agree(r, model.predict(s), random) for s, r in few) else DIFFERS


def _wait(child: int, ends_at: float, limit_s: float) -> str | None:
    """Wait for a child, kill its processes, and return its problem, if any."""
    ended, status = os.waitpid(child, os.WNOHANG)
    while not ended and time.monotonic() < ends_at:
        time.sleep(0.005)
        ended, status = os.waitpid(child, os.WNOHANG)
    kill(child)
    if not ended:
        os.waitpid(child, 0)
        return f"a forked worker did not answer in time (limit {limit_s:.0f} s)"
    if os.WIFSIGNALED(status):
        return f"a forked worker was killed by signal {os.WTERMSIG(status)}"
    return None if os.WEXITSTATUS(status) == AGREES else "a forked worker's predictions differ"
