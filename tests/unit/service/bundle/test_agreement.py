import pytest

from nachlass_service.bundle.agreement import (
    MAX_LIST_FIELDS,
    agree,
    agreement_of,
    first_difference,
    largest_difference,
    name_of,
    random_fields,
)


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
def test_equal_predictions_agree(one, other):
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
def test_different_predictions_disagree(one, other):
    assert not agree(one, other)
    assert not agree(other, one)


def test_only_types_of_a_random_prediction_are_compared():
    whole = [""]
    assert agree({"a": 1.0}, {"a": 2.0}, whole)
    assert agree([1], [1, 2], whole)
    assert agree("a", "b", whole)
    assert not agree("a", 1, whole)
    assert agree({"a": 1}, {"b": 1}, whole)
    assert agree(1, 0.5, whole)
    assert not agree(1, True, whole)


def test_fields_beside_a_random_field_are_compared_exactly():
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
def test_fields_that_differ_between_two_scorings_are_random(pairs, fields):
    assert random_fields(pairs) == fields
    alike = [pair for pair in pairs if None in pair or type(pair[0]) is type(pair[1])]
    assert all(agree(one, other, frozenset(fields)) for one, other in alike)


def test_a_random_field_can_be_null():
    assert agree({"a": None}, {"a": 0.5}, {"a"})
    assert not agree({"a": "text"}, {"a": 0.5}, {"a"})


def test_random_fields_are_not_part_of_the_largest_difference():
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
def test_a_comparison_has_a_verdict_and_a_difference(one, other, verdict, difference):
    assert agreement_of(one, other) == agreement_of(other, one) == verdict
    assert largest_difference(one, other) == largest_difference(other, one) == difference


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1.0, 1.0 + 9e-7, True),
        (1.0, 1.0 + 1.1e-6, False),
        (1e6, 1e6 + 0.9, True),
        (0.0, 0.9e-9, True),
        (0.0, 1.1e-9, False),
        (1e-9, 1.9e-9, True),
        (10**9, 10**9 + 1, False),
        (10**9, 10.0**9 + 1, True),
        (2**53, 2**53 + 1, False),
        (float("inf"), float("inf"), True),
        (False, 0, False),
        (False, False, True),
        ("", "", True),
        ("", None, False),
        ([], {}, False),
        ([], [], True),
        ({}, {}, True),
    ],
)
def test_floats_are_compared_within_a_tolerance_and_other_values_exactly(one, other, same):
    assert agree(one, other) is same
    assert agree(other, one) is same


@pytest.mark.parametrize(
    ("one", "other", "random", "found"),
    [
        (1, 1, [], None),
        (1, 2, [], ("", 1, 2)),
        ([1, 2, 3], [1, 5, 6], [], ("1", 2, 5)),
        ({"a": {"x": [0, "b"]}}, {"a": {"x": [0, "c"]}}, [], ("a.x.1", "b", "c")),
        ({"a": [1]}, {"a": [1, 2]}, [], ("a", [1], [1, 2])),
        ({"a": 1}, {"b": 1}, [], ("", {"a": 1}, {"b": 1})),
        ({"a": 1, "b": 2}, {"a": 3, "b": 4}, ["a"], ("b", 2, 4)),
        ({"a": 1, "b": 2}, {"a": "x", "b": 2}, ["a"], ("a", 1, "x")),
        ({"a": [1]}, {"a": [2]}, ["a.0"], None),
        ([[1], [2]], [[1], [3]], ["0.0"], ("1.0", 2, 3)),
        ({"a.b": 1}, {"a.b": 2}, ["a.b"], ('"a.b"', 1, 2)),
    ],
)
def test_the_first_differing_field_is_found(one, other, random, found):
    assert first_difference(one, other, frozenset(random)) == found


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ((), ""),
        (("a", 0, "b"), "a.0.b"),
        (("",), '""'),
        (("a.b", "c"), '"a.b".c'),
        (("", ""), '"".""'),
    ],
)
def test_a_field_is_named_by_its_path(path, name):
    assert name_of(path) == name


def test_a_list_with_many_random_entries_is_one_random_field():
    few, many = ([1] * count + [0] * 5 for count in (MAX_LIST_FIELDS, MAX_LIST_FIELDS + 1))
    zeros = [0] * (MAX_LIST_FIELDS + 6)
    assert random_fields([(few, zeros[:-1])]) == sorted(map(str, range(MAX_LIST_FIELDS)))
    assert random_fields([(many, zeros)]) == [""]
    assert random_fields([({"a": many, "b": 1}, {"a": zeros, "b": 2})]) == ["a", "b"]


def test_fields_inside_a_random_field_are_not_listed():
    pairs = [({"a": {"x": 1}}, {"a": {"x": 2}}), ({"a": {"x": 1}}, {"a": None})]
    assert random_fields(pairs) == ["a"]


def test_a_list_of_many_random_rows_is_one_random_field():
    rows, zeros = [[1, 0]] * (MAX_LIST_FIELDS + 1), [[0, 0]] * (MAX_LIST_FIELDS + 1)
    assert len(random_fields([(rows, zeros)])) == MAX_LIST_FIELDS + 1
    wide = [[1] * (MAX_LIST_FIELDS + 1)] * 2
    assert random_fields([(wide, [[0] * (MAX_LIST_FIELDS + 1)] * 2)]) == ["0", "1"]


def test_entries_of_lists_of_varying_length_are_not_fields():
    pairs = [({"a": [[1], [2]]}, {"a": [[1], [3]]}), ({"a": [[1, 1], [2]]}, {"a": [[1, 1], [2]]})]
    assert random_fields(pairs) == ["a.1.0"]
    assert random_fields([*pairs, ({"a": [[1], [2, 2]]}, {"a": [[1], [2, 2]]})]) == ["a.1"]


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        (0.0, 1e-9, 0.0),
        (0.0, 1.1e-9, 1.0),
        (4, 3, 0.25),
        (-4, -3, 0.25),
        (True, True, None),
        (1, True, None),
        (None, None, None),
        ([], [], None),
        ([1, 2, 4], [1, 1], 0.5),
        ([1, 8], [2, 8], 0.5),
        ({"a": [4, 4], "b": 10}, {"a": [4, 3], "b": 9}, 0.25),
        ({"a": "x", "b": 10}, {"a": "y", "b": 8}, 0.2),
        ([1], {"0": 2}, None),
    ],
)
def test_the_largest_difference_is_relative(one, other, difference):
    assert largest_difference(one, other) == difference


def test_the_largest_difference_ignores_nested_random_fields():
    one, other = {"a": [1, 4], "b": {"c": 1}}, {"a": [9, 3], "b": {"c": 5}}
    assert largest_difference(one, other, frozenset({"a.0", "b.c"})) == 0.25
    assert largest_difference(one, other, frozenset({""})) is None
    assert agreement_of(one, other, frozenset({"a.0", "b.c"})) == "different"
    assert agreement_of(one, other, frozenset({"a", "b"})) == "close"
