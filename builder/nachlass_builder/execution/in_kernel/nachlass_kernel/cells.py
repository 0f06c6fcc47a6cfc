"""The file names of the cells' code. Notebook's kernel.

Standard library and IPython only, so that it works in any kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from IPython import get_ipython

FOLDER = "/tmp/ipykernel/"  # noqa: S108 - no file is ever written there
"""The apparent folder of the cells' files."""


def name_cells(notebook: str, mark: str) -> None:
    """Give the files of a notebook's cells the same names in every run.

    ipykernel's names contain the process id and the folder for temporary files, which show up in
    pickles and in output. Code that ends with `mark` does not belong to a cell.
    """
    compiler = get_ipython().compile
    get_code_name = compiler.get_code_name

    def name(raw_code: str, code: str, number: int) -> str:
        file = str(get_code_name(raw_code, code, number))
        if raw_code.endswith(mark):
            return file
        return f"{FOLDER}{notebook}/{PurePosixPath(file).name}"

    compiler.get_code_name = name


def cell_files() -> Mapping[str, int]:
    """Return the file names of the cells' code objects, each with its execution count."""
    compiler = getattr(get_ipython(), "compile", None)
    found: Mapping[str, int] = getattr(compiler, "_filename_map", {})
    return {file: count for file, count in found.items() if file.startswith(FOLDER)}
