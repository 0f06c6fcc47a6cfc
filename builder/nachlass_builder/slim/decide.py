"""Decides which distributions of a lock a model needs to be served.

What the model refers to (references.py), with all that this requires, is tried
in the training environment while everything else is hidden, so that deciding
installs nothing. What a failure misses is added, and it is tried again.
choose_environment.py makes an environment of the result, and proves the model there.

Without samples nothing shows what scoring imports. Then everything stays that
loading the model imports where nothing is hidden, and every optional dependency
of what stays.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from nachlass_builder.foundation.process import Deadline
from nachlass_builder.packages.bytecode import bytecode_folder
from nachlass_builder.packages.installed import installed, needed
from nachlass_builder.packages.provided import Provided
from nachlass_builder.packages.service_wheel import PACKAGE, service_requirements
from nachlass_builder.proof.answer import Failure, Trial
from nachlass_builder.proof.proof import ask_service
from nachlass_builder.slim.references import References

SERVICE = "the service"
IMPORTED = "imported by the model"
STRING = "named by a string"
ARROW = "the service's Arrow and Parquet"
VARIABLE = "S2I_SERVING_REQUIREMENTS"
NOTEBOOK = "serving_requirements"
SCORED = "asked for while samples were scored"
LOADED = "imported while the model was loaded"
OPTIONAL = "optional for what stays"
BEFORE = "needed by an earlier build with this lock"
ROUNDS = 5
"""Failed attempts after which a model counts as one that cannot be understood."""


class UndecidedError(Exception):
    """What a model needs cannot be said; why, as a sentence."""


@dataclass(frozen=True)
class ServingRequest:
    """What the user asks of the serving environment.

    `requirements` are those of the source; `named` are distributions to keep in
    any case, each with where it was said.
    """

    requirements: tuple[str, ...]
    named: Mapping[str, str]

    @property
    def roots(self) -> tuple[str, ...]:
        """What may be in the environment, as requirements: the user's and the service's."""
        return (*self.requirements, *self.named, *service_requirements())


@dataclass(frozen=True)
class Subset:
    """The distributions to serve with, each with the reason why; `before` when remembered."""

    why: Mapping[str, str]
    before: bool = False


class Training:
    """The training environment's distributions: what provides what, and what needs what."""

    def __init__(self, site_packages: Path, request: ServingRequest) -> None:
        there = installed(site_packages)
        there.pop(canonicalize_name(PACKAGE), None)  # it is in no lock, and everywhere
        self._there = there
        self._request = request
        self._extras: dict[str, set[str]] = {}
        for requirement in map(Requirement, request.requirements):
            name = canonicalize_name(requirement.name)
            self._extras.setdefault(name, set()).update(requirement.extras)

    @cached_property
    def provided(self) -> Provided:
        """Which distribution provides what."""
        return Provided(self._there)

    @cached_property
    def everything(self) -> frozenset[str]:
        """All that could be asked to serve: the user's requirements and the service's."""
        return frozenset(needed(self._there, self._request.roots))

    def closure(self, why: Mapping[str, str], *, with_extras: bool = False) -> dict[str, str]:
        """The service's distributions, those of `why`, and what they need; each with its reason."""
        closure = dict.fromkeys(needed(self._there, service_requirements()), SERVICE)
        for name, reason in why.items():
            if name in self.everything:
                closure.setdefault(name, reason)
        for name, need in needed(self._there, self._with_extras(closure)).items():
            closure.setdefault(name, f"needed by {need.by}")
        if with_extras:
            optional = needed(self._there, self._with_extras(closure), with_extras=True)
            for name in self.everything & optional.keys():
                closure.setdefault(name, OPTIONAL)
            return self.closure(closure)
        return closure

    def without(self, kept: Collection[str]) -> dict[str, list[str]]:
        """The other distributions, each with the modules that only they provide."""
        modules = self.provided.modules
        theirs = {module for name in kept for module in modules[name]}
        return {
            name: [module for module in modules[name] if module not in theirs]
            for name in sorted(modules.keys() - kept)
        }

    def size(self, names: Iterable[str]) -> int:
        """How many bytes distributions have, bytecode not counted."""
        return sum(self.provided.sizes[name] for name in names)

    def _with_extras(self, names: Iterable[str]) -> list[str]:
        """Distributions as requirements, with the extras that the user asked for."""
        return [f"{name}[{','.join(sorted(self._extras.get(name, ())))}]" for name in names]


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
                # Where the kernel has left what it compiled: reading it saves seconds.
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
        if failed is None:
            return why
        asked_for = set(answer.blocked_imports)
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


@dataclass(frozen=True)
class Memory:
    """The subset that was last proven with a lock, so that a changed cell changes no environment.

    It is another one for other `named` distributions.
    """

    file: Path
    named: tuple[str, ...]

    def read(self, training: Training, *, careful: bool) -> dict[str, str]:
        """The remembered subset; empty when there is none that holds here.

        One that was decided with samples is not `careful` enough without.
        """
        try:
            kept = json.loads(self.file.read_text(encoding="utf-8"))
            why: dict[str, str] = kept["why"]
            holds = kept["named"] == list(self.named) and (kept["careful"] or not careful)
            is_whole = training.closure(why).keys() == why.keys()
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}
        told = {
            name: reason if reason == SERVICE or reason.startswith("needed by ") else BEFORE
            for name, reason in why.items()
        }
        return told if holds and is_whole else {}

    def write(self, subset: Subset, *, careful: bool) -> None:
        """Remember a subset that was proven."""
        kept = {"why": dict(subset.why), "named": list(self.named), "careful": careful}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        partial = self.file.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(kept, indent=2), encoding="utf-8")
        partial.replace(self.file)

    def forget(self) -> None:
        """Forget a subset that turned out not to be enough."""
        self.file.unlink(missing_ok=True)
