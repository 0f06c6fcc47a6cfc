"""Asks the service to prove a bundle, and says what its answer means."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from nachlass_builder.bundle.manifest import Baseline, MemoryUse
from nachlass_builder.foundation.errors import Place, ProofError
from nachlass_builder.foundation.process import Completed, Deadline, run
from nachlass_builder.foundation.settings import is_index_variable
from nachlass_builder.notebook.registered_classes import RegisteredClass
from nachlass_builder.proof.answer import Failure, Proven
from nachlass_builder.proof.describe_features import LEAST_SAMPLES

Answer = TypeVar("Answer")

LEAST_STEP = 64 << 20
"""Bytes that sizes of memory are rounded up to a multiple of, at least."""

NOT_THERE = (
    "what the predictor needs must be defined in the notebook, lie in the repository "
    "(opened by a relative path) or be installed through `requirements`"
)

BY_NAME = "is pickled by its name"
"""The service on what pickle did not take with it, but looks for where the model is loaded."""

MOVE = "put it into a module of the repository (.py), and import it"

GONE = "the folder of the build is gone afterwards: open files by paths relative to the notebook"


@dataclass(frozen=True)
class Proof:
    """What the proof showed: whether batches may be used, whether the model survives a fork.

    `batch_problem` says why a batch_predictor that is there may not be used.
    """

    batch: bool
    preload: bool
    memory: MemoryUse
    baseline: Baseline
    notes: tuple[str, ...]
    batch_problem: str | None


def ask_service(
    python: Path,
    command: str,
    bundle: Path,
    expected: type[Answer],
    *,
    work: Path,
    environment: Mapping[str, str],
    deadline: Deadline,
    words: tuple[str, ...] = (),
    stdin: str | None = None,
    run: Callable[..., Completed] = run,
) -> tuple[Answer | Failure, str]:
    """Run a command of nachlass_service in the model's environment: its answer, its stderr.

    It starts in the empty folder `work`, so that no file of the user's shadows
    a module of the service.
    """
    work.mkdir(parents=True, exist_ok=True)
    answer = work / "answer.json"
    answer.unlink(missing_ok=True)
    completed = run(
        [python, "-P", "-m", "nachlass_service", command, bundle.resolve(), answer, *words],
        doing=f"asking the model to {command}",
        deadline=deadline,
        cwd=work,
        environment=environment,
        stdin=stdin,
    )
    said = completed.stderr
    if not answer.is_file():
        message = f"the interpreter ended with status {completed.status} before it answered"
        return Failure("ended", message, traceback=said[-4000:]), said
    answered = json.loads(answer.read_text(encoding="utf-8"))
    if error := answered.pop("error", None):
        return msgspec.convert({**answered, **error}, Failure), said
    return msgspec.convert(answered, expected), said


def service_environment(
    environ: Mapping[str, str], parameters: Mapping[str, str]
) -> dict[str, str]:
    """The environment of a process that runs the model: the user's, without Python's own knobs."""
    kept = {
        name: value
        for name, value in environ.items()
        if not (is_index_variable(name) or name.startswith("PYTHON") or name == "VIRTUAL_ENV")
    }
    return {**kept, **parameters, "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def prove(
    serving: Path,
    training: Path | None,
    bundle: Path,
    *,
    work: Path,
    environment: Mapping[str, str],
    place: Place,
    gone: Path,
    deadline: Deadline,
    lock: str | None = None,
    registered: Sequence[RegisteredClass] = (),
    owners_of: Callable[[str], Collection[str]] = lambda _module: (),
    run: Callable[..., Completed] = run,
) -> Proof:
    """Prove the bundle with the serving environment's Python; raises ProofError.

    `environment` is as service_environment makes it.

    `training` tells, when that fails, whether the pickle or the environment is
    to blame; None where nobody is told. `gone` is the folder that the cells ran
    in. `lock` names the lock that decided what is in the serving environment, when
    it was given. `registered` are the notebook's classes that may be why a pickle does not
    work, `owners_of` names the training environment's distributions that have a module.
    The manifest must say how many samples there are.
    """
    # As in a worker that shares the cores: libraries that start threads start more than one.
    environment = {**environment, "OMP_NUM_THREADS": "2"}
    ask = partial(
        ask_service,
        command="prove",
        bundle=bundle,
        expected=Proven,
        work=work,
        environment=environment,
        deadline=deadline,
        run=run,
    )
    answer, _said = ask(serving)
    if isinstance(answer, Failure):
        in_training = training is not None and isinstance(ask(training)[0], Proven)
        if answer.where:
            place = Place(answer.where)
        raise _refusal(
            answer,
            in_training=in_training,
            place=place,
            gone=gone,
            lock=lock,
            registered=registered,
            owners_of=owners_of,
        )
    preload, notes = False, []
    if answer.samples:
        preload = answer.forked
        if not preload:
            notes.append(f"each worker will load the model for itself: {answer.forked_reason}")
        if answer.samples < LEAST_SAMPLES:
            notes.append(
                f"{answer.samples} samples are too few to notice drift: from {LEAST_SAMPLES} "
                "on, predictions are compared with theirs"
            )
    return Proof(
        batch=bool(answer.batch),
        preload=preload,
        memory=MemoryUse(
            loaded=_rounded_up(answer.memory.loaded), scoring=_rounded_up(answer.memory.scoring)
        ),
        baseline=answer.baseline,
        notes=tuple(notes),
        batch_problem=answer.batch_reason,
    )


def _rounded_up(size: int) -> int:
    """A size that two proofs of one model agree on: they differ by some pages.

    Steps are a quarter of the power of two below, that is at most a quarter of the size.
    """
    step = max(LEAST_STEP, 1 << max(0, size.bit_length() - 3))
    return -(-size // step) * step


def _refusal(
    error: Failure,
    *,
    in_training: bool,
    place: Place,
    gone: Path,
    lock: str | None,
    registered: Sequence[RegisteredClass],
    owners_of: Callable[[str], Collection[str]],
) -> ProofError:
    """Turn a failed proof into a sentence."""
    details = error.traceback
    if in_training and lock:
        return ProofError(
            f"{lock} lacks what the model needs: {error.message}",
            place=place,
            details=details,
            remedy="build without --locked to lock anew",
        )
    if in_training and error.missing:
        module = error.missing[0]
        owners = sorted(owners_of(module))
        add = f'add "{owners[0]}"' if owners else f"add the distribution that provides `{module}`"
        return ProofError(
            f"the predictor needs {module}, which only the notebook's kernel brought along",
            place=place,
            details=details,
            remedy=f"{add} to `requirements`",
        )
    if error.code == "differs":
        return ProofError(
            f"sample {error.sample} is answered otherwise outside the notebook",
            place=place,
            details=error.message,
            remedy=(
                "the predictor depends on something that the pickle does not hold: "
                "state of the kernel, a file that changed, or the environment"
            ),
        )
    if in_training:
        what = f"the model works only beside the notebook's kernel: {error.message}"
    elif error.code == "bundle":
        what = f"the pickle loads only inside the notebook: {error.message}"
    elif error.sample is not None:
        what = f"sample {error.sample} fails outside the notebook: {error.message}"
    else:
        what = f"the model cannot be proven: {error.message}"
    remedy = NOT_THERE
    if str(gone) in error.message:
        remedy = GONE
    elif BY_NAME in error.message:
        remedy = MOVE
    elif registered and not in_training:
        remedy += f"\n{_told_of(registered)}"
    return ProofError(what, place=place, details=details, remedy=remedy)


def _told_of(registered: Sequence[RegisteredClass]) -> str:
    """What to do about classes that something may register when they are made."""
    first, *others = registered
    names = f"`{first.name}` ({first.place})" + (f" and {len(others)} more" if others else "")
    return (
        f"{names}: the pickle makes the class anew, and `{first.by}` may not know it there: {MOVE}"
    )
