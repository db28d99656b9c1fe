"""The signals that end `billy up`: noted, never raised, so that not even a second Ctrl-C breaks off the end."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any, Self


class EndSignals:
    """While its `with` block runs, SIGINT and SIGTERM only set `asked`, whatever was in force before.

    A closed terminal (SIGHUP) ends too, except where it is ignored (`nohup`). Main thread only. No Event: setting one
    inside a handler that interrupted its own `wait` would wait for itself for ever.
    """

    def __init__(self) -> None:
        self.asked = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        for number in numbers:
            self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
