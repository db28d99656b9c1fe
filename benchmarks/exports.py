"""Files out of a snapshot of 100,000 customers, and a snapshot of 50,000 contacts beside a bare loop over the pages.

The sandbox and the taking of snapshots run in processes of their own, so that neither waits for the other's Python.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy import text

from benchmarks.place import engine_in
from billy_pipelines.billy.models import Contact
from billy_pipelines.exports.exporting import export_file
from billy_pipelines.exports.tables import batches_of, schemas_of
from billy_pipelines.exports.taking import take_snapshot
from billy_pipelines.files.snapshots import (
    Manifest,
    Snapshot,
    SnapshotWriter,
    put_in_place,
    snapshot_folder,
    working_beside,
)
from billy_pipelines.sandbox import made_up_contacts
from billy_pipelines.schemas.contact_requests import INCLUDE_PERSONS
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.settings import Settings
from billy_pipelines_tests.support import open_client_for

LATENCY = "0.2-0.4"
"""Seconds an answer takes, as observed at Billy."""
CACHED = 100_000
LIVE, FEW = 50_000, 25_000
CSV_ROWS, XLSX_ROWS, SLOWER, MORE_MB = 200_000, 8_000, 1.10, 32.0
DAY = date(2026, 11, 25)

Figures = Iterator[tuple[str, float, str, str, bool]]


def measure(folder: Path) -> Figures:
    """Rows a second from cache; live, the time beside that of the requests alone, and the memory."""
    snapshot = _cached(folder / "cached")
    for form, locale, promised in (
        ("csv", "da", CSV_ROWS),
        ("csv", "en", CSV_ROWS),
        ("xlsx", "da", XLSX_ROWS),
        ("json", "da", 0),
        ("parquet", "da", 0),
    ):
        done = [export_file(snapshot, format=form, locale=locale, out=folder / f"ud.{form}") for _ in range(3)]
        speed = CACHED / min(each.seconds for each in done)
        said = f"at least {promised:,} rows/s" if promised else ""
        yield f"{CACHED:,} customers from cache to {form} ({locale})", speed, "rows/s", said, speed >= promised

    few, _, _ = _live(folder / "few", FEW)
    many, taken, bare = _live(folder / "many", LIVE)
    yield f"{LIVE:,} contacts, a bare loop over the pages", bare, "s", "", True
    yield f"{LIVE:,} contacts, the snapshot", taken, "s", f"at most {SLOWER:.2f} of it", taken <= bare * SLOWER
    growth = many - few
    what = f"memory that {LIVE - FEW:,} more contacts take at the most"
    yield what, growth, "MB", f"under {MORE_MB:g} MB", growth < MORE_MB


def _cached(folder: Path) -> Snapshot:
    """A snapshot of made-up customers."""
    customers = RESOURCES["customers"]
    schemas = schemas_of(customers)
    place = snapshot_folder(Settings(data_dir=folder), "default", "customers", DAY)
    about = Manifest(
        organization="default",
        billy_organization_id="org0000000000000000001",
        company_name="Prøveselskab",
        resource="customers",
        day=DAY,
        taken_at=datetime.now(UTC).replace(microsecond=0),
    )
    with working_beside(place) as beside:
        writer = SnapshotWriter(beside, schemas)
        records = []
        for number, raw in enumerate(made_up_contacts(CACHED, 1)):
            persons = [{"id": f"per{number:019d}", **person} for person in raw["contactPersons"]]
            records.append(Contact.model_validate({**raw, "id": f"ctc{number:019d}", "contactPersons": persons}))
            if len(records) == 1000:
                for name, batch in batches_of(customers, schemas, records, None).items():
                    writer.add(name, batch)
                records = []
        manifest = writer.seal(about)
        put_in_place(beside, place)
    return Snapshot(place, manifest)


@dataclass(frozen=True)
class _Server:
    """What a client needs to know of the sandbox; it can be sent to another process."""

    url: str
    token: str


def _live(folder: Path, contacts: int) -> tuple[float, float, float]:
    """Peak memory in MB of a process that takes a snapshot, its seconds, and those of a bare loop over the pages."""
    # A process for each, since the memory one has held at the most is never given back.
    with _sandbox(contacts) as server, multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as process:
        bare = process.apply(_bare_seconds, (server, contacts))
        before, taken, peak = process.apply(_taken, (folder, server, contacts))
        return peak - before, taken, bare


@contextmanager
def _sandbox(contacts: int) -> Iterator[_Server]:
    command = [sys.executable, "-m", "billy_pipelines.cli", "sandbox", "--json", "--port", "0", "--latency", LATENCY]
    process = subprocess.Popen([*command, "--contacts", str(contacts)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield _Server(told["url"], told["token"])
    finally:
        process.terminate()
        process.wait()


def _bare_seconds(server: _Server, contacts: int) -> float:
    return asyncio.run(_bare_loop(server, contacts))


async def _bare_loop(server: _Server, contacts: int) -> float:
    """Every page, one after the other; the records are counted and not looked at."""
    async with open_client_for(server) as client:
        began = time.perf_counter()
        count = 0
        for number in range(1, contacts // 1000 + 1):
            query: dict[str, str | int] = {"include": INCLUDE_PERSONS, "page": number, "pageSize": 1000}
            count += len((await client.page("contacts", query)).records)
        assert count == contacts
        return time.perf_counter() - began


def _taken(folder: Path, server: _Server, contacts: int) -> tuple[float, float, float]:
    """Memory before, seconds, memory at its peak."""
    with engine_in(folder, server, requests_per_second=500) as (settings, engine):
        with engine.begin() as connection:  # the rate starts at 2/s on purpose
            connection.execute(
                text(
                    "INSERT INTO billy.billy_organizations (name, rate, rate_changed_at) VALUES ('default', 500, now())"
                )
            )
        before = _peak()
        began = time.perf_counter()
        snapshot = asyncio.run(take_snapshot(settings, engine, "default", "contacts", DAY))
        seconds = time.perf_counter() - began
        assert snapshot.manifest.records == contacts
        return before, seconds, _peak()


def _peak() -> float:
    """The most memory this process has held, in MB; on Linux not `ru_maxrss`, which a child takes over."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(float(line.split()[1]) / 1024 for line in status.read_text().splitlines() if "VmHWM" in line)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
