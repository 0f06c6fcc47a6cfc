"""What a predictor returns as values that JSON has.

numpy, pandas and the like are recognised by what they offer, never imported.
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

LONGEST_KEY = 60
"""Characters of a key that a message shows."""


def dumps(value: Any) -> str:
    """Encode any sensible value as one line of strict JSON. Raises UnserialisableError."""
    return encode(convert(value)).decode("utf-8")


def convert(value: Any) -> Any:
    """As `jsonable`, for values of the user's own: UnserialisableError whatever they raise."""
    try:
        return jsonable(value)
    except (UnserialisableError, InterruptedCallError):
        raise
    except RecursionError:
        raise UnserialisableError(
            f"{with_article(_name(type(value)))} that is nested too deeply, or holds itself, "
            "has no JSON form"
        ) from None
    except BaseException as error:
        raise UnserialisableError(
            f"{with_article(_name(type(value)))} cannot be turned into JSON: "
            f"{type(error).__name__}: {error}"
        ) from error


def jsonable(value: Any) -> Any:
    """Turn a value into what JSON has: None, bool, int, float, str, list, dict with text keys.

    NaN, infinities and missing values become None; dates ISO 8601 text; time
    spans seconds; a series an object by its index; a frame a list of row
    objects, with its index unless that counts 0, 1, 2, ... Raises
    UnserialisableError, also for two keys that JSON writes alike.
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
            # As many as there were, or two had one name: which ones is asked only then.
            return entries if len(entries) == len(value) else _object([*value], [*value.values()])
        case list() | tuple() | deque() | range():
            return [jsonable(item) for item in value]
        case Set():
            return [jsonable(item) for item in _ordered(value)]
    return _uncommon(value)


def by_position(value: Any) -> Any:
    """A series as a list and a frame without its index: for what is counted, not looked up."""
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
    """The types that are not JSON's own."""
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
    """Values of numpy, pandas, torch, pydantic and others, by the methods they share."""
    kind = type(value)
    library = kind.__module__.partition(".")[0]
    if library == "pandas":
        return _from_pandas(value, kind.__name__)
    if library == "numpy" and value.dtype.names:
        return _from_structured(value)
    if library == "numpy" and value.dtype.kind in "mM":
        # Without this, nanoseconds come out as integers.
        return jsonable(value.astype(f"{value.dtype.kind}8[us]").tolist())
    for method in ("model_dump", "to_dicts", "tolist"):
        if callable(convert := getattr(value, method, None)) and not isinstance(value, type):
            converted = convert()
            if type(converted) is not kind:
                return jsonable(converted)
    raise UnserialisableError(f"{with_article(_name(kind))} has no JSON form")


def _from_structured(value: Any) -> Any:
    """A numpy record as an object by its fields, an array of them as a list."""
    if getattr(value, "ndim", 0):
        return [_from_structured(item) for item in value]
    return {name: jsonable(value[name]) for name in value.dtype.names}


def _from_pandas(value: Any, kind: str) -> Any:
    """A frame, series, index, categorical, interval or period of pandas."""
    if kind == "DataFrame":
        return _rows(value if _counts_rows(value.index) else _with_index(value))
    if kind == "Series":
        items = [jsonable(item) for item in value.tolist()]
        return _object(value.index.tolist(), items, "index label")
    if callable(convert := getattr(value, "tolist", None)):
        return jsonable(convert())
    return str(value)


def _rows(frame: Any) -> list[dict[str, Any]]:
    """The rows of a frame as objects, without its index."""
    columns = frame.columns.tolist()
    names = list(_object(columns, columns, "column"))
    rows = frame.itertuples(index=False, name=None)
    return [dict(zip(names, map(jsonable, row), strict=True)) for row in rows]


def _counts_rows(index: Any) -> bool:
    """Whether an index has no name and says nothing but 0, 1, 2, ..."""
    if index.nlevels > 1 or index.name is not None or index.dtype.kind not in "iu":
        return False
    return bool(index.tolist() == list(range(len(index))))


def _with_index(frame: Any) -> Any:
    """A frame whose index has become columns."""
    try:
        return frame.reset_index()
    except ValueError as error:  # a column has the name of the index
        raise UnserialisableError(
            f"the index of the frame cannot become a column: {error}; "
            "rename it, or drop it with reset_index(drop=True)"
        ) from error


def _object(keys: Sequence[Any], values: Sequence[Any], noun: str = "key") -> dict[str, Any]:
    """An object with an entry for each key; UnserialisableError when two have one name."""
    entries = dict(zip(map(_key, keys), values, strict=True))
    if len(entries) == len(keys):
        return entries
    alike: dict[str, Any] = {}
    for key in keys:
        if (name := _key(key)) in alike:
            break
        alike[name] = key
    one, other = (f"{value!r:.{LONGEST_KEY}}" for value in (alike[name], key))
    which = (
        f"the {noun} {one} occurs twice and" if one == other else f"the {noun}s {one} and {other}"
    )
    raise UnserialisableError(
        f"{which} would be one name in JSON, {encode(name).decode():.{LONGEST_KEY}}"
    )


def _is_missing(value: Any) -> bool:
    """Whether it is pandas' NA or NaT."""
    return type(value).__name__ in ("NAType", "NaTType")


def _decimal(value: Decimal) -> Any:
    """A decimal as a number: an integer when it is one."""
    if not value.is_finite():
        return None
    # It may have more digits than a float has room for.
    return int(value) if value == value.to_integral_value() else jsonable(float(value))


def _key(key: Any) -> str:
    """An object's key as text: strings stay, anything else is written as JSON would."""
    plain = jsonable(key)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _ordered(values: Set[Any]) -> list[Any]:
    """A set's items, sorted when they can be, so that answers repeat."""
    try:
        return sorted(values)
    except TypeError:
        return list(values)


def _name(kind: type) -> str:
    """A type's name with its module, unless it is built in."""
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def with_article(name: str) -> str:
    """The name of a type with its article."""
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"
