"""Who leads the loop: one thread at a time, and never one that is held up."""

import os
import socket
import threading
import time
from collections import deque
from contextlib import contextmanager

import pytest

from nachlass_service.http.loop import Loop


class Driven:
    """A loop whose work is what is put in `todo`: calls, and whether each is slow."""

    def __init__(self):
        self.read_fd, wake_fd = os.pipe2(os.O_NONBLOCK)
        self.todo, self.done, self.ended, self.stopping = deque(), [], [], False
        self.ticks = 0
        self.loop = Loop(self.work, self.tick, self.ended.append, wake_fd)
        self.watcher = threading.Thread(target=self.watch, daemon=True)

    def work(self):
        while self.todo:
            call, is_slow = self.todo.popleft()
            self.loop.outside(call, self.finish, is_slow=is_slow)

    def finish(self, value):
        self.done.append((value, threading.current_thread()))

    def tick(self):
        self.ticks += 1
        if self.stopping:
            raise StopIteration

    def watch(self):
        while not self.ended:
            self.loop.watch(self.read_fd, 0.1)

    def add(self, call, *, is_slow=False):
        self.loop.post(lambda: self.todo.append((call, is_slow)))

    def wait_for(self, count):
        wait_until(lambda: len(self.done) >= count)
        return self.done[-1]


def wait_until(reached):
    ends_at = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < ends_at
        time.sleep(0.002)


@contextmanager
def driven():
    loop = Driven()
    loop.loop.start()
    loop.watcher.start()
    yield loop
    loop.stopping = True
    wait_until(lambda: loop.ended)
    assert [type(error) for error in loop.ended] == [StopIteration]
    loop.watcher.join()


def test_the_leader_makes_calls_itself():
    with driven() as loop:
        for number in range(50):
            loop.add(lambda number=number: (number, threading.current_thread()))
        loop.wait_for(50)
    assert [number for (number, _), _ in loop.done] == list(range(50))
    assert len({thread for (_, thread), _ in loop.done}) == 1
    assert all(within is after for (_, within), after in loop.done)


@pytest.mark.parametrize("is_slow", [True, False])
def test_a_call_that_takes_long_holds_up_nobody(is_slow):
    leave = threading.Event()
    with driven() as loop:
        loop.add(lambda: leave.wait(20) and "slow", is_slow=is_slow)
        loop.add(lambda: "quick")
        (value, leader) = loop.wait_for(1)
        assert value == "quick"
        leave.set()
        value, finisher = loop.wait_for(2)
        assert value == "slow"
        assert finisher is leader


def test_pure_python_holds_up_nobody():
    stop = []

    def spin():
        while not stop:
            pass
        return "spun"

    with driven() as loop:
        loop.add(spin)
        loop.add(lambda: "quick")
        assert loop.wait_for(1)[0] == "quick"
        stop.append(True)
        assert loop.wait_for(2)[0] == "spun"


def test_threads_that_lost_the_lead_lead_again():
    with driven() as loop:
        for number in range(1, 31):
            loop.add(threading.current_thread, is_slow=True)
            loop.wait_for(number)
    assert len({thread for thread, _ in loop.done}) <= 3


def test_handlers_are_called_with_what_happens_until_they_are_removed():
    heard = []
    ours, theirs = socket.socketpair()

    def hear(events):
        heard.append((ours.recv(10), events))

    with driven() as loop, ours, theirs:
        loop.loop.post(lambda: loop.loop.add(ours.fileno(), hear))
        theirs.send(b"a")
        wait_until(lambda: heard)
        loop.loop.post(lambda: loop.loop.remove(ours.fileno()))
        loop.add(lambda: "removed")
        loop.wait_for(1)
        theirs.send(b"b")
        ticks = loop.ticks
        wait_until(lambda: loop.ticks > ticks)
    assert [data for data, _ in heard] == [b"a"]


def test_a_defect_ends_the_loop_and_is_told():
    loop = Driven()
    loop.loop.start()
    defect = ValueError("a defect")

    def fail():
        raise defect

    loop.loop.post(fail)
    wait_until(lambda: loop.ended)
    assert loop.ended == [defect]
