"""`billy up`: PostgreSQL, Dagster's webserver and daemon, and what keeps them well, from one start to one clean end."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from dagster import DagsterInstance

from billy_pipelines import runs
from billy_pipelines.bulk import uploads
from billy_pipelines.database.connection import Database, open_database
from billy_pipelines.host import children, ports, processes
from billy_pipelines.host.caretaking import Repeated, postgres_keeper, sweeper
from billy_pipelines.host.children import Child, child_environment
from billy_pipelines.host.errors import HostError
from billy_pipelines.host.readiness import Readiness, ask
from billy_pipelines.host.signals import EndSignals
from billy_pipelines.host.up_state import (
    Say,
    UpState,
    end_leftovers,
    forget_state,
    mine,
    the_only_one,
    unbreakable,
    write_state,
)
from billy_pipelines.settings import LOOPBACK, Settings, SettingsError

LOOK_SECONDS = 0.2
READY_SECONDS = 180.0
"""For broken starts only; measured are about 10 s."""


def up(
    settings: Settings,
    *,
    port: int | None = None,
    host: str = "127.0.0.1",
    say: Say,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Start everything and stay until SIGINT or SIGTERM; returns the exit code.

    Args:
        port: of the UI; None takes the usual one or, if that is taken, another.
        say: gets each line for the person who watches.
        environment: what the children get instead of this process's environment.

    Raises:
        HostError: another one runs on this data folder, the port is taken, the code cannot be loaded, or the
            webserver or the daemon keeps dying.
        SettingsError, DatabaseUrlError, DatabaseUnavailable, EmbeddedPostgresError
    """
    say = unbreakable(say)
    with (
        EndSignals() as signals,
        occupied(settings, say) as (database, state),
        Up(settings, database, state, signals, port=port, host=host, say=say, environment=environment) as product,
    ):
        if product.start():
            product.announce()
            say("Ctrl-C ends it.")
            product.wait()
    say("Ended; nothing is left running.")
    return 0


@contextmanager
def occupied(settings: Settings, say: Say) -> Iterator[tuple[Database, UpState]]:
    """Have a data folder to oneself, with its database open and nothing left over from an earlier `billy up`.

    PostgreSQL comes first and goes last: run workers that are ended write down there that they were interrupted.

    Raises:
        HostError, DatabaseUrlError, DatabaseUnavailable, EmbeddedPostgresError
    """
    with the_only_one(settings):
        database = open_database(settings)
        try:
            end_leftovers(settings, say)
            state = mine()
            write_state(settings, state)
            try:
                yield database, state
            finally:
                forget_state(settings, state)
        finally:
            database.close(stop_if_unused=True)


class Up:
    """The running product. The end of its `with` block ends all processes, run workers included, within 15 s."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        state: UpState,
        signals: EndSignals,
        *,
        port: int | None,
        host: str = "127.0.0.1",
        say: Say,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings
        self.database = database
        self.url = ""
        """Address of the UI once started."""
        self.instance: DagsterInstance
        self._state = state
        self._signals = signals
        self._wished_port = port
        self._port = 0
        self._host = host
        self._say = say
        self._base = os.environ if environment is None else environment
        self._children: list[Child] = []
        self._ready = False
        self._sweeper: Repeated
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Open Dagster's instance, which makes its tables once, before two programs would at the same time; put right
        what died without a word. Nothing runs yet."""
        base = dict(self._base)  # before the instance adds variables of its own
        try:
            self.instance = self._stack.enter_context(runs.open_instance(self.settings, self.database))
            runs.sweep(self.settings, self.database.engine, self.instance, at_start=True)
        except BaseException:
            self._stack.close()
            raise
        environment = child_environment(self.settings, self.database, base)
        self._children = [
            Child(name, arguments, mark=self._state.mark, environment=environment, log=self._log(name))
            for name, arguments in (
                ("webserver", self._webserver_arguments),
                ("daemon", children.daemon_arguments),
            )
        ]
        self._sweeper = sweeper(self.settings, self.database, self.instance, self._say)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._say("Ending …")
        self._sweeper.stop()
        ended = processes.end(self._state.mark)
        if ended.killed:
            self._say(f"{ended.killed} of {ended.processes} processes did not end by themselves and were killed.")
        self._stack.close()

    def start(self) -> bool:
        """Start the webserver and the daemon; True when they are ready, False when the end was asked for before.

        Raises:
            HostError, SettingsError
        """
        if self._signals.asked:
            return False
        uploads.make_folders(self.settings)
        self._say("Starting …")
        started = time.time()
        for child in self._children:
            child.start()
        self._write_down()
        self._stack.enter_context(postgres_keeper(self.database, self._say))
        self._stack.enter_context(self._sweeper)
        if not self._wait_until_ready(started):
            return False
        self._ready = True
        self._write_down()
        return True

    def keep_running(self) -> bool:
        """To be called again and again: starts again what died. False when the end was asked for.

        Raises:
            HostError: the webserver or the daemon keeps dying.
        """
        if self._signals.asked:
            return False
        restarted = [child for child in self._children if child.keep_running(self._say)]
        if restarted:
            self._write_down()
        return True

    def wait(self) -> None:
        """Keep everything running until the end is asked for.

        Raises:
            HostError: as `keep_running`.
        """
        while self.keep_running():
            time.sleep(LOOK_SECONDS)

    def announce(self) -> None:
        """Say where it is, where files go, and what is missing."""
        self._say(f"Ready: {self.url}")
        self._say("Drop files into one of these folders; what to do with them is in their path:")
        for organization in self.settings.organizations().values():
            self._say(f"  {self.settings.uploads_dir / organization.name}{os.sep}<resource>{os.sep}<operation>")
            try:
                self.settings.token(organization)
            except SettingsError as error:
                self._say(f"  {error} Until then its jobs fail; set it and start again.")
        if self._host in LOOPBACK:
            self._say(f"The UI has no login; it listens on {self._host} only, so all users of this machine reach it.")
        else:
            self._say(f"WARNING: the UI has no login and listens on {self._host}: all who reach it can run jobs.")

    def _wait_until_ready(self, started: float) -> bool:
        deadline = time.monotonic() + READY_SECONDS
        while self.keep_running():
            found = self._ask(started)
            if found.code_error:
                raise HostError(f"Dagster cannot load the project's code:\n{found.code_error}")
            if not found.waiting_for:
                return True
            if time.monotonic() > deadline:
                raise HostError(
                    f"Not ready after {READY_SECONDS:.0f} s, still waiting for {found.waiting_for}. "
                    f"The logs are in {self.settings.run_dir}."
                )
            time.sleep(LOOK_SECONDS)
        return False

    def _ask(self, started: float) -> Readiness:
        if not ports.listens(self._children[0].pid, self._port):
            return Readiness("the webserver")
        with httpx.Client(base_url=self.url, timeout=10, trust_env=False) as client:
            return ask(client, daemon_started=started)

    def _webserver_arguments(self) -> list[str]:
        if not self._ready:  # later the address is known to people, and stays
            self._port, remark = ports.choose(self._host, self._wished_port)
            if remark:
                self._say(remark)
            name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104 - what to open, not to bind
            self.url = f"http://{f'[{name}]' if ':' in name else name}:{self._port}"
        return children.webserver_arguments(self._host, self._port)

    def _log(self, name: str) -> Path:
        return self.settings.run_dir / f"{name}.log"

    def _write_down(self) -> None:
        self._state = self._state.model_copy(
            update={
                "sessions": {child.name: session for child in self._children if (session := child.session)},
                "ports": {"webserver": self._port},
                "url": self.url if self._ready else None,
            }
        )
        write_state(self.settings, self._state)
