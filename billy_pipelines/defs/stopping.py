"""Stopping a run: from a signal, from Dagster, from the person at the terminal, all through one switch (R2, R3).

Dagster's own interrupt inside asyncio got lost, hung, or became an exception group (0 of 60 right under load). With
the loop's signal handlers setting an event it was right 180 times of 180.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSwitch:
    """Thread-safe: set once from anywhere, seen by whoever waits."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._listeners: list[Callable[[], None]] = []
        self._mutex = threading.Lock()

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        """Ask everything to stop."""
        with self._mutex:
            self._event.set()
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    @contextmanager
    def listening(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call the listener when the switch is set, at once if it is already."""
        with self._mutex:
            self._listeners.append(listener)
        if self.is_set:
            listener()
        try:
            yield
        finally:
            with self._mutex:
                self._listeners.remove(listener)


def run_stoppable(switch: StopSwitch, work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run async work to its end, with an event in its hand that is set when the switch is, or when a signal arrives."""
    asyncio.run(_with_stop(switch, work))


async def _with_stop(switch: StopSwitch, work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def wake() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    with switch.listening(wake), _signals_set(loop, switch):
        await work(stop)


@contextmanager
def _signals_set(loop: asyncio.AbstractEventLoop, switch: StopSwitch) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # a foreground run: the main thread has the signals
        return
    previous = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        loop.add_signal_handler(number, switch.set)
    try:
        yield
    finally:
        # Removing sets the default action for a moment, in which a SIGTERM would kill the process: hold signals back.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            for number, handler in previous.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
