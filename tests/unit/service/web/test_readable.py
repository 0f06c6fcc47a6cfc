"""Human-readable intervals and numbers: rounded, in order, and still distinct."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nachlass_service.metrics.inputs import intervals
from nachlass_service.web.readable import percent, readable_bins, readable_numbers, scale

BOUNDS = st.lists(
    st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=12, unique=True
).map(sorted)
CLOSE = st.integers(1, 10**16).map(lambda n: [n / 1e9, (n + 1) / 1e9, (n + 2) / 1e9])


def value_of(text):
    return Decimal(text.replace(",", ""))  # a number that is rounded up may exceed every float


@pytest.mark.parametrize(
    ("bounds", "shown"),
    [
        (
            [209289.88, 272984.02],
            ["below 209,300", "209,300 to 273,000", "above 273,000"],
        ),
        ([-2.5, 0.0], ["below -2.5", "-2.5 to 0", "above 0"]),
        ([7.0, 15.0], ["below 7", "7 to 15", "above 15"]),
        ([100000.1, 100000.2], ["below 100,000.1", "100,000.1 to 100,000.2", "above 100,000.2"]),
        ([1e-07, 2e20], ["below 1e-07", "1e-07 to 2e+20", "above 2e+20"]),
        ([], ["any number"]),
    ],
)
def test_intervals_are_described_in_words(bounds, shown):
    assert readable_bins(intervals(bounds) if bounds else ["(-Inf, +Inf)"]) == shown


def test_a_label_is_not_an_interval():
    with pytest.raises(ValueError, match="other is no interval"):
        readable_bins(["other"])


@given(bounds=st.one_of(BOUNDS, CLOSE))
def test_distinct_bounds_stay_distinct_and_in_order(bounds):
    bounds = sorted({*bounds})
    shown = readable_numbers(bounds)
    assert len({*shown}) == len(shown)
    assert all(low < high for low, high in pairwise(map(value_of, shown)))
    assert all(
        abs(value_of(text) - Decimal(bound)) <= abs(Decimal(bound)) / 1000
        for text, bound in zip(shown, bounds, strict=True)
    )


@given(bounds=st.one_of(BOUNDS, CLOSE))
def test_distinct_intervals_stay_distinct_and_in_order(bounds):
    shown = readable_bins(intervals(sorted({*bounds})))
    assert len({*shown}) == len(shown)
    assert shown[0].startswith("below ")
    assert shown[-1].startswith("above ")
    closed = [tuple(map(value_of, text.split(" to "))) for text in shown[1:-1]]
    assert all(low < high for low, high in closed)
    assert all(one[1] == other[0] for one, other in pairwise(closed))


@pytest.mark.parametrize(
    ("longest", "end", "ticks"),
    [
        (0, 0.02, ["0%", "1%", "2%"]),
        (0.05, 0.05, ["0%", "2.5%", "5%"]),
        (0.41, 0.6, ["0%", "30%", "60%"]),
        (1.0, 1.0, ["0%", "50%", "100%"]),
    ],
)
def test_an_axis_ends_at_a_round_percentage(longest, end, ticks):
    found, labels = scale(longest)
    assert (found, [*labels]) == (end, ticks)


def test_percentages_have_one_decimal():
    assert [percent(share) for share in (0, 0.12345, 1)] == ["0.0%", "12.3%", "100.0%"]
