"""Keeps the values of secret parameters out of bundles: the key, the pickle, the outputs."""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from nachlass_builder.bundle.layout import SAMPLES
from nachlass_builder.foundation.errors import CaptureError, Place
from nachlass_builder.foundation.keyed_digest import keyed_digest
from nachlass_builder.foundation.settings import Settings
from nachlass_builder.notebook.notebook import Notebook
from nachlass_builder.source.parameters import secret_parameters

RECORD_FOLDER = "secrets"
"""The cache folder with a keyed digest of the secret parameters of each bundle."""


def are_unchanged(settings: Settings, destination: Path) -> bool:
    """Return whether the bundle at `destination` was built with the same secret parameters."""
    if not secret_parameters(settings):
        return True
    try:
        return _record(settings, destination).read_text(encoding="utf-8") == _digest(settings)
    except OSError:
        return False


def remember(settings: Settings, destination: Path) -> None:
    """Remember the secret parameters that a bundle was built with."""
    record = _record(settings, destination)
    if secret_parameters(settings):
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(_digest(settings), encoding="utf-8")
    else:
        record.unlink(missing_ok=True)


def _record(settings: Settings, destination: Path) -> Path:
    """Return the file with the digest of a bundle's secret parameters."""
    name = hashlib.sha256(os.fsencode(destination)).hexdigest()[:32]
    return settings.cache / RECORD_FOLDER / name


def _digest(settings: Settings) -> str:
    """Return a digest of the secret parameters that is valid only for this cache."""
    words = [word for pair in secret_parameters(settings).items() for word in pair]
    return keyed_digest(settings.cache, words)


def reject_secrets(
    bundle: Path,
    source: Path,
    secrets: Mapping[str, Collection[str]],
    parameters: Collection[str],
    notebooks: Sequence[Notebook],
) -> None:
    """Reject an unfinished bundle that contains a secret in any form; raises CaptureError.

    Search the pickles, the samples, the outputs of the executed `notebooks`, and the copy of
    the source with the files that the cells wrote. In the outputs, only `parameters`
    count: secrets of the environment are redacted there anyway.
    """
    for name in parameters:
        for place in _shown(secrets.get(name, ()), notebooks):
            raise _leaked(name, "the output of the cell", place, "do not print it")
    for path in filter(Path.is_file, bundle.iterdir()) if secrets else ():
        for name in _held(path, secrets):
            what = "the samples" if path.name == SAMPLES else "the pickle"
            remedy = f'read os.environ["{name}"] in the body of the predictor'
            raise _leaked(name, what, _mentioned(name, notebooks), remedy)
    for path in _files(source) if secrets else ():
        relative = path.relative_to(source).as_posix()
        in_name = [name for name, forms in secrets.items() if any(f in relative for f in forms)]
        for name in (*in_name, *_held(path, secrets)):
            place = _mentioned(name, notebooks)
            raise _leaked(name, "a file of the source", place, "do not write it to files there")


def reject_secrets_in_manifest(
    manifest: Path, secrets: Mapping[str, Collection[str]], place: Place
) -> None:
    """Reject a manifest that contains a secret, for instance in the name of a data file."""
    for name in _held(manifest, secrets):
        raise _leaked(name, "the manifest", place, "do not use it in the name of a file")


def _leaked(name: str, what: str, place: Place, remedy: str) -> CaptureError:
    """Return the error for a secret that would be in every bundle and image."""
    return CaptureError(
        f"the value of the secret {name} is in {what}, and would be in the bundle and its images",
        place=place,
        remedy=f"{remedy}; if it is not a secret, name the variable in S2I_SHIP",
    )


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder, without links."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path


def _held(path: Path, secrets: Mapping[str, Collection[str]]) -> list[str]:
    """Return the names of the secrets that a file contains, in UTF-8 or UTF-16."""
    if not secrets or not path.stat().st_size:
        return []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return [
            name
            for name, forms in secrets.items()
            if any(
                content.find(form.encode(encoding, "surrogatepass")) >= 0
                for form in forms
                for encoding in ("utf-8", "utf-16-le")
            )
        ]


def _mentioned(name: str, notebooks: Sequence[Notebook]) -> Place:
    """Return the first line that names the parameter, else the last notebook."""
    for notebook in notebooks:
        for cell in notebook.cells:
            for number, line in enumerate(cell.source.splitlines(), start=1):
                if name in line:
                    return notebook.place(cell, number)
    return notebooks[-1].place()


def _shown(forms: Collection[str], notebooks: Sequence[Notebook]) -> Iterator[Place]:
    """Yield the cells whose outputs contain one of the texts."""
    for notebook in notebooks:
        nodes = (node for node in notebook.node.cells if node.cell_type == "code")
        numbered = (node for node in nodes if node.source.strip())
        for cell, node in zip(notebook.cells, numbered, strict=True):
            if any(_is_in(form, node.get("outputs", [])) for form in forms):
                yield notebook.place(cell)


def _is_in(text: str, output: object) -> bool:
    """Return whether a text is anywhere in an output."""
    match output:
        case str():
            return text in output
        case Mapping():
            return any(_is_in(text, part) for part in output.values())
        case list():
            return any(_is_in(text, part) for part in output)
    return False
