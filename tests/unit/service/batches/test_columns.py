"""The conversion of a row's cells, by the schema that the build derives from the samples."""

import pytest

from nachlass_builder.proof.describe_predictions import describe_input
from nachlass_service.base.errors import MalformedError
from nachlass_service.batches.columns import MAX_COLUMNS, Columns, inner, reader_of_text


def schema_of(*samples):
    return describe_input(samples)


@pytest.mark.parametrize(
    ("samples", "names", "cells", "sample"),
    [
        ([{"a": 1, "b": "x"}], ["a", "b"], [1, "y"], {"a": 1, "b": "y"}),
        ([{"a": 1}], ["b"], [None], {"b": None}),
        ([[1, 2.5]], ["a", "a"], [1, 2], [1, 2]),
        ([[1]], ["a"], [1], [1]),
        (["text"], ["anything"], ["a"], "a"),
        ([1, None], ["x"], [None], None),
        ([1, {"a": 1}], ["x"], [1], {"x": 1}),
        ([[1], "x"], ["x", "y"], ["a", "b"], ["a", "b"]),
        ([], ["x"], ["a"], {"x": "a"}),
    ],
)
def test_a_row_has_the_form_of_the_samples(samples, names, cells, sample):
    assert Columns(schema_of(*samples), names).sample(cells) == sample


@pytest.mark.parametrize(
    ("samples", "cell", "sample"),
    [([[1, 2]], [3, 4], [3, 4]), ([[[1], [2]]], [3, 4], [[3, 4]]), ([{"a": [1]}], [1], {"x": [1]})],
)
def test_a_single_column_of_lists_is_a_sample(samples, cell, sample):
    assert Columns(schema_of(*samples), ["x"], [True]).sample([cell]) == sample


@pytest.mark.parametrize(
    ("samples", "names", "message"),
    [
        (["text"], ["a", "b"], "one value per row"),
        (["text"], [], "one value per row"),
        ([{"a": 1}], ["a", "b", "a"], "several columns have the name 'a'"),
        ([], ["x", "x"], "several columns"),
    ],
)
def test_columns_that_do_not_fit_the_samples_are_rejected(samples, names, message):
    with pytest.raises(MalformedError, match=message):
        Columns(schema_of(*samples), names)


def test_pointers_conform_to_rfc_6901():
    assert Columns(True, ["a/b", "c~d", ""]).pointers == ["/a~1b", "/c~0d", "/"]
    assert Columns(schema_of([1]), ["a", "b"]).pointers == ["/0", "/1"]


@pytest.mark.parametrize(
    ("values", "text", "value"),
    [
        (["x"], "007", "007"),
        (["x"], "1.5", "1.5"),
        (["x"], "true", "true"),
        (["x"], "", ""),
        (["x", None], "", None),
        (["x", None], "12", "12"),
        (["x", 1], "12", "12"),
        ([1], "12", 12),
        ([1], "012", 12),
        ([1], "1.5", 1.5),
        ([1.5], " +.5 ", 0.5),
        ([1.5], "9007199254740993", 9007199254740993),
        ([1.5], "-1e3", -1000.0),
        ([1.5], "", None),
        ([True], "FALSE", False),
        ([True, 1], "1", 1),
        ([[1]], "[1, {}]", [1, {}]),
        ([{"a": 1}, 1], "5", 5),
        ([None], "", None),
    ],
)
def test_a_cell_is_read_by_the_type_of_the_samples(values, text, value):
    schema = inner(schema_of(*({"x": value} for value in values)), "properties", "x")
    read = reader_of_text(schema)(text)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("1", 1), ("1.5e2", 150.0), ("007", "007"), ("-0", 0), ("true", True), ("", None)),
        *(("NaN", "NaN"), ("1e999", "1e999"), ("+1", "+1"), ("1_000", "1_000"), ("[1]", "[1]")),
        ("٣", "٣"),
    ],
)
def test_a_cell_is_read_as_json_without_samples(text, value):
    read = reader_of_text(True)(text)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        *(([1.5], "x"), ([1.5], "NaN"), ([1.5], "inf"), ([1.5], "1e999"), ([1], "1_000")),
        *(([True], "1"), ([[1]], "[1"), ([[1]], "[NaN]"), ([None], "x"), ([1], "9" * 5000)),
    ],
)
def test_a_cell_that_does_not_fit_the_type_is_rejected(values, text):
    schema = inner(schema_of(*({"x": value} for value in values)), "properties", "x")
    with pytest.raises(ValueError, match="is not of type "):
        reader_of_text(schema)(text)


@pytest.mark.parametrize("schema", [True, {"type": "number"}])
def test_a_long_number_like_cell_is_read_quickly(schema):
    read = reader_of_text(schema)
    text = "1" * 5_000_000 + "x"  # takes hours if every prefix is tried
    if schema is True:
        assert read(text) == text
    else:
        with pytest.raises(ValueError, match="is not of type number"):
            read(text)


@pytest.mark.parametrize("text", ["+7", "007", ".5", "5.", " 1e3 ", "-1.25E-2"])
def test_numbers_are_read_in_several_spellings(text):
    assert reader_of_text({"type": "number"})(text) == float(text)


def test_a_repeated_column_name_is_found_quickly():
    names = [str(number) for number in range(MAX_COLUMNS - 1)]
    with pytest.raises(MalformedError, match="several columns have the name '7'"):
        Columns(True, [*names, "7"])


def test_the_number_of_columns_is_limited():
    Columns(True, list(map(str, range(MAX_COLUMNS))))
    with pytest.raises(MalformedError, match=r"too many columns \(limit 16384\)"):
        Columns(True, list(map(str, range(MAX_COLUMNS + 1))))
    assert Columns(True, []).sample([]) == {}
