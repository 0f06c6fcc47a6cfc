"""Finds the tests that libraries bring along, and leaves them out of an environment.

They are folders called `test` or `tests` below a package, a quarter of many an
environment. One that other modules import (`scipy.special.tests` by its tables' makers)
stays. Cython's sources, for who compiles against a library, go with them.
"""

from __future__ import annotations

import ast
import csv
import io
import re
import warnings
from collections.abc import Collection
from pathlib import Path, PurePosixPath

TESTS = frozenset({"test", "tests"})
CYTHON = (".pyx", ".pxd", ".pxi", ".pyx.in", ".pyx.tp")
_WORD = re.compile(r"\btests?\b")


def folder_of_tests(file: str) -> PurePosixPath | None:
    """The folder of tests that a file of `site-packages` is in; None when it is no test."""
    parts = PurePosixPath(file).parts
    places = (place for place in range(1, len(parts) - 1) if parts[place] in TESTS)
    place = next(places, None)
    return None if place is None else PurePosixPath(*parts[: place + 1])


def imported_tests(file: str, text: str) -> set[str]:
    """The modules in folders of tests that a module imports, wherever in its code.

    `file` is relative, as in RECORD. What is no Python of ours imports none.
    """
    found: set[str] = set()
    if not _WORD.search(text):  # parsing takes far longer
        return found
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return found
    package = PurePosixPath(file).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join([*above, *([node.module] if node.module else [])])
            found |= {origin, *(f"{origin}.{alias.name}" for alias in node.names)}
    return {name for name in found if not TESTS.isdisjoint(name.split(".")[1:])}


def is_left_out(file: str, imported: Collection[str] = ()) -> bool:
    """Whether a file of RECORD is a test that is in no module of `imported`, or Cython's."""
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts:  # a wheel may claim any file
        return False
    if file.endswith(CYTHON):
        return True
    folder = folder_of_tests(file)
    if folder is None:
        return False
    module = ".".join(folder.parts)
    return not any(f"{name}.".startswith(f"{module}.") for name in imported)


def leave_out_tests(site_packages: Path, imported: Collection[str]) -> None:
    """Remove the tests of all distributions, but for the folders with modules in `imported`."""
    for record in site_packages.glob("*.dist-info/RECORD"):
        rows = list(filter(None, csv.reader(io.StringIO(record.read_text(encoding="utf-8")))))
        kept = [row for row in rows if not is_left_out(row[0], imported)]
        if len(kept) == len(rows):
            continue
        for file in {row[0] for row in rows} - {row[0] for row in kept}:
            _remove(site_packages, file)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(kept)
        record.unlink()  # others have links to it
        record.write_text(text.getvalue(), encoding="utf-8")


def _remove(site_packages: Path, file: str) -> None:
    """Remove a file, and the folders that are empty without it."""
    path = site_packages / file
    path.unlink(missing_ok=True)
    for folder in path.parents:
        if folder == site_packages or not folder.is_dir() or any(folder.iterdir()):
            return
        folder.rmdir()
