"""Turns the cells of a row into a sample.

The JSON Schema of the build's samples, if there are any, decides whether a row becomes an
object with the column names, a list of its cells, or the cell of the only column.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from nachlass_service.base.errors import MalformedError, NotJsonError
from nachlass_service.bundle.manifest import Schema
from nachlass_service.bundle.schema import inner, types_of
from nachlass_service.scoring.bounded_json import loads_bounded

JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
NUMBER = re.compile(r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", re.ASCII)
MAX_NUMBER_LENGTH = 400
"""The most characters of a number: no float has more significant digits."""
MAX_COLUMNS = 1 << 14
PLAIN = {"string", "number", "integer", "boolean", "null"}


class Columns:
    """The columns of a batch; `lists` says which contain lists. Raises MalformedError."""

    def __init__(self, schema: Schema, names: Sequence[str], lists: Sequence[bool] = ()) -> None:
        if len(names) > MAX_COLUMNS:
            raise MalformedError(f"too many columns (limit {MAX_COLUMNS})")
        types = types_of(schema)
        is_one = len(names) == 1
        if types and types <= PLAIN:
            if not is_one:
                raise MalformedError(
                    f"this model takes one value per row: send one column, not {len(names)}"
                )
            self.schemas, self.pointers = [schema], [""]
            self.sample: Callable[[Sequence[Any]], Any] = _only
        elif "array" in types and "object" not in types:
            self.schemas = [inner(schema, "items")] * len(names)
            self.pointers = [f"/{place}" for place in range(len(names))]
            is_whole = is_one and any(lists) and "array" not in types_of(self.schemas[0])
            self.sample = _only if is_whole else list
        else:
            [(duplicate, count)] = Counter(names).most_common(1) or [("", 0)]
            if count > 1:
                raise MalformedError(f"several columns have the name {duplicate[:80]!r}")
            self.schemas = [inner(schema, "properties", name) for name in names]
            self.pointers = [
                "/" + name.replace("~", "~0").replace("/", "~1") for name in names
            ]  # RFC 6901
            self.sample = lambda cells: dict(zip(names, cells, strict=True))


def _only(cells: Sequence[Any]) -> Any:
    return cells[0]


def reader_of_text(schema: Schema) -> Callable[[str], Any]:
    """Return the function that converts a text cell to a value of a schema.

    The function raises ValueError, or TooLargeError for JSON beyond the limits.

    A cell becomes text if the samples have text, else a number, true, false or JSON if
    the samples have that. If the schema is unknown, JSON's grammar decides. An empty cell
    is null, unless the samples are always text.
    """
    types = types_of(schema)
    if types == {"string"}:
        return str
    if "string" in types:  # text or null; numbers remain text
        return lambda text: text or None
    readers: list[Callable[[str], Any]] = []
    if not types or types & {"number", "integer"}:
        readers.append(_known_number if types else _json_number)
    if not types or "boolean" in types:
        readers.append(_boolean)
    if types & {"array", "object"}:
        readers.append(_json)
    if not types:
        readers.append(str)
    expected = " or ".join(sorted(types - {"null"})) or "null"

    def read(text: str) -> Any:
        if not text:
            return None
        for reader in readers:
            value = reader(text)
            if value is not None:
                return value
        raise ValueError(f"{text[:40]!r} is not of type {expected}")

    return read


def _json_number(text: str) -> int | float | None:
    """Parse a number in JSON's grammar, which excludes 007."""
    return _number(text) if len(text) <= MAX_NUMBER_LENGTH and JSON_NUMBER.fullmatch(text) else None


def _known_number(text: str) -> int | float | None:
    """Parse an expected number, which may have leading zeros or a plus sign."""
    return _number(text) if len(text) <= MAX_NUMBER_LENGTH and NUMBER.fullmatch(text) else None


def _number(text: str) -> int | float | None:
    try:
        return int(text)
    except ValueError:
        number = float(text)
        return number if math.isfinite(number) else None


def _boolean(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


def _json(text: str) -> Any:
    try:
        return loads_bounded(text)
    except NotJsonError:
        return None
