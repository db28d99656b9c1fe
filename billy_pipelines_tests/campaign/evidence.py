"""What is on record after a turn: Billy's ledger, request log and books, the journal of every job, its result files."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from billy_pipelines.bulk.context import job_folder
from billy_pipelines.database.items import Item
from billy_pipelines.database.jobs import JobRow, list_jobs
from billy_pipelines.database.journal import Journal
from billy_pipelines.sandbox import Change, RequestEntry, Sandbox
from billy_pipelines.sandbox.state import IN_PROCESS
from billy_pipelines.settings import Settings
from billy_pipelines_tests.campaign.shapes import History, Values

Line = dict[str, str]
TO_MEND = ("rejected", "failed", "unprocessed")
KEPT_BOOKS = ("contacts", "contactPersons", "products", "productPrices", "invoices", "invoiceLines")
UNDONE = frozenset({"undone", "undone_partly"})
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
    cut_short: bool = False
    """Whether it was taken back before its end: then it has no end of its own any more."""


@dataclass(frozen=True)
class UndoJobSeen:
    """One undo job as database and folder tell of it."""

    row: JobRow
    items: Sequence[Item]
    ended: bool
    lines: Sequence[Line] = ()
    """undo.csv."""


@dataclass(frozen=True)
class Asked:
    """The undo of a history as it goes: which job is taken back, and which of Billy's ledger falls into its time."""

    job_id: str
    early: bool
    began: datetime
    since: int
    """Entries of the ledger before it."""
    until: int | None = None
    """Entries of the ledger at its end."""
    over: bool = False
    """Whether it was taken to its end, without faults at last."""


@dataclass(frozen=True)
class UndoSeen:
    """An undo under way or just over."""

    asked: Asked
    changes: frozenset[int]
    """Sequence numbers of what it changed in Billy."""
    jobs: Sequence[UndoJobSeen]
    """All undo jobs of the job, oldest first."""
    lines: Sequence[Line] = ()
    """undo.csv in the folder of the job that is taken back: of all its undos."""


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
    opening: Mapping[str, Values] = field(default_factory=dict)
    """Id -> record, of the books before."""
    added: Mapping[str, Values] = field(default_factory=dict)
    """Id -> record that a person made since, as it was then."""
    undo: UndoSeen | None = None


def gather(
    history: History,
    settings: Settings,
    engine: Engine,
    sandbox: Sandbox,
    *,
    silences: Sequence[Silence] = (),
    final: bool = False,
    opening: Mapping[str, Values] | None = None,
    added: Mapping[str, Values] | None = None,
    asked: Asked | None = None,
) -> Evidence:
    """Look everything up while no process is at work."""
    # The journals first: what Billy still commits late belongs to rows that were marked before.
    rows = list_jobs(engine, limit=100)
    jobs = [_seen(history, settings, engine, row, asked) for row in rows if row.undoes is None]
    undos = [_undo_seen(settings, engine, row) for row in reversed(rows) if row.undoes is not None]
    with sandbox.lock:
        ledger, requests = list(sandbox.ledger), list(sandbox.requests)
        books = {plural: {str(r["id"]): dict(r) for r in sandbox.records(plural)} for plural in KEPT_BOOKS}
    undo = None
    if asked is not None:
        lines = _lines(job_folder(settings, asked.job_id) / "undo.csv")
        undo = UndoSeen(asked, _of_undo(history, asked, ledger, requests), undos, lines)
    return Evidence(
        history, ledger, requests, books, jobs, tuple(silences), final, opening or {}, dict(added or {}), undo
    )


def _of_undo(
    history: History, asked: Asked, ledger: Sequence[Change], requests: Sequence[RequestEntry]
) -> frozenset[int]:
    """What came through the API meanwhile, but for what a killed process of the job itself still had on its way: a slow
    Billy commits that a little later, and an undo has to read from the same Billy before it writes."""
    slowest = float(str(history.switches.get("latency") or 0).split("-")[-1])
    earlier = {each.request_id for each in requests if datetime.fromisoformat(each.time) < asked.began}
    return frozenset(
        change.sequence
        for change in ledger[asked.since : asked.until]
        if change.request_id != IN_PROCESS
        and change.request_id not in earlier
        and datetime.fromisoformat(change.time) >= asked.began + timedelta(seconds=slowest)
    )


def _undo_seen(settings: Settings, engine: Engine, row: JobRow) -> UndoJobSeen:
    ended = row.completed_at is not None and row.status in ENDED
    lines = _lines(job_folder(settings, row.job_id) / "undo.csv")
    return UndoJobSeen(row, Journal(engine, row.job_id).items(), ended, lines)


def _seen(history: History, settings: Settings, engine: Engine, row: JobRow, asked: Asked | None) -> JobSeen:
    folder = job_folder(settings, row.job_id)
    number = next(n for n, file in enumerate(history.files) if file.name == row.upload_name)
    cut_short = asked is not None and asked.early and row.job_id == asked.job_id and row.status not in ENDED
    ended = row.completed_at is not None and row.status in ENDED | UNDONE and not cut_short
    return JobSeen(
        number,
        row,
        Journal(engine, row.job_id).items(),
        ended,
        _lines(folder / "results.csv"),
        _lines(folder / "plan.csv"),
        {name: _lines(folder / f"{name}.csv") for name in TO_MEND},
        cut_short,
    )


def _lines(path: Path) -> list[Line]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))
