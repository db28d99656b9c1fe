"""Fixtures every room may use: a real PostgreSQL, an empty migrated database for each test, a sandbox, settings.

One embedded server serves the whole session. A test's database is its own, and all connections to it are cut after the
test, so tests may kill processes and leave locks behind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from billy_pipelines.database import postgres_folder
from billy_pipelines.database.embedded import EmbeddedPostgres
from billy_pipelines.database.engine import migrate, open_engine
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.databases import Databases, Later, create, drop, run, url_of

# The same examples everywhere, no time limit a slow machine could break, and no more of them than CI has time for.
# HYPOTHESIS_PROFILE=search tries others, and more.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None, max_examples=40)
hypothesis.settings.register_profile("search", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


# -- several workers (`pytest -n auto`) --------------------------------------------------------------------------------

PRODUCT_FILES = ("e2e/test_browser.py", "e2e/test_cancelling.py", "e2e/test_drops.py")
"""Those that use the `product` of `e2e/conftest.py`: in another worker they would start a second one."""


STARTING_FILES = (
    *("e2e/test_demo.py", "e2e/test_foreground.py", "e2e/test_undo_command.py"),
    *("host/test_up.py", "defs/test_interrupts.py"),
)
"""Those that start products of their own, one after the other."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: two are with the product and wait most of the time."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts the product comes first: long files at the end would leave the other workers without work."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests of one file stay together, for they share fixtures; so do all files that share the one running product, and
    those that each start one: three products starting at once on two cores are slower than their tests allow."""
    from xdist.scheduler import LoadScopeScheduling

    class ByProductAndFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            if file.endswith(PRODUCT_FILES):
                return "product"
            return "products of their own" if file.endswith(STARTING_FILES) else file

    config.option.loadscopereorder = False  # it would put the files with the fewest tests last, which are the longest
    return ByProductAndFile(config, log)


# -- PostgreSQL --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the session's PostgreSQL (database `billy`, empty); stopped when the tests end.

    It does not wait for the disk, which only a power cut would tell: half the time of a test of jobs was that.
    """
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres") / "cluster")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(postgres_folder.SETTINGS, "fsync", "off")
        url = server.start()
    yield url
    server.stop()


@pytest.fixture(scope="session")
def postgres_admin(postgres_url: str) -> Iterator[Engine]:
    """The session's PostgreSQL as its owner, each statement its own transaction: to create and drop databases."""
    engine = create_engine(postgres_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def migrated_databases(postgres_admin: Engine) -> Iterator[Databases]:
    """Databases with our tables."""
    run(postgres_admin, "CREATE DATABASE billy_migrated")
    engine = open_engine(url_of(postgres_admin, "billy_migrated"))
    migrate(engine)
    engine.dispose()
    databases = Databases(postgres_admin, "billy_migrated")
    yield databases
    databases.close()


@pytest.fixture
def empty_database_url(postgres_admin: Engine) -> Iterator[str]:
    """URL of a database of this test's own, without any tables."""
    name = create(postgres_admin, "template0")
    yield url_of(postgres_admin, name)
    drop(postgres_admin, name)


@pytest.fixture
def database_url(postgres_admin: Engine, migrated_databases: Databases) -> Iterator[str]:
    """URL of a migrated database of this test's own."""
    name = migrated_databases.take()
    yield url_of(postgres_admin, name)
    migrated_databases.give_back(name)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine of the product's own making on this test's database."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def later() -> Iterator[Later]:
    """For clean-up that no test needs to wait for."""
    later = Later()
    yield later
    later.close()


@pytest.fixture
def sandbox(later: Later) -> Iterator[SandboxServer]:
    """A running sandbox without contacts, latency or faults; `sandbox.sandbox.switch(…)` makes it misbehave."""
    server = SandboxServer().start()
    yield server
    later.do(server.stop)  # 0.2 s


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
