"""What tests of several rooms use beside the fixtures of `conftest.py`: a client for the sandbox, and waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from billy_pipelines.billy.client import BillyClient, Limiter
from billy_pipelines.billy.transport import ANSWER_SECONDS, Transport


class Server(Protocol):
    """What a client needs to know of a server: a `SandboxServer`, or a test's own."""

    @property
    def url(self) -> str: ...
    @property
    def token(self) -> str: ...


class NoLimit:
    """A rate limit that grants everything at once and remembers what it was asked."""

    def __init__(self, on_push_back: Callable[[], Any] = lambda: None) -> None:
        self.permits = 0
        self.pushed_back: list[float] = []
        """Seconds of each `push_back`."""
        self._on_push_back = on_push_back

    async def acquire(self) -> None:
        self.permits += 1

    async def push_back(self, seconds: float) -> None:
        """Stands for the waiting: `on_push_back` is called where time would pass."""
        self.pushed_back.append(seconds)
        self._on_push_back()


def open_client_for(
    sandbox: Server,
    *,
    token: str | None = None,
    limiter: Limiter | None = None,
    answer_seconds: float = ANSWER_SECONDS,
) -> BillyClient:
    """A client of the sandbox, without a rate limit unless one is given; use it with `async with`.

    `token` is the sandbox's own if left out; `answer_seconds` is how long an answer may take.
    """
    transport = Transport(sandbox.url, sandbox.token if token is None else token, answer_seconds=answer_seconds)
    return BillyClient(transport, limiter or NoLimit())


def wait_until(condition: Callable[[], Any], seconds: float = 20.0, *, pause: float = 0.01) -> Any:
    """Wait until the condition holds and return what it gave; it is looked at every `pause` seconds.

    Raises:
        AssertionError: it did not within `seconds`, which is a limit for broken code, not an expectation.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {getattr(condition, '__qualname__', condition)}")
        time.sleep(pause)
    return found
