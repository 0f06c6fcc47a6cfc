"""Lets pickled code keep its place in the notebook. Notebook's kernel.

Since version 3.1.3, cloudpickle writes `<dynamic-code>` in place of a code
object's file, which makes pickles of equal code equal. But the file is all that
leads from a traceback to the cell. So the code of a cell is pickled as
cloudpickle does it, and as a call that gives the file back:

    operator.methodcaller("replace", co_filename="/tmp/ipykernel/model.ipynb/123.py")(code)

Loading it takes the standard library and cloudpickle, as before. Other code
(closures of modules) has files that are gone or meaningless after the build.
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
    """Let whatever cloudpickle pickles in this process keep the files of cells.

    The table itself changes, rather than that of a subclass of the pickler:
    cells that save a stage call cloudpickle themselves.
    """
    if _reduce_bare is not None:
        _table[CodeType] = _reduce_code


def _reduce_code(code: CodeType) -> tuple[Any, ...]:
    """Reduce code to a call that gives it its file back, if that is a cell's."""
    if code.co_filename not in cell_files():
        return _reduce_code_bare(code)
    return _put_in(code.co_filename), (_Bare(code),)


@cache
def _put_in(file: str) -> methodcaller:
    """What gives code a file: one object for each file, because a pickle holds an object once."""
    return methodcaller("replace", co_filename=file)


class _Bare:
    """A code object that is pickled as cloudpickle does it."""

    __slots__ = ("_code",)

    def __init__(self, code: CodeType) -> None:
        self._code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return _reduce_code_bare(self._code)


def _reduce_code_bare(code: CodeType) -> tuple[Any, ...]:
    """Reduce code as cloudpickle does."""
    reduced: tuple[Any, ...] = _reduce_bare(code)
    return reduced
