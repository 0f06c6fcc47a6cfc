"""Proves that a bundle predicts as its notebook did.

The samples are scored as in the service, in an interpreter that has only the
bundle: one by one, as a batch, and after a fork (forked_proof.py). Then an example is made up
(synthetic.py).
"""

from __future__ import annotations

import math
import re
import resource
import sys
import time
from collections.abc import Mapping, Sequence, Set
from contextlib import ExitStack, suppress
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
from nachlass_service.proof.synthetic import SyntheticSearch
from nachlass_service.scoring.threads import in_another_thread

TRIAL_S = 5.0
"""The time after which a first proof stops scoring: the model has imported what it needs."""
MAX_SECRET_LENGTH = 100
"""The most characters of a prediction in a message."""
STATUS = re.compile(r"^(VmHWM|RssFile):\s+(\d+) kB$", re.MULTILINE)
"""The lines in Linux's process status for peak memory and for memory mapped from files."""


@dataclass(frozen=True)
class Comparison:
    """The measurements of a model that predicts as its notebook did.

    `memory` is measured after scoring one by one. `batch` is None without a batch_predictor;
    `batch_reason` says why it cannot be used.
    """

    samples: int
    seconds: float
    memory: Memory
    batch: bool | None
    batch_reason: str | None
    baseline: Baseline


def prove(bundle: Bundle, *, synthesize: bool = False) -> dict[str, object]:
    """Load the model and compare its predictions with the recorded ones.

    Returns the fields of a Comparison, "forked" (whether the model may be loaded before a
    fork), "forked_reason" (why not) and "synthetic" (with `synthesize`, a made-up sample that the
    model accepts; else None), or {"error": FailureData}. Raises BundleError for a model that
    cannot be loaded.
    """
    model = load_model(bundle)
    loaded = largest_private_size()
    synthetic = None
    with ExitStack() as children:
        forked = ForkedProof(bundle, model)
        children.callback(forked.end)
        search = SyntheticSearch(bundle, model)
        children.callback(search.end)
        answer = _compare(bundle, model, loaded)
        if not isinstance(answer, Comparison):
            return {"error": answer}
        problem = forked.problem(answer.seconds, batch=bool(answer.batch))
        if synthesize and answer.samples and problem is None:
            synthetic = search.find(answer.baseline.inputs, answer.seconds / answer.samples)
    return {
        **asdict(answer),
        "forked": problem is None,
        "forked_reason": problem,
        "synthetic": synthetic,
    }


def prove_without(bundle: Bundle, hidden: Mapping[str, Sequence[str]]) -> dict[str, object]:
    """Prove a bundle while distributions are hidden; `hidden` has the modules of each.

    Returns the result of `prove` without forks, for the samples scored within TRIAL_S, plus
    "blocked_imports" (the hidden distributions that were looked up) and "imported" (all
    modules that are imported at the end).
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
    """Score the samples, for at most about `enough_s` seconds, and compare."""
    # The service predicts outside the main thread, too.
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
            message = f"the notebook predicted {notebook}{where}, the pickled model {pickled}"
            return {"code": "differs", "message": message, "sample": index}
        count += 1
        if time.monotonic() - started > enough_s:
            break
    seconds = time.monotonic() - started
    scoring = largest_private_size()
    # Read again, because a predictor may change its samples.
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
    """Return the peak private memory of this process in bytes.

    Pages of files, mostly libraries, are excluded where the system counts them separately:
    all processes share them, and their number varies from run to run.
    """
    with suppress(OSError, KeyError):
        status = dict(STATUS.findall(Path("/proc/self/status").read_text(encoding="ascii")))
        return (int(status["VmHWM"]) - int(status["RssFile"])) * 1024
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024


def _batch_problem(model: Model, samples: list[tuple[Any, Any]], random: Set[str]) -> str | None:
    """Return why the batch predictor cannot be used; None if it agrees or there is none."""
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
    """Return a phrase for the differing field, and its values shortened for a message."""
    texts = (dumps(value) for value in values)
    cut = (
        text if len(text) <= MAX_SECRET_LENGTH else f"{text[: MAX_SECRET_LENGTH - 1]}…"
        for text in texts
    )
    return f" in `{field}`" if field else "", *cut
