import os
import threading
import time

import pytest

from nachlass_service.base.errors import BundleError
from nachlass_service.metrics.shared_counters import CELLS, DIRECTORY_BYTES, SLOTS, SharedCounters
from support.forked import fork, in_child, join, killed

KNOWN = ("known",)


def anything(_there):
    return True


def has_ended(child, within_s):
    ends_at = time.monotonic() + within_s
    while time.monotonic() < ends_at:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(0.005)
    return False


def test_sums_stay_exact_if_workers_are_killed_and_their_slots_are_reused():
    slots = SharedCounters([(("before",), 1), (KNOWN, 2), (("behind",), 1)])

    def count(slot, say):
        slots.use(slot)
        for _ in range(1000):
            slots.add(KNOWN, {0: 1, 1: 0.5})
        say()

    for slot in (0, 1, 2, 0, 1, 0):
        slots.prepare(slot)
        with killed(lambda say, slot=slot: count(slot, say)):
            pass
    assert slots.sums(KNOWN) == [6000, 3000]
    assert slots.sums(("before",)) == slots.sums(("behind",)) == [0]


def test_a_worker_killed_during_a_write_does_not_corrupt_sums():
    slots = SharedCounters([(KNOWN, 2)])

    def count(say):
        slots.use(1)
        say()
        while True:
            slots.add(KNOWN, {0: 1, 1: 1})

    slots.prepare(1)
    for _ in range(3):
        before = slots.sums(KNOWN)
        with killed(count):
            while slots.sums(KNOWN)[0] < before[0] + 1000:
                time.sleep(0.001)
        first, second = slots.sums(KNOWN)
        assert first - second - (before[0] - before[1]) in (0, 1)


def test_concurrent_writes_lose_nothing():
    slots = SharedCounters([(KNOWN, 1)])

    def count(slot):
        slots.use(slot)
        for _ in range(5000):
            slots.add(KNOWN, {0: 1})

    for slot in range(4):
        slots.prepare(slot)
    join(*(fork(lambda slot=slot: count(slot)) for slot in range(4)))
    assert slots.sums(KNOWN) == [20000]


def test_series_entered_concurrently_get_one_row():
    slots = SharedCounters([(KNOWN, 1)])
    gate, opened = os.pipe()

    def count(slot):
        os.close(opened)
        os.read(gate, 1)  # returns for all of them when the test closes it
        slots.use(slot)
        numbers = range(100) if slot % 2 else reversed(range(100))
        for number in numbers:
            series = ("label", f"no. {number}")
            assert slots.enter(series, 1 + number % 3, anything)
            slots.add(series, {number % 3: number})
            slots.add(KNOWN, {0: 1})

    for slot in range(4):
        slots.prepare(slot)
    children = [fork(lambda slot=slot: count(slot)) for slot in range(4)]
    os.close(opened)
    join(*children)
    os.close(gate)
    found = slots.series()
    assert len(found) == len(set(found)) == 101
    assert all(slots.sums(("label", f"no. {number}"))[-1] == 4 * number for number in range(100))
    assert slots.sums(KNOWN) == [400]


def test_the_lock_on_the_directory_is_released_if_its_worker_is_killed():
    slots = SharedCounters([])

    def hold(say):
        slots.enter(("held",), 1, lambda _there: (say(), time.sleep(20)))

    with killed(hold):
        other = fork(lambda: slots.enter(("other",), 1, anything))
        assert not has_ended(other, 0.2)
    assert has_ended(other, 10)
    assert slots.series() == [("other",)]


def test_threads_of_one_worker_do_not_release_its_lock():
    slots = SharedCounters([])
    gate, opened = os.pipe()
    inside, leave = threading.Event(), threading.Event()

    def hold(_there):
        inside.set()
        return leave.wait(10)

    def enter_other():
        os.close(opened)
        os.read(gate, 1)
        assert slots.enter(("other",), 1, anything)

    other = fork(enter_other)
    threads = [
        threading.Thread(target=slots.enter, args=[("mine",), 1, hold]),
        threading.Thread(target=slots.set_ready, args=[1]),
    ]
    threads[0].start()
    assert inside.wait(10)
    threads[1].start()
    threads[1].join(0.1)
    os.close(opened)
    assert not has_ended(other, 0.2)
    leave.set()
    assert has_ended(other, 10)
    for thread in threads:
        thread.join()
    os.close(gate)
    assert slots.series() == [("mine",), ("other",)]


def test_the_check_sees_series_entered_by_other_workers():
    slots = SharedCounters([(KNOWN, 1)])
    in_child(lambda: slots.enter(("a", "b"), 1, anything))
    checked = []
    assert not slots.enter(("c",), 1, checked.append)
    assert checked == [[KNOWN, ("a", "b")]]
    assert ("a", "b") in slots
    assert ("c",) not in slots
    assert slots.enter(("a", "b"), 1, checked.append), "a known series needs no check"
    assert len(checked) == 1


def test_names_can_be_any_text():
    slots = SharedCounters([])
    series = ("label", "a\nb\r\n\u2028\x00", '"\\ä\U0001f600')
    in_child(lambda: slots.enter(series, 1, anything))
    assert slots.series() == [series]


def test_series_without_space_are_rejected_and_others_continue():
    slots = SharedCounters([(KNOWN, CELLS - 2)])
    slots.prepare(0)
    assert not slots.enter(("wide",), 3, anything)
    assert not slots.enter(("x" * DIRECTORY_BYTES,), 1, anything)
    assert slots.enter(("last",), 2, anything)
    assert not slots.enter(("one more",), 1, anything)
    slots.add(("last",), {1: 1})
    assert slots.sums(("last",)) == [0, 1]
    assert slots.sums(KNOWN) == [0] * (CELLS - 2)
    with pytest.raises(BundleError, match=r"too many cells for metrics \(limit 8,192\)"):
        SharedCounters([(KNOWN, CELLS + 1)])


def test_the_directory_can_be_filled_completely():
    slots = SharedCounters([])
    line_of_nothing = '[1, "\u00e4"]\n'.encode()
    name = "\u00e4" + "x" * (DIRECTORY_BYTES - len(line_of_nothing))
    assert not slots.enter((name + "x",), 1, anything)
    assert slots.enter((name,), 1, anything)
    assert not slots.enter(("",), 1, anything)
    assert slots.series() == [(name,)]


def test_the_number_of_slots_is_limited():
    slots = SharedCounters([(KNOWN, 1)])
    slots.prepare(SLOTS - 1)
    slots.use(SLOTS - 1)
    slots.add(KNOWN, {0: 1})
    assert slots.sums(KNOWN) == [1]
    with pytest.raises(RuntimeError, match=str(SLOTS)):
        slots.prepare(SLOTS)


def test_the_service_is_ready_once_every_worker_was_and_one_of_them_reports_it():
    slots = SharedCounters([])

    def get_ready(slot, *, expected):
        slots.use(slot)
        assert slots.set_ready(2) is expected

    for slot in range(2):
        slots.prepare(slot)
    in_child(lambda: get_ready(0, expected=False))
    in_child(lambda: get_ready(0, expected=False))
    assert not slots.is_ready
    slots.prepare(0)
    in_child(lambda: get_ready(1, expected=False))
    assert not slots.is_ready, "the successor in slot 0 is not ready yet"
    in_child(lambda: get_ready(0, expected=True))
    assert slots.is_ready
    slots.prepare(1)
    in_child(lambda: get_ready(1, expected=False))
    assert slots.is_ready


def test_a_service_of_one_worker_is_ready_with_it():
    slots = SharedCounters([])
    slots.prepare(0)
    assert not slots.is_ready
    assert slots.set_ready(1)
    assert slots.is_ready
    assert not slots.set_ready(1), "it was already ready"


def test_each_of_two_workers_is_counted_once():
    slots = SharedCounters([])
    for slot in (0, 5):
        slots.prepare(slot)
    for _ in range(3):
        assert not slots.set_ready(2)
    slots.use(5)
    assert slots.set_ready(2)


def test_a_slot_prepared_again_is_not_ready():
    slots = SharedCounters([])
    for slot in (1, 2):
        slots.prepare(slot)
        slots.use(slot)
        assert not slots.set_ready(3)
    slots.prepare(1)
    slots.use(0)
    assert not slots.set_ready(3)
    slots.use(1)
    assert slots.set_ready(3)


def test_slots_that_replace_ready_ones_are_ready():
    slots = SharedCounters([])
    slots.stay_ready()
    assert slots.is_ready
    assert not slots.set_ready(1)


def test_rows_are_contiguous_in_every_slot():
    slots = SharedCounters([(("a",), 2), (("b",), 3)])
    assert (slots.cells(("a",)), slots.cells(("b",))) == (range(2), range(2, 5))
    assert slots.enter(("c",), 1, anything)
    assert slots.cells(("c",)) == range(5, 6)
    for slot, amount in ((0, 1), (2, 10)):
        slots.prepare(slot)
        slots.use(slot)
        slots.add(("a",), {1: amount})
        slots.add(("b",), {0: 2 * amount, 2: 3 * amount})
        slots.add(("c",), {0: 4 * amount})
    assert slots.sums(("b",)) == [22, 0, 33]
    assert slots.totals().tolist() == [0, 11, 22, 0, 33, 44]


def test_totals_include_series_entered_by_other_workers():
    slots = SharedCounters([(("a",), 1)])
    slots.prepare(0)

    def count():
        slots.enter(("b",), 2, anything)
        slots.add(("b",), {1: 5})

    in_child(count)
    assert slots.totals().tolist() == [0, 0, 5]


def test_only_prepared_slots_are_summed():
    slots = SharedCounters([(KNOWN, 1)])
    for slot in (0, 1):
        slots.use(slot)
        slots.add(KNOWN, {0: 1})
    assert (slots.sums(KNOWN), slots.totals().tolist()) == ([0], [])
    slots.prepare(0)
    assert (slots.sums(KNOWN), slots.totals().tolist()) == ([1], [1])
    slots.prepare(1)
    slots.prepare(0)
    assert (slots.sums(KNOWN), slots.totals().tolist()) == ([2], [2])


def test_a_series_that_is_not_allowed_is_not_entered():
    slots = SharedCounters([(KNOWN, 1)])
    assert not slots.enter(("a",), 1, lambda series_entered: series_entered != [KNOWN])
    assert slots.series() == [KNOWN]
    assert slots.enter(("a",), 1, lambda series_entered: series_entered == [KNOWN])
    assert slots.series() == [KNOWN, ("a",)]


def test_a_slot_keeps_the_counts_of_its_previous_worker():
    slots = SharedCounters([(KNOWN, 2)])
    slots.prepare(0)
    slots.add(KNOWN, {0: 1.5, 1: 2})
    slots.prepare(0)
    slots.add(KNOWN, {0: 1})
    assert slots.sums(KNOWN) == [2.5, 2]
