"""`data/run/`: who serves this data folder now, and how to find what one that was killed has left behind.

A lock that the kernel takes back at any death says whether a `billy up` lives; `up.json` says where and which
processes are its own. One process at a time has the folder, also while leftovers are being ended.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, Field

from billy_pipelines.database.embedded import EmbeddedPostgres
from billy_pipelines.files.writing import write_text
from billy_pipelines.host import processes
from billy_pipelines.host.errors import AlreadyRunning, HostError
from billy_pipelines.settings import Settings

Say = Callable[[str], None]


def unbreakable(say: Say) -> Say:
    """The same, also when nobody listens any more: a closed terminal or pipe must not break off the clean end."""

    def said(text: str) -> None:
        with suppress(OSError, ValueError):
            say(text)

    return said


class Session(BaseModel):
    """A child of `billy up`; it leads a process session of its own."""

    model_config = ConfigDict(frozen=True)

    pid: int
    create_time: float


class UpState(BaseModel):
    """What `up.json` holds."""

    model_config = ConfigDict(frozen=True)

    pid: int
    create_time: float
    mark: str
    """In the environment of Dagster's processes; the sandbox of a demo has `sandbox_mark`."""
    sessions: dict[str, Session] = Field(default_factory=dict)
    ports: dict[str, int] = Field(default_factory=dict)
    url: str | None = None
    """Address of the UI once it is ready."""

    @property
    def sandbox_mark(self) -> str:
        return f"{self.mark}-sandbox"

    @property
    def is_alive(self) -> bool:
        return processes.is_alive(self.pid, self.create_time)


def mine() -> UpState:
    """The state of this process before its first child."""
    return UpState(pid=os.getpid(), create_time=psutil.Process().create_time(), mark=os.urandom(12).hex())


def state_path(settings: Settings) -> Path:
    """`data/run/up.json`."""
    return settings.run_dir / "up.json"


def read_state(settings: Settings) -> UpState | None:
    """What is written down, by whomever; None if there is nothing of use."""
    with suppress(OSError, ValueError):
        return UpState.model_validate_json(state_path(settings).read_text(encoding="utf-8"))
    return None


def write_state(settings: Settings, state: UpState) -> None:
    """Write it down, whole, for the next start and for `billy down`."""
    write_text(state_path(settings), state.model_dump_json(indent=2) + "\n")


def forget_state(settings: Settings, state: UpState) -> None:
    """Remove `up.json`, unless some process is still to be found by it."""
    if not processes.marked(state.mark) and not processes.marked(state.sandbox_mark):
        state_path(settings).unlink(missing_ok=True)


@contextmanager
def the_only_one(settings: Settings) -> Iterator[None]:
    """Have the data folder to oneself.

    Raises:
        AlreadyRunning: another process has it.
        HostError: the folder cannot be used.
    """
    try:
        settings.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(settings.run_dir / "up.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise HostError(f"The folder {settings.run_dir} cannot be used: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(_who(settings)) from None
        yield
    finally:
        os.close(lock)


def _who(settings: Settings) -> str:
    state = read_state(settings)
    if state is None or not state.is_alive:  # it holds the lock, but what is written down is of an earlier one
        return f"Another `billy up` is just starting, or ending, on {settings.data_dir}."
    where = f"at {state.url} " if state.url else "and is just starting "
    return f"`billy up` runs already on {settings.data_dir}, {where}(pid {state.pid}). `billy down` ends it."


def end_leftovers(settings: Settings, say: Say) -> bool:
    """End what an earlier `billy up` that was killed has left behind; True if there was anything.

    The caller has the folder to itself. PostgreSQL stays: run workers write down there that they were interrupted.
    """
    state = read_state(settings)
    if state is None:
        return False
    left = len(processes.marked(state.mark)) + len(processes.marked(state.sandbox_mark))
    if left:
        say(f"An earlier `billy up` left {left} processes behind; they are ended first.")
        processes.end(state.mark)
        processes.end(state.sandbox_mark)
    forget_state(settings, state)
    return left > 0


@contextmanager
def embedded_server_held(settings: Settings) -> Iterator[None]:
    """Keep a running embedded PostgreSQL running inside; afterwards who leaves last stops it."""
    server = None if settings.database_url else EmbeddedPostgres(settings.postgres_dir)
    if server is None or not server.is_running():
        yield
        return
    server.start()
    try:
        yield
    finally:
        server.stop_if_unused()
