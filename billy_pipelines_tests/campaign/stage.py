"""Where histories are played: PostgreSQL servers, one of which may be killed, and a fork server for processes."""

from __future__ import annotations

import itertools
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from billy_pipelines.database.embedded import EmbeddedPostgres
from billy_pipelines.database.engine import migrate, open_engine
from billy_pipelines_tests.support import wait_until

TEMPLATE = "billy_template"


class Server:
    """One PostgreSQL with a migrated database to copy from."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._postgres = EmbeddedPostgres(folder)
        self._url = self._postgres.start()
        self._numbers = itertools.count(1)
        self._run(f"CREATE DATABASE {TEMPLATE}")
        engine = open_engine(self._named(TEMPLATE))
        migrate(engine)
        engine.dispose()

    @contextmanager
    def database(self) -> Iterator[str]:
        """A migrated database of one history's own; dropped afterwards, whoever is connected."""
        name = f"campaign_{next(self._numbers)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        try:
            yield self._named(name)
        finally:
            self.bring_back()
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def kill(self, *, whole: bool) -> None:
        """kill -9 of the server: its first process, from whose end the others draw their own, or all of them."""
        first = psutil.Process(int((self._folder / "postmaster.pid").read_text().split()[0]))
        others = first.children(recursive=True) if whole else []
        for process in (first, *others):
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        wait_until(lambda: not self._postgres.is_running())  # the signal takes a moment

    def bring_back(self) -> None:
        """Start it again where it is gone."""
        self._postgres.ensure_alive()

    def stop(self) -> None:
        self._postgres.stop()

    def _named(self, name: str) -> str:
        return make_url(self._url).set(database=name).render_as_string(hide_password=False)

    def _run(self, statement: str) -> None:
        engine = create_engine(self._url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


class Stage:
    """Use as a context manager. `folder` holds servers and the histories' data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: ForkServerContext = multiprocessing.get_context("forkserver")
        self.processes.set_forkserver_preload(["billy_pipelines_tests.campaign.warm"])
        self._servers: dict[bool, Server] = {}

    def server(self, *, may_be_killed: bool) -> Server:
        """A server that lives, or the one that histories kill; each is started at its first use."""
        if may_be_killed not in self._servers:
            name = "killed" if may_be_killed else "kept"
            self._servers[may_be_killed] = Server(self.folder / f"{name}-{os.getpid()}")
        return self._servers[may_be_killed]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers.values():
            server.stop()
