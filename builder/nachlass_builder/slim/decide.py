"""Decides which distributions of a lock a model needs for serving.

The distributions that the model refers to (references.py) and their dependencies are tried in
the training environment with everything else hidden, so nothing has to be installed. Packages
missing in a failed attempt are added for the next one. A requirement listed in training_only.py
is kept if it is imported, even without a failure. choose_environment.py creates an environment
from the result and proves the model in it.

Without samples the build cannot detect what scoring imports. Then it keeps everything that
loading the model imports with nothing hidden, and every optional dependency of that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nachlass_builder.foundation.process import Deadline
from nachlass_builder.packages.bytecode import bytecode_folder
from nachlass_builder.proof.answer import Failure, Trial
from nachlass_builder.proof.proof import run_service
from nachlass_builder.slim.memory import Memory
from nachlass_builder.slim.references import References
from nachlass_builder.slim.training import (
    IMPORTED,
    LOADED,
    SCORED,
    STRING,
    ServingRequest,
    Subset,
    Training,
)

ROUNDS = 5
"""The most failed attempts before giving up on a model."""


class UndecidedError(Exception):
    """The needs of a model cannot be determined; the message says why."""


@dataclass(frozen=True)
class Candidate:
    """The model to decide about: its bundle, with a manifest, and how to run it."""

    bundle: Path
    import_folders: Sequence[Path]
    has_samples: bool
    python: Path
    work: Path
    environment: Mapping[str, str]
    deadline: Deadline

    def prove_without(self, hidden: Mapping[str, Sequence[str]]) -> Trial | Failure:
        """Prove the model in the training environment with distributions hidden."""
        self.work.mkdir(parents=True, exist_ok=True)
        file = self.work / "hidden.json"
        file.write_text(json.dumps(hidden), encoding="utf-8")
        answer, _output = run_service(
            self.python,
            "prove",
            self.bundle,
            Trial,
            work=self.work,
            environment={
                **self.environment,
                # Reading the environment's cached bytecode saves seconds.
                "PYTHONPYCACHEPREFIX": str(bytecode_folder(self.python)),
            },
            deadline=self.deadline,
            words=("--without", str(file)),
        )
        return answer


def decide(
    candidate: Candidate, training: Training, memory: Memory, request: ServingRequest
) -> Subset:
    """Return the distributions that the model needs; raise UndecidedError."""
    evidence = {**_evidence(candidate, training), **request.named}
    why = training.closure(evidence)
    if why.keys() == training.everything:
        return Subset(why)
    before = memory.read(training, careful=not candidate.has_samples)
    if why.keys() <= before.keys():
        return Subset({**before, **why}, before=True)
    search = _search if candidate.has_samples else _keep_what_loads
    return Subset(search(candidate, training, why))


def _evidence(candidate: Candidate, training: Training) -> dict[str, str]:
    """Return the distributions that the pickle and its code refer to."""
    references = References(training.provided, candidate.import_folders)
    try:
        references.read_bundle(candidate.bundle)
    except Exception as error:
        raise UndecidedError(f"the pickle cannot be read without running it: {error}") from error
    return {
        **dict.fromkeys(references.named, STRING),
        **dict.fromkeys(references.imports, IMPORTED),
    }


def _search(candidate: Candidate, training: Training, why: dict[str, str]) -> dict[str, str]:
    """Prove with the rest hidden, and add missing distributions until it succeeds."""
    for _ in range(ROUNDS):
        answer = candidate.prove_without(training.without(why))
        failed = _failure(candidate, answer)
        blocked = set(answer.blocked_imports)
        if failed is None:
            used = blocked & training.training_only(why).keys()
            return training.closure({**why, **dict.fromkeys(used, SCORED)})
        missing = set().union(*map(training.provided.meant_by, failed.missing))
        remaining = training.everything - why.keys()
        # An exception names what is missing; otherwise it may be any of the blocked imports.
        added = missing & remaining or blocked & remaining
        if not added:
            raise UndecidedError(f"with fewer packages it fails: {failed.message}")
        why = training.closure({**why, **dict.fromkeys(added, SCORED)})
    raise UndecidedError(f"packages are still missing after {ROUNDS} attempts")


def _failure(candidate: Candidate, answer: Trial | Failure) -> Failure | None:
    """Return why the answer differs from that of the whole training environment."""
    if isinstance(answer, Failure):
        return answer
    if answer.batch is False and answer.blocked_imports:
        # The notebook has not compared batches: they may differ with nothing hidden, too.
        trial = candidate.prove_without({})
        if isinstance(trial, Trial) and trial.batch:
            return Failure("batch", str(answer.batch_reason))
    return None


def _keep_what_loads(
    candidate: Candidate, training: Training, why: dict[str, str]
) -> dict[str, str]:
    """Return what may be needed in the absence of samples; see the module."""
    answer = candidate.prove_without({})
    if isinstance(answer, Failure):
        raise UndecidedError(answer.message)
    loaded = set().union(*map(training.provided.owners, answer.imported))
    why = training.closure({**why, **dict.fromkeys(loaded - why.keys(), LOADED)})
    return training.closure(why, with_extras=True)
