"""Finds which object a pickle fails at, and how it is reached. Notebook's kernel.

The search goes down from the functions through what they refer to: at each
object it asks which of its parts cannot be pickled by itself, until none of
the parts can be blamed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import Any

import cloudpickle

SEARCH_S = 20.0
"""Seconds after which the best culprit so far has to do."""


@dataclass(frozen=True)
class Culprit:
    """The object: its type, the path to it from a function, the global that leads to it."""

    function: str
    path: str
    name: str | None
    kind: str


def find_culprit(functions: Mapping[str, Any]) -> Culprit:
    """Find the innermost part of the functions that cannot be pickled."""
    until = time.monotonic() + SEARCH_S
    steps: list[str] = []
    name = None
    parts: Iterator[tuple[str, str | None, Any]]
    parts = ((f"`{key}`", key, function) for key, function in functions.items())
    seen: set[int] = set()
    kind = "object"
    while time.monotonic() < until:
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
    """Whether a value cannot be pickled by itself."""
    try:
        cloudpickle.dumps(value)
    except Exception:  # noqa: BLE001 - any failure is what is looked for
        return True
    return False


def _parts(value: Any) -> Iterator[tuple[str, str | None, Any]]:
    """What a value refers to: how to say it, the notebook's name if it has one, and the part."""
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
    """Globals, closure and defaults of a function, the nested functions' globals included."""
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
    """The names that a code object and those nested in it may look up."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            names |= _global_names(constant)
    return names


def _parts_of_object(value: Any) -> Iterator[tuple[str, str | None, Any]]:
    """An instance's class, when it is the notebook's own, and its attributes."""
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
    """The names in a class's `__slots__`, inherited ones included."""
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        yield from ([slots] if isinstance(slots, str) else slots)
