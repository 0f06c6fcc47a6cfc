import pickle
from urllib.parse import quote, urlencode

import pytest

from nachlass_service.base.errors import MediaTypeError, NotJsonError
from nachlass_service.scoring.form import MAX_FIELDS
from nachlass_service.scoring.request_body import FORM, read_body

VALUE = {"text": "ä + ü & 100 %", "numbers": [1, 2.5, None, True]}
JSON = b'{"text": "\xc3\xa4 + \xc3\xbc & 100 %", "numbers": [1, 2.5, null, true]}'


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON ; charset=utf-8",
        "application/json;",
        "application/vnd.me.sample+json; version=1",
        "",
        "  ",
    ],
)
@pytest.mark.parametrize("content_encoding", ["", "identity", " Identity "])
def test_json_is_read(content_type, content_encoding):
    assert read_body(content_type, content_encoding, JSON) == VALUE


@pytest.mark.parametrize(
    ("body", "value"), [(b"null", None), (b" 0\n", 0), (b'""', ""), (b"[]", []), (b"false", False)]
)
def test_any_json_value_is_a_sample(body, value):
    assert read_body("application/json", "", body) == value


@pytest.mark.parametrize(
    "body", [b"", b" \r\n\t", b"{", b"{} {}", b"NaN", b"\xff", b"\xef\xbb\xbf1"]
)
@pytest.mark.parametrize("content_type", ["", "application/json"])
def test_invalid_json_is_rejected(content_type, body):
    with pytest.raises(NotJsonError):
        read_body(content_type, "", body)


def test_an_empty_body_gets_a_hint():
    with pytest.raises(NotJsonError, match=r"empty: send one sample .*content-type"):
        read_body("application/json", "", b"\n")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/json",
        "application/octet-stream",
        "application/x-python-pickle",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "json",
        "x" * 5000,
    ],
)
def test_other_media_types_are_rejected_by_name(content_type):
    with pytest.raises(MediaTypeError) as caught:
        read_body(content_type, "", JSON)
    assert content_type.partition(";")[0][:80] in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("content_encoding", ["gzip", "deflate, gzip", "br", "x" * 5000])
@pytest.mark.parametrize("content_type", ["application/json", FORM])
def test_an_encoded_body_is_rejected(content_type, content_encoding):
    with pytest.raises(MediaTypeError, match=r"^the content encoding .* is not") as caught:
        read_body(content_type, content_encoding, JSON)
    assert len(str(caught.value)) < 300


# Forms, as in the original service.


@pytest.mark.parametrize(
    "body",
    [
        urlencode({"json_args": JSON.decode()}),
        urlencode({"json_args": JSON.decode()}, quote_via=quote),
        urlencode({"args": "", "json_args": JSON.decode(), "empty": ""}),
        urlencode([("json_args", JSON.decode()), ("json_args", "[1]")]),
        "json_args=" + JSON.decode().replace("%", "%25").replace("&", "%26").replace("+", "%2B"),
    ],
)
@pytest.mark.parametrize("content_type", [FORM, f"{FORM.upper()}; charset=utf-8"])
def test_a_form_has_its_sample_in_json_args(content_type, body):
    assert read_body(content_type, "", body.encode()) == VALUE


@pytest.mark.parametrize(
    "body",
    [
        b"json_args=",
        b"json_args",
        b"json_args={",
        b"json_args=NaN",
        b"json_args=%ff",
        b"json_args=\xff",
        b"&".join([b"a=1"] * MAX_FIELDS + [b"json_args=1"]),
    ],
)
def test_an_unreadable_form_is_rejected(body):
    with pytest.raises(NotJsonError):
        read_body(FORM, "", body)


@pytest.mark.parametrize("body", [b"", b"{}", JSON[:5], b"a=1&b=2", b"JSON_ARGS=1"])
def test_a_form_without_json_args_gets_a_hint_for_curl(body):
    with pytest.raises(MediaTypeError, match=r"no field `json_args`.*-H 'content-type"):
        read_body(FORM, "", body)


class Trap:
    def __reduce__(self):
        return pytest.fail, ("it was unpickled",)


def test_nothing_is_unpickled():
    pickled = pickle.dumps(Trap(), protocol=0)
    with pytest.raises(MediaTypeError, match="holds a pickle, which is never read"):
        read_body(FORM, "", urlencode({"args": pickled}).encode())
    for content_type in ("application/json", ""):
        with pytest.raises(NotJsonError):
            read_body(content_type, "", pickled)
