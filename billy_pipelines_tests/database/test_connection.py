"""The one way to the database: what is opened is given back, or the embedded server never ends and handles run out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from billy_pipelines.database.connection import open_database
from billy_pipelines.database.embedded import EmbeddedPostgres
from billy_pipelines.settings import Settings


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Settings]:
    settings = Settings.from_environment({"BILLY_DATA_DIR": str(tmp_path / "data")})
    yield settings
    EmbeddedPostgres(settings.postgres_dir).stop()


def test_opening_again_and_again_keeps_no_handles(embedded: Settings) -> None:
    """The sensor opens it at each tick, seventeen thousand times a day."""
    first = open_database(embedded)
    before = psutil.Process().num_fds()
    for _ in range(5):
        open_database(embedded).close()
    assert psutil.Process().num_fds() == before
    first.close(stop_if_unused=True)


def test_who_leaves_last_stops_the_server_also_within_one_process(embedded: Settings) -> None:
    """A foreground import opens it twice: the command for itself, and the run for its session."""
    command = open_database(embedded)
    session = open_database(embedded)
    session.close()
    assert EmbeddedPostgres(embedded.postgres_dir).is_running()
    command.close(stop_if_unused=True)
    assert not EmbeddedPostgres(embedded.postgres_dir).is_running()


def test_one_who_leaves_does_not_stop_the_others_server(embedded: Settings) -> None:
    up = open_database(embedded)
    open_database(embedded).close(stop_if_unused=True)
    assert EmbeddedPostgres(embedded.postgres_dir).is_running()
    up.close(stop_if_unused=True)
