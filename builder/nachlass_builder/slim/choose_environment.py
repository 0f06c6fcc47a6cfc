"""Chooses, creates and proves the serving environment.

The smallest one is tried first (decide.py), then everything that the user requires.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nachlass_builder.bundle.layout import SERVING_LOCK, SOURCE_FOLDER
from nachlass_builder.bundle.manifest import Draft, Proven, Slim, Unproven, write_manifest
from nachlass_builder.bundle.staging import Staging
from nachlass_builder.foundation.digest import digest_of
from nachlass_builder.foundation.errors import Place, ProofError, RequirementsError
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.notebook.find_names import last_binding
from nachlass_builder.notebook.registered_classes import registered_classes
from nachlass_builder.packages.environment import Environment
from nachlass_builder.packages.library_tests import imported_tests
from nachlass_builder.packages.lock import Lock
from nachlass_builder.proof.on_cpu import proven_on_cpu
from nachlass_builder.proof.proof import prove, service_environment
from nachlass_builder.requirements.check import Checked
from nachlass_builder.slim.decide import Candidate, UndecidedError, decide
from nachlass_builder.slim.memory import Memory
from nachlass_builder.slim.serving_request import serving_request
from nachlass_builder.slim.training import ServingRequest, Subset, Training, by_reason
from nachlass_builder.source.prepare import Prepared

TEST = re.compile(r"\btests?\b")
"""Matches error messages about a missing folder of tests."""
SUBSETS = "slim"
"""The cache folder for proven subsets."""


@dataclass(frozen=True)
class Served:
    """An environment in which the model is proven, its lock, and the manifest."""

    lock: Lock
    environment: Environment
    manifest: Proven


@dataclass(frozen=True)
class Serving:
    """A model that needs a serving environment: its staged bundle and training environment."""

    prepared: Prepared
    staging: Staging
    checked: Checked
    lock: Lock
    training: Environment
    make: Callable[[Lock], Environment]
    draft: Draft
    progress: Progress
    fresh: bool
    given: Lock | None = None
    """The serving lock, if it is already decided."""
    why_given: Slim | None = None
    """The reasons an earlier build gave for that lock."""

    def run(self) -> Served:
        """Choose, create and prove the environment; raise ProofError."""
        settings = self.prepared.settings
        request = serving_request(self.checked, settings)
        training = Training(self.training.site_packages, request)
        if self.given:
            self._require_given(self.given, training, request)
            why = self.why_given or Slim(all_because=None, kept={}, left_out={})
            described = self._describe(training, self.given, why.kept, why.all_because)
            return self._make_and_prove(self.given, described, training, is_all=True)
        memory = self._memory(request)
        if self.fresh:
            memory.forget()
        why_all = None if settings.slim else "S2I_SLIM is 0"
        with_tests = not (settings.slim and self._has_samples) or self._imports_tests(training)
        while True:
            subset = None
            if why_all is None:
                with self.progress.step("choosing the serving packages"):
                    subset, why_all = self._choose(training, request, memory)
            kept = subset.why.keys() if subset else training.everything
            lock = self.lock.subset(kept)
            if not with_tests:
                lock = lock.without_tests()
            described = self._describe(training, lock, subset.why if subset else {}, why_all)
            try:
                is_all = kept == training.everything
                served = self._make_and_prove(lock, described, training, is_all=is_all)
            except ProofError as error:
                if not with_tests and TEST.search(f"{error.message}\n{error.details}"):
                    self.progress.note(
                        "the tests of libraries are kept: the proof fails without them"
                    )
                    with_tests = True
                    continue
                if kept == training.everything:
                    raise
                if subset and subset.before:
                    self.progress.note(
                        f"the packages of an earlier build are not enough: {error.message}"
                    )
                else:
                    why_all = f"with fewer packages, {error.message}"
                memory.forget()
                continue
            if subset and not subset.before:
                memory.write(subset, careful=not self._has_samples)
            return served

    def _require_given(self, given: Lock, training: Training, request: ServingRequest) -> None:
        """Raise for a given lock that lacks packages the user requires for serving."""
        given_names = {name for name, _version in given.packages}
        required: dict[str, str] = dict(request.named)
        if not self.prepared.settings.slim:
            required |= dict.fromkeys(training.everything, "S2I_SLIM=0")
        if missing := sorted(required.keys() - given_names):
            raise RequirementsError(
                f"{SERVING_LOCK} lacks {', '.join(missing)}, required by {required[missing[0]]}",
                remedy="build without --locked to update the locks",
            )
        if not (self.prepared.settings.slim or given.with_tests):
            raise RequirementsError(
                f"{SERVING_LOCK} leaves out the tests of libraries, required by S2I_SLIM=0",
                remedy="build without --locked to update the locks",
            )

    def _choose(
        self, training: Training, request: ServingRequest, memory: Memory
    ) -> tuple[Subset | None, str | None]:
        """Return the smallest subset, or the reason why there is none."""
        model = Candidate(
            bundle=self.staging.bundle,
            import_folders=[
                self.staging.bundle / SOURCE_FOLDER / name
                for name in self.draft.entry.import_folders
            ],
            has_samples=self._has_samples,
            python=self.training.python,
            work=self.staging.work / "slim",
            environment=self._environment,
            deadline=self.prepared.deadline,
        )
        write_manifest(self.staging.bundle, self.draft)
        try:
            subset = decide(model, training, memory, request)
        except UndecidedError as error:
            return None, str(error)
        for reason, names in by_reason(subset.why):
            self.progress.note(f"{reason}: {', '.join(names)}")
        for name, by in training.training_only(subset.why.keys()).items():
            size = training.size([name]) / 1e6
            self.progress.note(
                f"left out, because {by} uses it only for training: {name} ({size:.0f} MB)"
            )
        if subset.before:
            self.progress.note("as in an earlier build with this lock")
        if not self._has_samples and subset.why.keys() != training.everything:
            self.progress.warn(
                "without samples the build cannot detect what scoring imports: add missing "
                "packages to `serving_requirements`, or keep all with S2I_SLIM=0"
            )
        return subset, None

    def _describe(
        self, training: Training, lock: Lock, why: Mapping[str, str], why_all: str | None
    ) -> Unproven:
        """Report the environment's kept and left-out packages; return the manifest with them."""
        kept = {name for name, _version in lock.packages}
        left_out = training.without(kept)
        if why_all:
            self.progress.note(f"all packages that `requirements` need are kept: {why_all}")
        size = training.size(kept, with_tests=lock.with_tests)
        total = training.size(kept | left_out.keys())
        self.progress.note(
            f"serving environment: {len(kept)} of {len(kept | left_out.keys())} distributions, "
            f"{size / 1e6:.0f} of {total / 1e6:.0f} MB"
            f"{'' if lock.with_tests else ', without the tests of libraries'}"
        )
        slim = Slim(
            all_because=why_all,
            kept=dict(sorted(why.items())),
            left_out={name: tuple(modules) for name, modules in left_out.items()},
        )
        return self.draft.served_with(dict(sorted(lock.packages)), lock.digest, slim)

    def _make_and_prove(
        self, lock: Lock, manifest: Unproven, training: Training, *, is_all: bool
    ) -> Served:
        """Create the environment, and prove the bundle in it."""
        prepared, progress, notebook = (
            self.prepared,
            self.progress,
            self.checked.chosen.notebooks[-1],
        )
        with progress.step("making the serving environment") as step:
            environment = self.make(lock)
            step.made = None if environment.reused else environment.path
        with progress.step("proving the model in a fresh interpreter"):
            write_manifest(self.staging.bundle, manifest)
            proof = prove(
                environment.python,
                self.training.python if is_all else None,
                self.staging.bundle,
                work=self.staging.work / "proof",
                environment=self._environment,
                place=last_binding(notebook, "predictor") or Place(notebook.name),
                deleted=self.staging.source,
                deadline=prepared.deadline,
                lock=SERVING_LOCK if self.given else None,
                registered=[
                    found
                    for book in self.checked.chosen.notebooks
                    for found in registered_classes(book)
                ],
                owners_of=training.owners_of,
            )
            for text in filter(None, (*proof.notes, proven_on_cpu(lock.packages))):
                progress.note(text)
            if proof.batch_problem:
                where = last_binding(notebook, "batch_predictor") or notebook.place()
                progress.warn(f"{where}: batch_predictor is not used: {proof.batch_problem}")
        proven = manifest.proven(
            batch=proof.batch,
            preload=proof.preload,
            memory=proof.memory,
            baseline=proof.baseline,
            synthetic=proof.synthetic,
        )
        return Served(lock, environment, proven)

    def _imports_tests(self, training: Training) -> bool:
        """Return whether code of the source imports modules of a library's tests."""
        source = self.staging.bundle / SOURCE_FOLDER
        texts = [path.read_text("utf-8", errors="replace") for path in source.rglob("*.py")]
        cells = (cell for book in self.checked.chosen.notebooks for cell in book.cells)
        texts += [ast.unparse(cell.tree) for cell in cells if cell.tree]
        names = {name for text in texts for name in imported_tests("", text)}
        return any(map(training.owners_of, names))

    def _memory(self, request: ServingRequest) -> Memory:
        """Return the memory for this model, lock, Python and service."""
        names = [notebook.name for notebook in self.checked.chosen.notebooks]
        key = digest_of([self.training.key, self.draft.name, names])
        folder = self.prepared.settings.cache / SUBSETS
        return Memory(folder / f"{key[:32]}.json", tuple(sorted(request.named)))

    @property
    def _environment(self) -> dict[str, str]:
        """The environment of the processes that run the model."""
        return service_environment(self.prepared.environ, self.prepared.settings.parameters)

    @property
    def _has_samples(self) -> bool:
        return bool(self.draft.samples.count)
