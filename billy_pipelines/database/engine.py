"""Connecting: one engine for a URL, migrations up to date, Dagster's schema made."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from billy_pipelines.database.tables import SCHEMA
from billy_pipelines.database.urls import normalized_url

_MIGRATIONS = Path(__file__).parent / "migrations"
_HEAD = "0004"
_MIGRATION_LOCK = 0x62696C6C79  # "billy"
OLDEST_SERVER = 130000


class DatabaseUnavailable(Exception):
    """PostgreSQL does not answer, or is too old; the text says which server and what to do."""


def connect_arguments(url: URL) -> dict[str, object]:
    """Time limits so that a dead server is noticed in seconds, not in the kernel's two hours."""
    arguments: dict[str, object] = {"connect_timeout": 5, "application_name": "billy"}
    if url.host:
        arguments |= {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10000}
    return arguments


def open_engine(url_text: str) -> Engine:
    """An engine for our tables. Connections are checked before use, so a restarted server costs one reconnect."""
    url = normalized_url(url_text)
    return create_engine(
        url, pool_pre_ping=True, pool_size=4, max_overflow=4, connect_args=connect_arguments(url), hide_parameters=True
    )


def migrate(engine: Engine) -> None:
    """Bring schema `billy` to the newest version and make schema `dagster`; safe to call from many processes at once.

    Raises:
        DatabaseUnavailable: no answer, no permission, or PostgreSQL older than 13.
    """
    try:
        with engine.begin() as connection:
            version = connection.execute(text("SHOW server_version_num")).scalar_one()
            if int(version) < OLDEST_SERVER:
                raise DatabaseUnavailable(f"PostgreSQL {int(version) // 10000} is too old; 13 or newer is needed.")
            if _current_version(connection) == _HEAD:
                return
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
            connection.execute(text("CREATE SCHEMA IF NOT EXISTS dagster"))
            _upgrade(connection)
    except DBAPIError as error:
        # libpq takes a password in the query too, which SQLAlchemy would show.
        where = engine.url.difference_update_query(["password", "sslpassword"]).render_as_string(hide_password=True)
        raise DatabaseUnavailable(
            f"PostgreSQL at {where} cannot be used: {str(error.orig).strip()}. "
            "Check BILLY_DATABASE_URL, or unset it to use the embedded PostgreSQL."
        ) from error


def _current_version(connection: Connection) -> str | None:
    exists = connection.execute(text(f"SELECT to_regclass('{SCHEMA}.billy_alembic_version')")).scalar()
    if exists is None:
        return None
    return connection.execute(text(f"SELECT version_num FROM {SCHEMA}.billy_alembic_version")).scalar()


def _upgrade(connection: Connection) -> None:
    from alembic import command  # 0.3 s to import, needed only when there is something to migrate
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise DatabaseUnavailable(
            f"The tables in this database are not of this version of billy-pipelines ({error}). "
            "If a newer version has used it, use that one, or another database."
        ) from error
