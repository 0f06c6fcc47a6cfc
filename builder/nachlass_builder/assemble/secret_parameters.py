"""Keeps the values of secret parameters out of bundles: of the key, the pickle, the outputs."""

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

REMEMBERED = "secrets"
"""The folder of the cache that has, for each bundle, a keyed digest of its secret parameters."""


def are_unchanged(settings: Settings, destination: Path) -> bool:
    """Whether the secret parameters are those that the bundle there was built with."""
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
    """The file that remembers the secret parameters of a bundle."""
    name = hashlib.sha256(os.fsencode(destination)).hexdigest()[:32]
    return settings.cache / REMEMBERED / name


def _digest(settings: Settings) -> str:
    """What tells whether they are the same, for this cache alone."""
    words = [word for pair in secret_parameters(settings).items() for word in pair]
    return keyed_digest(settings.cache, words)


def refuse_kept(
    bundle: Path,
    source: Path,
    secrets: Mapping[str, Collection[str]],
    given: Collection[str],
    notebooks: Sequence[Notebook],
) -> None:
    """Refuse a bundle in the making that holds a secret, in any of its forms.

    Searched are the pickles, the samples, the outputs, and the copy of the source with what
    the cells have written. Raises CaptureError. The notebooks have been executed; in their
    outputs only what was `given` is refused: of the environment, all is hidden there anyway.
    """
    for name in given:
        for place in _shown(secrets.get(name, ()), notebooks):
            raise _kept(name, "the output of the cell", place, "print nothing of it")
    for path in filter(Path.is_file, bundle.iterdir()) if secrets else ():
        for name in _held(path, secrets):
            what = "the samples" if path.name == SAMPLES else "the pickle"
            called = f'read it when the predictor is called: os.environ["{name}"] in its body'
            raise _kept(name, what, _mentioned(name, notebooks), called)
    for path in _files(source) if secrets else ():
        relative = path.relative_to(source).as_posix()
        in_name = [name for name, forms in secrets.items() if any(f in relative for f in forms)]
        for name in (*in_name, *_held(path, secrets)):
            place = _mentioned(name, notebooks)
            raise _kept(name, "a file of the source", place, "write it to no file there")


def refuse_told(manifest: Path, secrets: Mapping[str, Collection[str]], place: Place) -> None:
    """Refuse a manifest that holds a secret: in the name of a file that was read, for one."""
    for name in _held(manifest, secrets):
        raise _kept(name, "the manifest", place, "let no file be called by it")


def _kept(name: str, what: str, place: Place, way: str) -> CaptureError:
    """The failure for a value that would be in every bundle and image."""
    return CaptureError(
        f"the value of {name}, a secret, is in {what}, and so in bundle and image",
        place=place,
        remedy=f"{way}; if it is no secret, name the variable in S2I_SHIP",
    )


def _files(folder: Path) -> Iterator[Path]:
    """The files of a folder that are no links."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path


def _held(path: Path, secrets: Mapping[str, Collection[str]]) -> list[str]:
    """The names of the secrets that a file has in it, in UTF-8 or UTF-16."""
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
    """The first line that names the parameter, or else the last notebook."""
    for notebook in notebooks:
        for cell in notebook.cells:
            for number, line in enumerate(cell.source.splitlines(), start=1):
                if name in line:
                    return notebook.place(cell, number)
    return notebooks[-1].place()


def _shown(forms: Collection[str], notebooks: Sequence[Notebook]) -> Iterator[Place]:
    """The cells whose outputs show a text."""
    for notebook in notebooks:
        nodes = (node for node in notebook.node.cells if node.cell_type == "code")
        numbered = (node for node in nodes if node.source.strip())
        for cell, node in zip(notebook.cells, numbered, strict=True):
            if any(_is_in(form, node.get("outputs", [])) for form in forms):
                yield notebook.place(cell)


def _is_in(text: str, output: object) -> bool:
    """Whether a text is anywhere in what a cell has put out."""
    match output:
        case str():
            return text in output
        case Mapping():
            return any(_is_in(text, part) for part in output.values())
        case list():
            return any(_is_in(text, part) for part in output)
    return False
