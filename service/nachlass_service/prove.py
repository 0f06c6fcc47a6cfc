"""Proves that a bundle answers as its notebook did. Model environment.

The samples are scored as the service would, in an interpreter that has only
the bundle: one by one, and as a batch. The forked proof loads in a parent that
never scores and scores in several children at once, as a preloading server
does: libraries whose threads do not survive a fork hang there.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any

from nachlass_service.agreement import agree, first_difference
from nachlass_service.baseline import count_samples
from nachlass_service.blocker import Blocker
from nachlass_service.bundle import Bundle
from nachlass_service.errors import BundleError, ServiceError
from nachlass_service.failure import as_data
from nachlass_service.model import Model, load_model
from nachlass_service.pool import in_another_thread
from nachlass_service.strict_json import dumps

CHILDREN = 4
FORKED_SAMPLES = 200
"""Samples that a forked child scores alone: what a fork breaks, it breaks at once."""
ENOUGH_S = 5.0
"""A model that takes longer for its samples has shown what it imports, for a first proof."""
AGREES, DIFFERS = 0, 1
LONGEST = 100
"""Characters of a prediction that a message shows."""


def prove(bundle: Bundle, enough_s: float = math.inf) -> dict[str, Any]:
    """Load the model and compare its answers with the recorded ones.

    Samples that are not scored after `enough_s` seconds are not scored at all.

    Returns {"samples": count, "seconds": of scoring, "memory": largest resident
    sizes in bytes after loading and after scoring one by one, "batch": true,
    false or null without batch_predictor, "batch_reason": why not,
    "baseline": as baseline.count_samples} or
    {"error": the failure as in failure.py, and the "sample" at which it happened}.
    """
    try:
        model = load_model(bundle)
    except BundleError as error:
        return {"error": as_data(error, bundle)}
    loaded = largest_resident_size()
    # As it will be served: the main thread is not where predictions are made.
    return in_another_thread(partial(_compare, bundle, model, loaded, enough_s))


def prove_without(bundle: Bundle, hidden: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Prove with distributions hidden; `hidden` has the modules of each.

    Returns what `prove` does, for as many samples as soon show what is missing,
    and "stopped": the hidden distributions that were asked for, "imported": all
    modules that are imported at the end.
    """
    blocker = Blocker(hidden)
    blocker.install()
    answer = prove(bundle, ENOUGH_S)
    return {**answer, "stopped": sorted(blocker.stopped), "imported": sorted(sys.modules)}


def prove_forked(bundle: Bundle, limit_s: float, *, batch: bool) -> dict[str, Any]:
    """Load here, score in forked children: {"forked": true}, or false with a "reason"."""
    try:
        model = load_model(bundle)
    except BundleError as error:
        return {"forked": False, "reason": str(error)}
    children = [_fork(bundle, model, batch=batch) for _ in range(CHILDREN)]
    deadline = time.monotonic() + limit_s
    reasons = [reason for child in children if (reason := _wait(child, deadline, limit_s))]
    return {"forked": False, "reason": reasons[0]} if reasons else {"forked": True}


def _compare(bundle: Bundle, model: Model, loaded: int, enough_s: float) -> dict[str, Any]:
    """Score the samples and compare: what `prove` answers."""
    started = time.monotonic()
    random = bundle.random_fields
    count = 0
    for index, (sample, recorded) in enumerate(bundle.samples()):
        try:
            answer = model.predict(sample)
        except ServiceError as error:
            return {"error": {**as_data(error, bundle), "sample": index}}
        if difference := first_difference(recorded, answer, random):
            where, notebook, pickled = _shown(*difference)
            message = f"the notebook answered {notebook}{where}, the pickle {pickled}"
            return {"error": {"code": "differs", "message": message, "sample": index}}
        count += 1
        if time.monotonic() - started > enough_s:
            break
    seconds = time.monotonic() - started
    scoring = largest_resident_size()
    # Read anew: a predictor may have changed the samples it was given.
    reason = _batch_problem(model, list(islice(bundle.samples(), count)), random)
    has_batch = model.batch_predictor is not None and count > 0
    return {
        "samples": count,
        "seconds": seconds,
        "memory": {"loaded": loaded, "scoring": scoring},
        "batch": reason is None if has_batch else None,
        "batch_reason": reason,
        "baseline": count_samples(bundle),
    }


def largest_resident_size() -> int:
    """The most memory that this process has had, in bytes."""
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024


def _batch_problem(model: Model, samples: list[tuple[Any, Any]], random: Set[str]) -> str | None:
    """Why the batch predictor is not to be used; None when it agrees, or is not there."""
    if model.batch_predictor is None or not samples:
        return None
    try:
        answers = model.validate_and_predict_batch([sample for sample, _ in samples])
    except ServiceError as error:
        return str(error)
    for index, ((_, recorded), answer) in enumerate(zip(samples, answers, strict=True)):
        if difference := first_difference(recorded, answer, random):
            where, alone, in_batch = _shown(*difference)
            return f"sample {index}: alone {alone}{where}, in a batch {in_batch}"
    return None


def _shown(field: str, *values: Any) -> tuple[str, ...]:
    """Where two predictions differ, and what they have there, cut to a length that is read."""
    texts = (dumps(value) for value in values)
    cut = (text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…" for text in texts)
    return f" in `{field}`" if field else "", *cut


def _fork(bundle: Bundle, model: Model, *, batch: bool) -> int:
    """Start a child that scores every sample, alone and as a batch, and says so by its status."""
    child = os.fork()
    if child:
        return child
    # What the predictor starts ends with this child, see _wait.
    os.setsid()
    status = DIFFERS
    try:
        # In the main thread, where what a library began before the fork shows most easily.
        if _score_forked(bundle, model, batch=batch):
            status = AGREES
    finally:
        os._exit(status)


def _score_forked(bundle: Bundle, model: Model, *, batch: bool) -> bool:
    """Score the samples as a batch and alone; whether the answers are the recorded ones."""
    random = bundle.random_fields
    if batch:
        model.validate_and_predict_batch([sample for sample, _ in bundle.samples()])
    few = islice(bundle.samples(), FORKED_SAMPLES)
    return all(agree(r, model.predict(s), random) for s, r in few)


def _wait(child: int, deadline: float, limit_s: float) -> str | None:
    """Wait for a child, and end its processes; what went wrong with it, if anything."""
    ended, status = os.waitpid(child, os.WNOHANG)
    while not ended and time.monotonic() < deadline:
        time.sleep(0.005)
        ended, status = os.waitpid(child, os.WNOHANG)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if not ended:
        os.waitpid(child, 0)
        return f"a forked worker did not answer within {limit_s:.0f} s"
    if os.WIFSIGNALED(status):
        return f"a forked worker was killed by signal {os.WTERMSIG(status)}"
    return None if os.WEXITSTATUS(status) == AGREES else "a forked worker answers otherwise"
