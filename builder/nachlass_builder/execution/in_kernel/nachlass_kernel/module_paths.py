"""Keeps this machine's module paths out of pickles. Notebook's kernel.

With a function that it pickles by value, cloudpickle pickles its module's `__file__` and
`__path__`: folders that do not exist where the model is served and differ between builds.
Globals that the function's code uses are pickled separately.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any

import cloudpickle

PATHS = ("__file__", "__path__")

_pickler: Any = cloudpickle.Pickler
_arguments_of = _pickler._function_getnewargs
"""cloudpickle's own method: the code, the module's globals, and the rest of a function."""


def leave_out_paths() -> None:
    """Make cloudpickle leave out module paths in this process."""
    _pickler._function_getnewargs = _arguments_without_paths


def _arguments_without_paths(pickler: Any, function: FunctionType) -> tuple[Any, ...]:
    arguments: tuple[Any, ...] = _arguments_of(pickler, function)
    for name in PATHS:
        arguments[1].pop(name, None)
    return arguments
