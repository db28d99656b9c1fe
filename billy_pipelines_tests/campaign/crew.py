"""The processes of one turn: started together, killed or told to stop at their moments, waited for, listened to."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection as Pipe
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

from billy_pipelines.sandbox import Sandbox
from billy_pipelines_tests.campaign import process
from billy_pipelines_tests.campaign.happenings import Happenings
from billy_pipelines_tests.campaign.process import Task, Told
from billy_pipelines_tests.campaign.shapes import Event
from billy_pipelines_tests.support import wait_until

LONGEST_TURN = 100.0
"""Seconds; what takes longer hangs. The longest patience of the engine, for PostgreSQL, is 30 s."""


@dataclass
class Member:
    """A process of the present turn."""

    file: int
    child: ForkServerProcess
    pipe: Pipe
    stacks: Path
    """Where it writes what it is at, told by SIGUSR1."""
    told: Told | None = None
    exitcode: int | None = None
    stopped_at: datetime | None = None
    ended_at: datetime | None = None
    is_undo: bool = False
    hung: str = ""
    """What all its threads were at when it was ended by force."""


class Crew:
    """Runs turns. `folder` is for what hanging processes were at."""

    def __init__(self, processes: ForkServerContext, billy: Sandbox, around: Happenings, folder: Path) -> None:
        self._processes, self._billy, self._around, self._folder = processes, billy, around, folder

    def run(self, tasks: Sequence[tuple[int, Task]], events: Sequence[Event]) -> list[Member]:
        """Start a process for each task (with the number of its file) and be with them until the last one has ended."""
        deaths = {e.process: e.moment for e in events if e.kind == "kill" and e.moment.what == "marks"}
        go = self._processes.Event()
        members = []
        for place, (number, task) in enumerate(tasks):
            ours, theirs = self._processes.Pipe()
            stacks = self._folder / f"{place}.stacks"
            task = replace(task, dies=deaths.get(place), stacks=stacks)
            child = self._processes.Process(target=process.main, args=(task, theirs, go))
            child.start()
            theirs.close()
            members.append(Member(number, child, ours, stacks, is_undo=task.ask is not None))
        for each in members:
            assert each.pipe.recv() == "ready"
        waiting = [event for event in events if not (event.kind == "kill" and event.moment.what == "marks")]
        self._attend(members, waiting, go)
        for each in members:
            each.exitcode = each.child.exitcode
            each.pipe.close()
            each.child.close()
        return members

    def _attend(self, members: list[Member], waiting: list[Event], go: Any) -> None:
        began, requests, changes = time.monotonic(), len(self._billy.requests), len(self._billy.ledger)
        later: list[tuple[float, Callable[[], Any]]] = []
        go.set()
        while any(each.child.is_alive() for each in members):
            past = time.monotonic() - began
            so_far = {
                "seconds": past,
                "requests": len(self._billy.requests) - requests,
                "changes": len(self._billy.ledger) - changes,
            }
            for event in [event for event in waiting if so_far[event.moment.what] >= event.moment.number]:
                waiting.remove(event)
                if event.kind in ("kill", "stop"):
                    self._signal(members[min(event.process, len(members) - 1)], event)
                elif end := self._around.happens(event):
                    later.append((past + event.seconds, end))
            for due in [due for due in later if due[0] <= past]:
                later.remove(due)
                due[1]()
            for each in members:
                _listen(each)
                if past > LONGEST_TURN and each.child.is_alive():
                    _end_by_force(each)
            time.sleep(0.001)
        for each in members:
            _listen(each)
            each.child.join()
        for _, end in later:
            end()

    def _signal(self, each: Member, event: Event) -> None:
        if not each.child.is_alive() or not each.child.pid:
            return
        if event.kind == "stop":
            each.stopped_at = datetime.now(UTC)
            self._around.happened["SIGTERM"] += 1
        with suppress(ProcessLookupError):
            os.kill(each.child.pid, signal.SIGKILL if event.kind == "kill" else signal.SIGTERM)


def _listen(each: Member) -> None:
    with suppress(EOFError, ConnectionError):
        if each.told is None and each.pipe.poll():
            each.told = each.pipe.recv()
    if each.ended_at is None and not each.child.is_alive():
        each.ended_at = datetime.now(UTC)


def _end_by_force(each: Member) -> None:
    os.kill(each.child.pid or 0, signal.SIGUSR1)
    with suppress(AssertionError):
        wait_until(lambda: each.stacks.stat().st_size, 5)
    each.hung = each.stacks.read_text() or "it did not say where"
    each.child.kill()
    each.child.join()
