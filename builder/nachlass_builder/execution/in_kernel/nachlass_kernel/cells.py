"""Knows which files the code of cells has. Notebook's kernel.

Standard library and IPython only, so that it works in any kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from IPython import get_ipython

FOLDER = "/tmp/ipykernel/"  # noqa: S108 - nothing is ever there
"""Where the files of cells seem to be."""


def name_cells(notebook: str, mark: str) -> None:
    """Let the files of a notebook's cells have the same names in every run.

    ipykernel's names hold the number of the process and the folder for temporary files.
    They show in pickles, and in what cells put out. Code that ends
    with `mark` is no cell's.
    """
    compiler = get_ipython().compile
    named = compiler.get_code_name

    def name(raw_code: str, code: str, number: int) -> str:
        file = str(named(raw_code, code, number))
        if raw_code.endswith(mark):
            return file
        return f"{FOLDER}{notebook}/{PurePosixPath(file).name}"

    compiler.get_code_name = name


def cell_files() -> Mapping[str, int]:
    """The file names that code objects of cells carry, each with its execution count."""
    compiler = getattr(get_ipython(), "compile", None)
    found: Mapping[str, int] = getattr(compiler, "_filename_map", {})
    return {file: count for file, count in found.items() if file.startswith(FOLDER)}
