"""The lease of a job and the writer lock of a family of records: session-level advisory locks on one connection.

Who holds a lock is alive; who died holds none, because PostgreSQL drops a session's locks with the session. So the
same connection is the job's sign of life (runtime.md R4), and nothing has to be cleaned up after a kill -9.

Over a network the server must be told to look for itself: a machine that lost its power says no goodbye, and by default
its session and locks would live on for two hours. It looks later than we do (`connect_arguments`), so that we have
stopped sending before our locks go to somebody else.
"""

from __future__ import annotations

import hashlib
import threading
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from billy_pipelines.database.engine import connect_arguments

_OPEN_SESSION = """
SELECT pid, backend_start, set_config('tcp_keepalives_idle', '10', false),
    set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '4', false)
FROM pg_stat_activity WHERE pid = pg_backend_pid()
"""


class LeaseLost(Exception):
    """The connection that holds the locks broke and they could not be had back: nothing may be sent any more."""


def lock_key(kind: str, name: str) -> int:
    """The 64-bit number PostgreSQL knows a lock by, from its kind and name."""
    digest = hashlib.sha256(f"billy:{kind}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def job_is_alive(connection: Connection, job_id: str) -> bool:
    """Whether some process holds this job's lease right now. Looking takes no lock and disturbs nobody."""
    key = lock_key("job", job_id) & 0xFFFFFFFFFFFFFFFF
    found = connection.execute(
        text(
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
            " AND classid::bigint = :high AND objid::bigint = :low"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ),
        {"high": key >> 32, "low": key & 0xFFFFFFFF},
    ).first()
    return found is not None


class Lease:
    """One process's hold on one job, and on the right to write the families of records it needs.

    Methods block; a thread lock keeps the one connection to one caller at a time.
    """

    def __init__(self, engine: Engine, job_id: str) -> None:
        from sqlalchemy import create_engine

        # A connection of its own, outside every pool: a pool would hand it to others or recycle it.
        self._engine = create_engine(
            engine.url, poolclass=NullPool, connect_args=connect_arguments(engine.url), isolation_level="AUTOCOMMIT"
        )
        self._job_ids = [job_id]
        """The jobs of this process: the one it began with, and those it has gone on with; it works on the last."""
        self._connection: Connection | None = None
        self._session: Any = None
        self._holder: Any = None
        """The session (pid, start) on which the locks were taken last."""
        self._writers: dict[tuple[str, str], int] = {}
        """Organization and family of each writer lock that is held -> its generation when it was taken."""
        self._mutex = threading.RLock()

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def take_job(self) -> bool:
        """Try to become the one process of this job; False when another one is."""
        with self._mutex:
            if self._connection is None:
                self._connect()
            if not self._try_lock("job", self._job_ids[0]):
                return False
            self._holder = self._session
            return True

    def go_on_with(self, job_id: str) -> bool:
        """Become the one process of a further job too, without giving up those before: a run that still works is alive
        under the name it was started by. False when another process is at that job.

        The right to write goes back: what the next job needs is taken in the order of names again, or two could wait
        for each other for ever.
        """
        with self._mutex:
            connection = self._open()
            for organization, family in list(self._writers):
                key = lock_key("writer", f"{organization}/{family}")
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})
                del self._writers[organization, family]
            if not self._try_lock("job", job_id):
                return False
            self._job_ids.append(job_id)
            return True

    @property
    def writes(self) -> bool:
        """Whether a writer lock has been taken on this lease."""
        return bool(self._writers)

    def take_writer(self, organization: str, family: str) -> str | None:
        """Try to become the one writer of this organization's family of records, beside those held already.

        Who needs several takes them in the order of their names, or two could wait for each other for ever.

        Returns None when taken, else the job id of who holds it.
        """
        with self._mutex:
            connection = self._open()
            if (organization, family) in self._writers:
                return None
            if not self._try_lock("writer", f"{organization}/{family}"):
                holder = connection.execute(
                    text("SELECT job_id FROM billy.billy_writers WHERE organization = :o AND family = :f"),
                    {"o": organization, "f": family},
                ).scalar()
                return str(holder or "another job")
            self._writers[organization, family] = connection.execute(
                text(
                    "INSERT INTO billy.billy_writers (organization, family, generation, job_id) VALUES (:o, :f, 1, :j)"
                    " ON CONFLICT (organization, family) DO UPDATE"
                    " SET generation = billy_writers.generation + 1, job_id = :j, taken_at = now() RETURNING generation"
                ),
                {"o": organization, "f": family, "j": self._job_ids[-1]},
            ).scalar_one()
            return None

    def check(self) -> None:
        """Prove that the connection, and with it the locks, are still there.

        Raises:
            LeaseLost: they are not.
        """
        with self._mutex:
            try:
                self._open().execute(text("SELECT 1"))
            except SQLAlchemyError as error:  # also: a connection that was found broken before
                cause = getattr(error, "orig", None) or error
                raise LeaseLost(f"the connection to PostgreSQL broke: {str(cause).strip()}") from error

    def take_again(self) -> bool:
        """After a break: take the same locks on a new connection, if nobody wrote in between.

        Returns False while the server does not answer or our former session is not gone yet (try again).

        Raises:
            LeaseLost: another job has written since, or holds a lock now; the plan of this one is worth nothing.
        """
        with self._mutex:
            self._drop_connection()
            try:
                connection = self._connect()
                if not all(self._try_lock("job", job_id) for job_id in self._job_ids):
                    if self._ends_former_session(connection):
                        self._drop_connection()
                        return False
                    raise LeaseLost("another process has taken this job over")
                self._holder = self._session
                for (organization, family), generation in self._writers.items():
                    if not self._try_lock("writer", f"{organization}/{family}"):
                        raise LeaseLost("another job has taken the right to write")
                    present = connection.execute(
                        text("SELECT generation FROM billy.billy_writers WHERE organization = :o AND family = :f"),
                        {"o": organization, "f": family},
                    ).scalar()
                    if present != generation:
                        raise LeaseLost("another job wrote to the same records in between")
            except DBAPIError:
                self._drop_connection()
                return False
            return True

    def release(self) -> None:
        """Give everything back; safe to call twice and after a break."""
        with self._mutex:
            self._drop_connection()
            self._writers.clear()
            self._engine.dispose()

    def _connect(self) -> Connection:
        connection = self._connection = self._engine.connect()
        self._session = connection.execute(text(_OPEN_SESSION)).one()[:2]
        return connection

    def _ends_former_session(self, connection: Connection) -> bool:
        """Whether our own former session still holds the locks, its end unnoticed by the server; it is told to end."""
        pid, start = self._holder or (None, None)
        former = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = :pid AND backend_start = :start"
        return connection.execute(text(former), {"pid": pid, "start": start}).first() is not None

    def _open(self) -> Connection:
        if self._connection is None:
            raise LeaseLost("there is no connection to PostgreSQL")
        return self._connection

    def _drop_connection(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                connection.invalidate()
                connection.close()
            except DBAPIError:
                return  # it was broken already; PostgreSQL has dropped the locks with the session

    def _try_lock(self, kind: str, name: str) -> bool:
        result = self._open().execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": lock_key(kind, name)})
        return bool(result.scalar_one())
