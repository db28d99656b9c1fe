"""Database URLs: any spelling in, two forms out, and no password in what is said of a bad one."""

from __future__ import annotations

import traceback

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from billy_pipelines.database.engine import open_engine
from billy_pipelines.database.urls import DatabaseUrlError, dagster_url, normalized_url


@pytest.mark.parametrize(
    "scheme",
    ["postgres", "postgresql", "POSTGRESQL", "postgresql+psycopg", "postgresql+psycopg2", "postgresql+asyncpg"],
)
def test_any_spelling_becomes_one_for_psycopg2(scheme: str) -> None:
    url = normalized_url(f"  {scheme}://ole:k%40t@db.example:5433/bøger?sslmode=require\n")
    assert url.drivername == "postgresql+psycopg2"
    assert (url.username, url.password, url.host, url.port) == ("ole", "k@t", "db.example", 5433)
    assert (url.database, dict(url.query)) == ("bøger", {"sslmode": "require"})


def test_a_url_once_made_stays_the_same() -> None:
    once = normalized_url("postgres://ole:k%40t@db.example/billy?host=/run/x&port=5432")
    assert normalized_url(once.render_as_string(hide_password=False)) == once


@pytest.mark.parametrize(
    "url", ["mysql://ole:kat@h/db", "sqlite:///db.sqlite", "postgresqlx://ole:kat@h/db", "https://ole:kat@h/db"]
)
def test_only_postgresql_will_do(url: str) -> None:
    with pytest.raises(DatabaseUrlError, match="only PostgreSQL 13 or newer"):
        normalized_url(url)


@pytest.mark.parametrize("url", ["", "kat", "db.example/billy", "postgresql://ole:kat@h:port/db"])
def test_what_is_no_url_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(DatabaseUrlError, match="postgresql://user:password@host/database"):
        normalized_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ole:hemmelig",
        "postgresql://ole:hemmelig/db",
        "postgresql://ole:hemmelig@[::1/db",
        "postgresql://ole:x@hemmelig@db.example/db",
        "mysql://ole:hemmelig@h/db",
        "postgresql://postgres:hemmelig@db.abc.supabase.co:6543/postgres",
    ],
)
def test_no_word_of_a_refusal_tells_the_password(url: str) -> None:
    with pytest.raises(DatabaseUrlError) as refused:
        normalized_url(url)
    assert "hemmelig" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    ("url", "pooled"),
    [
        ("postgresql://u@aws-0-eu-north-1.pooler.supabase.com:6543/postgres", True),
        ("postgresql://u@aws-0-eu-north-1.pooler.supabase.com:5432/postgres", False),
        ("postgresql://u@DB.ABC.SUPABASE.CO:6543/postgres", True),
        ("postgresql://u@db.abc.supabase.co/postgres", False),
        ("postgresql://u@ep-cool-1-pooler.eu-central-1.aws.neon.tech/db", True),
        ("postgresql://u@ep-cool-1.eu-central-1.aws.neon.tech/db", False),
        ("postgresql://u@db.example/db?pgbouncer=true", True),
        ("postgresql://u@db.example/db?pgbouncer=false", False),
        ("postgresql://u@db.example:6543/db", False),
        ("postgresql://u@notsupabase.com:6543/db", False),
    ],
)
def test_poolers_in_transaction_mode_are_refused_by_name(url: str, pooled: bool) -> None:
    if not pooled:
        assert normalized_url(url).host
        return
    with pytest.raises(DatabaseUrlError, match=r"transaction mode.*Use the direct connection"):
        normalized_url(url)


def test_dagster_gets_the_same_database_in_a_schema_of_its_own(database_url: str) -> None:
    engine = create_engine(dagster_url(make_url(database_url)), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE runs (id int)"))
    with open_engine(database_url).connect() as connection:
        places = connection.execute(text("SELECT schemaname FROM pg_tables WHERE tablename = 'runs'")).scalars()
        assert list(places) == ["dagster"]


@pytest.mark.parametrize(
    "options",
    ["-cstatement_timeout=1234", "-csearch_path=public -cstatement_timeout=1234"],
)
def test_options_of_the_users_own_are_kept_for_dagster(database_url: str, options: str) -> None:
    url = make_url(database_url).update_query_dict({"options": options})
    engine = create_engine(dagster_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "1234ms"
        assert connection.execute(text("SHOW search_path")).scalar_one() == "dagster"


def test_dagster_can_log_in_too() -> None:
    assert make_url(dagster_url(make_url("postgresql://ole:k%40t@h/db"))).password == "k@t"
