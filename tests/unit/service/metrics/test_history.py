import pytest

from nachlass_service.metrics import history
from nachlass_service.metrics.history import MOMENTS, PARTS, History
from nachlass_service.metrics.shared_counters import Slots
from support.forked import in_child

SERIES = ("a",)


@pytest.fixture
def clock(monkeypatch):
    """The time, which only the test moves on."""

    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(history, "time", clock)
    return clock


def counted_since(past, slots, window_s):
    """What was counted since the start of the window, and how long ago that was."""
    before, seconds = past.since(window_s)
    return slots.sums(SERIES)[0] - before(SERIES)[0], seconds


@pytest.fixture
def slots():
    slots = Slots([(("other",), 3), (SERIES, 1)])
    for slot in range(2):
        slots.prepare(slot)
    return slots


def test_a_window_slides(clock, slots):
    past = History(slots, 120)
    for second in range(1, 1001):
        clock.now += 1
        past.keep()
        slots.use(second % 2)
        slots.add(SERIES, {0: 1})
        count, seconds = counted_since(past, slots, 120)
        assert seconds >= min(second, 120)
        assert seconds <= min(second, 120 + 120 / PARTS)
        assert seconds <= count <= seconds + 1


def test_workers_share_the_past(clock, slots):
    past = History(slots, 120)
    in_child(lambda: slots.add(SERIES, {0: 7}))
    clock.now += 130
    in_child(past.keep)
    in_child(lambda: slots.add(SERIES, {0: 5}))
    clock.now += 120
    assert counted_since(past, slots, 120) == (5, 120)


def test_a_series_that_came_later_was_zero(clock, slots):
    past = History(slots, 12)
    for _ in range(3 * MOMENTS):
        clock.now += 1
        past.keep()
    assert slots.enter(("new",), 1, lambda _there: True)
    slots.add(("new",), {0: 3})
    assert past.since(12)[0](("new",)) == [0]


def test_after_a_pause_the_window_is_as_long_as_it_says(clock, slots):
    past = History(slots, 120)
    slots.add(SERIES, {0: 3})
    clock.now += 5000
    assert counted_since(past, slots, 120) == (3, 5000)
    past.keep()
    clock.now += 121
    assert counted_since(past, slots, 120) == (0, 121)
