from contextlib import contextmanager
from threading import Thread

import pytest

from nachlass_service.metrics import history
from nachlass_service.metrics.history import MOMENTS, PARTS, History
from nachlass_service.metrics.shared_counters import CELLS, SharedCounters
from support.forked import in_child

SERIES = ("a",)


@pytest.fixture
def clock(monkeypatch):
    """Replace the clock with one that only the test advances."""

    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(history, "time", clock)
    return clock


def counted_since(past, counters, window_s):
    """Return the count since the start of the window, and the age of that start."""
    before, seconds = past.since(window_s)
    return counters.sums(SERIES)[0] - before(SERIES)[0], seconds


@pytest.fixture
def counters():
    counters = SharedCounters([(("other",), 3), (SERIES, 1)])
    for slot in range(2):
        counters.prepare(slot)
    return counters


def test_a_window_slides(clock, counters):
    past = History(counters, 120)
    for second in range(1, 1001):
        clock.now += 1
        past.keep()
        counters.use(second % 2)
        counters.add(SERIES, {0: 1})
        count, seconds = counted_since(past, counters, 120)
        assert seconds >= min(second, 120)
        assert seconds <= min(second, 120 + 120 / PARTS)
        assert seconds <= count <= seconds + 1


def test_workers_share_their_history(clock, counters):
    past = History(counters, 120)
    in_child(lambda: counters.add(SERIES, {0: 7}))
    clock.now += 130
    in_child(past.keep)
    in_child(lambda: counters.add(SERIES, {0: 5}))
    clock.now += 120
    assert counted_since(past, counters, 120) == (5, 120)


def test_a_later_series_starts_at_zero(clock, counters):
    past = History(counters, 12)
    for _ in range(3 * MOMENTS):
        clock.now += 1
        past.keep()
    assert counters.enter(("new",), 1, lambda _there: True)
    counters.add(("new",), {0: 3})
    assert past.since(12)[0](("new",)) == [0]


def test_the_length_of_the_window_is_exact_after_a_pause(clock, counters):
    past = History(counters, 120)
    counters.add(SERIES, {0: 3})
    clock.now += 5000
    assert counted_since(past, counters, 120) == (3, 5000)
    past.keep()
    clock.now += 121
    assert counted_since(past, counters, 120) == (0, 121)


def test_a_moment_is_recorded_after_a_twelfth_of_the_window(clock, counters):
    past = History(counters, 120)
    counters.add(SERIES, {0: 1})
    clock.now += 10
    past.keep()
    counters.add(SERIES, {0: 2})
    clock.now += 120
    assert counted_since(past, counters, 120) == (2, 120)


def test_no_moment_is_recorded_earlier(clock, counters):
    past = History(counters, 120)
    clock.now += 9.9
    past.keep()
    clock.now += 120
    assert counted_since(past, counters, 120)[1] == pytest.approx(129.9)


def test_counting_between_two_moments_does_not_wait(clock, counters):
    past = History(counters, 120)
    for _ in range(2):
        clock.now += 10
        past.keep()
    clock.now += 5
    other = Thread(target=past.keep)
    with counters.exclusive():
        other.start()
        other.join(5)
        waits = other.is_alive()
    other.join()
    assert not waits


def test_a_moment_recorded_by_another_worker_is_not_recorded_twice(clock):
    class Contended(SharedCounters):
        """Counters whose lock is granted only after another worker has recorded the moment."""

        @contextmanager
        def exclusive(self):
            if self.other is not None:
                other, self.other = self.other, None
                in_child(other)
            with super().exclusive():
                yield

    counters = Contended([(SERIES, 1)])
    counters.other = None
    counters.prepare(0)
    past = History(counters, 120)
    for turn in range(MOMENTS + 2):
        clock.now += 10
        counters.other = past.keep if turn % 5 == 0 else None  # forks are slow: three suffice
        past.keep()
    assert past.since(120)[1] == 120


def test_a_full_table_is_recorded_completely(clock):
    counters = SharedCounters([(SERIES, CELLS)])
    counters.prepare(0)
    past = History(counters, 120)
    for moment in range(1, MOMENTS + 1):
        counters.add(SERIES, {0: 1, CELLS - 1: 1})
        clock.now += 10
        past.keep()
        row = past.since(0)[0](SERIES)
        assert (row[0], row[1], row[-1]) == (moment, 0, moment)
