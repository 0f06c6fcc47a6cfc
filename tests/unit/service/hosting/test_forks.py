"""Processes forked by the user's code do not behave like workers."""

import os
import signal
import socket
import time

from nachlass_service.hosting.forks import isolate_forks
from support.forked import in_child


def fork_and_wait(work):
    """Fork like multiprocessing; return the exit status of the child."""
    child = os.fork()
    if not child:
        work()
        os._exit(0)
    return os.waitpid(child, 0)[1]


def test_a_signal_during_a_fork_ends_the_child():
    def worker():
        signal.signal(signal.SIGTERM, lambda *_: None)
        # Registered first to run before ours: a signal may arrive at that moment.
        os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
        isolate_forks([signal.SIGTERM], [])
        status = fork_and_wait(lambda: time.sleep(5))
        assert os.WIFSIGNALED(status)
        assert os.WTERMSIG(status) == signal.SIGTERM
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()

    in_child(worker)


def test_a_forked_process_has_neither_the_port_nor_the_handlers():
    def worker():
        signal.signal(signal.SIGINT, lambda *_: None)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            isolate_forks([signal.SIGINT], [listener])

            def look():
                assert listener.fileno() == -1
                assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL

            assert fork_and_wait(look) == 0
            assert listener.fileno() != -1

    in_child(worker)
