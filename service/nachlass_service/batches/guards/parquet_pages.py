"""Checks the pages of a Parquet file before they are decompressed.

pyarrow allocates the size that the header of a page declares, and expands dictionaries
and runs: a few kilobytes can request gigabytes. pyarrow itself does not read the file
before this check because some files make it abort the process. The format:
https://github.com/apache/parquet-format, in Thrift's compact protocol:
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from nachlass_service.base.errors import MalformedError, TooLargeError

MAGIC = b"PAR1"
TAIL_BYTES = 8
MAX_FOOTER_BYTES = 1 << 22
"""The most bytes of the footer, and of all page headers together."""
MAX_PAGES = 100_000
ROW_GROUPS, COLUMNS, METADATA = 4, 1, 3
"""Fields of FileMetaData, RowGroup and ColumnChunk."""
TYPE, PATH, VALUES, SIZE, DATA_OFFSET, DICTIONARY_OFFSET = 1, 3, 5, 7, 9, 11
"""Fields of ColumnMetaData."""
UNCOMPRESSED_SIZE, COMPRESSED_SIZE, DATA, DICTIONARY, DATA_V2 = 2, 3, 5, 7, 8
"""Fields of a PageHeader."""
COUNT, ENCODING, ENCODING_V2 = 1, 2, 4
"""Fields of the headers of data pages."""
BYTE_ARRAY = 6
DELTA_BYTE_ARRAY = 7
"""The encoding in which each text shares a prefix with the previous one."""
MAX_DEPTH = 8
VALUE_BYTES = 8
MAX_NUMBER_LENGTH = 63
"""The most bits of a number before its last seven."""

Fields = dict[int, Any]


@dataclass
class Content:
    """The contents of a file: its flat text columns, and the approximate size of a decoded row.

    `row_bytes` is an upper bound, with flat text as a dictionary.
    """

    texts: list[str]
    row_bytes: int


def inspect_pages(data: memoryview, max_bytes: int) -> Content:
    """Return the contents of a file; raises MalformedError, or TooLargeError by decoded size."""
    largest: dict[str, int] = {}
    remaining_pages = MAX_PAGES
    texts: dict[str, None] = {}
    header_bytes = MAX_FOOTER_BYTES
    try:
        for chunk in _chunks(data):
            path = b".".join(chunk[PATH]).decode("utf-8")
            is_nested, is_text = len(chunk[PATH]) > 1, chunk[TYPE] == BYTE_ARRAY
            if is_text and not is_nested:
                texts[path] = None
            pages = []
            for page, size in islice(_pages(data, chunk, header_bytes), remaining_pages):
                pages.append(page)
                header_bytes -= size
            remaining_pages -= len(pages)
            if not remaining_pages:
                raise TooLargeError(f"the Parquet file has too many pages (limit {MAX_PAGES - 1})")
            row_bytes = _bytes_of_a_row(pages, max_bytes, is_nested=is_nested, is_text=is_text)
            largest[path] = max(largest.get(path, 0), row_bytes)
    except (AttributeError, LookupError, TypeError, ValueError, struct.error) as error:
        raise MalformedError(f"the Parquet file cannot be read: {error}") from None
    return Content(list(texts), sum(largest.values()))


def _chunks(data: memoryview) -> Iterator[Fields]:
    """Yield the metadata of each column chunk."""
    if len(data) < TAIL_BYTES or bytes(data[-4:]) != MAGIC:
        raise MalformedError("this is not a Parquet file")
    [length] = struct.unpack_from("<I", data, len(data) - TAIL_BYTES)
    if length + TAIL_BYTES > len(data):
        raise MalformedError("the footer of the Parquet file is incomplete")
    if length > MAX_FOOTER_BYTES:
        raise TooLargeError(f"the footer is too large (limit {MAX_FOOTER_BYTES} bytes)")
    footer = Compact(data, len(data) - TAIL_BYTES - length).struct()
    for group in footer.get(ROW_GROUPS, ()):
        for column in group[COLUMNS]:
            yield column[METADATA]


def _bytes_of_a_row(
    pages: Iterable[Fields], max_bytes: int, *, is_nested: bool, is_text: bool
) -> int:
    """Return the most bytes of a value in a column chunk, averaged over each page.

    All entries of a dictionary have the same size, unless they are text.
    """
    largest = values = dictionary_bytes = 0
    for header in pages:
        size = header[UNCOMPRESSED_SIZE]
        if size > max_bytes:
            raise TooLargeError(
                f"a page is too large (limit {max_bytes} bytes, set by S2I_MAX_BODY_BYTES)"
            )
        if DICTIONARY in header:
            dictionary_bytes = size
            if not is_text:
                entries = max(1, header[DICTIONARY].get(COUNT, 0))
                largest = max(largest, VALUE_BYTES + size // entries)
        page = header.get(DATA) or header.get(DATA_V2) or {}
        if page.get(ENCODING if DATA in header else ENCODING_V2) == DELTA_BYTE_ARRAY:
            raise MalformedError("the encoding DELTA_BYTE_ARRAY is not supported")
        if count := page.get(COUNT, 0):
            values += count
            largest = max(largest, VALUE_BYTES + size // count)
    if is_nested and values * max(1, dictionary_bytes // VALUE_BYTES) > max_bytes:
        raise TooLargeError(
            f"the lists in a column may be too large (limit {max_bytes} bytes, "
            "set by S2I_MAX_BODY_BYTES)"
        )
    return largest


def _pages(data: memoryview, chunk: Fields, header_bytes: int) -> Iterator[tuple[Fields, int]]:
    """Yield the page headers of a column chunk, as pyarrow finds them, with their sizes.

    `header_bytes` limits their total, because a header may be as long as the file and
    belong to many chunks.
    """
    if chunk[VALUES] <= 0:  # pyarrow reads nothing
        return
    place = chunk[DATA_OFFSET]
    if 0 < chunk.get(DICTIONARY_OFFSET, 0) < place:
        place = chunk[DICTIONARY_OFFSET]
    end = place + chunk[SIZE]
    if not 0 <= place <= end <= len(data):
        raise MalformedError("a column is outside the Parquet file")
    while place < end:
        header = Compact(data[: place + header_bytes], place)
        fields = header.struct()
        size = header.place - place
        header_bytes -= size
        if fields[COMPRESSED_SIZE] < 0 or fields[UNCOMPRESSED_SIZE] < 0:
            raise MalformedError("a page has a negative size")
        yield fields, size
        place = header.place + fields[COMPRESSED_SIZE]


class Compact:
    """Reads structs in the compact protocol; raises IndexError beyond the end."""

    def __init__(self, data: memoryview, place: int) -> None:
        self._data, self.place = data, place

    def struct(self, depth: int = 0) -> Fields:
        """Return the next struct: its fields by number."""
        if depth > MAX_DEPTH:
            raise MalformedError("the Parquet file is nested too deeply")
        fields: Fields = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._signed()
            kind = head & 15
            fields[number] = kind == 1 if kind in (1, 2) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        match kind:
            case 1 | 2 | 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._signed()
            case 7:
                return self._bytes(8)
            case 8:
                return self._bytes(self._unsigned())
            case 9 | 10:
                return self._list(depth)
            case 12:
                return self.struct(depth + 1)
        raise MalformedError("the Parquet file has fields of an unknown type")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        size = head >> 4
        if size == 15:  # noqa: PLR2004 - the size follows
            size = self._unsigned()
        return [self._value(head & 15, depth + 1) for _ in range(size)]

    def _bytes(self, size: int) -> bytes:
        found = bytes(self._data[self.place : self.place + size])
        if len(found) < size:
            raise IndexError("unexpected end of data")
        self.place += size
        return found

    def _byte(self) -> int:
        byte = self._data[self.place]
        self.place += 1
        return byte

    def _unsigned(self) -> int:
        number = shift = 0
        while (byte := self._byte()) & 128:
            number |= (byte & 127) << shift
            shift += 7
            if shift > MAX_NUMBER_LENGTH:
                raise MalformedError("the Parquet file has a number of more than 64 bits")
        return number | byte << shift

    def _signed(self) -> int:
        number = self._unsigned()
        return number >> 1 ^ -(number & 1)
