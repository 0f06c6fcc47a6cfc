"""Knows which files the code of cells has. Notebook's kernel.

Standard library and IPython only, so that it works in any kernel.
"""

from __future__ import annotations

from collections.abc import Mapping

from IPython import get_ipython


def cell_files() -> Mapping[str, int]:
    """The file names that code objects of cells carry, each with its execution count."""
    compiler = getattr(get_ipython(), "compile", None)
    found: Mapping[str, int] = getattr(compiler, "_filename_map", {})
    return found
