"""Keeps the values of secret parameters out of bundles: of the key, the pickle, the outputs."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from nachlass_builder.bundle.layout import SAMPLES
from nachlass_builder.foundation.credentials import is_secret_parameter
from nachlass_builder.foundation.errors import CaptureError, Place
from nachlass_builder.foundation.keyed_digest import keyed_digest
from nachlass_builder.foundation.settings import Settings
from nachlass_builder.notebook.notebook import Notebook

REMEMBERED = "secrets"
"""The folder of the cache that has, for each bundle, a keyed digest of its secret parameters."""
LEAST_SEARCHED = 8
"""Characters of a value that is looked for; shorter ones, and plain words, are everywhere."""
_WORD = re.compile(r"[a-z]+|[A-Z]+|[A-Z][a-z]+|[\d.]+")


def secret_parameters(settings: Settings) -> dict[str, str]:
    """The parameters that are called, or look, secret, and are not said to be none."""
    given = {**settings.parameters, **settings.index}
    return {
        name: value
        for name, value in sorted(given.items())
        if name not in settings.shipped and is_secret_parameter(name, value)
    }


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


def refuse_kept(bundle: Path, settings: Settings, notebooks: Sequence[Notebook]) -> None:
    """Refuse a bundle in the making whose pickles, samples or outputs hold a secret parameter.

    Raises CaptureError. The notebooks have been executed.
    """
    searched = {
        name: value
        for name, value in secret_parameters(settings).items()
        if len(value) >= LEAST_SEARCHED and not _WORD.fullmatch(value)
    }
    for name, value in searched.items():
        for path in filter(Path.is_file, bundle.iterdir()):
            if _holds(path, value):
                what = "the samples" if path.name == SAMPLES else "the pickle"
                raise _kept(name, what, _mentioned(name, notebooks), inside=True)
        for place in _shown(value, notebooks):
            raise _kept(name, "the output of the cell", place, inside=False)


def _kept(name: str, what: str, place: Place, *, inside: bool) -> CaptureError:
    """The failure for a value that would be in every bundle and image."""
    way = f'read it when the predictor is called: os.environ["{name}"] in its body'
    return CaptureError(
        f"the value of {name}, a secret parameter, is in {what}, and so in bundle and image",
        place=place,
        remedy=f"{way if inside else 'print nothing of it'}; if it is no secret, "
        "name the parameter in S2I_SHIP",
    )


def _holds(path: Path, value: str) -> bool:
    """Whether a file has a text in it, as pickle and JSON write it."""
    if not path.stat().st_size:
        return False
    forms = {value.encode("utf-8", "surrogatepass"), json.dumps(value)[1:-1].encode()}
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(form) >= 0 for form in forms)


def _mentioned(name: str, notebooks: Sequence[Notebook]) -> Place:
    """The first line that names the parameter, or else the last notebook."""
    for notebook in notebooks:
        for cell in notebook.cells:
            for number, line in enumerate(cell.source.splitlines(), start=1):
                if name in line:
                    return notebook.place(cell, number)
    return notebooks[-1].place()


def _shown(value: str, notebooks: Sequence[Notebook]) -> Iterator[Place]:
    """The cells whose outputs show a value."""
    for notebook in notebooks:
        nodes = (node for node in notebook.node.cells if node.cell_type == "code")
        numbered = (node for node in nodes if node.source.strip())
        for cell, node in zip(notebook.cells, numbered, strict=True):
            if _is_in(value, node.get("outputs", [])):
                yield notebook.place(cell)


def _is_in(value: str, output: object) -> bool:
    """Whether a text is anywhere in what a cell has put out."""
    match output:
        case str():
            return value in output
        case Mapping():
            return any(_is_in(value, part) for part in output.values())
        case list():
            return any(_is_in(value, part) for part in output)
    return False
