import pytest

from nachlass_builder.foundation.errors import SourceError
from nachlass_builder.proof.describe_predictions import (
    LADDER,
    describe_input,
    describe_predictions,
    read_samples,
)


@pytest.mark.parametrize(
    ("predictions", "kind"),
    [
        (["spam", "ham"], "label"),
        ([True, False], "label"),
        ([1, 2, 1], "label"),
        (list(range(21)), "number"),
        ([0.5, 1], "number"),
        ([0.5, "high"], "mixed"),
        ([[0.1, 0.9], [0.2, 0.8]], "object"),
        ([{"a": 1.0}], "object"),
        ([{"a": 1.0}, 2.0], "mixed"),
        ([], "mixed"),
        ([None, None], "mixed"),
        ([None, 1.5], "number"),
    ],
)
def test_the_kind_depends_on_the_predictions(predictions, kind):
    assert describe_predictions(predictions, None).kind == kind


def test_labels_are_strings():
    assert describe_predictions([True, False, True], None).labels == {"": ("false", "true")}
    assert describe_predictions([3, 1], None).labels == {"": ("1", "3")}


def test_the_user_can_set_the_kind():
    described = describe_predictions([1, 2, 3], "number")
    assert described.kind == "number"
    assert described.labels == {}
    assert described.buckets[""][0] == 1


def test_fields_have_paths_and_their_number_is_limited():
    described = describe_predictions([{"scores": {"a": 0.5, "b": 1.5}, "best": "a"}], None)
    assert described.fields == ("scores.a", "scores.b", "best")
    assert described.labels == {"best": ("a",)}
    many = describe_predictions([[float(n) for n in range(80)]], None)
    assert len(many.fields) == 51
    assert many.fields[-1] == "other"


def test_buckets_are_quantiles_or_defaults():
    buckets = describe_predictions([n / 100 for n in range(101)], None).buckets[""]
    assert len(buckets) == 21
    assert buckets[10] == pytest.approx(0.5)
    assert describe_predictions([], None).buckets[""] == LADDER


def test_the_input_is_described_by_a_schema():
    schema = describe_input([[0.5, 1], [1, 2]])
    assert schema["items"] == {"type": "number"}
    assert schema["minItems"] == schema["maxItems"] == 2
    assert describe_input([]) is True
    rows = describe_input([{"a": 1, "b": None}, {"a": 2, "b": "x"}])
    assert rows["required"] == ["a", "b"]
    assert set(rows["properties"]["b"]["type"]) == {"null", "string"}


def test_floats_are_labels_if_the_user_says_so():
    described = describe_predictions([1.0, 2.5, 1.0], "label")
    assert described.labels == {"": ("1.0", "2.5")}
    assert describe_predictions([1.0, 2.5], None).labels == {}


@pytest.mark.parametrize("line", ["{", "[]", '{"sample": 1}', "1"])
def test_damaged_samples_are_rejected(tmp_path, line):
    path = tmp_path / "samples.jsonl"
    path.write_text('{"sample": 1, "prediction": 2}\n')
    assert read_samples(path) == [(1, 2)]
    path.write_text(f"{path.read_text()}{line}\n")
    with pytest.raises(SourceError, match="the samples cannot be read") as caught:
        read_samples(path)
    assert str(caught.value.place) == str(path)
