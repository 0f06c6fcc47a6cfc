"""Decides which distributions of a lock a model needs to be served.

What the model refers to (references.py), with all that this requires, is tried
in the training environment while everything else is hidden, so that deciding
installs nothing. What a failure misses is added, and it is tried again. A requirement
that training_only.py lists stays when it is asked for, failure or not.
choose_environment.py makes an environment of the result, and proves the model there.

Without samples nothing shows what scoring imports. Then everything stays that
loading the model imports where nothing is hidden, and every optional dependency
of what stays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nachlass_builder.foundation.process import Deadline
from nachlass_builder.packages.bytecode import bytecode_folder
from nachlass_builder.proof.answer import Failure, Trial
from nachlass_builder.proof.proof import ask_service
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
"""Failed attempts after which a model counts as one that cannot be understood."""


class UndecidedError(Exception):
    """What a model needs cannot be said; why, as a sentence."""


@dataclass(frozen=True)
class Candidate:
    """The model to decide about: its bundle, whose manifest is written, and how to ask it."""

    bundle: Path
    import_folders: Sequence[Path]
    has_samples: bool
    python: Path
    work: Path
    environment: Mapping[str, str]
    deadline: Deadline

    def prove_without(self, hidden: Mapping[str, Sequence[str]]) -> Trial | Failure:
        """What the service answers with distributions hidden, in the training environment."""
        self.work.mkdir(parents=True, exist_ok=True)
        file = self.work / "hidden.json"
        file.write_text(json.dumps(hidden), encoding="utf-8")
        answer, _said = ask_service(
            self.python,
            "prove",
            self.bundle,
            Trial,
            work=self.work,
            environment={
                **self.environment,
                # Where the environment has its bytecode: reading it saves seconds.
                "PYTHONPYCACHEPREFIX": str(bytecode_folder(self.python)),
            },
            deadline=self.deadline,
            words=("--without", str(file)),
        )
        return answer


def decide(
    candidate: Candidate, training: Training, memory: Memory, request: ServingRequest
) -> Subset:
    """The distributions that the model needs; raises UndecidedError."""
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
    """What the pickle and the code that it holds refer to."""
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
    """Prove with the rest hidden, and add what that shows to be missing."""
    for _ in range(ROUNDS):
        answer = candidate.prove_without(training.without(why))
        failed = _failure(candidate, answer)
        asked_for = set(answer.blocked_imports)
        if failed is None:
            used = asked_for & training.training_only(why).keys()
            return training.closure({**why, **dict.fromkeys(used, SCORED)})
        missing = set().union(*map(training.provided.meant_by, failed.missing))
        left = training.everything - why.keys()
        # What an exception names is missing; else it may be any of what was asked for.
        added = missing & left or asked_for & left
        if not added:
            raise UndecidedError(f"with less it fails: {failed.message}")
        why = training.closure({**why, **dict.fromkeys(added, SCORED)})
    raise UndecidedError(f"after {ROUNDS} attempts something is still missing")


def _failure(candidate: Candidate, answer: Trial | Failure) -> Failure | None:
    """Why the answer is not what the whole training environment gives."""
    if isinstance(answer, Failure):
        return answer
    if answer.batch is False and answer.blocked_imports:
        # The notebook has not compared: batches may differ with everything there, as well.
        whole = candidate.prove_without({})
        if isinstance(whole, Trial) and whole.batch:
            return Failure("batch", str(answer.batch_reason))
    return None


def _keep_what_loads(
    candidate: Candidate, training: Training, why: dict[str, str]
) -> dict[str, str]:
    """What may be needed, without samples that show it; see the module."""
    answer = candidate.prove_without({})
    if isinstance(answer, Failure):
        raise UndecidedError(answer.message)
    loaded = set().union(*map(training.provided.owners, answer.imported))
    why = training.closure({**why, **dict.fromkeys(loaded - why.keys(), LOADED)})
    return training.closure(why, with_extras=True)
