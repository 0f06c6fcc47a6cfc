"""The number of rows scored in one turn, with simulated costs of calls."""

import random

import pytest

from nachlass_service.scoring.stride import (
    BATCH_TURN_S,
    CALLS,
    CAUTION,
    FIRST_ROWS,
    MAX_ROWS,
    MAX_ROWS_S,
    MIN_ROWS,
    TURN_BYTES,
    Call,
    Stride,
    fit,
)

FIXED = {"fixed_s": 0.06, "row_s": 2e-5}


def costs(fixed_s=0.0, row_s=0.0):
    """Return a function for the duration of calls, independent of their place in the batch."""
    return lambda rows, _at: fixed_s + row_s * rows


def calls_of(rows, cost, stride=None, noise=None):
    """Return the calls that score these rows; `cost` gets the rows of a call and before it."""
    stride = stride or Stride(60.0)
    calls, at = [], 0
    while at < rows:
        count = min(stride.rows, rows - at)
        seconds = cost(count, at) * (1 + (noise.expovariate(5) if noise else 0))
        stride.note(count, seconds)
        calls.append(Call(count, seconds))
        at += count
    return calls


def seconds_of(calls):
    return sum(call.seconds for call in calls)


def test_a_fixed_cost_is_amortized_over_many_rows():
    calls = calls_of(100_000, costs(**FIXED))
    assert seconds_of(calls) <= 1.25 * costs(**FIXED)(100_000, 0)
    assert max(call.seconds for call in calls) < 1
    assert len(calls_of(500, costs(**FIXED))) <= 4


def test_the_next_batch_reuses_the_fixed_cost():
    stride = Stride(60.0)
    calls_of(100_000, costs(**FIXED), stride)
    assert len(calls_of(100_000, costs(**FIXED), stride.for_next_batch())) <= 5


@pytest.mark.parametrize("row_s", [1e-6, 2e-5, 1e-3])
def test_turns_without_a_fixed_cost_use_the_full_turn(row_s):
    calls = calls_of(min(100_000, int(20 / row_s)), costs(row_s=row_s))
    assert max(call.seconds for call in calls) <= BATCH_TURN_S * 1.001
    full = min(BATCH_TURN_S, MAX_ROWS * row_s)
    assert len(calls) < 1.2 * seconds_of(calls) / full + 6


@pytest.mark.parametrize("seed", range(20))
def test_delayed_calls_are_not_mistaken_for_a_fixed_cost(seed):
    calls = calls_of(20_000, costs(row_s=1e-3), noise=random.Random(seed))
    assert max(call.seconds for call in calls) < 5 * BATCH_TURN_S
    calls = calls_of(100_000, costs(**FIXED), noise=random.Random(seed))
    assert len(calls) <= 12


def test_few_slow_rows_are_scored_per_turn():
    calls = calls_of(200, costs(row_s=0.2))
    assert calls[0].rows == FIRST_ROWS
    assert {call.rows for call in calls[1:]} <= {1, 2}


def test_rows_that_become_slow_fit_a_turn_again():
    calls = calls_of(20_000, lambda rows, at: rows * (1e-5 if at < 10_000 else 1e-3))
    first = next(n for n, call in enumerate(calls) if call.seconds > 2 * BATCH_TURN_S)
    assert all(call.seconds < 2 * BATCH_TURN_S for call in calls[first + 1 :])


def test_rows_that_become_fast_are_scored_in_large_turns_again():
    calls = calls_of(30_000, lambda rows, at: rows * (1.0 if at < 40 else 2e-5))
    assert sum(call.rows >= 1000 for call in calls) > 10
    calls = calls_of(30_000, lambda rows, at: 0.06 + rows * (0.1 if at < 60 else 2e-5))
    assert len(calls) < 25


def test_a_rising_fixed_cost_does_not_make_turns_small():
    calls = calls_of(100_000, lambda rows, at: (0.001 if at < 8000 else 1.0) + 5e-5 * rows)
    assert sum(call.seconds > 0.9 for call in calls) < 12


def test_the_duration_of_a_turn_is_limited_by_the_time_limit():
    assert max(c.seconds for c in calls_of(10**6, costs(0.5, 1e-4))) < 0.5 + 1.1 * MAX_ROWS_S
    calls = calls_of(100_000, costs(0.1, 1e-4), Stride(0.8))
    assert max(call.seconds for call in calls) < 0.1 + 0.25


def test_the_fit_is_exact_without_noise():
    calls = [Call(rows, 0.06 + 2e-5 * rows) for rows in (2, 16, 1000)]
    assert fit(calls) == pytest.approx((0.06, 2e-5))
    assert fit([Call(2, 0.001), Call(16, 0.009)]) == (0.0, pytest.approx(0.0005, rel=0.1))
    assert fit([Call(2, 0.1), Call(16, 0.09)]) == (pytest.approx(0.095, rel=0.01), 0.0)


def test_rows_scored_one_by_one_have_no_fixed_cost():
    stride = Stride(60.0)
    for rows, seconds, expected in ((16, 0.0001, 128), (128, 0.1, 64), (64, 640, 1), (1, 0.0, 8)):
        stride.note_one_by_one(rows, seconds)
        assert stride.rows == expected


def test_the_size_of_responses_is_limited():
    stride = Stride(60.0)
    stride.note(16, 0.001)
    stride.note_size(16, 16 * TURN_BYTES // 4)
    assert stride.rows == 4
    stride.note_size(4, 1 << 40)
    assert stride.rows == MIN_ROWS


def test_turns_grow_again_after_large_responses():
    stride = Stride(60.0)
    for _ in range(3):
        stride.note(stride.rows, 0.001)
        stride.note_size(stride.rows, 1 << 40)
    assert len(calls_of(10_000, costs(row_s=2e-5), stride)) < 15


def test_the_next_batch_starts_with_fewer_rows():
    assert Stride(60.0, 400).for_next_batch().rows == 400 // CAUTION
    assert [Stride(60.0, n).for_next_batch().rows for n in (2, 16, 60)] == [2, 16, 16]
    assert Stride(60.0, MAX_ROWS).for_next_batch().rows == MAX_ROWS // 2 // CAUTION


def test_a_batch_whose_rows_fail_continues_with_few():
    stride = Stride(60.0, 4000)
    stride.start_over()
    assert stride.rows == FIRST_ROWS


# The exact expectations of a call.


def known(fixed_s, row_s, *calls, rows=1000):
    """Return a stride that has fitted these costs to these calls."""
    stride = Stride(60.0, rows, fixed_s)
    stride._row_s = row_s
    stride._calls.extend(Call(*call) for call in calls)
    return stride


def test_the_number_of_rows_is_an_integer():
    stride = known(0.06, 2e-5, rows=MAX_ROWS + 1)
    following = stride.for_next_batch()
    assert following.rows == MAX_ROWS // 2 // CAUTION
    assert following._fixed_s == 0.06
    stride.note_size(1000, 3 * TURN_BYTES)
    assert stride.rows == 333
    probed = known(None, 0.0, (100, 1.0))
    assert probed._probe() == 12
    for rows in (following.rows, stride.rows, probed._probe()):
        assert type(rows) is int


def test_the_fit_uses_the_latest_calls():
    stride = Stride(60.0)
    for _ in range(3):
        for _ in range(CALLS + 1):
            stride.note(16, 0.001)
        assert len(stride._calls) == CALLS
        stride.note(16, 10.0)  # a surprise
        assert len(stride._calls) == 1


def test_growth_is_limited_per_step_and_overall():
    stride = Stride(60.0)
    for rows in (128, 1024, 8192, MAX_ROWS, MAX_ROWS):
        stride.note(stride.rows, 1e-6)
        assert stride.rows == rows
    alone = Stride(60.0, 20_000)
    alone.note_one_by_one(20_000, 1e-3)
    assert alone.rows == MAX_ROWS


@pytest.mark.parametrize(
    ("rows", "seconds", "is_surprise"),
    [(4000, 0.27, False), (4000, 0.29, True), (2, 5.0, False), (3, 5.0, True), (100, 0.04, False)],
)
def test_a_surprise_takes_twice_as_long_as_expected(rows, seconds, is_surprise):
    assert known(0.06, 2e-5)._is_surprise(Call(rows, seconds)) is is_surprise


def test_a_first_call_longer_than_a_turn_is_a_surprise():
    assert Stride(60.0)._is_surprise(Call(16, 0.06))
    assert not Stride(60.0)._is_surprise(Call(16, 0.04))


def test_after_a_surprise_only_larger_and_equally_slow_calls_are_kept():
    larger, shorter, smaller, equal = (100, 0.5), (200, 0.1), (40, 0.4), (50, 0.4)
    stride = known(0.0, 1e-3, larger, shorter, smaller, equal)
    stride.note(50, 0.6)
    assert list(stride._calls) == [Call(*larger), Call(50, 0.6)]


def test_a_reused_fixed_cost_is_at_most_half_of_a_call():
    stride = Stride(60.0, 16, 0.06)
    stride.note(16, 0.02)
    assert stride._fixed_s == pytest.approx(0.01)
    assert stride._row_s == pytest.approx(0.01 / 16)
    assert stride.rows == 128
    stride.note(128, 0.02)
    assert stride._fixed_s == pytest.approx(0.02)


def test_a_low_fixed_cost_leaves_the_rest_of_the_turn_to_the_rows():
    stride = known(0.001, 1e-4, (16, 0.0026))
    assert stride._fitting(Call(16, 0.0026)) == 490


def test_a_probe_has_at_most_an_eighth_of_the_rows_of_another_call():
    for small, enough in ((12, True), (13, False)):
        stride = known(0.0, 1e-3, (100, 0.1), (small, 0.02), (small, 0.02))
        assert stride._has_probes() is enough
    assert not known(0.0, 1e-3, (100, 0.1), (12, 0.02))._has_probes()


def test_the_size_of_a_probe_depends_on_the_cost_of_a_row():
    assert known(None, 0.0, (10, 0.1))._probe() == FIRST_ROWS
    assert known(None, 0.0, (10, 1.0))._probe() == 10
    assert known(None, 0.0, (16, 0.1))._probe() == 2
