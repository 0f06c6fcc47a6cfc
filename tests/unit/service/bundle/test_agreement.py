import pytest

from nachlass_service.bundle.agreement import agree, agreement_of, largest_difference, random_fields


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1.0, 1.0 + 5e-7),
        (0.0, 1e-12),
        (1, 1.0),
        (None, None),
        ([1.0, "a"], [1.0000001, "a"]),
        ({"a": [1]}, {"a": [1]}),
        (2**70, 2**70),
    ],
)
def test_the_same_answer(one, other):
    assert agree(one, other)
    assert agree(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1.0, 1.00001),
        (True, 1),
        ("1", 1),
        (None, 0.0),
        ([1, 2], [1]),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, [1]),
    ],
)
def test_another_answer(one, other):
    assert not agree(one, other)
    assert not agree(other, one)


def test_of_a_random_prediction_only_types_are_compared():
    whole = [""]
    assert agree({"a": 1.0}, {"a": 2.0}, whole)
    assert agree([1], [1, 2], whole)
    assert agree("a", "b", whole)
    assert not agree("a", 1, whole)
    assert agree({"a": 1}, {"b": 1}, whole)
    assert agree(1, 0.5, whole)
    assert not agree(1, True, whole)


def test_a_random_field_leaves_the_others_exact():
    random = ["interval.low", "draws"]
    one = {"mean": 1.0, "interval": {"low": 0.1, "high": 2.0}, "draws": [1, 2]}
    assert agree(one, {**one, "interval": {"low": 0.7, "high": 2.0}, "draws": [3]}, random)
    assert not agree(one, {**one, "mean": 1.1}, random)
    assert not agree(one, {**one, "interval": {"low": 0.1, "high": 2.1}}, random)
    assert not agree(one, {**one, "interval": {"low": "0.1", "high": 2.0}}, random)


@pytest.mark.parametrize(
    ("pairs", "fields"),
    [
        ([], []),
        ([(1.0, 1.0 + 1e-9), ({"a": [1]}, {"a": [1]})], []),
        ([(1, 1), (1, 2)], [""]),
        ([({"a": 1, "b": 2}, {"a": 1, "b": 3})], ["b"]),
        ([({"a": {"x": 1}}, {"a": {"x": 2}})], ["a.x"]),
        ([({"a": {"x": 1}}, {"a": {"y": 1}})], ["a"]),
        ([(["sure", 0.1], ["sure", 0.2]), (["no", 0.1], ["no", 0.1])], ["1"]),
        ([({"a": [1, 2]}, {"a": [1, 3]}), ({"a": [1]}, {"a": [1]})], ["a"]),
        ([([[1], [2]], [[1], [3]]), ([[1], [2]], [[1], [2]])], ["1.0"]),
        ([({"a": 1}, {"a": 2}), ({"a": 1}, "text")], [""]),
        ([(None, 0.5)], [""]),
        ([({"": 1, "a": 2}, {"": 3, "a": 2})], ['""']),
        ([({"a.b": 1, "a": {"b": 2}}, {"a.b": 3, "a": {"b": 2}})], ['"a.b"']),
        ([({"draws": [0] * 30}, {"draws": [1] * 30})], ["draws"]),
        ([([[0] * 30] * 30, [[1] * 30] * 30)], [""]),
    ],
)
def test_the_fields_that_differ_from_one_scoring_to_the_next(pairs, fields):
    assert random_fields(pairs) == fields
    alike = [pair for pair in pairs if None in pair or type(pair[0]) is type(pair[1])]
    assert all(agree(one, other, frozenset(fields)) for one, other in alike)


def test_a_random_field_may_be_null():
    assert agree({"a": None}, {"a": 0.5}, {"a"})
    assert not agree({"a": "text"}, {"a": 0.5}, {"a"})


def test_random_fields_have_no_largest_difference():
    assert largest_difference({"a": 1.0, "b": 2.0}, {"a": 9.0, "b": 4.0}, ["a"]) == 0.5
    assert agreement_of({"a": 1.0}, {"a": 9.0}, ["a"]) == "close"


@pytest.mark.parametrize(
    ("one", "other", "verdict", "difference"),
    [
        (1, 1, "identical", 0.0),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, "identical", 0.0),
        ("a", "a", "identical", None),
        (None, None, "identical", None),
        (1, 1.0, "close", 0.0),
        (0.0, 1e-12, "close", 0.0),
        (2.0, 2.000001, "close", pytest.approx(5e-7, rel=1e-3)),
        (1.0, 2.0, "different", 0.5),
        (1.0, -1.0, "different", 2.0),
        (True, 1, "different", None),
        ([1.0, "a"], [1.5, "b"], "different", pytest.approx(1 / 3)),
        ([1.0], [1.0, 9.0], "different", 0.0),
        ({"a": 1.0, "b": 1.0}, {"a": 4.0, "c": 1.0}, "different", 0.75),
        (None, 1.0, "different", None),
        ("1", 1, "different", None),
    ],
)
def test_a_comparison(one, other, verdict, difference):
    assert agreement_of(one, other) == agreement_of(other, one) == verdict
    assert largest_difference(one, other) == largest_difference(other, one) == difference
