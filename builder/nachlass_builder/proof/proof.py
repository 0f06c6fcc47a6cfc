"""Runs the service to prove a bundle, and interprets the result."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from nachlass_builder.bundle.manifest import Baseline, MemoryUse
from nachlass_builder.foundation.errors import Place, ProofError
from nachlass_builder.foundation.process import Completed, Deadline, run
from nachlass_builder.foundation.settings import is_index_variable
from nachlass_builder.notebook.registered_classes import RegisteredClass
from nachlass_builder.proof.answer import Failure, Proven
from nachlass_builder.proof.describe_features import MIN_SAMPLES

Answer = TypeVar("Answer")

MIN_STEP = 64 << 20
"""The smallest step for rounding up memory sizes, in bytes."""

INCLUDE_FILES = (
    "everything the predictor needs must be defined in the notebook, be in the repository "
    "(opened by a relative path) or be installed through `requirements`"
)

BY_NAME = "is pickled by its name"
"""Part of the service's message about an object that unpickling looks up by name."""

MOVE_TO_MODULE = "move it to a module (.py) of the repository, and import it"

RELATIVE_PATHS = (
    "the build's folder is deleted afterwards: open files by paths relative to the notebook"
)


@dataclass(frozen=True)
class Proof:
    """The results of a proof: whether batches are usable, whether the model survives a fork.

    `batch_problem` explains why an existing batch_predictor is not usable. `synthetic` is a
    made-up sample that the model accepts, None if there is none.
    """

    batch: bool
    preload: bool
    memory: MemoryUse
    baseline: Baseline
    notes: tuple[str, ...]
    batch_problem: str | None
    synthetic: Any


def run_service(
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
    """Run a nachlass_service command in the model's environment; return its result and stderr.

    It starts in the empty folder `work`, so that no user file shadows a module of
    the service.
    """
    work.mkdir(parents=True, exist_ok=True)
    answer = work / "answer.json"
    answer.unlink(missing_ok=True)
    completed = run(
        [python, "-P", "-m", "nachlass_service", command, bundle.resolve(), answer, *words],
        doing=f"running `{command}` in the model's environment",
        deadline=deadline,
        cwd=work,
        environment=environment,
        stdin=stdin,
    )
    output = completed.stderr
    if not answer.is_file():
        message = f"the interpreter exited with status {completed.status} before responding"
        return Failure("ended", message, traceback=output[-4000:]), output
    answered = json.loads(answer.read_text(encoding="utf-8"))
    if error := answered.pop("error", None):
        return msgspec.convert({**answered, **error}, Failure), output
    return msgspec.convert(answered, expected), output


def service_environment(
    environ: Mapping[str, str], parameters: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables of a model process: the user's, without those of Python, pip and uv."""
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
    deleted: Path,
    deadline: Deadline,
    lock: str | None = None,
    registered: Sequence[RegisteredClass] = (),
    owners_of: Callable[[str], Collection[str]] = lambda _module: (),
    run: Callable[..., Completed] = run,
) -> Proof:
    """Prove the bundle with the serving environment's Python; raises ProofError.

    `environment` comes from service_environment. `training` is used after a failure
    to find out whether the pickle or the environment is the cause; None skips this.
    `deleted` is the folder that the cells ran in. `lock` names the lock of the serving
    environment, if it was given. `registered` are classes of the notebook that may
    break a pickle; `owners_of` returns the training environment's distributions that
    provide a module. The manifest must contain the number of samples.
    """
    # As in a worker that shares the cores: libraries with thread pools start two threads.
    environment = {**environment, "OMP_NUM_THREADS": "2"}
    try_in = partial(
        run_service,
        command="prove",
        bundle=bundle,
        expected=Proven,
        work=work,
        environment=environment,
        deadline=deadline,
        run=run,
    )
    answer, _output = try_in(serving)
    if isinstance(answer, Failure):
        in_training = training is not None and isinstance(try_in(training)[0], Proven)
        if answer.where:
            place = Place(answer.where)
        raise _proof_error(
            answer,
            in_training=in_training,
            place=place,
            deleted=deleted,
            lock=lock,
            registered=registered,
            owners_of=owners_of,
        )
    preload, notes = False, []
    if answer.samples:
        preload = answer.forked
        if not preload:
            notes.append(f"each worker loads the model separately: {answer.forked_reason}")
        if answer.samples < MIN_SAMPLES:
            notes.append(
                f"not enough samples to detect drift: {answer.samples} "
                f"(at least {MIN_SAMPLES} needed)"
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
        synthetic=answer.synthetic,
    )


def _rounded_up(size: int) -> int:
    """Round up a size so that two proofs of one model agree: they differ by a few pages.

    A step is a quarter of the next lower power of two, so at most a quarter of the size.
    """
    step = max(MIN_STEP, 1 << max(0, size.bit_length() - 3))
    return -(-size // step) * step


def _proof_error(
    error: Failure,
    *,
    in_training: bool,
    place: Place,
    deleted: Path,
    lock: str | None,
    registered: Sequence[RegisteredClass],
    owners_of: Callable[[str], Collection[str]],
) -> ProofError:
    """Explain a failed proof."""
    details = error.traceback
    if in_training and lock:
        return ProofError(
            f"{lock} lacks what the model needs: {error.message}",
            place=place,
            details=details,
            remedy="build without --locked to update the locks",
        )
    if in_training and error.missing:
        module = error.missing[0]
        owners = sorted(owners_of(module))
        add = f'add "{owners[0]}"' if owners else f"add the distribution that provides `{module}`"
        return ProofError(
            f"the predictor needs {module}, which only the notebook's kernel provides",
            place=place,
            details=details,
            remedy=f"{add} to `requirements`",
        )
    if error.code == "differs":
        return ProofError(
            f"sample {error.sample}: the pickled model and the notebook disagree",
            place=place,
            details=error.message,
            remedy=(
                "the predictor depends on something that is not in the pickle: "
                "kernel state, a changed file, or the environment"
            ),
        )
    if in_training:
        message = (
            f"the model works only with the packages of the notebook's kernel: {error.message}"
        )
    elif error.code == "bundle":
        message = f"the pickle loads only inside the notebook: {error.message}"
    elif error.sample is not None:
        message = f"sample {error.sample} fails outside the notebook: {error.message}"
    else:
        message = f"the model cannot be proven: {error.message}"
    remedy = INCLUDE_FILES
    if str(deleted) in error.message:
        remedy = RELATIVE_PATHS
    elif BY_NAME in error.message:
        remedy = MOVE_TO_MODULE
    elif registered and not in_training:
        remedy += f"\n{_advice_about(registered)}"
    return ProofError(message, place=place, details=details, remedy=remedy)


def _advice_about(registered: Sequence[RegisteredClass]) -> str:
    """Suggest a remedy for classes that are registered when they are created."""
    first, *others = registered
    names = f"`{first.name}` ({first.place})" + (f" and {len(others)} more" if others else "")
    what = f"unpickling recreates the class, which `{first.by}` may not know then"
    return f"{names}: {what}: {MOVE_TO_MODULE}"
