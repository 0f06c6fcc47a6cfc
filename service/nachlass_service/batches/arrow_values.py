"""Converts the values of Arrow columns to values that JSON can represent."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from nachlass_service.base.errors import BadRowError, MalformedError
from nachlass_service.batches.optional_pyarrow import UNREADABLE, pyarrow
from nachlass_service.bundle.jsonable import convert

JSON_TYPES = ("null", "boolean", "integer", "string", "large_string")
CONVERTED = ("floating", "decimal", "date", "time32")
"""Types that are converted to JSON, by the names of pyarrow.types' predicates."""

Values = Callable[[Any], list[Any]]
"""Converts a column of a slice to JSON values."""


def value_or_error(values: Values, cell: Any, pointer: str) -> Any:
    """Return the value of one cell, or a BadRowError."""
    try:
        return values(cell)[0]
    except UNREADABLE as error:
        return BadRowError(f"the value has no JSON form: {error}", pointer)


def values_of(field: Any) -> Values:
    """Return the function that converts a column to JSON values."""
    types = pyarrow().types
    if types.is_dictionary(field.type):
        return _from_dictionary(values_of(field.with_type(field.type.value_type)))
    if types.is_floating(field.type):
        return _finite
    if any(getattr(types, f"is_{name}")(field.type) for name in JSON_TYPES):
        return lambda column: list(column.to_pylist())
    plain = _plain_type(field.type, field.name)
    if plain == field.type:
        return lambda column: [convert(value) for value in column.to_pylist()]
    return lambda column: [convert(value) for value in column.cast(plain, safe=False).to_pylist()]


def _finite(column: Any) -> list[Any]:
    """Convert floats; NaN and infinities become null."""
    values = column.to_pylist()
    if column.null_count or not math.isfinite(sum(values)):
        return [None if v is None or not math.isfinite(v) else v for v in values]
    return list(values)


def _from_dictionary(values: Values) -> Values:
    """Decode each used entry of a dictionary once, even for several record batches."""
    dictionary: Any = None  # kept alive, so that no other array has its address
    decoded: dict[int | None, Any] = {}

    def read(column: Any) -> list[Any]:
        nonlocal dictionary, decoded
        if dictionary is None or _address(dictionary) != _address(column.dictionary):
            dictionary, decoded = column.dictionary, {None: None}
        codes = column.indices.to_pylist()
        if new := [*({*codes} - decoded.keys())]:
            entries = dictionary.take(pyarrow().array(new, "int64"))
            decoded.update(zip(new, values(entries), strict=True))
        return [decoded[code] for code in codes]

    return read


def _address(array: Any) -> tuple[int, ...]:
    """Return the identity of an array: the addresses of its buffers, and its range."""
    return (len(array), array.offset, *(b.address if b else 0 for b in array.buffers()))


def _plain_type(arrow_type: Any, name: str) -> Any:
    """Return the type with microseconds, which Python supports; MalformedError if none exists."""
    library = pyarrow()
    types = library.types

    def plain(inside: Any) -> Any:
        if types.is_null(inside):  # pyarrow casts lists of nulls to a wrong length
            return library.bool_()
        if types.is_timestamp(inside):
            return library.timestamp("us", inside.tz) if inside.unit == "ns" else inside
        if types.is_time64(inside):
            return library.time64("us")
        if types.is_duration(inside):
            return library.duration("us") if inside.unit == "ns" else inside
        if types.is_struct(inside):
            fields = [inside.field(number) for number in range(inside.num_fields)]
            if len({field.name for field in fields}) < len(fields):
                raise MalformedError(f"the column {name!r} has two fields with the same name")
            return library.struct([field.with_type(plain(field.type)) for field in fields])
        if types.is_large_list(inside):
            return library.large_list(plain(inside.value_type))
        if types.is_fixed_size_list(inside):
            return library.list_(plain(inside.value_type), inside.list_size)
        if types.is_list(inside):
            return library.list_(plain(inside.value_type))
        if any(getattr(types, f"is_{kind}")(inside) for kind in (*JSON_TYPES, *CONVERTED)):
            return inside
        raise MalformedError(f"the column {name[:80]!r} has type {inside}, which has no JSON form")

    return plain(arrow_type)
