"""The tests that libraries ship, which are left out of environments.

They are folders named `test` or `tests` below a package, and often a quarter of an
environment. A folder that other modules import (`scipy.special.tests`) stays. Cython
sources, which only serve to compile against a library, are left out too.
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
    """Return the test folder of a file in `site-packages`; None if it is not a test."""
    parts = PurePosixPath(file).parts
    places = (place for place in range(1, len(parts) - 1) if parts[place] in TESTS)
    place = next(places, None)
    return None if place is None else PurePosixPath(*parts[: place + 1])


def imported_tests(file: str, text: str) -> set[str]:
    """Return the modules in test folders that a module imports anywhere in its code.

    `file` is relative, as in RECORD. Code that does not parse imports none.
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
    """Return whether a file of RECORD is Cython's, or a test that `imported` does not name."""
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
    """Remove the tests of all distributions, except folders with modules in `imported`."""
    for record in site_packages.glob("*.dist-info/RECORD"):
        rows = list(filter(None, csv.reader(io.StringIO(record.read_text(encoding="utf-8")))))
        kept = [row for row in rows if not is_left_out(row[0], imported)]
        if len(kept) == len(rows):
            continue
        for file in {row[0] for row in rows} - {row[0] for row in kept}:
            _remove(site_packages, file)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(kept)
        record.unlink()  # other environments link to it
        record.write_text(text.getvalue(), encoding="utf-8")


def _remove(site_packages: Path, file: str) -> None:
    """Remove a file, and the folders that this leaves empty."""
    path = site_packages / file
    path.unlink(missing_ok=True)
    for folder in path.parents:
        if folder == site_packages or not folder.is_dir() or any(folder.iterdir()):
            return
        folder.rmdir()
