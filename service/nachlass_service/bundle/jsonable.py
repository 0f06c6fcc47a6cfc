"""Converts predictions to values that JSON can represent.

numpy, pandas and similar libraries are recognised by their attributes, never imported.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
from collections import deque
from collections.abc import Mapping, Sequence, Set
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from nachlass_service.base.errors import InterruptedCallError, UnserialisableError
from nachlass_service.bundle.strict_json import encode

MAX_KEY_LENGTH = 60
"""The most characters of a key in a message."""


def dumps(value: Any) -> str:
    """Encode a value as one line of strict JSON. Raises UnserialisableError."""
    return encode(convert(value)).decode("utf-8")


def convert(value: Any) -> Any:
    """Call `jsonable` and turn each exception of the user's types into UnserialisableError."""
    try:
        return jsonable(value)
    except (UnserialisableError, InterruptedCallError):
        raise
    except RecursionError:
        raise UnserialisableError(
            f"{with_article(_name(type(value)))} that is nested too deeply or contains itself "
            "has no JSON form"
        ) from None
    except BaseException as error:
        raise UnserialisableError(
            f"{with_article(_name(type(value)))} cannot be written as JSON: "
            f"{type(error).__name__}: {error}"
        ) from error


def jsonable(value: Any) -> Any:
    """Convert a value to None, bool, int, float, str, list or dict with string keys.

    NaN, infinities and missing values become None; dates become ISO 8601 strings,
    durations seconds, a series an object keyed by its index, and a frame a list of row
    objects that include the index unless it is 0, 1, 2, ... Raises UnserialisableError,
    also when two keys become the same string.
    """
    match value:
        case None | bool():
            return value
        case Enum():
            return jsonable(value.value)
        case int():
            return int(value)
        case float():
            return float(value) if math.isfinite(value) else None
        case str():
            return str(value)
        case Mapping():
            entries = {_key(key): jsonable(item) for key, item in value.items()}
            # Fewer entries mean a duplicate name; only then is it worth finding which.
            return entries if len(entries) == len(value) else _object([*value], [*value.values()])
        case list() | tuple() | deque() | range():
            return [jsonable(item) for item in value]
        case Set():
            return [jsonable(item) for item in _ordered(value)]
    return _uncommon(value)


def by_position(value: Any) -> Any:
    """Return a series as a list and a frame without its index, to access items by position."""
    kind = type(value)
    if kind.__module__.partition(".")[0] != "pandas":
        return value
    match kind.__name__:
        case "Series":
            return value.tolist()
        case "DataFrame":
            return value.reset_index(drop=True)
    return value


def _uncommon(value: Any) -> Any:
    """Convert a value of a type that JSON does not have."""
    if _is_missing(value):
        return None
    match value:
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            return value.total_seconds()
        case Decimal():
            return _decimal(value)
        case UUID() | PurePath():
            return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: jsonable(getattr(value, field.name)) for field in fields}
    return _from_library(value)


def _from_library(value: Any) -> Any:
    """Convert a value of numpy, pandas, torch, pydantic and others by their common methods."""
    kind = type(value)
    library = kind.__module__.partition(".")[0]
    if library == "pandas":
        return _from_pandas(value, kind.__name__)
    if library == "numpy" and value.dtype.names:
        return _from_structured(value)
    if library == "numpy" and value.dtype.kind in "mM":
        # tolist() returns nanoseconds as integers.
        return jsonable(value.astype(f"{value.dtype.kind}8[us]").tolist())
    for method in ("model_dump", "to_dicts", "tolist"):
        if callable(convert := getattr(value, method, None)) and not isinstance(value, type):
            converted = convert()
            if type(converted) is not kind:
                return jsonable(converted)
    raise UnserialisableError(f"{with_article(_name(kind))} has no JSON form")


def _from_structured(value: Any) -> Any:
    """Convert a numpy record to an object with its fields, an array of records to a list."""
    if getattr(value, "ndim", 0):
        return [_from_structured(item) for item in value]
    return {name: jsonable(value[name]) for name in value.dtype.names}


def _from_pandas(value: Any, kind: str) -> Any:
    """Convert a frame, series, index, categorical, interval or period of pandas."""
    if kind == "DataFrame":
        return _rows(value if _counts_rows(value.index) else _with_index(value))
    if kind == "Series":
        items = [jsonable(item) for item in value.tolist()]
        return _object(value.index.tolist(), items, "index label")
    if callable(convert := getattr(value, "tolist", None)):
        return jsonable(convert())
    return str(value)


def _rows(frame: Any) -> list[dict[str, Any]]:
    """Convert the rows of a frame to objects, without its index."""
    columns = frame.columns.tolist()
    names = list(_object(columns, columns, "column"))
    rows = frame.itertuples(index=False, name=None)
    return [dict(zip(names, map(jsonable, row), strict=True)) for row in rows]


def _counts_rows(index: Any) -> bool:
    """Return whether an index has no name and is 0, 1, 2, ..."""
    if index.nlevels > 1 or index.name is not None or index.dtype.kind not in "iu":
        return False
    return bool(index.tolist() == list(range(len(index))))


def _with_index(frame: Any) -> Any:
    """Turn the index of a frame into columns."""
    try:
        return frame.reset_index()
    except ValueError as error:  # a column has the same name as the index
        raise UnserialisableError(
            f"the index of the frame cannot become a column: {error}; "
            "rename it, or drop it with reset_index(drop=True)"
        ) from error


def _object(keys: Sequence[Any], values: Sequence[Any], noun: str = "key") -> dict[str, Any]:
    """Build an object; raises UnserialisableError when two keys become the same string."""
    entries = dict(zip(map(_key, keys), values, strict=True))
    if len(entries) == len(keys):
        return entries
    alike: dict[str, Any] = {}
    for key in keys:
        if (name := _key(key)) in alike:
            break
        alike[name] = key
    one, other = (f"{value!r:.{MAX_KEY_LENGTH}}" for value in (alike[name], key))
    keys_text = (
        f"the {noun} {one} occurs twice and" if one == other else f"the {noun}s {one} and {other}"
    )
    raise UnserialisableError(
        f"{keys_text} would have the same name in JSON, {encode(name).decode():.{MAX_KEY_LENGTH}}"
    )


def _is_missing(value: Any) -> bool:
    """Return whether a value is pandas' NA or NaT."""
    return type(value).__name__ in ("NAType", "NaTType")


def _decimal(value: Decimal) -> Any:
    """Convert a decimal to an integer if it is one, else to a float."""
    if not value.is_finite():
        return None
    # An integer may have more digits than a float can hold.
    return int(value) if value == value.to_integral_value() else jsonable(float(value))


def _key(key: Any) -> str:
    """Return a key as a string: strings as they are, other values as JSON."""
    plain = jsonable(key)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _ordered(values: Set[Any]) -> list[Any]:
    """Return a set's items, sorted if possible, for a stable order."""
    try:
        return sorted(values)
    except TypeError:
        return list(values)


def _name(kind: type) -> str:
    """Return a type's name, with its module unless it is built in."""
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def with_article(name: str) -> str:
    """Return the name of a type with its article."""
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"
