import pytest

from nachlass_service.agreement import agree


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
