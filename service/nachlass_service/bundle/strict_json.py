"""Decodes and encodes strict JSON (jsonable.py converts other values)."""

from __future__ import annotations

import gc
import json
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from nachlass_service.base.errors import NotJsonError, UnserialisableError

SURELY_FINITE = 300
"""A number of at most this many digits, without an exponent, fits in a float."""
LARGE = 200_000
"""Texts with more characters are decoded so that other threads can run meanwhile."""


def loads(text: str | bytes) -> Any:
    """Decode one JSON text. Raises NotJsonError, also for NaN, infinities and repeated keys."""
    try:
        return _decode(text.decode("utf-8") if isinstance(text, bytes) else text)
    except UnicodeDecodeError as error:
        raise NotJsonError(f"not UTF-8: {error.reason} at byte {error.start}") from None
    except RecursionError:
        raise NotJsonError("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise NotJsonError(str(error)) from None
    except ValueError as error:
        digits = "set_int_max_str_digits" in str(error)
        raise NotJsonError("an integer has too many digits" if digits else str(error)) from None


def _decode(text: str) -> Any:
    if len(text) > LARGE:
        with _collection_paused():
            return _shared.decode(text)
    may_be_infinite = len(text) > SURELY_FINITE or "e" in text or "E" in text
    found = (_careful if may_be_infinite else _quick).decode(text)
    # A single object with as many keys as colons has no other objects and no repeated keys.
    if ":" in text and not (type(found) is dict and len(found) == text.count(":")):
        _unrepeated.decode(text)
    return found


def encode(plain: Any) -> bytes:
    """Encode a value of `convert` as one line of strict JSON. Raises UnserialisableError."""
    try:
        try:
            if type(plain) is int:  # much faster than the encoder, for the common case
                return str(plain).encode("ascii")
            return _encoder.encode(plain).encode("utf-8")
        except UnicodeEncodeError:  # a lone surrogate: legal only as an escape
            return json.dumps(plain).encode("ascii")
    except (ValueError, RecursionError) as error:  # an integer of more than 4,300 digits
        raise UnserialisableError(f"the prediction cannot be written as JSON: {error}") from error


def _reject_constant(name: str) -> NoReturn:
    """Reject NaN, Infinity and -Infinity, which are not JSON."""
    raise ValueError(f"{name} is not JSON")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object; raises NotJsonError for a repeated key."""
    found = dict(pairs)
    if len(found) < len(pairs):
        [(duplicate, _count)] = Counter(name for name, _value in pairs).most_common(1)
        raise NotJsonError(f"the key {duplicate[:80]!r} is repeated")
    return found


def _finite(text: str) -> float:
    """Parse a number; raises ValueError for one that would become an infinite float."""
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _integer(text: str) -> int:
    """Parse an integer; unlike the C decoder, a Python function lets other threads run."""
    return int(text)


@contextmanager
def _collection_paused() -> Iterator[None]:
    """Pause garbage collection: each run would visit everything decoded so far."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


_quick = json.JSONDecoder(parse_constant=_reject_constant)
_careful = json.JSONDecoder(parse_constant=_reject_constant, parse_float=_finite)
_unrepeated = json.JSONDecoder(object_pairs_hook=_without_repeats)
_shared = json.JSONDecoder(
    parse_constant=_reject_constant,
    parse_float=_finite,
    parse_int=_integer,
    object_pairs_hook=_without_repeats,
)
_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
