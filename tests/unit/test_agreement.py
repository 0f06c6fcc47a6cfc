import pytest

from nachlass_service.agreement import agree, compare, largest_difference


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


def test_types_only():
    assert agree({"a": 1.0}, {"a": 2.0}, types_only=True)
    assert agree([1], [1, 2], types_only=True)
    assert agree("a", "b", types_only=True)
    assert not agree("a", 1, types_only=True)
    assert not agree({"a": 1}, {"b": 1}, types_only=True)


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
    assert compare(one, other) == compare(other, one) == verdict
    assert largest_difference(one, other) == largest_difference(other, one) == difference
