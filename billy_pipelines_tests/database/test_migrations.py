"""The schema: made once from nothing, the same as the tables say, and left alone when it is newer than we are."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, insert, inspect, select, text

from billy_pipelines.database import engine as engine_module
from billy_pipelines.database.connection import open_database
from billy_pipelines.database.embedded import EmbeddedPostgres
from billy_pipelines.database.engine import DatabaseUnavailable, migrate, open_engine
from billy_pipelines.database.tables import SCHEMA, metadata, organizations
from billy_pipelines.settings import Settings


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[Engine]:
    engine = open_engine(empty_database_url)
    yield engine
    engine.dispose()


def tables_of(engine: Engine) -> set[str]:
    """All tables that are not PostgreSQL's own, with their schema."""
    query = "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname !~ '^(pg_|information_schema)'"
    with engine.connect() as connection:
        return {str(name) for name in connection.execute(text(query)).scalars()}


def _with_options(engine: Engine, options: str) -> str:
    return engine.url.update_query_dict({"options": options}).render_as_string(hide_password=False)


def set_version(engine: Engine, version: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE billy.billy_alembic_version SET version_num = :v"), {"v": version})


def test_an_empty_database_gets_our_tables_and_nothing_in_public(empty: Engine) -> None:
    assert tables_of(empty) == set()
    migrate(empty)
    names = {f"{SCHEMA}.{table.name}" for table in metadata.tables.values()}
    assert tables_of(empty) == {*names, "billy.billy_alembic_version"}
    assert {"billy", "dagster"} <= set(inspect(empty).get_schema_names())
    with empty.connect() as connection:
        public = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        assert connection.execute(text(public)).scalar_one() == 0


def test_the_tables_are_what_the_migrations_make(empty: Engine) -> None:
    migrate(empty)
    # User and schema are both called billy: by default its tables would be found under no schema's name.
    engine = open_engine(_with_options(empty, "-csearch_path=public"))
    options = {
        "include_schemas": True,
        "compare_type": True,
        "compare_server_default": True,
        "version_table": "billy_alembic_version",
        "version_table_schema": SCHEMA,
    }
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
    engine.dispose()


@pytest.mark.parametrize("search_path", ["public", "dagster", "nowhere"])
def test_where_the_tables_go_does_not_hang_on_the_search_path(empty: Engine, search_path: str) -> None:
    engine = open_engine(_with_options(empty, f"-csearch_path={search_path}"))
    migrate(engine)
    migrate(engine)
    engine.dispose()
    assert {name.partition(".")[0] for name in tables_of(empty)} == {SCHEMA}


def test_the_newest_migration_is_the_one_the_code_asks_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(engine_module._MIGRATIONS).replace("%", "%%"))
    assert ScriptDirectory.from_config(config).get_heads() == [engine_module._HEAD]


def test_migrating_again_changes_nothing(empty: Engine) -> None:
    migrate(empty)
    with empty.begin() as connection:
        connection.execute(insert(organizations).values(name="default"))
    migrate(empty)
    with empty.connect() as connection:
        assert connection.execute(select(organizations.c.name)).scalars().all() == ["default"]


def test_many_processes_may_migrate_at_once(empty_database_url: str) -> None:
    engines = [open_engine(empty_database_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, engines))
    with engines[0].connect() as connection:
        versions = connection.execute(text("SELECT version_num FROM billy.billy_alembic_version")).scalars().all()
    assert versions == [engine_module._HEAD]
    for engine in engines:
        engine.dispose()


def test_what_fails_half_way_leaves_nothing_behind(empty: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_off(connection: object) -> None:
        upgrade(connection)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    upgrade = engine_module._upgrade
    monkeypatch.setattr(engine_module, "_upgrade", cut_off)
    with pytest.raises(KeyboardInterrupt):
        migrate(empty)
    assert tables_of(empty) == set()


def test_tables_of_a_newer_version_are_refused_and_left_alone(empty: Engine) -> None:
    migrate(empty)
    set_version(empty, "9999")
    before = tables_of(empty)
    with pytest.raises(DatabaseUnavailable, match=r"not of this version of billy-pipelines .*9999.*use that one"):
        migrate(empty)
    assert tables_of(empty) == before
    with empty.connect() as connection:
        version = connection.execute(text("SELECT version_num FROM billy.billy_alembic_version")).scalar_one()
    assert version == "9999"


def test_a_server_that_is_too_old_is_refused(empty: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "OLDEST_SERVER", 990000)
    with pytest.raises(DatabaseUnavailable, match=r"PostgreSQL \d\d is too old"):
        migrate(empty)
    assert tables_of(empty) == set()


@pytest.mark.parametrize("url", ["postgresql://ole:hemmelig@{}/db", "postgresql://ole@{}/db?password=hemmelig"])
def test_a_server_that_does_not_answer_is_named_without_its_password(url: str) -> None:
    with socket.socket() as taken:  # bound but not listening: nobody else answers there
        taken.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(DatabaseUnavailable) as refused:
            migrate(open_engine(url.format(where)))
    assert where in str(refused.value) and "BILLY_DATABASE_URL" in str(refused.value)
    assert "hemmelig" not in str(refused.value)


def test_opening_a_database_of_somebody_elses_migrates_it(tmp_path: Path, empty_database_url: str) -> None:
    database = open_database(Settings(data_dir=tmp_path, database_url=empty_database_url))
    assert database.embedded is None
    assert "billy.billy_bulk_jobs" in tables_of(database.engine)
    database.close(stop_if_unused=True)
    engine = open_engine(empty_database_url)
    assert tables_of(engine), "a server that is not ours is not ours to stop"
    engine.dispose()


def test_without_a_url_the_embedded_server_is_opened_and_stopped_by_who_leaves_last(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    database = open_database(settings)
    server = EmbeddedPostgres(settings.postgres_dir)
    try:
        assert "billy.billy_bulk_jobs" in tables_of(database.engine)
        database.close()
        assert server.is_running()
        database.close(stop_if_unused=True)
        assert not server.is_running()
    finally:
        server.stop()
