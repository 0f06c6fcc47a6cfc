"""Makes a process that the user's code forks an ordinary one.

It inherits the port and gunicorn's signal handlers, which are the worker's. A
signal that comes before they are put back would be taken by the inherited
handler and be lost (a pool of processes that ends at once sends one), so
signals wait while a process is forked.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Sequence


def leave_forks_alone(signals: Sequence[int], listeners: Sequence[socket.socket]) -> None:
    """From now on, in this process: what it forks has neither its signal handlers nor its ports."""
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
