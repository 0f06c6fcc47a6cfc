"""Keeps out of pickles where modules are on this machine. Notebook's kernel.

cloudpickle gives a function of a module that it pickles by value the module's `__file__`
and `__path__`: folders that are gone where the model is served, and another build's are
elsewhere. What the function's own code asks for is pickled apart from these.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any

import cloudpickle

PATHS = ("__file__", "__path__")

_pickler: Any = cloudpickle.Pickler
_arguments_of = _pickler._function_getnewargs
"""cloudpickle's own: the code, the module's globals, and what else makes a function."""


def leave_out_paths() -> None:
    """Let whatever cloudpickle pickles in this process have no paths of modules."""
    _pickler._function_getnewargs = _arguments_without_paths


def _arguments_without_paths(pickler: Any, function: FunctionType) -> tuple[Any, ...]:
    arguments: tuple[Any, ...] = _arguments_of(pickler, function)
    for name in PATHS:
        arguments[1].pop(name, None)
    return arguments
