"""Fixtures of tests that run Dagster's jobs in this process: the environment a run reads, and a real instance."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest
from sqlalchemy import Engine

from billy_pipelines import runs
from billy_pipelines.billy import retries
from billy_pipelines.database.connection import Database
from billy_pipelines.defs.nights import ORGANIZATIONS
from billy_pipelines.settings import Settings
from billy_pipelines_tests.defs.nights import skip_slow_start


@pytest.fixture
def nightly(settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """Dagster's own tables in this test's database, with the organization `default` known as a partition.

    Billy is asked again after milliseconds instead of seconds.
    """
    for name, value in {
        "BILLY_DATA_DIR": str(settings.data_dir),
        "BILLY_API_URL": settings.api_url,
        "BILLY_DATABASE_URL": settings.database_url or "",
        "BILLY_ACCESS_TOKEN": settings.environ["BILLY_ACCESS_TOKEN"],
        "BILLY_REQUESTS_PER_SECOND": "500",
        "DAGSTER_HOME": "",  # so that what open_instance sets is taken back after the test
        "BILLY_DAGSTER_DATABASE_URL": "",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.01)
    skip_slow_start(engine)
    with runs.open_instance(settings, Database(engine, None)) as opened:
        opened.add_dynamic_partitions(ORGANIZATIONS, ["default"])
        yield opened
