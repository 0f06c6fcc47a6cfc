"""The order of the reasons for keeping distributions."""

from nachlass_builder.slim.training import EARLIER_BUILD, IMPORTED, OPTIONAL, SERVICE, by_reason


def test_reasons_are_ordered_and_dependencies_sorted_by_their_dependents():
    why = {
        "f": SERVICE,
        "e": EARLIER_BUILD,
        "d": OPTIONAL,
        "c": "needed by numpy",
        "b": "needed by alpha",
        "a": IMPORTED,
        "aa": IMPORTED,
    }
    assert [(reason, names) for reason, names in by_reason(why)] == [
        (IMPORTED, ["a", "aa"]),
        ("needed by alpha", ["b"]),
        ("needed by numpy", ["c"]),
        (OPTIONAL, ["d"]),
        (EARLIER_BUILD, ["e"]),
        (SERVICE, ["f"]),
    ]
