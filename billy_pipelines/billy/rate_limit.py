"""Permits to send: handed out one by one here, reserved in small groups from the budget all processes share."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

T = TypeVar("T")
LOOK_AHEAD_SECONDS = 0.25
"""How far ahead permits are reserved: long enough to save round trips, short enough that few are lost at an end."""
MOST_AT_ONCE = 250
STALE_SECONDS = 10.0
"""After so long without a reservation nothing is known of the rate any more; it can have fallen to its start."""


class Granted(Protocol):
    """Permits granted: seconds to wait for the first, seconds between them. None granted: ask again after `wait`."""

    @property
    def wait(self) -> float: ...
    @property
    def interval(self) -> float: ...
    @property
    def permits(self) -> int: ...


class Budget(Protocol):
    """The shared budget of one token. Both methods may block."""

    def reserve(self, permits: int) -> Granted: ...
    def push_back(self, seconds: float) -> None: ...


class Offload(Protocol):
    """Runs a blocking function off the event loop."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]: ...


class RateLimiter:
    """Waits until this process may send its next request."""

    def __init__(self, budget: Budget, offload: Offload) -> None:
        self._budget = budget
        self._offload = offload
        self._slots: deque[float] = deque()
        self._interval = 1.0
        self._asked_at = 0.0
        self._generation = 0
        self._refusals_to_tell = 0
        # Held while the budget is asked, so that no reservation overtakes a refusal; first come, first served.
        self._mutex = asyncio.Lock()

    async def acquire(self) -> None:
        """Return when one request may leave."""
        loop = asyncio.get_running_loop()
        while True:
            async with self._mutex:
                if self._refusals_to_tell:
                    # Whoever brings the refusal stands in line for the mutex: queue behind it. A turn of the loop for
                    # one that was cancelled there: the mutex does not wait for it, and this would go round for ever.
                    await asyncio.sleep(0)
                    continue
                generation = self._generation
                while self._slots and self._slots[0] < loop.time() - LOOK_AHEAD_SECONDS:
                    self._slots.popleft()  # nobody wanted it in its time; saved up they would leave as a burst
                if not self._slots:
                    await self._reserve()
                slot = self._slots.popleft()
            delay = slot - loop.time()
            if delay > 0:
                await asyncio.sleep(delay)
            if generation == self._generation:
                return
            # A refusal came while this one waited: its permit belongs to the time before, take a new one.

    async def push_back(self, seconds: float) -> None:
        """Billy refused for its limit: forget the permits in hand and slow everybody down."""
        self._generation += 1
        self._refusals_to_tell += 1
        try:
            async with self._mutex:
                self._slots.clear()
                await self._offload(lambda: self._budget.push_back(seconds))
        finally:
            self._refusals_to_tell -= 1

    async def _reserve(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._asked_at > STALE_SECONDS:
            self._interval = 1.0  # a group for 1,000/s, granted at 2/s, would book minutes
        self._asked_at = now
        permits = max(1, min(MOST_AT_ONCE, int(LOOK_AHEAD_SECONDS / self._interval)))
        # The one who gives permits back is another process, and no event tells of it
        while not (granted := await self._offload(lambda: self._budget.reserve(permits))).permits:  # noqa: ASYNC110
            await asyncio.sleep(granted.wait)
        first = asyncio.get_running_loop().time() + granted.wait
        self._interval = granted.interval
        self._slots.extend(first + number * granted.interval for number in range(granted.permits))
