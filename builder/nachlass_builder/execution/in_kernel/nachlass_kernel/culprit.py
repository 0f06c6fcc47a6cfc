"""Finds the object that makes pickling fail, and the path to it. Notebook's kernel.

The search descends from the functions through their references: at each object it looks for a
part that cannot be pickled by itself, until there is no such part.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import Any

import cloudpickle

SEARCH_S = 20.0
"""Time limit for the search, after which the best culprit so far is used."""


@dataclass(frozen=True)
class Culprit:
    """The object: its type, the path to it from a function, and the global on that path."""

    function: str
    path: str
    name: str | None
    kind: str


def find_culprit(functions: Mapping[str, Any]) -> Culprit:
    """Find the innermost part of the functions that cannot be pickled."""
    ends_at = time.monotonic() + SEARCH_S
    steps: list[str] = []
    name = None
    parts: Iterator[tuple[str, str | None, Any]]
    parts = ((f"`{key}`", key, function) for key, function in functions.items())
    seen: set[int] = set()
    kind = "object"
    while time.monotonic() < ends_at:
        blamed = next((part for part in parts if id(part[2]) not in seen and _fails(part[2])), None)
        if blamed is None:
            break
        step, bound, part = blamed
        seen.add(id(part))
        steps.append(step)
        name = bound or name
        kind = f"{type(part).__module__}.{type(part).__qualname__}".removeprefix("builtins.")
        parts = _parts(part)
    return Culprit(steps[0].strip("`") if steps else "predictor", " -> ".join(steps), name, kind)


def _fails(value: Any) -> bool:
    """Return whether a value cannot be pickled by itself."""
    try:
        cloudpickle.dumps(value)
    except Exception:  # noqa: BLE001 - the search is for any failure
        return True
    return False


def _parts(value: Any) -> Iterator[tuple[str, str | None, Any]]:
    """Yield a value's references: a description, the notebook's name if any, and the part."""
    match value:
        case FunctionType():
            yield from parts_of_function(value)
        case MethodType():
            yield "its object", None, value.__self__
        case type():
            for name, part in vars(value).items():
                if not name.startswith("__") or callable(part):
                    yield f"attribute `{name}`", None, part
        case Mapping():
            for key, part in value.items():
                yield f"item {key!r:.40}", None, part
        case list() | tuple() | set() | frozenset():
            for index, part in enumerate(value):
                yield f"item {index}", None, part
        case _:
            yield from _parts_of_object(value)


def parts_of_function(function: FunctionType) -> Iterator[tuple[str, str | None, Any]]:
    """Yield globals, closure and defaults of a function, including nested functions' globals."""
    for name in sorted(_global_names(function.__code__)):
        if name in function.__globals__:
            yield f"global `{name}`", name, function.__globals__[name]
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield f"variable `{name}`", None, cell.cell_contents
        except ValueError:  # not filled yet
            continue
    yield "its defaults", None, function.__defaults__ or ()
    yield "its defaults", None, function.__kwdefaults__ or {}


def _global_names(code: Any) -> set[str]:
    """Return the names that a code object and its nested ones may look up."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            names |= _global_names(constant)
    return names


def _parts_of_object(value: Any) -> Iterator[tuple[str, str | None, Any]]:
    """Yield an instance's class, if the notebook defines it, and its attributes."""
    if type(value).__module__ == "__main__":
        yield f"class `{type(value).__name__}`", type(value).__name__, type(value)
    attributes = getattr(value, "__dict__", None)
    if isinstance(attributes, dict):
        for name, part in attributes.items():
            yield f"attribute `{name}`", None, part
    for name in _slots(type(value)):
        if hasattr(value, name):
            yield f"attribute `{name}`", None, getattr(value, name)


def _slots(kind: type) -> Iterator[str]:
    """Yield the names in a class's `__slots__`, including inherited ones."""
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        yield from ([slots] if isinstance(slots, str) else slots)
