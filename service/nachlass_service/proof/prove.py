"""Proves that a bundle answers as its notebook did.

The samples are scored as the service would, in an interpreter that has only
the bundle: one by one, and as a batch, and after a fork (forked_proof.py).
"""

from __future__ import annotations

import math
import re
import resource
import sys
import time
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from nachlass_service.base.errors import BundleError, ServiceError
from nachlass_service.bundle.agreement import first_difference
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.failure import FailureData, as_data
from nachlass_service.bundle.jsonable import dumps
from nachlass_service.bundle.manifest import Baseline, Memory
from nachlass_service.bundle.model import Model, load_model
from nachlass_service.metrics.baseline import count_samples
from nachlass_service.proof.forked_proof import ForkedProof
from nachlass_service.proof.import_blocker import Blocker
from nachlass_service.scoring.threads import in_another_thread

TRIAL_S = 5.0
"""A model that takes longer for its samples has shown what it imports, for a first proof."""
LONGEST = 100
"""Characters of a prediction that a message shows."""
STATUS = re.compile(r"^(VmHWM|RssFile):\s+(\d+) kB$", re.MULTILINE)
"""How Linux says what a process has had at most, and what it has of files."""


@dataclass(frozen=True)
class Comparison:
    """A model that answers as its notebook did: so many samples, scored in so many seconds.

    `memory` is after scoring one by one; `batch` is None without a batch_predictor,
    `batch_reason` says why it is not to be used.
    """

    samples: int
    seconds: float
    memory: Memory
    batch: bool | None
    batch_reason: str | None
    baseline: Baseline


def prove(bundle: Bundle) -> dict[str, object]:
    """Load the model and compare its answers with the recorded ones.

    Returns the fields of a Comparison, "forked": whether the model may be loaded before a
    fork, and "forked_reason": why not; or {"error": FailureData}. Raises BundleError for a
    model that cannot be loaded.
    """
    model = load_model(bundle)
    loaded = largest_private_size()
    forked = ForkedProof(bundle, model)
    try:
        answer = _compare(bundle, model, loaded)
        if not isinstance(answer, Comparison):
            return {"error": answer}
        problem = forked.problem(answer.seconds, batch=bool(answer.batch))
    finally:
        forked.end()
    return {**asdict(answer), "forked": problem is None, "forked_reason": problem}


def prove_without(bundle: Bundle, hidden: Mapping[str, Sequence[str]]) -> dict[str, object]:
    """Prove with distributions hidden; `hidden` has the modules of each.

    Returns what `prove` does, but for forks, of as many samples as soon show what is missing,
    and "blocked_imports": the hidden distributions that were asked for, "imported": all
    modules that are imported at the end.
    """
    blocker = Blocker(hidden)
    blocker.install()
    answer: Comparison | FailureData
    try:
        model = load_model(bundle)
    except BundleError as error:
        answer = as_data(error, bundle)
    else:
        answer = _compare(bundle, model, largest_private_size(), TRIAL_S)
    return {
        **(asdict(answer) if isinstance(answer, Comparison) else {"error": answer}),
        "blocked_imports": sorted(blocker.blocked_imports),
        "imported": sorted(sys.modules),
    }


def _compare(
    bundle: Bundle, model: Model, loaded: int, enough_s: float = math.inf
) -> Comparison | FailureData:
    """Score the samples and compare.

    Samples that are not scored after `enough_s` seconds are not scored at all.
    """
    # As it will be served: the main thread is not where predictions are made.
    return in_another_thread(partial(_compare_here, bundle, model, loaded, enough_s))


def _compare_here(
    bundle: Bundle, model: Model, loaded: int, enough_s: float
) -> Comparison | FailureData:
    started = time.monotonic()
    random = bundle.random_fields
    count = 0
    for index, (sample, recorded) in enumerate(bundle.samples()):
        try:
            answer = model.predict(sample)
        except ServiceError as error:
            return {**as_data(error, bundle), "sample": index}
        if difference := first_difference(recorded, answer, random):
            where, notebook, pickled = _shown(*difference)
            message = f"the notebook answered {notebook}{where}, the pickle {pickled}"
            return {"code": "differs", "message": message, "sample": index}
        count += 1
        if time.monotonic() - started > enough_s:
            break
    seconds = time.monotonic() - started
    scoring = largest_private_size()
    # Read anew: a predictor may have changed the samples it was given.
    reason = _batch_problem(model, list(islice(bundle.samples(), count)), random)
    has_batch = model.batch_predictor is not None and count > 0
    return Comparison(
        samples=count,
        seconds=seconds,
        memory=Memory(loaded, scoring),
        batch=reason is None if has_batch else None,
        batch_reason=reason,
        baseline=count_samples(bundle),
    )


def largest_private_size() -> int:
    """The most memory that this process has had for itself, in bytes.

    Pages of files, of libraries above all, are left out where the system tells them apart:
    all processes share them, and how many are there differs from run to run.
    """
    with suppress(OSError, KeyError):
        status = dict(STATUS.findall(Path("/proc/self/status").read_text(encoding="ascii")))
        return (int(status["VmHWM"]) - int(status["RssFile"])) * 1024
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
