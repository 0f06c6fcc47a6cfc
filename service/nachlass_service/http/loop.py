"""An event loop that no call can hold up.

One thread leads: it waits for sockets, and makes calls into the user's code
itself, because to hand one over takes longer than most of them do. When a call
takes long after all, another thread becomes the leader, and the first brings
the call's value once it has one. (Leader/followers: Schmidt et al.,
Pattern-Oriented Software Architecture 2, 2000; that a watchdog moves the lead
is how Go's scheduler treats threads that block.)
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
Done = Callable[[], None]

WATCH_S = 0.015
"""A call that is seen twice, so long apart, loses its thread the lead."""
TICK_S = 0.25
SWITCH_S = 0.0005
"""How often threads take turns once a call has been slow: the leader should not wait for it."""


class Loop:
    """Sockets and their handlers, which run in whatever thread leads.

    `work` is called in each turn, and is the only one that may use `outside`;
    `tick` is called every TICK_S seconds. `ended` is told when the loop cannot
    go on, which only a defect brings about.
    """

    def __init__(
        self, work: Done, tick: Done, ended: Callable[[BaseException], None], wake_fd: int
    ) -> None:
        self.now = time.monotonic()
        self._work, self._tick, self._ended = work, tick, ended
        self._watcher_fd = wake_fd
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._posted: deque[Done] = deque()
        self._leader_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._tick_at = 0.0
        self._is_pressed = False
        self._lock = threading.Lock()  # of the next four
        self._term = 0
        self._call = 0
        self._is_outside = False
        self._parked = 0
        self._baton: SimpleQueue[int] = SimpleQueue()
        self._is_watched = False
        self._seen_call = 0
        self.add(self._leader_fd, lambda _events: self._read_posted())

    # From any thread.

    def start(self) -> None:
        """Have a thread lead."""
        self._promote()

    def post(self, done: Done) -> None:
        """Have the leader call this soon."""
        self._posted.append(done)
        os.eventfd_write(self._leader_fd, 1)

    def watch(self, wake_fd: int, seconds: float) -> None:
        """Wait, so long or until `wake_fd` is written to; replace a leader that is held up.

        The main thread calls it over and over: it never makes a call itself.
        """
        call = self._call
        self._is_watched = call != self._seen_call
        if self._is_outside:
            self._is_watched = True
        self._seen_call = call
        poll = select.poll()
        poll.register(wake_fd, select.POLLIN)
        if poll.poll(1000 * (WATCH_S if self._is_watched else seconds)):
            os.read(wake_fd, 4096)
            return  # what woke us may be a call that has only begun
        with self._lock:
            if self._is_outside and self._call == call:
                self._promote()

    # From the leader.

    def add(self, fd: int, handler: Callable[[int], None], events: int = select.EPOLLIN) -> None:
        """Call the handler with what happens at a file descriptor."""
        self._handlers[fd] = handler
        self._epoll.register(fd, events)

    def modify(self, fd: int, events: int) -> None:
        """Look at these events of a file descriptor from now on."""
        self._epoll.modify(fd, events)

    def remove(self, fd: int) -> None:
        """Look at a file descriptor no more; to be called before it is closed."""
        del self._handlers[fd]
        self._epoll.unregister(fd)

    def come_back(self) -> None:
        """Begin the next turn at once: `work` has left something."""
        self._is_pressed = True

    def tick_within(self, seconds: float) -> None:
        """Have the next tick come so soon."""
        self._tick_at = min(self._tick_at, self.now + seconds)

    def outside(self, call: Callable[[], T], done: Callable[[T], None], *, is_slow: bool) -> None:
        """Make a call that may take long, and must not raise; then the leader does `done`.

        The last thing that a caller does: it may not lead any more afterwards.
        A call that `is_slow` as far as anybody knows gives the lead away at once.
        """
        self._call += 1
        self._is_outside = True
        term = self._term
        if is_slow:
            with self._lock:
                self._promote()
        elif not self._is_watched:
            self._is_watched = True
            os.write(self._watcher_fd, b".")
        value = call()
        with self._lock:
            still_leads = self._term == term
            if still_leads:
                self._is_outside = False
        if not still_leads:
            self.post(lambda: done(value))
            raise _NotLeading
        done(value)

    def _promote(self) -> None:
        """Give the lead to a thread that waits for it, or to a new one."""
        if self._term:
            sys.setswitchinterval(SWITCH_S)
        self._term += 1
        self._is_outside = False
        self._is_pressed = True  # what the leader before has left need not wait
        if self._parked:
            self._parked -= 1
            self._baton.put(self._term)
        else:
            threading.Thread(target=self._run, name="predictor", daemon=True).start()

    def _run(self) -> None:
        """What each thread does: lead, and wait until it may lead again."""
        while True:
            try:
                while True:
                    self._turn()
            except _NotLeading:
                with self._lock:
                    self._parked += 1
            except BaseException as error:  # noqa: BLE001 - whoever made us has to know
                self._ended(error)
                return
            self._baton.get()

    def _turn(self) -> None:
        """Wait for what happens, and deal with it."""
        wait_s = 0.0 if self._is_pressed else max(0.0, self._tick_at - time.monotonic())
        self._is_pressed = False
        happened = self._epoll.poll(wait_s)
        self.now = time.monotonic()
        for fd, events in happened:
            if handler := self._handlers.get(fd):
                handler(events)
        if self.now >= self._tick_at:
            self._tick_at = self.now + TICK_S
            self._tick()
        self._work()

    def _read_posted(self) -> None:
        """Do what other threads have asked for."""
        os.eventfd_read(self._leader_fd)
        while self._posted:
            self._posted.popleft()()


class _NotLeading(BaseException):
    """Takes a thread that has lost the lead out of its turn."""
