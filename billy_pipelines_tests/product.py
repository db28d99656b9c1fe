"""The product as the processes people start, on a data folder of its own; whatever a test leaves behind is ended."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from billy_pipelines.database.connection import open_database
from billy_pipelines.database.embedded import EmbeddedPostgres, EmbeddedPostgresError
from billy_pipelines.database.jobs import JobRow, list_jobs
from billy_pipelines.host import processes
from billy_pipelines.host.up_state import UpState, read_state
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.support import wait_until

START_SECONDS = 90.0
"""For a machine that is busy with other tests; measured are 4 to 7 s."""


_numbers = itertools.count(1)


class Billy:
    """One `billy` command as a process; its output goes to a file."""

    def __init__(self, settings: Settings, *arguments: str, ignore_interrupt: bool = False) -> None:
        self.settings = settings
        self.output = settings.data_dir.parent / f"{settings.data_dir.name}-{next(_numbers)}.out"
        environment = plain_environment()
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "billy_pipelines.cli", *arguments],
                cwd="/",
                env={**environment, **settings.environ},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_ignore_interrupt if ignore_interrupt else None,
            )

    @property
    def said(self) -> str:
        return self.output.read_text(encoding="utf-8")

    @property
    def state(self) -> UpState:
        state = read_state(self.settings)
        assert state is not None and state.pid == self.process.pid
        return state

    def ready(self) -> Billy:
        """Wait until it says that it is ready."""

        def is_ready() -> bool:
            assert self.process.poll() is None, self.said
            return "Ready: http://127.0.0.1:" in self.said

        wait_until(is_ready, START_SECONDS, pause=0.1)
        return self

    def ended(self, seconds: float = 30.0) -> int:
        """Wait for its end; the exit code."""
        return self.process.wait(seconds)

    def end(self) -> int:
        self.process.terminate()
        return self.ended()

    def kill(self) -> None:
        """kill -9: nothing of it gets to end anything."""
        self.process.kill()
        self.process.wait()


def plain_environment() -> dict[str, str]:
    """A shell's environment without a word of ours or Dagster's."""
    left_out = ("BILLY_", "DAGSTER_", "PYTHONDONTWRITEBYTECODE")  # compiling our code costs each process 0.4 s
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)}


def _ignore_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def running(settings: Settings) -> list[psutil.Process]:
    """All living processes of a data folder: Dagster's, and its PostgreSQL."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if (
                process.environ().get("BILLY_DATA_DIR") == str(settings.data_dir)
                and processes.MARK in process.environ()
            ):
                found.append(process)
    if EmbeddedPostgres(settings.postgres_dir).is_running():
        found.append(psutil.Process(int((settings.postgres_dir / "postmaster.pid").read_text().split()[0])))
    return found


def jobs_of(settings: Settings) -> list[JobRow]:
    """The jobs on record."""
    database = open_database(settings)
    try:
        return list_jobs(database.engine)
    finally:
        database.close(stop_if_unused=True)


def drop(settings: Settings, rows: int, name: str = "new.csv") -> None:
    """Drop a file of made-up customers for the organization `default`."""
    folder = settings.uploads_dir / "default" / "customers" / "import"
    lines = [f"Kunde nr. {number};kunde{number}@example.dk;DK" for number in range(1, rows + 1)]
    part = folder / f"{name}.part"
    part.write_text("\n".join(["name;email;country", *lines, ""]), encoding="utf-8")
    part.rename(folder / name)


def settings_for(data_dir: Path, sandbox: SandboxServer | None) -> Settings:
    """Settings with the embedded PostgreSQL, as `Billy` hands them on; without a sandbox there is no token either."""
    environ = {"BILLY_DATA_DIR": str(data_dir), "BILLY_REQUESTS_PER_SECOND": "50"}
    if sandbox is not None:
        environ |= {"BILLY_API_URL": sandbox.url, "BILLY_ACCESS_TOKEN": sandbox.token}
    return Settings.from_environment(environ)


def end_everything(settings: Settings, started: list[Billy]) -> None:
    """End the commands and whatever they left."""
    for billy in started:
        billy.process.kill()
        billy.process.wait()
    for process in running(settings):
        with suppress(psutil.Error):
            process.kill()
    with suppress(EmbeddedPostgresError):
        EmbeddedPostgres(settings.postgres_dir).stop()
