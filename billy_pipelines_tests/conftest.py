"""Fixtures every room may use: a real PostgreSQL, a fresh migrated database for each test, a sandbox, settings.

One embedded server serves the whole session. A test's database is a copy of a migrated template (about 40 ms) and is
dropped after it, connections and all, so tests may kill processes and leave locks behind.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from billy_pipelines.database.embedded import EmbeddedPostgres
from billy_pipelines.database.engine import migrate, open_engine
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings

# The same examples everywhere, no time limit a slow machine could break. HYPOTHESIS_PROFILE=search tries others.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.register_profile("search", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

TEMPLATE = "billy_template"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the session's PostgreSQL (database `billy`, empty); stopped when the tests end."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres") / "cluster")
    yield server.start()
    server.stop()


@pytest.fixture(scope="session")
def postgres_admin(postgres_url: str) -> Iterator[Engine]:
    """The session's PostgreSQL as its owner, each statement its own transaction: to create and drop databases."""
    engine = create_engine(postgres_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def migrated_template(postgres_admin: Engine) -> str:
    """Name of a migrated database that others are copied from; nobody connects to it."""
    _run(postgres_admin, f"CREATE DATABASE {TEMPLATE}")
    engine = open_engine(_url_of(postgres_admin, TEMPLATE))
    migrate(engine)
    engine.dispose()
    return TEMPLATE


@pytest.fixture
def empty_database_url(postgres_admin: Engine) -> Iterator[str]:
    """URL of a database of this test's own, without any tables."""
    yield from _database(postgres_admin, "template0")


@pytest.fixture
def database_url(postgres_admin: Engine, migrated_template: str) -> Iterator[str]:
    """URL of a migrated database of this test's own; dropped afterwards, whoever is still connected."""
    yield from _database(postgres_admin, migrated_template)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine of the product's own making on this test's database."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """A running sandbox without contacts, latency or faults; `sandbox.sandbox.switch(…)` makes it misbehave."""
    with SandboxServer() as server:
        yield server


@pytest.fixture
def settings(tmp_path: Path, sandbox: SandboxServer, database_url: str) -> Settings:
    """Settings for this test: its sandbox, its database, a data folder of its own, organization `default`."""
    return Settings(
        data_dir=tmp_path / "data",
        api_url=sandbox.url,
        database_url=database_url,
        requests_per_second=500.0,
        environ={"BILLY_ACCESS_TOKEN": sandbox.token},
    )


def _database(admin: Engine, template: str) -> Iterator[str]:
    name = f"billy_test_{next(_numbers)}"
    _run(admin, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _url_of(admin, name)
    _run(admin, f"DROP DATABASE {name} WITH (FORCE)")


def _run(admin: Engine, statement: str) -> None:
    with admin.connect() as connection:
        connection.execute(text(statement))


def _url_of(admin: Engine, name: str) -> str:
    return admin.url.set(database=name).render_as_string(hide_password=False)
