"""Fields of a form, decoded in pieces."""

import tracemalloc
from urllib.parse import parse_qs

import pytest

from nachlass_service.scoring.form import MAX_FIELDS, PIECE_BYTES, fields_of


def test_the_first_of_two_equal_fields_is_used():
    assert fields_of(b"a=1&b=%C3%A4+x&a=2&c") == {"a": "1", "b": "ä x", "c": ""}


def test_the_number_of_fields_is_limited():
    body = b"&".join(b"%d=x" % number for number in range(MAX_FIELDS))
    assert len(fields_of(body)) == MAX_FIELDS
    with pytest.raises(ValueError, match=rf"^it has too many fields \(limit {MAX_FIELDS}\)$"):
        fields_of(body + b"&a=b")


def test_a_form_with_too_many_fields_is_not_parsed():
    body = b"&" * (1 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="it has too many fields"):
            fields_of(body)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(body)


@pytest.mark.parametrize("before", range(PIECE_BYTES - 5, PIECE_BYTES + 2))
@pytest.mark.parametrize("escaped", [b"%C3%A4%41", b"%41%42%43", b"%%41", b"%4", b"%"])
def test_an_escape_can_cross_the_end_of_a_piece(before, escaped):
    body = b"a=" + b"x" * before + escaped
    assert fields_of(body) == {"a": parse_qs(body.decode())["a"][0]}


def test_a_piece_can_start_with_an_escape():
    after = "x" * PIECE_BYTES
    assert fields_of(f"a=%41{after}%41{after}".encode()) == {"a": f"A{after}A{after}"}


def test_a_piece_can_consist_of_escapes():
    body = b"a=" + b"%41" * PIECE_BYTES
    assert fields_of(body) == {"a": "A" * PIECE_BYTES}
