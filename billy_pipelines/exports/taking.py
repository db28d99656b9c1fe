"""Taking a snapshot: one resource of one organization's books read whole from Billy and written to disk."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime

from sqlalchemy import Engine

from billy_pipelines.billy.client import BillyClient, open_client
from billy_pipelines.billy.errors import BillyError, TokenRefused
from billy_pipelines.billy.rate_limit import RateLimiter
from billy_pipelines.bulk.books import check_books
from billy_pipelines.bulk.group_commit import DatabaseThread, JournalGone
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.database.jobs import mirror_organization
from billy_pipelines.database.rate import RateRow
from billy_pipelines.exports.reading import OnProgress as OnProgress  # where others look for it
from billy_pipelines.exports.reading import Register
from billy_pipelines.exports.tables import export_of
from billy_pipelines.files.snapshots import (
    Manifest,
    Snapshot,
    SnapshotBusy,
    put_in_place,
    snapshot_folder,
    working_beside,
)
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.settings import Organization, Settings

_FULL = (errno.ENOSPC, errno.EDQUOT)


async def take_snapshot(
    settings: Settings,
    engine: Engine,
    organization_name: str,
    resource_name: str,
    day: date,
    *,
    on_progress: OnProgress | None = None,
) -> Snapshot:
    """Read one resource whole and write it as the snapshot of a day, replacing that day's earlier one.

    `day` names the folder and is not checked here: an old day is never filled with today's data, which is up to the
    caller, who knows what a day is to him.

    Raises:
        Halted: `wrong_organization`, `token_refused`, `billy_unavailable`, `database_gone`, `disk_full`,
            `cannot_write`, `snapshot_busy`; nothing was written, and the last good snapshot is as it was.
        SettingsError: no such organization, or no token.
    """
    organization = settings.organization(organization_name)
    resource = RESOURCES[resource_name]
    folder = snapshot_folder(settings, organization.name, resource.name, day)
    began, taken_at = time.monotonic(), datetime.now(UTC).replace(microsecond=0)
    try:
        with working_beside(folder) as beside:
            async with _talk(settings, engine, organization) as (client, thread):
                company = await check_books(settings, engine, organization, client, thread.run)
                references = await export_of(resource).references(client, organization)
                register = Register(client, resource, references, beside / "readings", on_progress)
                writer = await register.read()
            about = Manifest(
                organization=organization.name,
                billy_organization_id=company.id,
                company_name=company.name or company.id,
                resource=resource.name,
                day=day,
                taken_at=taken_at,
                requests=client.requests,
                seconds=round(time.monotonic() - began, 3),
                passes=register.readings,
                unread_children=register.unread_children,
            )
            manifest = await asyncio.to_thread(writer.seal, about)
            put_in_place(writer.folder, folder)
    except TokenRefused as error:
        raise Halted(
            "token_refused",
            f"{error}. Check {organization.token_variable}, the access token of {organization.name}.",
        ) from error
    except JournalGone as error:
        raise Halted("database_gone", f"{error}. Start it again.") from error
    except BillyError as error:
        raise Halted("billy_unavailable", f"{error} Wait until Billy answers again.") from error
    except SnapshotBusy as error:
        raise Halted("snapshot_busy", f"{error} Wait for it to end.") from error
    except OSError as error:
        if error.errno in _FULL:
            text = f"The disk of {settings.data_dir} is full. Make room; the last good snapshot is as it was."
            raise Halted("disk_full", text) from error
        text = f"The snapshot cannot be written to {folder}: {error.strerror}. The last good one is as it was."
        raise Halted("cannot_write", text) from error
    return Snapshot(folder, manifest)


@asynccontextmanager
async def _talk(
    settings: Settings, engine: Engine, organization: Organization
) -> AsyncIterator[tuple[BillyClient, DatabaseThread]]:
    """A client that leaves the shared rate to imports, which somebody waits for."""
    thread = DatabaseThread()
    try:
        await thread.run(lambda: _on_record(engine, organization.name))  # the rate's row is its row
        budget = RateRow(engine, organization.name, settings.rate_ceiling(organization), background=True)
        limiter = RateLimiter(budget, thread.run)
        async with open_client(settings.api_url, settings.token(organization), limiter) as client:
            yield client, thread
    finally:
        # Off the loop: it may be waiting out an outage.
        await asyncio.to_thread(thread.close)


def _on_record(engine: Engine, name: str) -> None:
    with engine.begin() as connection:
        mirror_organization(connection, name)
