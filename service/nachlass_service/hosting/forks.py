"""Resets processes that the user's code forks from a worker.

Such a process inherits the worker's port and gunicorn's signal handlers. An inherited
handler would lose a signal that arrives before the reset (a process pool that ends at
once sends one), so signals are blocked during the fork.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Sequence


def isolate_forks(signals: Sequence[int], listeners: Sequence[socket.socket]) -> None:
    """Reset the signal handlers and close the ports in all processes forked from now on."""
    forking = threading.local()

    def before() -> None:
        forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, signals)

    def after_in_parent() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, forking.mask)

    def after_in_child() -> None:
        for number in signals:
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        for listener in listeners:
            listener.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, forking.mask)

    os.register_at_fork(
        before=before, after_in_parent=after_in_parent, after_in_child=after_in_child
    )
