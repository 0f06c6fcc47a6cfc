"""Strict JSON both ways: texts, and the values that JSON has (see jsonable.py for others)."""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from nachlass_service.base.errors import NotJsonError, UnserialisableError

SURELY_FINITE = 300
"""So many digits, without an exponent, make no number that is too large for a float."""
LARGE = 200_000
"""Characters from which on a text is decoded such that other threads run meanwhile."""


def loads(text: str | bytes) -> Any:
    """Decode one JSON text; NaN and infinities are refused. Raises NotJsonError."""
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        if len(decoded) > LARGE:
            with _collection_paused():
                return _shared.decode(decoded)
        may_be_infinite = len(decoded) > SURELY_FINITE or "e" in decoded or "E" in decoded
        return (_careful if may_be_infinite else _quick).decode(decoded)
    except UnicodeDecodeError as error:
        raise NotJsonError(f"not UTF-8: {error.reason} at byte {error.start}") from None
    except RecursionError:
        raise NotJsonError("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise NotJsonError(str(error)) from None
    except ValueError as error:
        digits = "set_int_max_str_digits" in str(error)
        raise NotJsonError("an integer has too many digits" if digits else str(error)) from None


def encode(plain: Any) -> bytes:
    """Encode what `convert` gave as one line of strict JSON. Raises UnserialisableError."""
    try:
        try:
            if type(plain) is int:  # spares the common case most of what the encoder does
                return str(plain).encode("ascii")
            return _encoder.encode(plain).encode("utf-8")
        except UnicodeEncodeError:  # a lone surrogate: legal only as an escape
            return json.dumps(plain).encode("ascii")
    except (ValueError, RecursionError) as error:  # an integer of more than 4,300 digits
        raise UnserialisableError(f"the prediction cannot be written as JSON: {error}") from error


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN, Infinity and -Infinity, which are not JSON."""
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    """A number of the text; one that no float can hold would become infinite, and is refused."""
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is too large for a number")
    return number


def _integer(text: str) -> int:
    """An integer; other threads run at a call of a function of Python's, not within the decoder."""
    return int(text)


@contextmanager
def _collection_paused() -> Iterator[None]:
    """Collect no garbage: each collection would visit all that is decoded so far."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


_quick = json.JSONDecoder(parse_constant=_refuse_constant)
_careful = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
_shared = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite, parse_int=_integer)
_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
