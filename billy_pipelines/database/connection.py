"""The one way to the database: the server the settings name, or the embedded one, migrated."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from billy_pipelines.database.embedded import EmbeddedPostgres
from billy_pipelines.database.engine import migrate, open_engine
from billy_pipelines.database.urls import dagster_url, normalized_url
from billy_pipelines.settings import Settings


@dataclass(frozen=True)
class Database:
    """An open database. `embedded` is None when the server is somebody else's to start and stop."""

    engine: Engine
    embedded: EmbeddedPostgres | None

    @property
    def dagster_url(self) -> str:
        """The URL for Dagster's own tables."""
        return dagster_url(self.engine.url)

    def close(self, *, stop_if_unused: bool = False) -> None:
        """Close our connections and leave the embedded server; with `stop_if_unused`, who leaves last stops it."""
        self.engine.dispose()
        if self.embedded is None:
            return
        if stop_if_unused:
            self.embedded.stop_if_unused()
        else:
            self.embedded.leave()


def open_database(settings: Settings) -> Database:
    """Connect and migrate; starts the embedded server where it is needed and not running.

    Raises:
        DatabaseUrlError, DatabaseUnavailable, EmbeddedPostgresError
    """
    embedded = None
    if settings.database_url:
        url = normalized_url(settings.database_url).render_as_string(hide_password=False)
    else:
        embedded = EmbeddedPostgres(settings.postgres_dir)
        url = embedded.start()
    opened = Database(open_engine(url), embedded)
    try:
        migrate(opened.engine)
    except BaseException:
        opened.close()
        raise
    return opened
