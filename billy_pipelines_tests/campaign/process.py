"""A process that takes a file in and carries its job out, or takes a job back, as a `billy` command does, and can be
told where to die.

`play.py` starts it by multiprocessing's fork server, which has everything imported: 20 ms instead of 3 s, and still a
real process with a pid of its own, its own connections and its own end.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import Pool

from billy_pipelines.billy import retries
from billy_pipelines.bulk.intake import Reception, receive
from billy_pipelines.bulk.undo import CannotUndo, begin_undo
from billy_pipelines.database.engine import open_engine
from billy_pipelines.database.jobs import get_job
from billy_pipelines.database.locks import LeaseLost, job_is_alive
from billy_pipelines.defs.stopping import StopSwitch, run_stoppable
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import QUICK, run_job_async
from billy_pipelines_tests.bulk.taking_back import work_on_async
from billy_pipelines_tests.campaign.shapes import Moment

TIMING = replace(QUICK, answer=1.5, drain=0.1, settle_after_timeout=1.0)
"""As the real times in their order: an answer may take longer than any latency here, and after a time-out or a kill the
engine waits longer than the sandbox can still be at work. After a stop it waits for some answers, and not for all."""
RETRIES = {"FIRST_PAUSE": 0.02, "LONGEST_PAUSE": 0.5, "FIRST_LIMIT_WAIT": 0.2}
"""The same for the pauses around one request (`billy/retries.py`)."""
BUSY, DATABASE = "busy", "database"
"""Ends that are no ends of the job: another process has it; PostgreSQL was away."""


@dataclass(frozen=True)
class Drop:
    """A file handed in as a command does."""

    file: Path
    resource: str
    operation: str
    options: dict[str, Any]


@dataclass(frozen=True)
class Ask:
    """A job asked to be taken back, as `billy undo` does."""

    job_id: str
    lines: str = ""
    only: str = ""
    dry_run: bool = False


@dataclass(frozen=True)
class Task:
    """What one process is to do: hand a file in, or ask for an undo, and carry out the job if it is its turn; or go on
    with a job by its id (`billy retry`, and what Dagster starts again)."""

    settings: Settings
    drop: Drop | None = None
    ask: Ask | None = None
    job_id: str = ""
    dies: Moment | None = None
    stacks: Path = Path(os.devnull)
    """Where the process writes what all its threads are at, told by SIGUSR1."""


@dataclass(frozen=True)
class Told:
    """What a process has to say at its end; one that was killed says nothing."""

    job_id: str = ""
    reception: str = ""
    status: str = ""
    gave_up: str = ""
    """`busy` or `database`."""
    refused: str = ""
    """The code with which an undo was refused."""
    error: str = ""
    """The traceback of what should not have happened."""


def main(task: Task, pipe: Pipe, go: Any) -> None:
    """The process: says that it is there, waits for the start of the turn, works, tells how it ended."""
    for name, seconds in RETRIES.items():
        setattr(retries, name, seconds)
    stacks = task.stacks.open("w")
    signal.signal(signal.SIGUSR1, lambda *_: _tell_tasks(stacks))
    faulthandler.register(signal.SIGUSR1, stacks, chain=True)
    switch = StopSwitch()
    # In a thread: a handler that runs while the main thread holds the switch's lock would wait for itself.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=switch.set).start())
    pipe.send("ready")
    go.wait()
    told = Told(task.job_id)
    try:
        if task.dies is not None:
            _die_at(task.dies)
        engine = open_engine(task.settings.database_url or "")
        if task.drop is not None:
            told = _handed_in(task, engine)
        if task.ask is not None:
            told = _asked(task.settings, task.ask, engine)
        if not told.refused and told.reception in ("", Reception.NEW, Reception.RESUMED):
            told = _carried_out(task.settings, engine, told, switch)
    except (SQLAlchemyError, LeaseLost) as error:
        told = replace(told, gave_up=DATABASE, error="" if _is_outage(error) else traceback.format_exc())
    except BaseException:
        told = replace(told, error=traceback.format_exc())
    pipe.send(told)


def _tell_tasks(file: TextIO) -> None:
    """What each task waits for; its thread only shows the loop."""
    with suppress(RuntimeError):
        for task in asyncio.all_tasks(asyncio.get_running_loop()):
            task.print_stack(file=file)
    file.flush()


def _is_outage(error: BaseException) -> bool:
    return isinstance(error, LeaseLost) or type(error).__name__ in ("OperationalError", "InterfaceError")


def _handed_in(task: Task, engine: Engine) -> Told:
    assert task.drop is not None
    received = receive(
        task.settings,
        engine,
        task.drop.file,
        organization="default",
        resource=task.drop.resource,
        operation=task.drop.operation,
        options=task.drop.options,
        keep=True,
        launch=False,
    )
    return Told(received.job.job_id, received.reception.value)


def _asked(settings: Settings, ask: Ask, engine: Engine) -> Told:
    try:
        undo = begin_undo(
            settings, engine, ask.job_id, lines=ask.lines, only=ask.only, dry_run=ask.dry_run, launch=False
        )
    except CannotUndo as error:
        return Told(refused=error.code)
    return Told(undo.job.job_id, undo.begun.value)


def _carried_out(settings: Settings, engine: Engine, told: Told, switch: StopSwitch) -> Told:
    """As `defs/session.py`: a job that another process has is left alone."""
    with engine.connect() as connection:
        if job_is_alive(connection, told.job_id):
            return replace(told, gave_up=BUSY)

    row = get_job(engine, told.job_id)
    run = work_on_async if row is not None and row.undoes else run_job_async

    async def work(stop: Any) -> None:
        await run(settings, engine, told.job_id, timing=TIMING, stop=stop)

    run_stoppable(switch, work)
    row = get_job(engine, told.job_id)
    return replace(told, status=row.status if row else "")


def _die_at(moment: Moment) -> None:
    """kill -9 of this very process at the nth write to the journal, whatever the engine calls it: counted are the
    statements that change the table, on every connection."""
    writes = 0

    def changes_journal(statement: str) -> bool:
        return "billy_bulk_job_items" in statement and not statement.lstrip().upper().startswith("SELECT")

    def before(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal writes
        if changes_journal(statement):
            writes += 1
            if moment.where == "before" and writes == moment.number:
                os.kill(os.getpid(), signal.SIGKILL)

    def executed(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if moment.where == "within" and writes == moment.number and changes_journal(statement):
            os.kill(os.getpid(), signal.SIGKILL)

    def given_back(*_: Any) -> None:
        if moment.where == "after" and writes >= moment.number:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", before)
    event.listen(Engine, "after_cursor_execute", executed)
    event.listen(Pool, "checkin", given_back)  # after the commit: SQLAlchemy's own event comes before it
