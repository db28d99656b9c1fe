"""The webserver and the daemon: how they are called, what they are told, and what happens when one dies by itself."""

from __future__ import annotations

import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from billy_pipelines import runs
from billy_pipelines.database.connection import Database
from billy_pipelines.host import processes
from billy_pipelines.host.errors import HostError
from billy_pipelines.host.up_state import Say, Session
from billy_pipelines.settings import PROJECT_ROOT, Settings, SettingsError

MOST_RESTARTS = 5
WITHIN_SECONDS = 600.0
WORKSPACE = str(PROJECT_ROOT / "workspace.yaml")


def webserver_arguments(host: str, port: int) -> list[str]:
    """`dagster-webserver`, by its module: a script's first line breaks on a blank in the path."""
    arguments = ["-m", "dagster_webserver", "-w", WORKSPACE, "-h", host, "-p", str(port)]
    # Its pooled connections do not survive a restart of PostgreSQL: each gave the UI one error, up to an hour later.
    return [*arguments, "--db-pool-recycle", "5"]


def daemon_arguments() -> list[str]:
    """`dagster-daemon run`, by its module; at its usual level it writes a line for each tick of the sensor."""
    return ["-m", "dagster._daemon", "run", "-w", WORKSPACE, "--log-level", "warning"]


def child_environment(settings: Settings, database: Database, base: Mapping[str, str]) -> dict[str, str]:
    """What Dagster's processes are told. Every setting is named, so that a `.env` cannot say otherwise: with an empty
    BILLY_DATABASE_URL they find the embedded server by the data folder."""
    tokens = {}
    with suppress(SettingsError):
        for organization in settings.organizations().values():
            if token := settings.environ.get(organization.token_variable):
                tokens[organization.token_variable] = token
    return {
        **base,
        **tokens,
        "BILLY_API_URL": settings.api_url,
        "BILLY_REQUESTS_PER_SECOND": str(settings.requests_per_second),
        "BILLY_DATABASE_URL": settings.database_url or "",
        **runs.instance_environment(settings, database),
    }


class Child:
    """One of the two, kept running."""

    def __init__(
        self, name: str, arguments: Callable[[], list[str]], *, mark: str, environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self.log = log
        self._arguments = arguments
        self._mark = mark
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        self._restarts: deque[float] = deque()

    def start(self) -> None:
        """Start it; `arguments` are asked for each time."""
        self._process = processes.start(self._arguments(), mark=self._mark, environment=self._environment, log=self.log)

    @property
    def pid(self) -> int:
        """Its pid, which is its session's number too."""
        assert self._process is not None  # noqa: S101 - only asked after `start`
        return self._process.pid

    @property
    def session(self) -> Session | None:
        """For `up.json`; None if it has gone."""
        with suppress(psutil.Error):
            return Session(pid=self.pid, create_time=psutil.Process(self.pid).create_time())
        return None

    def keep_running(self, say: Say) -> bool:
        """Start it again if it has ended; True if it had. Runs of a daemon that died go on, they are not its children.

        Raises:
            HostError: it ended too often.
        """
        code = None if self._process is None else self._process.poll()
        if code is None:
            return False
        now = time.monotonic()
        while self._restarts and now - self._restarts[0] > WITHIN_SECONDS:
            self._restarts.popleft()
        if len(self._restarts) >= MOST_RESTARTS:
            raise HostError(
                f"The {self.name} has ended {MOST_RESTARTS + 1} times within {WITHIN_SECONDS / 60:.0f} minutes "
                f"(last with {_how(code)}), so this ends. The end of {self.log}:\n{processes.tail(self.log)}"
            )
        self._restarts.append(now)
        say(
            f"The {self.name} ended by itself ({_how(code)}) and is started again, "
            f"{len(self._restarts)} of at most {MOST_RESTARTS} times. Its log: {self.log}"
        )
        self.start()
        return True


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
