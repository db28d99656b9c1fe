"""What goes on beside the webserver and the daemon: PostgreSQL is kept alive, dead runs are swept."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from dagster import DagsterInstance

from billy_pipelines import runs
from billy_pipelines.database.connection import Database
from billy_pipelines.host.up_state import Say
from billy_pipelines.settings import Settings

LOOK_SECONDS = 1.0
SWEEP_SECONDS = 30.0

_log = logging.getLogger(__name__)


class Repeated:
    """A thread that does something now and then while its `with` block runs; a failure costs only that one time."""

    def __init__(self, name: str, action: Callable[[], None], seconds: float) -> None:
        self._action = action
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._last_failure = ""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._thread.join(timeout=5)  # a query can hang while PostgreSQL is away; the end must not

    def stop(self) -> None:
        """Begin nothing new."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            try:
                self._action()
                self._last_failure = ""
            except Exception as error:  # an outage of PostgreSQL has many faces, and it passes
                failure = type(error).__name__
                if failure != self._last_failure:
                    _log.warning("%s failed and is tried again: %s", self._thread.name, str(error).partition("\n")[0])
                self._last_failure = failure


def postgres_keeper(database: Database, say: Say) -> Repeated:
    """Looks every second whether the embedded PostgreSQL lives; one that died is back well within 5 s."""

    def look() -> None:
        if database.embedded is not None and database.embedded.ensure_alive():
            say("PostgreSQL had ended and was started again; runs go on.")

    return Repeated("the look at PostgreSQL", look, LOOK_SECONDS)


def sweeper(settings: Settings, database: Database, instance: DagsterInstance, say: Say) -> Repeated:
    """Puts right every 30 s what died without a word."""

    def sweep() -> None:
        for job_id in runs.sweep(settings, database.engine, instance):
            say(f"Job {job_id} was left by its process; it is put right.")

    return Repeated("the sweep", sweep, SWEEP_SECONDS)
