"""The whole build, step by step, in one piece because it is the first file to read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from nachlass_builder.assemble.choose_lock import LockChoice
from nachlass_builder.assemble.freshness import build_key, current_environment
from nachlass_builder.assemble.manifest import compose_manifest
from nachlass_builder.assemble.missing_requirements import MissingRequirements
from nachlass_builder.assemble.reuse_locks import Locks, check_complete, reuse_locks
from nachlass_builder.assemble.secret_parameters import (
    are_unchanged,
    reject_secrets,
    reject_secrets_in_manifest,
    remember,
)
from nachlass_builder.bundle.cached import hold_cached
from nachlass_builder.bundle.contents import digest_of_bundle
from nachlass_builder.bundle.layout import (
    SAMPLES,
    SOURCE_FOLDER,
    bundle_at,
)
from nachlass_builder.bundle.manifest import MANIFEST, Slim, load_manifest, read_manifest
from nachlass_builder.bundle.staging import Staging, publish, staged
from nachlass_builder.foundation.errors import SourceError
from nachlass_builder.foundation.progress import Progress, counted
from nachlass_builder.foundation.settings import Settings, is_index_variable
from nachlass_builder.foundation.text_file import FETCH_POINTER, IS_POINTER
from nachlass_builder.packages.environment import Environment, Purpose, ensure_environment
from nachlass_builder.packages.lock import Lock
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.packages.service_wheel import build_service_wheel
from nachlass_builder.proof.compare import Predictions, compare_predictions, random_fields
from nachlass_builder.proof.describe_predictions import read_samples
from nachlass_builder.proof.proof import service_environment
from nachlass_builder.requirements.check import Checked, check
from nachlass_builder.requirements.first_pass import compute_requirements
from nachlass_builder.requirements.missing_imports import describe_imports, missing_imports
from nachlass_builder.requirements.requirements import gather
from nachlass_builder.slim.choose_environment import Serving
from nachlass_builder.slim.serving_request import require_locked
from nachlass_builder.source.parameters import (
    secret_parameters,
    secrets_of_build,
    shown_parameters,
)
from nachlass_builder.source.prepare import Prepared, Request, default_bundle, prepared_source
from nachlass_builder.source.source_files import copy_source, digest_source, why_left_out
from nachlass_builder.source.source_time import EPOCH
from nachlass_builder.system.apt_txt import read_apt_txt


@dataclass(frozen=True)
class Built:
    """A bundle, its build settings and environment, and the comparison of its predictions."""

    bundle: Path
    settings: Settings
    environment: Environment
    comparison: Predictions | None = None


def build(request: Request, progress: Progress) -> Built:
    """Build the bundle of a source, or keep the existing one if nothing changed."""
    with prepared_source(request, progress) as found:
        settings = found.settings
        # Without `..`: locks recognize files of the source by the start of their path.
        destination = Path(os.path.abspath(request.output or settings.model_path or "."))  # noqa: PTH100
        if not request.output and not settings.model_path:
            destination = default_bundle(found.source, settings.cache)
        hold_cached(destination, settings.cache)
        prepared = replace(found, source=found.source.without(destination))
        key = build_key(prepared, digest_source(prepared.source, prepared.deadline))
        always = request.force or request.locked
        unchanged = are_unchanged(settings, destination)
        if not always and unchanged:
            current = current_environment(destination, key, prepared, progress)
            if current:
                return Built(destination, settings, current)
        comparison = None
        with staged(destination, settings.cache) as staging:
            if request.compare and not bundle_at(destination):
                raise SourceError(
                    f"there is no bundle at {destination} to compare with",
                    remedy="build without --compare, or name the bundle with -o",
                )
            building = _Build(
                prepared, staging, destination, progress, fresh=request.force, locked=request.locked
            )
            environment = building.run()
            if request.compare:
                comparison = building.compare(environment)
            publish(staging, destination)
            remember(settings, destination)
    return Built(destination, settings, environment, comparison)


@dataclass(frozen=True)
class _Build:
    """A build in its staging folder."""

    prepared: Prepared
    staging: Staging
    destination: Path
    progress: Progress
    fresh: bool
    locked: bool = False

    def run(self) -> Environment:
        """Write the bundle in the staging folder; return the environment that proved it."""
        from nachlass_builder.assemble.render import strip_outputs
        from nachlass_builder.assemble.report_capture import report_capture
        from nachlass_builder.assemble.system_packages import provide
        from nachlass_builder.assemble.write_bundle import write_bundle
        from nachlass_builder.execution.advice import Advice
        from nachlass_builder.execution.second_pass import SecondPass

        settings = self.prepared.settings
        key, checked = self._read()
        packages = read_apt_txt(self.staging.source)
        choice = LockChoice(
            self.prepared,
            self.staging.source,
            self.staging.work,
            checked.requirements,
            self.progress,
        )
        indexes = choice.indexes()
        missing = MissingRequirements(checked, choice, indexes)
        locks = self._reuse_locks(checked, choice, indexes) if self.locked else None
        if locks:
            lock, resolution = locks.training, locks.resolution
        else:
            lock, resolution = choice.lock(indexes, None if self.fresh else self.destination)
        require_locked(settings, lock)
        locked = {name for name, _version in lock.packages}
        if unprovided := missing_imports(checked.imports, locked):
            self.progress.warn(
                f"imports that no requirement provides: {describe_imports(unprovided)}"
            )
        with self.progress.step("making the training environment") as step:
            training = self._environment(lock, "training", indexes)
            step.made = None if training.reused else training.path
            if locks:
                check_complete(locks, training.site_packages, checked)
            libraries = provide(packages, training.path, self.prepared, self.progress)
            prepared = _with_variables(self.prepared, libraries)
            kernel_environment = _kernel_environment(prepared)
        with self.progress.step("executing the notebook"):
            captured = SecondPass(
                chosen=checked.chosen,
                staging=self.staging,
                python=training.python,
                environment=kernel_environment,
                settings=settings,
                import_folders=[
                    self.staging.source / folder
                    for folder in checked.requirements.import_folders(self.staging.source)
                ],
                advice=Advice(
                    missing_file=self._explain_missing_file,
                    missing_requirements=lambda written, place: missing.advice(
                        written, place, locked
                    ),
                    newer_versions=choice.suggest_older_versions,
                ),
                deadline=self.prepared.deadline,
                progress=self.progress,
                key=key,
            ).run()
            secrets = secrets_of_build(settings, kernel_environment)
            notebooks = checked.chosen.notebooks
            parameters = secret_parameters(settings)
            reject_secrets(self.staging.bundle, self.staging.source, secrets, parameters, notebooks)
            samples = read_samples(self.staging.bundle / SAMPLES)
            report_capture(captured, samples, checked, settings.samples or "", self.progress)
        source = self.staging.source.rename(self.staging.bundle / SOURCE_FOLDER)
        if not settings.ship_rows:
            strip_outputs(source)
        moved = indexes.of_source(source)
        draft = compose_manifest(
            self.prepared,
            checked,
            captured,
            samples,
            lock,
            resolution,
            key,
            shown_parameters(settings.parameters, indexes.secrets, settings.shipped),
            self.staging.bundle,
            self._service,
        )
        served = Serving(
            prepared=prepared,
            staging=self.staging,
            checked=checked,
            lock=replace(lock, source=source),
            training=training,
            make=lambda lock: self._environment(lock, "serving", moved),
            draft=draft,
            progress=self.progress,
            fresh=self.fresh,
            given=replace(locks.serving, source=source) if locks else None,
            why_given=self._previous_slim(locks.serving) if locks else None,
        ).run()
        with self.progress.step("writing the bundle") as step:
            step.made = self.staging.bundle
            for line in write_bundle(
                self.staging.bundle,
                served,
                checked,
                lock,
                self._service,
                indexes.secrets,
                (training.path, self.staging.source, self.staging.folder),
                self.destination,
                settings.cache,
                with_rows=settings.ship_rows,
            ):
                self.progress.note(line)
            reject_secrets_in_manifest(
                self.staging.bundle / MANIFEST, secrets, notebooks[-1].place()
            )
        return served.environment

    def compare(self, environment: Environment) -> Predictions:
        """Compare the predictions of both bundles for the samples of the previous one."""
        bundle = self.staging.bundle
        manifests = [load_manifest(path) for path in (self.destination, bundle)]
        with self.progress.step("comparing with the previous bundle"):
            if digest_of_bundle(self.destination, manifests[0]) == manifests[1].digest:
                self.progress.note("the new bundle is identical to the previous one: same digest")
            return compare_predictions(
                bundle,
                environment.python,
                self.destination / SAMPLES,
                random_fields=random_fields(*manifests),
                environment=service_environment(
                    self.prepared.environ, self.prepared.settings.parameters
                ),
                deadline=self.prepared.deadline,
            )

    def _reuse_locks(self, checked: Checked, choice: LockChoice, indexes: IndexSettings) -> Locks:
        """Read the existing locks instead of resolving."""
        with self.progress.step("reading the existing locks"):
            constraints, hashes = choice.constraints(), choice.hashes(indexes)
            locks = reuse_locks(self.destination, self.staging, checked, constraints, hashes)
            training, serving = locks.training, locks.serving
            self.progress.note(
                f"{counted(len(training.packages), 'package')} in the training lock, "
                f"{len(serving.packages)} in the serving lock"
            )
            if training.built_from_source:
                names = ", ".join(training.built_from_source)
                self.progress.warn(f"{names}: built from source with unlocked build dependencies")
        return locks

    def _previous_slim(self, lock: Lock) -> Slim | None:
        """Return the previous bundle's reasons for its packages, if it has the same lock."""
        manifest = read_manifest(self.destination)
        return manifest.slim if manifest and manifest.locks.serving == lock.digest else None

    def _read(self) -> tuple[str, Checked]:
        """Copy the source and check it without running it."""
        prepared, progress = self.prepared, self.progress
        with progress.step("reading the notebook"):
            copied = copy_source(prepared.source, self.staging.source, prepared.deadline)
            checked = check(
                self.staging.source,
                copied.files.names,
                prepared.settings,
                prepared.source.notebook,
                self._explain_missing_file,
            )
            if checked.errors:
                raise checked.errors[0]
            names = ", ".join(notebook.name for notebook in checked.chosen.notebooks)
            progress.note(f"{names} ({checked.chosen.reason})")
            if copied.pointers:
                progress.warn(f"{', '.join(copied.pointers)}: {IS_POINTER}; {FETCH_POINTER}")
            copied.files.report(progress)
        if computed := checked.requirements.computed:
            with progress.step("first pass: computing `requirements`"):
                found = compute_requirements(self.staging.source, computed, prepared.deadline)
                gathered = gather(self.staging.source, checked.chosen.notebooks, found)
                checked = replace(checked, requirements=gathered)
        for warning in checked.warnings:
            progress.warn(warning)
        return build_key(prepared, copied.digest), checked

    def _environment(self, lock: Lock, purpose: Purpose, indexes: IndexSettings) -> Environment:
        """Return an environment with exactly the locked packages, cached or new."""
        environment = ensure_environment(
            lock,
            service=self._service,
            purpose=purpose,
            cache=self.prepared.settings.cache,
            indexes=indexes,
            deadline=self.prepared.deadline,
            note=self.progress.note,
        )
        if environment.reused:
            self.progress.note("unchanged: the environment is reused")
        return environment

    @property
    def _service(self) -> Path:
        """The service's wheel."""
        return build_service_wheel(self.prepared.settings.cache, self.prepared.deadline)

    def _explain_missing_file(self, name: str) -> str | None:
        """Explain why a file of the user is not in the build; None if no such file exists."""
        return why_left_out(self.prepared.source, name, self.prepared.deadline)


def _with_variables(prepared: Prepared, variables: Mapping[str, str]) -> Prepared:
    """Set variables for the model's processes, overriding any given values."""
    parameters = prepared.settings.parameters
    others = {name: value for name, value in parameters.items() if name not in variables}
    settings = replace(prepared.settings, parameters=others)
    return replace(prepared, settings=settings, environ={**prepared.environ, **variables})


def _kernel_environment(prepared: Prepared) -> dict[str, str]:
    """Return the environment of the cells, without settings or credentials of indexes.

    Code that writes timestamps, into a plot or an archive, uses the source's time.
    """
    kept = {k: v for k, v in prepared.environ.items() if not is_index_variable(k)}
    time = str(int(prepared.time.timestamp()))
    return {**kept, **prepared.settings.parameters, EPOCH: time}
