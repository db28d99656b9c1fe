"""Databases for tests: copies of a template, empty, each of a name that no test before had.

A copy costs PostgreSQL 150 to 250 ms of CPU, emptying one a tenth of that. So a database whose tables are as they were
made is emptied and serves again under another name, with which whoever a test left behind knows it no more; any other
is dropped. Both happen while the next tests run.
"""

from __future__ import annotations

import itertools
import queue
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

_CATALOGUES = [
    *("pg_namespace", "pg_class", "pg_attribute", "pg_attrdef", "pg_constraint", "pg_index", "pg_proc", "pg_trigger"),
    *("pg_type", "pg_rewrite", "pg_policy", "pg_extension", "pg_event_trigger", "pg_db_role_setting"),
]
_AS_MADE = " UNION ALL ".join(
    [
        # Whatever makes or changes a table, function, trigger … writes a row of these, under its transaction's number.
        *(f"SELECT '{name}', count(*), max(xmin::text::bigint) FROM {name}" for name in _CATALOGUES),
        "SELECT 'open', datallowconn::int, datconnlimit FROM pg_database WHERE datname = current_database()",
    ]
)
_TABLES = (
    "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables"
    " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
)
_END_OTHERS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_numbers = itertools.count(1)


class Later:
    """Clean-up that no test needs to wait for; `close` waits for all of it and raises what went wrong."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(4, "clean-up")
        self._all: list[Future[None]] = []

    def do(self, work: Callable[..., None], *arguments: Any) -> None:
        self._all.append(self._pool.submit(work, *arguments))

    def close(self) -> None:
        self._pool.shutdown()
        for each in self._all:
            each.result()


class Databases:
    """Copies of one template, to be taken and given back. Nobody may connect to the template any more."""

    def __init__(self, admin: Engine, template: str) -> None:
        self._admin, self._template = admin, template
        self._free: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._later = Later()
        engine = create_engine(url_of(admin, template), poolclass=NullPool)
        with engine.connect() as connection:
            self._as_made = connection.execute(text(_AS_MADE)).all()
            tables = connection.execute(text(_TABLES)).scalars().all()
            self._filled = [name for name in tables if connection.execute(text(f"SELECT 1 FROM {name}")).first()]
            self._content = self._content_of(connection)
        # As `replica` no foreign key asks for an order.
        self._empty = "; ".join(
            ["SET session_replication_role = replica"]
            + [f"DELETE FROM {name}" for name in tables if name not in self._filled]
        )

    def take(self) -> str:
        """Name of a database like the template, for one test."""
        with suppress(queue.Empty):
            return self._free.get_nowait()
        return create(self._admin, self._template)

    def give_back(self, name: str) -> None:
        """The test is over; whoever is still connected is thrown out."""
        self._later.do(self._clean, name)

    def close(self) -> None:
        """Wait until all is cleaned up."""
        self._later.close()

    def _clean(self, name: str) -> None:
        with suppress(DBAPIError):  # somebody came back meanwhile, or nobody is let in: dropped
            if self._emptied(name):
                new = f"billy_test_{next(_numbers)}"
                run(self._admin, f"ALTER DATABASE {name} RENAME TO {new}")
                self._free.put(new)
                return
        drop(self._admin, name)

    def _emptied(self, name: str) -> bool:
        """Empty a database if it has the template's tables, and the template's rows where that has any."""
        engine = create_engine(url_of(self._admin, name), poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(_END_OTHERS))
            if connection.execute(text(_AS_MADE)).all() != self._as_made:
                return False
            if self._content_of(connection) != self._content:
                return False
            connection.execute(text(self._empty))
            return True

    def _content_of(self, connection: Connection) -> list[list[str]]:
        """The rows of the tables that have some in the template."""
        return [
            sorted(connection.execute(text(f"SELECT each::text FROM {name} each")).scalars()) for name in self._filled
        ]


def create(admin: Engine, template: str) -> str:
    """Copy a database; the new one's name."""
    name = f"billy_test_{next(_numbers)}"
    run(admin, f"CREATE DATABASE {name} TEMPLATE {template}")
    return name


def drop(admin: Engine, name: str) -> None:
    """Drop a database, whoever is connected."""
    run(admin, f"DROP DATABASE {name} WITH (FORCE)")


def run(admin: Engine, statement: str) -> None:
    """Run one statement on the server."""
    with admin.connect() as connection:
        connection.execute(text(statement))


def url_of(admin: Engine, name: str) -> str:
    """URL of a database on the same server."""
    return admin.url.set(database=name).render_as_string(hide_password=False)
