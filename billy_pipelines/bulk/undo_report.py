"""What an undo leaves for people: undo.csv, row by row; credit_notes.csv, for what can only be credited; report.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from billy_pipelines.bulk.context import JobContext, load_job
from billy_pipelines.bulk.undo_rules import Task
from billy_pipelines.bulk.verdicts import CREATE, IN_DOUBT, PLANNED, VERDICT_OF_STATUS, State, UndoVerdict
from billy_pipelines.database.items import Item
from billy_pipelines.database.undoing import TakenBack, changed_rows, taken_back
from billy_pipelines.files.writing import write_rows, write_text
from billy_pipelines.schemas.codes import sentence
from billy_pipelines.schemas.invoice_undo import CREDITABLE
from billy_pipelines.schemas.resource import COPENHAGEN
from billy_pipelines.schemas.undoing import Image

UNDO_FILE = "undo.csv"
CREDIT_NOTES = "credit_notes.csv"
HEADER = ("line", "key", "did", "verdict", "billy_id", "new_id", "code", "message")
DID = {CREATE: "created", "update": "updated", "archive": "archived", "delete": "deleted", "": "not known"}
WOULD = {"delete": "would be deleted", "update": "would be restored", CREATE: "would be made again"}


def write_undo(job: JobContext, document: dict[str, Any]) -> None:
    """The files of an undo job; those in the folder of the job that is taken back tell of all its undos."""
    items = job.journal.items()
    own = {item.item_index: item.item_data for item in items}
    tasks = {i.item_index: Task.read(own[i.item_index if i.leader_index is None else i.leader_index]) for i in items}
    rows = [_row(job, item, tasks[item.item_index]) for item in sorted(items, key=lambda item: item.line)]
    write_rows(job.folder / UNDO_FILE, HEADER, rows)
    if not job.options.dry_run:
        target = load_job(job.settings, job.engine, job.row.undoes or "")
        if target.folder.is_dir():  # old jobs' folders are removed one day
            write_rows(target.folder / UNDO_FILE, HEADER, _rows_of_target(target))
    _write_credit_notes(job, _kept_invoices(items))
    write_text(job.folder / "report.md", report_text(job, document, items))


def _row(job: JobContext, item: Item, task: Task) -> tuple[object, ...]:
    new_id = item.billy_id if item.action == CREATE else None
    code, message = item.error_code, item.error
    if item.status in IN_DOUBT and code is None:
        code = "outcome_unknown"
        message = sentence("not_settled", job.options.language, message="the job ended before Billy answered")
    verdict: str = VERDICT_OF_STATUS[item.status]
    if item.status == PLANNED and job.row.status == State.PLANNED:
        verdict = WOULD[item.action or ""]
    return (item.line, item.natural_key, DID[task.did], verdict, task.billy_id, new_id, code, message)


def _rows_of_target(target: JobContext) -> Iterable[tuple[object, ...]]:
    back = taken_back(target.engine, target.job_id)
    for row in sorted(changed_rows(target.engine, target.job_id), key=lambda row: row.line):
        done = back.get(row.item_index) or TakenBack("unprocessed", None, None, None, None)
        verdict = VERDICT_OF_STATUS[done.status]
        new_id = done.billy_id if done.action == CREATE else None
        did = DID[Task.of_row(row).did]
        yield (row.line, row.natural_key, did, verdict, row.billy_id, new_id, done.error_code, done.error)


# -- credit notes ------------------------------------------------------------------------------------------------------


def _kept_invoices(items: list[Item]) -> list[Image]:
    """Those that stay and can only be credited, as they are in Billy, in the order of the file."""
    kept = [i for i in items if i.leader_index is None and i.status == UndoVerdict.KEPT and i.error_code in CREDITABLE]
    return [item.before_image or {} for item in sorted(kept, key=lambda item: item.line)]


def _write_credit_notes(job: JobContext, invoices: list[Image]) -> None:
    """For invoices that stay: rows that would credit them, to be dropped into invoices/import. Never sent from here."""
    folders = [job.folder]
    if not job.options.dry_run:
        folders.append(load_job(job.settings, job.engine, job.row.undoes or "").folder)
    credit = job.resource.undo.credit_note
    day = datetime.now(COPENHAGEN).date().isoformat()
    rows = [row for invoice in invoices for row in credit(invoice, day)] if credit else []
    for folder in folders:
        path = folder / CREDIT_NOTES
        beside = path.with_name(f"{CREDIT_NOTES}.options.yaml")
        if not rows:
            for each in (path, beside):
                each.unlink(missing_ok=True)
        elif folder.is_dir():
            _write(path, beside, rows)


def _write(path: Path, beside: Path, rows: list[dict[str, str]]) -> None:
    header = list(dict.fromkeys(name for row in rows for name in row))
    write_rows(path, header, [[row.get(name, "") for name in header] for row in rows])
    write_text(beside, yaml.safe_dump({"decimal": "point"}))  # 125.125 alone could be either


# -- the report --------------------------------------------------------------------------------------------------------


def report_text(job: JobContext, document: dict[str, Any], items: list[Item]) -> str:
    """The report, in Markdown: how many rows ended how, why some stay, what to do next."""
    row, counts = job.row, document["counts"]
    lines = [
        f"# {row.job_id}: {row.status}",
        "",
        " · ".join(filter(None, (f"takes back {row.undoes}", f"organization {row.organization}", row.message))),
        "",
    ]
    lines += [f"**{error['code']}**: {error['message']}\n" for error in row.errors[-1:] if row.status == State.FAILED]
    lines += [
        "| verdict | rows |",
        "|---|---:|",
        *(f"| {verdict} | {number:,} |" for verdict, number in counts.items()),
    ]
    if row.status == State.PLANNED:
        would = {"delete": "delete", "update": "restore", CREATE: "make again"}
        lines += ["", "Would " + ", ".join(f"{word} {row.planned.get(name, 0)}" for name, word in would.items()) + "."]
    codes = Counter(i.error_code for i in items if i.error_code and i.status != UndoVerdict.REVERSED)
    if codes:
        lines += ["", "| stays because | rows |", "|---|---:|", *(f"| {c} | {n} |" for c, n in codes.most_common())]
    if (job.folder / CREDIT_NOTES).exists():
        lines += ["", "credit_notes.csv credits the invoices that stay: look at it, then drop it into invoices/import."]
    if counts["failed"] or counts["unprocessed"]:
        lines += ["", f"`billy retry {row.job_id}` tries what failed, was kept, or was not reached, again."]
    return "\n".join(lines) + "\n"
