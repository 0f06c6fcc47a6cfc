"""Reads an Arrow IPC stream message by message, each within a limit.

pyarrow allocates the sizes that a message declares, such as the decompressed sizes of
its buffers: a few hundred bytes can request gigabytes. So the declarations are checked
here before pyarrow reads them. The format:
https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc
"""

from __future__ import annotations

import io
import struct
from io import BufferedIOBase

from nachlass_service.base.errors import MalformedError, TooLargeError

CONTINUATION = b"\xff\xff\xff\xff"
VALUE_BYTES = 8
DICTIONARY, RECORDS = 2, 3
"""The types of messages with buffers, in the `MessageHeader` union of Message.fbs."""


class Messages(io.RawIOBase):
    """A stream of whole messages, for pyarrow to read; raises MalformedError or TooLargeError."""

    def __init__(self, body: BufferedIOBase, max_bytes: int) -> None:
        super().__init__()
        self._body, self._max_bytes = body, max_bytes
        self._message = io.BytesIO()

    def readable(self) -> bool:
        """Return true."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return bytes of the current message, or of the next one; empty at the end."""
        data = self._message.read(size)
        if not data and size:
            self._message = io.BytesIO(self._next())
            data = self._message.read(size)
        return data

    def _next(self) -> bytes:
        """Return the next message with its prefix and body."""
        prefix = self._body.read(8)
        if not prefix:
            return b""
        if len(prefix) < 8 or not prefix.startswith(CONTINUATION):  # noqa: PLR2004 - as read above
            raise MalformedError("this is not an Arrow IPC stream")
        [length] = struct.unpack_from("<i", prefix, 4)
        metadata = self._exactly(length)
        if not length:
            return prefix
        try:
            body = self._exactly(_body_length(metadata))
            inflated = _inflated_bytes(metadata, body)
        except (struct.error, IndexError, ValueError) as error:
            raise MalformedError(f"an Arrow message cannot be read: {error}") from None
        self._limit(inflated)
        return prefix + metadata + body

    def _exactly(self, length: int) -> bytes:
        if length < 0:
            raise MalformedError("an Arrow message has a negative length")
        self._limit(length)
        data = self._body.read(length)
        if len(data) < length:
            raise MalformedError("the Arrow stream ends in the middle of a message")
        return data

    def _limit(self, length: int) -> None:
        if length > self._max_bytes:
            raise TooLargeError(
                f"a record batch is too large (limit {self._max_bytes} bytes, "
                "set by S2I_MAX_BODY_BYTES): send smaller record batches"
            )


class _Table:
    """A table of a flatbuffer: https://flatbuffers.dev/internals/."""

    def __init__(self, data: bytes, place: int) -> None:
        self._data, self._place = data, place
        self._fields = place - _unpack("<i", data, place)
        self._size = _unpack("<H", data, self._fields)

    def field(self, number: int) -> int:
        """Return the position of a field; 0 if it has its default."""
        entry = 4 + 2 * number
        offset = _unpack("<H", self._data, self._fields + entry) if entry < self._size else 0
        return self._place + offset if offset else 0

    def number(self, number: int, form: str) -> int:
        """Return the value of a number field."""
        place = self.field(number)
        return _unpack(form, self._data, place) if place else 0

    def target(self, number: int) -> int:
        """Return the position that a field refers to; 0 if there is none."""
        place = self.field(number)
        return place + _unpack("<I", self._data, place) if place else 0


def _unpack(form: str, data: bytes, place: int) -> int:
    if place < 0:
        raise ValueError("an offset is negative")
    found: int = struct.unpack_from(form, data, place)[0]
    return found


def _message(metadata: bytes) -> _Table:
    return _Table(metadata, _unpack("<I", metadata, 0))


def _values_in_lists(metadata: bytes, nodes: int, rows: int) -> int:
    """Return the number of values in lists: those beyond one per row."""
    if not nodes:
        return 0
    count = _unpack("<I", metadata, nodes)
    lengths = (struct.unpack_from("<q", metadata, nodes + 4 + 16 * n)[0] for n in range(count))
    return sum(length for length in lengths if length > rows)


def _body_length(metadata: bytes) -> int:
    return _message(metadata).number(3, "<q")


def _inflated_bytes(metadata: bytes, body: bytes) -> int:
    """Return the decompressed size of a message's buffers, at least that of its rows."""
    message = _message(metadata)
    kind, header = message.number(1, "<B"), message.target(2)
    if kind not in (DICTIONARY, RECORDS) or not header:
        return 0
    table = _Table(metadata, header)
    if kind == DICTIONARY:
        if table.number(2, "<B"):  # it would have to be decoded again each time
            raise ValueError("delta dictionaries are not supported")
        table = _Table(metadata, table.target(1))
    rows = table.number(0, "<q")  # a column of nulls has no bytes
    rows = max(rows, _values_in_lists(metadata, table.target(1), rows) * VALUE_BYTES)
    buffers = table.target(2)
    if not table.field(3) or not buffers:
        return rows
    size = 0
    for number in range(_unpack("<I", metadata, buffers)):
        offset, length = struct.unpack_from("<qq", metadata, buffers + 4 + 16 * number)
        if length:
            declared = _unpack("<q", body, offset)
            size += length if declared == -1 else declared
            if declared < -1:
                raise ValueError("a buffer declares a negative length")
    return max(rows, size)
