"""Keeps the file names of pickled code from the notebook. Notebook's kernel.

Since version 3.1.3, cloudpickle replaces a code object's file name by `<dynamic-code>`, which
makes pickles of equal code equal. But only the file name leads from a traceback to the cell. So
the code of a cell is pickled as by cloudpickle, wrapped in a call that restores the file name:

    operator.methodcaller("replace", co_filename="/tmp/ipykernel/model.ipynb/123.py")(code)

Loading it still needs only the standard library and cloudpickle. Other code (closures of
modules) has file names that are meaningless after the build.
"""

from __future__ import annotations

from functools import cache
from operator import methodcaller
from types import CodeType
from typing import Any

import cloudpickle

from nachlass_kernel.cells import cell_files

_table: Any = getattr(cloudpickle.Pickler, "dispatch_table", {})
_reduce_bare = _table.get(CodeType)
"""cloudpickle's own reducer of code objects."""


def keep_places() -> None:
    """Make cloudpickle keep the file names of cells in this process.

    This changes cloudpickle's own table rather than that of a subclass of the pickler, because
    cells that save a stage call cloudpickle themselves.
    """
    if _reduce_bare is not None:
        _table[CodeType] = _reduce_code


def _reduce_code(code: CodeType) -> tuple[Any, ...]:
    """Reduce code to a call that restores its file name, if that is a cell's."""
    if code.co_filename not in cell_files():
        return _reduce_code_bare(code)
    return _put_in(code.co_filename), (_Bare(code),)


@cache
def _put_in(file: str) -> methodcaller:
    """Return the call that sets a file name: one object per file, which a pickle stores once."""
    return methodcaller("replace", co_filename=file)


class _Bare:
    """A code object that is pickled as by cloudpickle."""

    __slots__ = ("_code",)

    def __init__(self, code: CodeType) -> None:
        self._code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return _reduce_code_bare(self._code)


def _reduce_code_bare(code: CodeType) -> tuple[Any, ...]:
    """Reduce code like cloudpickle."""
    reduced: tuple[Any, ...] = _reduce_bare(code)
    return reduced
