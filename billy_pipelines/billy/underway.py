"""Whether a caller's requests may be cut off, and what is true of them then.

A write that is cut off while its request is out may have been carried out. One that only waits for a permit, or to be
tried again after a 429 or without a connection, was not: nobody has to wait for it, and nothing of it is in doubt.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any


class Traffic:
    """The requests that are made inside one `following` block, one after the other or several at once."""

    def __init__(self) -> None:
        self._done = 0
        self._waiting = 0
        self._idle = asyncio.Event()

    @property
    def may_be_done(self) -> bool:
        """Whether a write has left that is not known to have come to nothing."""
        return self._done > 0

    def left(self) -> None:
        """A write leaves."""
        self._done += 1
        self._tell()

    def came_to_nothing(self) -> None:
        """It never reached Billy, or Billy said no: it has changed nothing."""
        self._done -= 1
        self._tell()

    @contextmanager
    def wait(self) -> Iterator[None]:
        """Nothing is on its way inside; whoever waits there can be cancelled."""
        self._waiting += 1
        self._tell()
        try:
            yield
        finally:
            self._waiting -= 1
            self._tell()

    def _tell(self) -> None:
        if self._waiting and not self._done:
            self._idle.set()
        else:
            self._idle.clear()

    async def end(self, task: asyncio.Task[Any], seconds: float) -> None:
        """End the task that makes the requests: what is out may be answered for so long, but nothing is waited for that
        is known not to have been carried out. The task is cancelled where it did not come to an end."""
        until = time.monotonic() + seconds
        while not (task.done() or self._idle.is_set()) and (left := until - time.monotonic()) > 0:
            idle = asyncio.create_task(self._idle.wait())
            await asyncio.wait({task, idle}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            idle.cancel()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


_TRAFFIC: ContextVar[Traffic | None] = ContextVar("traffic", default=None)


@contextmanager
def following() -> Iterator[Traffic]:
    """Follow the requests made inside, and those of tasks that are created inside, whenever they make them."""
    traffic = Traffic()
    token = _TRAFFIC.set(traffic)
    try:
        yield traffic
    finally:
        _TRAFFIC.reset(token)


def here() -> Traffic:
    """That of the block we are in; where nobody follows, one that nobody looks at."""
    return _TRAFFIC.get() or Traffic()
