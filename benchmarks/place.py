"""What a benchmark runs on: a sandbox, and the product or its engine on a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from billy_pipelines.database.connection import open_database
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.product import Billy, end_everything
from billy_pipelines_tests.support import Server


@contextmanager
def engine_in(folder: Path, sandbox: Server, *, requests_per_second: float) -> Iterator[tuple[Settings, Engine]]:
    """Settings and an open database, without Dagster."""
    settings = _settings(folder, sandbox, requests_per_second)
    database = open_database(settings)
    try:
        yield settings, database.engine
    finally:
        database.close(stop_if_unused=True)


@contextmanager
def product_in(folder: Path, sandbox: SandboxServer, *, requests_per_second: float) -> Iterator[Billy]:
    """A running `billy up`."""
    settings = _settings(folder, sandbox, requests_per_second)
    billy = Billy(settings, "up")
    try:
        yield billy.ready()
        billy.end()
    finally:
        end_everything(settings, [billy])


def _settings(folder: Path, sandbox: Server, requests_per_second: float) -> Settings:
    return Settings.from_environment(
        {
            "BILLY_DATA_DIR": str(folder / "data"),
            "BILLY_API_URL": sandbox.url,
            "BILLY_ACCESS_TOKEN": sandbox.token,
            "BILLY_REQUESTS_PER_SECOND": f"{requests_per_second:g}",
        }
    )
