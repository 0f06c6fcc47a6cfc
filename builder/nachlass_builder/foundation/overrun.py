"""Awaits work with a timeout."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class OverrunError(Exception):
    """Work in the kernel timed out; `interrupted` is true if an interrupt ended it."""

    def __init__(self, *, interrupted: bool) -> None:
        super().__init__("timed out")
        self.interrupted = interrupted


async def within(
    limit_s: float | None,
    work: Coroutine[Any, Any, T],
    stop: Callable[[asyncio.Future[T]], Awaitable[bool]],
) -> T:
    """Await work; on timeout, end it with `stop`, which returns whether an interrupt sufficed."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=limit_s)
        if task.done():
            return task.result()
        raise OverrunError(interrupted=await stop(task))
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
        task.cancelled() or task.exception()  # else asyncio logs it as never retrieved
