"""Turns decoded JSON into dataclasses and names the field that does not match.

A library could conflict with the packages of a model, so the service has few dependencies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")

NAMES = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    NoneType: "null",
}


def decode(kind: type[T], value: Any) -> T:
    """Turn a decoded JSON value into a dataclass; raises ValueError that names the field.

    Fields may be dataclasses, tuples of one type, mappings of strings to one type,
    unions, literals, str, int, float, bool, None and Any. Unknown keys are ignored.
    """
    decoded: T = _decode(kind, value, "")
    return decoded


def _decode(kind: Any, value: Any, place: str) -> Any:
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _object(kind, _expect(dict, value, place), place)
    match get_origin(kind), get_args(kind):
        case None, _:
            return _expect(kind, value, place)
        case origin, names if origin is Literal:
            if value not in names:
                raise ValueError(f"{place} is not one of {', '.join(map(repr, names))}")
            return value
        case origin, (inner, *_) if origin is tuple:
            items = enumerate(_expect(list, value, place))
            return tuple(_decode(inner, item, f"{place}[{index}]") for index, item in items)
        case origin, (_, inner) if origin in (dict, Mapping):
            items = _expect(dict, value, place).items()
            return {key: _decode(inner, item, f"{place}[{key!r}]") for key, item in items}
        case _, kinds:
            return _union(kinds, value, place)


def _object(kind: Any, value: Mapping[str, Any], place: str) -> Any:
    """Turn a JSON object into a dataclass."""
    hints = get_type_hints(kind)
    found = {}
    for field in fields(kind):
        where = f"{place}.{field.name}" if place else field.name
        if field.name in value:
            found[field.name] = _decode(hints[field.name], value[field.name], where)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{where} is missing")
    return kind(**found)


def _union(kinds: tuple[Any, ...], value: Any, place: str) -> Any:
    """Decode a value of one of several types."""
    problems = []
    for kind in kinds:
        try:
            return _decode(kind, value, place)
        except ValueError as problem:
            problems.append(problem)
    raise problems[0]


def _expect(kind: Any, value: Any, place: str) -> Any:
    """Return the value; raises ValueError for another type (true is not a number)."""
    if type(value) is kind or (kind is float and type(value) is int):
        return value
    raise ValueError(f"{place or 'the document'} is not {NAMES[kind]}")
