"""10,000 rows read, validated and planned, beside the requests themselves: an import against 10,000 present contacts,
one that updates against 50,000.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from benchmarks.place import engine_in
from billy_pipelines.bulk import lifecycle
from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.execution import Execution
from billy_pipelines.bulk.plan_report import write_plan
from billy_pipelines.bulk.progress import Progress
from billy_pipelines.bulk.reading import check_job_rows, read_job_upload
from billy_pipelines.database.locks import Lease
from billy_pipelines.sandbox import SandboxServer, made_up_contacts
from billy_pipelines.schemas.contact_requests import INCLUDE_PERSONS
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, take_in
from billy_pipelines_tests.support import open_client_for

ROWS = 10_000
REGISTER = 50_000
PROMISED, PROMISED_LARGE = 5.0, 10.0
MOST_REQUESTS = 60

Figures = Iterator[tuple[str, float, str, str, bool]]


def measure(folder: Path) -> Figures:
    """Half of the rows are in Billy already. The listing is timed by itself and taken off the plan's time."""
    contacts = list(made_up_contacts(REGISTER, 1))
    with SandboxServer() as sandbox, engine_in(folder, sandbox, requests_per_second=500) as (settings, engine):
        sandbox.sandbox.add_contacts(contacts[:ROWS])
        file = customers_csv(folder / "kunder.csv", _rows(contacts))
        checked, planned, listing, _ = _measured(settings, engine, sandbox, file)
        own = checked + planned - listing
        yield "read and validated", checked, "s", "", True
        yield "requests of the listing", listing, "s", "", True
        yield "read, validated and planned beside the requests", own, "s", f"under {PROMISED:g} s", own < PROMISED

        sandbox.sandbox.add_contacts(contacts[ROWS:])
        file = customers_csv(folder / "rettelser.csv", _changes(contacts))
        checked, planned, listing, requests = _measured(settings, engine, sandbox, file, on_existing="update")
        own, what = checked + planned - listing, f"with on_existing: update, against {REGISTER:,} contacts"
        yield f"requests of the listing, {what}", listing, "s", "", True
        yield (
            f"read, validated and planned beside them, {what}",
            own,
            "s",
            f"under {PROMISED_LARGE:g} s",
            (own < PROMISED_LARGE),
        )
        yield "how many requests", requests, "", f"at most {MOST_REQUESTS}", requests <= MOST_REQUESTS


def _rows(contacts: list[dict[str, Any]]) -> list[dict[str, str]]:
    rows = [{"name": str(c["name"]), "email": f"post{n}@kunde.example"} for n, c in enumerate(contacts[: ROWS // 2])]
    return rows + [{"name": f"Helt ny kunde {n} A/S", "email": f"ny{n}@kunde.example"} for n in range(ROWS - len(rows))]


def _changes(contacts: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Every tenth contact with another address, town and e-mail, and as many new ones."""
    known = [
        {"contactNo": contact["contactNo"], "name": contact["name"], "phone": contact["phone"]}
        for contact in contacts[:: 2 * REGISTER // ROWS]
    ]
    new = [{"contactNo": str(900_000 + n), "name": f"Helt ny kunde {n} A/S", "phone": ""} for n in range(len(known))]
    return [
        {**row, "address": f"Nyvej {n}", "city": "Ry", "email": f"ny{n}@kunde.example"}
        for n, row in enumerate([*known, *new])
    ]


def _measured(
    settings: Settings, engine: Engine, sandbox: SandboxServer, file: Path, **options: Any
) -> tuple[float, float, float, int]:
    """Seconds to read and validate, to plan, and of the plan's requests alone; and how many those were."""
    job_id = take_in(settings, engine, file, max_error_rate=1.0, **options).job.job_id
    with Lease(engine, job_id) as lease:
        lease.take_job()
        job = lifecycle.begin(load_job(settings, engine, job_id), "benchmark")
        began = time.perf_counter()
        check_job_rows(job, read_job_upload(job))
        checked = time.perf_counter() - began
        execution = Execution(load_job(settings, engine, job_id), lease, Progress(total=ROWS))
        before = len(sandbox.sandbox.requests)
        began = time.perf_counter()
        asyncio.run(execution.plan(asyncio.Event()))
        write_plan(job, job.journal.items())
        planned = time.perf_counter() - began
        requests = len(sandbox.sandbox.requests) - before
    assert execution.progress.to_send >= ROWS // 2
    return checked, planned, asyncio.run(_listing_seconds(sandbox)), requests


async def _listing_seconds(sandbox: SandboxServer) -> float:
    """What the requests take and nothing else: the records are not looked at."""
    query: dict[str, str | int] = {"include": INCLUDE_PERSONS}
    async with open_client_for(sandbox) as client:
        began = time.perf_counter()
        await client.organization()
        await client.list("contacts", query)
        await client.first_page("contacts", {**query, "isArchived": "true"})
        return time.perf_counter() - began
