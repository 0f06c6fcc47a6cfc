"""Compares two bundles: code, data, packages, parameters, predictions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from nachlass_builder.assemble.build import build
from nachlass_builder.assemble.ready_model import ReadyModel, ready_model
from nachlass_builder.bundle.contents import digest_of_bundle
from nachlass_builder.bundle.layout import SAMPLES, SOURCE_FOLDER, TRAINING_LOCK, bundle_at
from nachlass_builder.bundle.manifest import Data, DataFile, Manifest, load_manifest
from nachlass_builder.diff.code import change_of, changed_code
from nachlass_builder.diff.model import Change, Difference, FileState, Side
from nachlass_builder.foundation.errors import ProofError
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.packages.lock import Lock
from nachlass_builder.proof.compare import (
    Predictions,
    compare_predictions,
    random_fields,
)
from nachlass_builder.source.prepare import Request


def diff(old: Request, new: Request) -> Difference:
    """Compare two bundles or sources; sources are built if they changed.

    The new model scores the old bundle's samples in the new environment; the old
    predictions are recorded in the old bundle.
    """
    for request in (old, new):
        bundle_at(Path(request.source))  # rejects damaged bundles before building anything
    before = _bundle(old)
    model = ready_model(new)
    was, is_now = load_manifest(before), load_manifest(model.bundle)
    serving = was.packages.keys() | is_now.packages.keys()
    return Difference(
        old=_side(before, was),
        new=_side(model.bundle, is_now),
        code=tuple(
            changed_code(
                before / SOURCE_FOLDER,
                model.bundle / SOURCE_FOLDER,
                _notebooks(was),
                _notebooks(is_now),
            )
        ),
        data=tuple(_changed_data(was.data, is_now.data)),
        packages=_changes(was.packages, is_now.packages),
        training_packages=_changes(_locked(before, serving), _locked(model.bundle, serving)),
        python=_changes({"python": was.python}, {"python": is_now.python}),
        parameters=_changes(was.parameters, is_now.parameters),
        predictions=_predictions(before, was, is_now, model),
    )


def _bundle(request: Request) -> Path:
    """Return the bundle of a source, or the bundle itself, without its environment."""
    path = Path(request.source)
    return path.absolute() if bundle_at(path) else build(request, Progress()).bundle


def _side(bundle: Path, manifest: Manifest) -> Side:
    """Describe a bundle, with a computed digest instead of the manifest's."""
    digest = digest_of_bundle(bundle, manifest)
    if digest != manifest.digest:
        Progress().warn(f"{bundle} has been modified: its digest differs from its manifest")
    return Side(
        str(bundle),
        manifest.name,
        manifest.version,
        manifest.source.commit,
        manifest.source.dirty,
        manifest.created,
        manifest.built_by,
        digest,
    )


def _notebooks(manifest: Manifest) -> list[str]:
    return [notebook.name for notebook in manifest.source.notebooks]


def _locked(bundle: Path, serving: Collection[str]) -> dict[str, str]:
    """Return the packages that are used only for training, with their versions."""
    locked = Lock.read(bundle / TRAINING_LOCK).packages
    return {name: version for name, version in locked if name not in serving}


def _changes(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Change, ...]:
    """Return the differences between two mappings, by name."""
    return tuple(
        Change(name, change_of(old.get(name), new.get(name)), old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def _changed_data(old: Data, new: Data) -> Iterator[Change]:
    """Yield the data files that only one side read, or whose content differs."""
    before, after = ({file.path: file for file in data.files} for data in (old, new))
    for path in sorted(before.keys() | after.keys()):
        was, is_now = before.get(path), after.get(path)
        if was and is_now:
            if _content(was) != _content(is_now):
                yield Change(path, "changed", _state(was), _state(is_now))
        elif (only := was or is_now) and not only.written:  # written files may have random names
            yield Change(path, change_of(was, is_now), _state(was), _state(is_now))


def _content(file: DataFile) -> tuple[str | int | None, ...]:
    """Return a file's identity for comparison: its digest, or its size and time."""
    return (file.sha256,) if file.sha256 else (file.bytes, file.modified_ns)


def _state(file: DataFile | None) -> FileState | None:
    """Return a short description of a file."""
    if file is None:
        return None
    return FileState(file.bytes, file.sha256, inside=file.inside, written=file.written)


def _predictions(before: Path, was: Manifest, is_now: Manifest, model: ReadyModel) -> Predictions:
    """Compare the new model's predictions for the old samples with the recorded ones."""
    try:
        with Progress().step("scoring the old bundle's samples with the new model"):
            return compare_predictions(
                model.bundle,
                model.python,
                before / SAMPLES,
                random_fields=random_fields(was, is_now),
                environment=model.environment,
                deadline=Deadline(),
            )
    except ProofError as error:
        count = was.samples.count
        return Predictions(error.message, count=count, failed=count)
