"""A call is slow by its CPU time, or by wall time if it waited voluntarily."""

import time
from types import SimpleNamespace

import pytest

from nachlass_service.scoring import pace
from nachlass_service.scoring.pace import (
    HELD_UP_S,
    LONG_S,
    MAX_IN_A_ROW,
    SHORT_IN_A_ROW,
    SHORT_S,
    SLOW_OF_WATCHED,
    WATCHED,
    Pace,
    Usage,
)


@pytest.fixture
def calls(monkeypatch):
    """Return a pace that counts as fast, and a function that makes calls of a given cost."""
    state = SimpleNamespace(used=Usage(0.0, 0))
    monkeypatch.setattr(pace, "thread_usage", lambda: state.used)
    made = Pace()
    made.is_slow = False

    def call(wall_s, cpu_s=0.0, waits=0, times=1):
        for _ in range(times):
            before = made.before()
            state.used = Usage(state.used.cpu_s + cpu_s, state.used.waits + waits)
            made.note_in_loop(wall_s, before)

    return made, call


def test_a_model_counts_as_slow_until_it_has_been_fast():
    made = Pace()
    for _ in range(SHORT_IN_A_ROW - 1):
        made.note_in_thread(SHORT_S / 2)
    assert made.is_slow
    made.note_in_thread(SHORT_S)
    for _ in range(SHORT_IN_A_ROW - 1):
        made.note_in_thread(SHORT_S / 2)
    assert made.is_slow
    made.note_in_thread(SHORT_S / 2)
    assert not made.is_slow


def test_short_calls_are_not_slow(calls):
    made, call = calls
    call(2 * SHORT_S)
    call(SHORT_S / 2, cpu_s=SHORT_S / 2, waits=1, times=100)
    assert not made.is_slow


@pytest.mark.parametrize("cost", [{"cpu_s": 2 * SHORT_S}, {"waits": 1}])
def test_repeated_calls_that_compute_or_wait_are_slow(calls, cost):
    made, call = calls
    call(2 * SHORT_S, **cost)
    assert not made.is_slow
    call(2 * SHORT_S, **cost, times=2)
    assert not made.is_slow
    call(2 * SHORT_S, **cost)
    assert made.is_slow


def test_a_call_at_the_limit_is_not_slow(calls):
    made, call = calls
    call(SHORT_S)
    assert not made.before()
    call(HELD_UP_S)
    call(LONG_S, waits=1)
    call(SHORT_S, waits=1, times=WATCHED - 1)
    assert not made.is_slow
    assert not made.before()


def test_rare_slow_calls_are_tolerated(calls):
    made, call = calls
    for _ in range(2):
        call(2 * SHORT_S)
        call(2 * SHORT_S, waits=1, times=SLOW_OF_WATCHED - 1)
        call(SHORT_S / 2, times=WATCHED - SLOW_OF_WATCHED)
        assert made.before()
        call(SHORT_S / 2)
        assert not made.before()
    assert not made.is_slow


def test_measurements_restart_once_calls_are_short_again(calls):
    made, call = calls
    call(2 * SHORT_S)
    assert made.before()
    call(2 * HELD_UP_S)
    for _ in range(2 * SHORT_IN_A_ROW):
        made.note_in_thread(SHORT_S / 2)
    assert not made.is_slow
    assert not made.before()


def test_a_late_call_does_not_end_the_measurement(calls):
    made, call = calls
    call(2 * HELD_UP_S)
    for _ in range(2 * SHORT_IN_A_ROW):
        made.note_in_thread(SHORT_S / 2)
    call(2 * SHORT_S)
    made.note_in_thread(SHORT_S / 2)
    assert made.before()


def test_a_long_measured_call_makes_the_model_slow(calls):
    made, call = calls
    call(2 * LONG_S, waits=1)
    assert not made.is_slow
    call(2 * LONG_S, waits=1)
    assert made.is_slow


def test_a_preempted_call_is_not_slow(calls):
    made, call = calls
    call(2 * LONG_S, cpu_s=SHORT_S / 2, times=100)
    assert not made.is_slow


def test_a_single_call_that_blocks_the_loop_makes_the_model_slow(calls):
    made, call = calls
    call(2 * HELD_UP_S)
    assert made.is_slow


def test_a_model_with_slow_calls_must_be_fast_longer_each_time(calls):
    made, call = calls
    needed = SHORT_IN_A_ROW
    while needed < MAX_IN_A_ROW:
        call(2 * HELD_UP_S)
        needed *= 2
        for _ in range(needed - 1):
            made.note_in_thread(SHORT_S / 2)
        assert made.is_slow
        made.note_in_thread(SHORT_S / 2)
        assert not made.is_slow
    call(2 * HELD_UP_S)
    for _ in range(MAX_IN_A_ROW):
        made.note_in_thread(SHORT_S / 2)
    assert not made.is_slow


def test_the_usage_of_a_thread_is_measured():
    before = pace.thread_usage()
    time.sleep(0.01)
    ends_at = time.thread_time() + 0.05
    while time.thread_time() < ends_at:
        pass
    after = pace.thread_usage()
    assert after.waits > before.waits
    assert 0.02 < after.cpu_s - before.cpu_s < 5


def test_cpu_time_is_measured_without_rusage_thread(monkeypatch):
    monkeypatch.delattr("resource.RUSAGE_THREAD")
    before = pace.thread_usage()
    sum(range(100_000))
    after = pace.thread_usage()
    assert after.cpu_s > before.cpu_s
    assert after.waits == before.waits
