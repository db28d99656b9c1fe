"""What is on record after a turn: Billy's ledger, request log and books, the journal of every job, its result files."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from billy_pipelines.bulk.context import job_folder
from billy_pipelines.database.jobs import JobRow, list_jobs
from billy_pipelines.database.journal import Item, Journal
from billy_pipelines.sandbox import Change, RequestEntry, Sandbox
from billy_pipelines.settings import Settings
from billy_pipelines_tests.campaign.shapes import History, Values

Line = dict[str, str]
TO_MEND = ("rejected", "failed", "unprocessed")
KEPT_BOOKS = ("contacts", "contactPersons", "products", "productPrices", "invoices", "invoiceLines")
ENDED = frozenset({"completed", "completed_with_errors", "failed", "cancelled", "interrupted"})


@dataclass(frozen=True)
class JobSeen:
    """One job as database and folder tell of it."""

    file: int
    """Which of the history's files it is of."""
    row: JobRow
    items: Sequence[Item]
    ended: bool
    """Whether counts and result files are those of an end, and have to agree with the journal."""
    results: Sequence[Line] = ()
    plan: Sequence[Line] = ()
    to_mend: Mapping[str, Sequence[Line]] = field(default_factory=dict)


@dataclass(frozen=True)
class Silence:
    """A time in which nothing may have reached Billy."""

    since: datetime
    until: datetime
    why: str


@dataclass(frozen=True)
class Evidence:
    """Everything the checker looks at."""

    history: History
    changes: Sequence[Change]
    requests: Sequence[RequestEntry]
    books: Mapping[str, Mapping[str, Values]]
    """Plural -> id -> record, as Billy holds them now."""
    jobs: Sequence[JobSeen]
    silences: Sequence[Silence] = ()
    final: bool = False
    """Whether all is over: faults off, every job at its end."""


def gather(
    history: History,
    settings: Settings,
    engine: Engine,
    sandbox: Sandbox,
    *,
    silences: Sequence[Silence] = (),
    final: bool = False,
) -> Evidence:
    """Look everything up while no process is at work."""
    # The journals first: what Billy still commits late belongs to rows that were marked before.
    jobs = [_seen(history, settings, engine, row) for row in list_jobs(engine, limit=100)]
    with sandbox.lock:
        books = {plural: {str(r["id"]): dict(r) for r in sandbox.records(plural)} for plural in KEPT_BOOKS}
        return Evidence(history, list(sandbox.ledger), list(sandbox.requests), books, jobs, tuple(silences), final)


def _seen(history: History, settings: Settings, engine: Engine, row: JobRow) -> JobSeen:
    folder = job_folder(settings, row.job_id)
    number = next(n for n, file in enumerate(history.files) if file.name == row.upload_name)
    ended = row.completed_at is not None and row.status in ENDED
    return JobSeen(
        number,
        row,
        Journal(engine, row.job_id).items(),
        ended,
        _lines(folder / "results.csv"),
        _lines(folder / "plan.csv"),
        {name: _lines(folder / f"{name}.csv") for name in TO_MEND},
    )


def _lines(path: Path) -> list[Line]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))
