"""Decides whether a build is unchanged, and what to keep of the previous one."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nachlass_builder import __version__
from nachlass_builder.assemble.manifest import revision_of
from nachlass_builder.bundle.cached import hold_cached
from nachlass_builder.bundle.contents import digest_of_bundle
from nachlass_builder.bundle.layout import (
    SBOM,
    SERVING_LOCK,
    SOURCE_FOLDER,
    missing_parts,
    service_wheel,
)
from nachlass_builder.bundle.manifest import (
    Manifest,
    SourceRevision,
    load_manifest,
    read_manifest,
    write_manifest,
)
from nachlass_builder.execution.data_files import CHANGED, changed_outside
from nachlass_builder.foundation.digest import digest_of
from nachlass_builder.foundation.errors import Place, RequirementsError, SourceError
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.foundation.settings import Settings
from nachlass_builder.packages.environment import (
    Environment,
    ensure_environment,
    existing_environment,
)
from nachlass_builder.packages.lock import Lock
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.packages.sbom import renewed
from nachlass_builder.packages.service_wheel import service_digest
from nachlass_builder.source.parameters import secret_parameters
from nachlass_builder.source.prepare import Prepared


def build_key(prepared: Prepared, source_digest: str) -> str:
    """Return a digest of the build's inputs: the source, the settings, Python and Nachlass.

    Secret parameters count by name only: secret_parameters.py detects changed values.
    """
    settings = prepared.settings
    secret = secret_parameters(settings)
    parameters, index = (
        {name: "" if name in secret else value for name, value in values.items()}
        for values in (settings.parameters, settings.index)
    )
    # Time limits and paths do not affect the result, and the name may come from the folder.
    steering = replace(
        settings,
        model_name=prepared.model_name,
        model_path=None,
        cache=Path(),
        cell_timeout_s=None,
        build_timeout_s=None,
        parameters=parameters,
        index=index,
    )
    return digest_of(
        [
            source_digest,
            prepared.source.notebook,
            repr(sorted(vars(steering).items(), key=lambda item: item[0])),
            platform.python_version(),
            __version__,
            service_digest(),
        ]
    )


def current_environment(
    destination: Path, key: str, prepared: Prepared, progress: Progress
) -> Environment | None:
    """Return the environment of the bundle at `destination` if it is up to date, else None.

    A commit that changed no file only updates the git facts in the manifest. Changed data
    outside the source causes a rebuild; data that is gone only a warning.
    """
    manifest = read_manifest(destination)
    if manifest is None or manifest.key != key:
        return None
    if missing := missing_parts(destination, manifest):
        progress.note(f"{missing[0]} is missing from {destination}")
        return None
    for path, what in changed_outside(manifest.data):
        if what == CHANGED:
            progress.note(f"{path} {what} since the notebook read it")
            return None
        progress.warn(f"{path}, which the notebook read, {what}")
    environment = restore_environment(
        destination, prepared.environ, prepared.settings, prepared.deadline, progress
    )
    revision = revision_of(prepared.source, prepared.deadline)
    source = SourceRevision(**vars(revision), notebooks=manifest.source.notebooks)
    created = prepared.time.isoformat()
    if (source, created) != (manifest.source, manifest.created):
        version = source.described or key[:12]
        manifest = replace(manifest, version=version, source=source, created=created)
        _renew(destination, manifest)
    progress.note(f"unchanged: {destination} is kept")
    return environment


def _renew(bundle: Path, manifest: Manifest) -> None:
    """Replace the manifest of an unchanged model, and its bill of materials."""
    bill, new = bundle / SBOM, bundle / f"{SBOM}.partial"
    try:
        new.write_text(renewed(bill.read_text(encoding="utf-8"), manifest), encoding="utf-8")
        new.replace(bill)
        digest = digest_of_bundle(bundle, manifest)
        write_manifest(bundle, replace(manifest, digest=digest))
    except OSError as error:
        raise SourceError(
            f"{error.filename} cannot be written: {error.strerror}",
            remedy="choose another folder with -o, or build with --force",
        ) from error


def restore_environment(
    bundle: Path,
    environ: Mapping[str, str],
    settings: Settings,
    deadline: Deadline,
    progress: Progress,
) -> Environment:
    """Return the environment of a bundle; create it from its lock and wheel if not cached."""
    hold_cached(bundle, settings.cache)
    lock, manifest = Lock.read(bundle / SERVING_LOCK), load_manifest(bundle)
    if lock.digest != manifest.locks.serving:
        raise RequirementsError(
            "the lock differs from the one that the model was proven with",
            place=Place(str(bundle / SERVING_LOCK)),
            remedy="build the source again",
        )
    service = service_wheel(bundle, manifest)
    if service is None:
        raise SourceError(
            f"{bundle} is a damaged bundle: the service's wheel is missing or changed",
            remedy="build the source again",
        )
    if existing := existing_environment(
        lock, service=service, purpose="serving", cache=settings.cache
    ):
        return existing
    with progress.step("making the serving environment") as step:
        environment = ensure_environment(
            lock,
            service=service,
            purpose="serving",
            cache=settings.cache,
            indexes=IndexSettings.read({**environ, **settings.index}, bundle / SOURCE_FOLDER),
            deadline=deadline,
            note=progress.note,
        )
        step.made = environment.path
        return environment
