"""What a job leaves for people: plan.csv, results.csv, rejected.csv, failed.csv, unprocessed.csv, report.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from billy_pipelines.bulk.context import JobContext
from billy_pipelines.bulk.verdicts import VERDICT_OF_STATUS, Verdict
from billy_pipelines.database.journal import Item
from billy_pipelines.files.table import ERROR_COLUMNS, Table, UnreadableFile, read_table
from billy_pipelines.files.writing import write_rows, write_text
from billy_pipelines.schemas.codes import masked

HIDDEN = "•••"
FIRST_REJECTS = 50
DEFAULT_DELIMITER = ";"


def verdict_of(item: Item) -> Verdict:
    """The verdict a row has if the job stays as it is now."""
    return VERDICT_OF_STATUS[item.status]


def write_plan(job: JobContext, items: Iterable[Item]) -> None:
    """`plan.csv`: what is to happen to each row, before it happens."""
    rows = [
        (
            item.line,
            item.action or item.status,
            item.natural_key,
            item.billy_id,
            _changes(item),
            item.error_code,
            item.error,
        )
        for item in items
    ]
    header = ("line", "action", "key", "billy_id", "changes", "code", "message")
    write_rows(job.folder / "plan.csv", header, rows, delimiter=_delimiter(job))


def write_results(job: JobContext) -> None:
    """All files that tell how the rows ended. Files for which there is no row are not written, or removed."""
    items = job.journal.items()
    header = ("line", "key", "verdict", "billy_id", "code", "message")
    rows = [
        (item.line, item.natural_key, verdict_of(item).value, item.billy_id, item.error_code, item.error)
        for item in items
    ]
    write_rows(job.folder / "results.csv", header, rows, delimiter=_delimiter(job))
    try:
        table = read_table(job.upload) if job.upload.exists() else None
    except UnreadableFile:
        table = None
    for verdict in (Verdict.REJECTED, Verdict.FAILED, Verdict.UNPROCESSED):
        _write_rows_to_mend(job, table, [item for item in items if verdict_of(item) is verdict], verdict)


def write_report(job: JobContext, text: str) -> None:
    """`report.md`."""
    write_text(job.folder / "report.md", text)


def _write_rows_to_mend(job: JobContext, table: Table | None, items: list[Item], verdict: Verdict) -> None:
    path = job.folder / f"{verdict.value}.csv"
    if table is None or not items:
        path.unlink(missing_ok=True)
        return
    columns = list(table.header)
    cells = table.cells.iloc[[item.item_index for item in items]].to_numpy().tolist()
    rows = []
    for item, original in zip(items, cells, strict=True):
        problems = errors_of(item)
        hidden = {problem["column"] for problem in problems if problem["code"] == "possible_cpr"}
        shown = [HIDDEN if name in hidden else cell for name, cell in zip(columns, original, strict=True)]
        rows.append([*shown, item.line, *_joined(problems)])
    write_rows(path, [*columns, *ERROR_COLUMNS], rows, delimiter=table.delimiter)


def errors_of(item: Item) -> list[dict[str, Any]]:
    """What is wrong with a row: column as in the file, value, code, message."""
    details = item.details if isinstance(item.details, list) else []
    problems = [detail for detail in details if not detail.get("warning")]
    if problems or item.error_code is None:
        return problems
    return [{"column": "", "value": "", "code": item.error_code, "message": item.error or ""}]


def _joined(problems: list[dict[str, Any]]) -> list[str]:
    return [" | ".join(str(problem[key]) for problem in problems) for key in ("column", "value", "code", "message")]


def _changes(item: Item) -> str:
    return "; ".join(f"{field}: {old or '∅'} → {new or '∅'}" for field, (old, new) in (item.changes or {}).items())


def _delimiter(job: JobContext) -> str:
    return str(job.row.source.get("delimiter") or DEFAULT_DELIMITER)


def reject_rows(job: JobContext) -> list[dict[str, Any]]:
    """The first rejected rows for the run page, with masked values (rule B23)."""
    rows = []
    for item in job.journal.items([Verdict.REJECTED])[:FIRST_REJECTS]:
        for problem in errors_of(item):
            value = str(problem["value"])
            text = str(problem["message"]).replace(value, masked(value)) if value else str(problem["message"])
            rows.append(
                {
                    "line": item.line,
                    "column": str(problem["column"]),
                    "value": masked(value),
                    "code": str(problem["code"]),
                    "message": text,
                }
            )
    return rows[:FIRST_REJECTS]


def report_text(job: JobContext, document: dict[str, Any]) -> str:
    """The report, in Markdown: whose books, how many rows ended how, why rows were refused, what to do next."""
    counts, row = document["counts"], job.row
    codes = Counter(item.error_code for item in job.journal.items([Verdict.REJECTED]) if item.error_code)
    lines = [
        f"# {row.job_id}: {row.status}",
        "",
        " · ".join(filter(None, (row.resource_type, row.operation, f"organization {row.organization}", row.message))),
        "",
    ]
    lines += [f"**{error['code']}**: {error['message']}\n" for error in row.errors[-1:] if row.status != "completed"]
    lines += ["| verdict | rows |", "|---|---:|"]
    lines += [f"| {verdict} | {number:,} |" for verdict, number in counts.items() if number or verdict == "total"]
    if row.status == "planned" and row.planned:
        lines += ["", "Planned: " + ", ".join(f"{name} {number}" for name, number in row.planned.items()) + "."]
    if codes:
        lines += ["", "| rejected because | rows |", "|---|---:|", *(f"| {c} | {n} |" for c, n in codes.most_common())]
    if row.warnings:
        lines += ["", "| warning | rows |", "|---|---:|", *(f"| {c} | {n} |" for c, n in row.warnings.items())]
    unknown = row.source.get("unknown_columns") or {}
    if unknown:
        named = ", ".join(f"{name}{f' (did you mean {near}?)' if near else ''}" for name, near in unknown.items())
        lines += ["", f"Columns not used: {named}."]
    if counts[Verdict.REJECTED]:
        lines += ["", "Mend the rows in rejected.csv and drop that file again."]
    if counts[Verdict.FAILED] or counts[Verdict.UNPROCESSED]:
        lines += ["", f"`billy retry {row.job_id}` tries failed and unprocessed rows again."]
    return "\n".join(lines) + "\n"
