"""One database URL in, the two forms we need out: for our engine and for Dagster's tables."""

from __future__ import annotations

import re

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

DRIVER = "postgresql+psycopg2"


class DatabaseUrlError(Exception):
    """The database URL cannot be used; the text says why and what to do."""


def normalized_url(text: str) -> URL:
    """Any spelling of a PostgreSQL URL, as one for psycopg2.

    SQLAlchemy's default driver differs by version and dagster-postgres only works with psycopg2, so the driver is
    always named.

    Raises:
        DatabaseUrlError: no PostgreSQL URL, or a pooler in transaction mode. The text holds no password.
    """
    try:
        url = make_url(re.sub(r"^postgres(ql)?(?=[:+])", "postgresql", text.strip(), flags=re.IGNORECASE))
    except (ArgumentError, ValueError):
        # Without a chain: in a URL that lacks its host, what cannot be read as a port is the password.
        raise DatabaseUrlError(
            "BILLY_DATABASE_URL is not a URL such as postgresql://user:password@host/database."
        ) from None
    if url.get_backend_name() != "postgresql":
        raise DatabaseUrlError(
            f"BILLY_DATABASE_URL names {url.get_backend_name()!r}; only PostgreSQL 13 or newer works."
        )
    if "@" in (url.host or ""):
        raise DatabaseUrlError("BILLY_DATABASE_URL has more than one @: write an @ of the password as %40.")
    if _is_transaction_pooler(url):
        raise DatabaseUrlError(
            "BILLY_DATABASE_URL names a connection pooler in transaction mode (Supabase port 6543, a Neon host with "
            "-pooler in its name, or pgbouncer=true). Advisory locks and LISTEN do not survive one. "
            "Use the direct connection, or Supabase's session pooler (port 5432)."
        )
    return url.set(drivername=DRIVER)


def _is_transaction_pooler(url: URL) -> bool:
    host = (url.host or "").lower()
    supabase = host.endswith((".supabase.com", ".supabase.co")) and url.port == 6543  # shared and dedicated pooler
    neon = host.endswith(".neon.tech") and host.partition(".")[0].endswith("-pooler")
    return supabase or neon or str(url.query.get("pgbouncer", "")).lower() == "true"


def dagster_url(url: URL) -> str:
    """The URL for Dagster's own tables: same database, schema `dagster`, nothing in `public`."""
    options = url.query.get("options", "")
    merged = f"{options if isinstance(options, str) else ' '.join(options)} -csearch_path=dagster".strip()
    return url.update_query_dict({"options": merged}).render_as_string(hide_password=False)
