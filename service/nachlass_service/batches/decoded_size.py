"""Computes the size of decoded rows of Arrow columns.

A decoded row may be much larger than in its record batch: each row of a
dictionary-encoded column may refer to the same long text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from nachlass_service.batches.optional_pyarrow import compute, pyarrow

VALUE_BYTES = 8
"""The least size of a value, including null: a reference to it."""

Sizes = Any
"""The bytes of each value: an array of int64, or an integer if all have the same size."""


def rows_within(columns: Sequence[Any], max_bytes: int) -> tuple[int, int]:
    """Return how many rows fit in `max_bytes`, at least one, and the bytes of the first row."""
    sizes = _sum([sizes_of(column) for column in columns])
    if isinstance(sizes, int):
        return max(1, max_bytes // max(1, sizes)), sizes
    ends = compute().cumulative_sum(sizes)
    fitting = bisect_right(ends, max_bytes, key=lambda end: end.as_py())
    return max(1, fitting), sizes[0].as_py()


def sizes_of(column: Any) -> Sizes:
    """Return the bytes of each value of a column, whose type has a JSON form."""
    types = pyarrow().types
    if not len(column):
        return VALUE_BYTES
    if types.is_dictionary(column.type):
        return _of_dictionary(column)
    if types.is_string(column.type) or types.is_large_string(column.type):
        return _plus(_without_nulls(compute().binary_length(column), 0), VALUE_BYTES)
    if types.is_struct(column.type):
        fields = [sizes_of(column.field(n)) for n in range(column.type.num_fields)]
        return _sum([VALUE_BYTES, *fields])
    if types.is_fixed_size_list(column.type):
        size = column.type.list_size
        ends = pyarrow().array(range(0, (len(column) + 1) * size, size), "int64")
        return _of_lists(column.values.slice(column.offset * size, len(column) * size), ends)
    if types.is_list(column.type) or types.is_large_list(column.type):
        ends = column.offsets.cast("int64")
        first, last = ends[0].as_py(), ends[-1].as_py()
        return _of_lists(column.values.slice(first, last - first), compute().subtract(ends, first))
    return VALUE_BYTES


def _of_dictionary(column: Any) -> Sizes:
    """Return the sizes of dictionary-encoded values."""
    entries = sizes_of(column.dictionary)
    if isinstance(entries, int):
        return entries
    return _without_nulls(entries.take(column.indices), VALUE_BYTES)


def _of_lists(values: Any, ends: Any) -> Sizes:
    """Return the sizes of lists; `ends` has the list offsets in `values`."""
    sizes = sizes_of(values)
    if isinstance(sizes, int):
        ends = compute().multiply(ends, sizes)
    else:
        zero = pyarrow().array([0], "int64")
        ends = pyarrow().concat_arrays([zero, compute().cumulative_sum(sizes)]).take(ends)
    return _plus(compute().subtract(ends[1:], ends[:-1]), VALUE_BYTES)


def _sum(sizes: Sequence[Sizes]) -> Sizes:
    """Return the total sizes of values that are decoded together."""
    total: Sizes = sum(size for size in sizes if isinstance(size, int))
    for size in sizes:
        if not isinstance(size, int):
            total = _plus(size, total)
    return total


def _plus(sizes: Any, size: Sizes) -> Any:
    """Add to each size, in int64."""
    other = pyarrow().scalar(size, "int64") if isinstance(size, int) else size
    return compute().add(sizes, other)


def _without_nulls(sizes: Any, size: int) -> Any:
    return compute().fill_null(sizes, size) if sizes.null_count else sizes
