"""A JSON Schema in a few words."""

import pytest

from nachlass_service.web.schema_text import Field, fields_of, type_of


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (True, "any"),
        ({}, "any"),
        ({"type": "number"}, "number"),
        ({"type": ["null", "number"]}, "number or null"),
        ({"anyOf": [{"type": "string"}, {"type": "number"}]}, "string or number"),
        ({"type": "array"}, "array"),
        ({"type": "array", "items": {"type": "string"}}, "array of strings"),
        (
            {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
            "array of 2 numbers",
        ),
        (
            {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 2},
            "array of numbers",
        ),
        (
            {"type": "array", "items": {"type": ["null", "number"]}},
            "array of items (number or null)",
        ),
    ],
)
def test_the_type_of_a_sample_is_described(schema, text):
    assert type_of(schema) == text


def test_the_fields_of_a_sample_are_listed():
    schema = {"properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]}
    assert fields_of(schema) == [
        Field("a", "string", is_required=True),
        Field("b", "any", is_required=False),
    ]
    assert fields_of({"type": "array"}) == fields_of(schema=True) == []
