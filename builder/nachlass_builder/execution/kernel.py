"""A live kernel, which runs cells and hidden code within time limits.

Process and channels are one class, because each is useless without the other.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty
from typing import Any, TypeVar

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from traitlets import Unicode

from nachlass_builder.execution.hidden_code import MARK, PREPARE, CodeError, isolated
from nachlass_builder.execution.kernel_process import (
    guarded,
    kernel_environment,
    kill_family,
    private_folder,
    provide_pip,
)
from nachlass_builder.foundation.errors import ExecutionError
from nachlass_builder.foundation.memory_limit import memory_limit
from nachlass_builder.foundation.overrun import OverrunError, within
from nachlass_builder.foundation.process import Deadline

T = TypeVar("T")

START_LIMIT_S = 120.0
INTERRUPT_PAUSES_S = (1.5, 2.5)
"""Grace periods after each interrupt of timed-out work, before the kernel is killed."""
POLL_S = 0.25
"""How often a waiting call checks that the kernel is alive."""


class _KernelManager(AsyncKernelManager):
    """Starts the kernel of one environment, regardless of installed kernelspecs."""

    python = Unicode()

    @property
    def kernel_spec(self) -> KernelSpec:
        # -P keeps a user's random.py or types.py from shadowing the kernel's imports.
        argv = [self.python, "-P", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


class Kernel:
    """A started kernel, which runs cells and hidden code one at a time."""

    def __init__(self, python: Path, folder: Path, deadline: Deadline) -> None:
        self.deadline = deadline
        self.missing_pips = folder / "missing"
        self.language_info: dict[str, Any] = {}
        self.cell_numbers: dict[int, int] = {}
        """Cell numbers by execution count, which differ once a cell was skipped."""
        self.folder = folder
        self._runner = asyncio.Runner()
        self._context = zmq.asyncio.Context()
        self._context.rcvhwm = 0  # otherwise a burst of output loses messages, including the last
        self.manager = _KernelManager(
            python=str(python),
            transport="ipc",
            connection_file=str(folder / "k.json"),
            context=self._context,
        )
        self.channels: AsyncKernelClient | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    def run(self, code: str, *, doing: str) -> None:
        """Run hidden code without output or history; raise CodeError if it raises."""
        if self.deadline.remaining_s() == 0:
            raise self.deadline.exceeded(doing)
        try:
            reply = self.call(self.run_silently(code), self.deadline.remaining_s())
        except OverrunError:
            raise self.deadline.exceeded(doing) from None
        except DeadKernelError:
            message, remedy = self.death()
            raise ExecutionError(f"{message}, while {doing}", remedy=remedy) from None
        if reply["status"] != "ok":
            raise CodeError.from_reply(reply, doing)

    def call(self, work: Coroutine[Any, Any, T], limit_s: float | None) -> T:
        """Await work in the kernel; after the limit, interrupt it, then kill the kernel."""
        return self._runner.run(within(limit_s, work, self._stop))

    def is_alive(self) -> bool:
        """Return whether the kernel process is running."""
        return self._process is not None and self._process.poll() is None

    def notice_reply(self) -> None:
        """Wake up a waiting call for a reply that arrived during a send.

        jupyter_client sends past asyncio's socket, which swallows the wake-up of a reply that
        arrives at that moment; asking for events repeats it.
        """
        if self.channels is not None:
            self.channels.shell_channel.socket.get(zmq.EVENTS)

    def death(self) -> tuple[str, str | None]:
        """Return how the kernel process ended, and the next step if known."""
        status = self._process.wait() if self._process else 0
        if status >= 0:
            return f"the kernel process exited with status {status}", None
        name = signal.Signals(-status).name if -status in set(signal.Signals) else "?"
        if -status != signal.SIGKILL:
            return f"the kernel process crashed: signal {-status} ({name})", None
        return (
            "the kernel was killed by signal 9, most likely out of memory; " + memory_limit(),
            "give the build more memory, or load less data at a time",
        )

    def kill(self) -> None:
        """Kill the kernel and its child processes."""
        if self._process is not None:
            kill_family(self._process)

    def start(self, cwd: Path, environment: Mapping[str, str]) -> None:
        """Start the process and wait until it responds."""
        try:
            self.call(self._start(cwd, dict(environment)), self.deadline.remaining_s())
        except OverrunError:
            raise self.deadline.exceeded("starting the kernel") from None
        except DeadKernelError:
            log = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
            tail = "\n".join(log.splitlines()[-20:])
            raise ExecutionError("the kernel did not start", details=tail or None) from None
        self.run(isolated(PREPARE), doing="preparing the kernel")

    def end(self) -> None:
        """Kill the kernel, close its channels and stop its guard."""
        self.kill()
        self._runner.run(self._close())
        self._runner.close()
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()

    async def _start(self, cwd: Path, environment: dict[str, str]) -> None:
        with (self.folder / "log").open("wb") as log:
            await self.manager.start_kernel(
                extra_arguments=["--HistoryManager.hist_file=:memory:"],
                cwd=str(cwd),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._process = self.manager.provisioner.process  # type: ignore[union-attr]
        assert self._process is not None
        self._guard = guarded(self._process.pid, self.folder)
        self.channels = self.manager.client(context=self._context)
        self.channels.start_channels(hb=False)
        self.channels.allow_stdin = False
        await self._ready()

    async def _ready(self) -> None:
        """Wait until the kernel responds and its output arrives."""
        assert self.channels is not None
        ends_at = time.monotonic() + START_LIMIT_S
        while time.monotonic() < ends_at:
            self.channels.kernel_info()
            with suppress(Empty):
                reply = await self.channels.get_shell_msg(timeout=1)
                await self.channels.get_iopub_msg(timeout=POLL_S)
                self.language_info = reply["content"]["language_info"]
                return
            if not self.is_alive():
                break
        raise DeadKernelError

    async def run_silently(self, code: str) -> dict[str, Any]:
        """Send hidden code and return the content of its reply; drop its output."""
        assert self.channels is not None
        dropping = asyncio.ensure_future(self._drop_output(self.channels))
        try:
            while True:
                request = self.channels.execute(
                    code + MARK, silent=True, store_history=False, stop_on_error=False
                )
                reply = await self._reply(self.channels, request)
                if reply["status"] != "aborted":
                    return reply
                # After an error the kernel aborts requests for a moment.
                await asyncio.sleep(0.05)
        finally:
            dropping.cancel()

    async def _reply(self, channels: AsyncKernelClient, request: str) -> dict[str, Any]:
        while True:
            try:
                message = await channels.get_shell_msg(timeout=POLL_S)
            except Empty:
                if not self.is_alive():
                    raise DeadKernelError from None
                continue
            if message["parent_header"].get("msg_id") == request:
                content: dict[str, Any] = message["content"]
                return content

    @staticmethod
    async def _drop_output(channels: AsyncKernelClient) -> None:
        while True:
            await channels.get_iopub_msg(timeout=None)

    async def _stop(self, task: asyncio.Future[T]) -> bool:
        """Interrupt the kernel until the task is done; otherwise kill the kernel."""
        for pause_s in INTERRUPT_PAUSES_S:
            if self._process is not None and self.is_alive():
                os.killpg(self._process.pid, signal.SIGINT)
                if self.channels is not None:  # wakes a kernel that sleeps in an await
                    self.channels.kernel_info()
                    self.notice_reply()
            await asyncio.wait({task}, timeout=pause_s)
            if task.done():
                return self.is_alive()
        self.kill()
        return False

    async def _close(self) -> None:
        if self.channels is not None:
            self.channels.stop_channels()
        await self.manager.cleanup_resources()
        self._context.destroy(linger=0)


@contextmanager
def started_kernel(
    python: Path,
    *,
    cwd: Path,
    environment: Mapping[str, str],
    pythonpath: Sequence[Path],
    deadline: Deadline,
) -> Iterator[Kernel]:
    """Start a kernel of the environment that `python` belongs to, and always shut it down."""
    with private_folder() as folder:
        kernel = Kernel(python, folder, deadline)
        try:
            provide_pip(python, folder)
            kernel.start(cwd, kernel_environment(environment, python, folder, pythonpath))
            yield kernel
        finally:
            kernel.end()
