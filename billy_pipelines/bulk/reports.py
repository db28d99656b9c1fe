"""What a job leaves for people: results.csv, rejected.csv, failed.csv, unprocessed.csv, report.md."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from billy_pipelines.bulk.approval_report import approval_lines
from billy_pipelines.bulk.context import JobContext
from billy_pipelines.bulk.mending import RowToMend, write_rows_to_mend
from billy_pipelines.bulk.options import READING_FIELDS, approves
from billy_pipelines.bulk.placeholders import part_name
from billy_pipelines.bulk.planning import FROM_FILE
from billy_pipelines.bulk.reading import limits_of, read_rows, sha256_of
from billy_pipelines.bulk.verdicts import APPROVE, CREATE, IN_DOUBT, VERDICT_OF_STATUS, State, UndoVerdict, Verdict
from billy_pipelines.database.items import Item
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.files.table import Table, UnreadableFile
from billy_pipelines.files.writing import write_rows, write_text
from billy_pipelines.schemas.codes import masked, sentence
from billy_pipelines.schemas.reading_options import Stated
from billy_pipelines.schemas.row_schema import NUMERIC

FIRST_REJECTS = 50
FIRST_SET_ASIDE = 10
REPEATING = frozenset({"mojibake", "text_repaired"})
"""Codes whose sentence repeats the value in another form, which masking the value does not hide."""
DEFAULT_DELIMITER = ";"


def verdict_of(item: Item) -> Verdict | UndoVerdict:
    """The verdict a row has if the job stays as it is now."""
    return VERDICT_OF_STATUS[item.status]


def table_of(job: JobContext) -> Table | None:
    """The upload as a table; None when it is gone, has changed since it was taken, or cannot be read."""
    try:
        if sha256_of(job.upload) != job.row.upload_sha256:
            return None
        return read_rows(job.upload, job.resource.schema, job.options, limits_of(job.settings))
    except (OSError, UnreadableFile):
        return None


def write_results(job: JobContext, table: Table | None) -> None:
    """All files that tell how the rows ended; `table` is the upload. Files without rows are not written, or removed."""
    items = _every_row(job, table)
    header = ("line", "key", "verdict", "billy_id", "code", "message", "warnings")
    more, more_of = _of_invoices(job)
    rows = [
        (
            *(item.line, item.natural_key, verdict_of(item).value, item.billy_id, *_reason(item)),
            *(_warnings(job, item), *more_of(item)),
        )
        for item in items
    ]
    write_rows(job.folder / "results.csv", (*header, *more), rows, delimiter=_delimiter(job))
    for verdict in (Verdict.REJECTED, Verdict.FAILED, Verdict.UNPROCESSED):
        path = job.folder / f"{verdict.value}.csv"
        if table is None:
            path.unlink(missing_ok=True)
            continue
        wanted = [
            RowToMend(i.item_index, i.line, errors_of(job, i))
            for i in items
            if verdict_of(i) is verdict and not _is_made(i)
        ]
        constants = _constants(job)
        write_rows_to_mend(path, table, wanted, numeric=_numeric_columns(job), constants=constants)
        _write_options(job, path, constants if wanted else None)


def _is_made(item: Item) -> bool:
    """Whether a row has failed although its record was made: dropped again, the row would make another one."""
    return item.action in (CREATE, APPROVE) and bool(item.billy_id)


def _of_invoices(job: JobContext) -> tuple[tuple[str, ...], Callable[[Item], tuple[str | None, ...]]]:
    """More columns for invoices that were made: their number and state in Billy as last seen; none for other jobs."""
    if not approves(job.row.resource_type, job.row.operation):
        return (), lambda _item: ()
    seen = job.journal.after_values("invoiceNo", "state")

    def of(item: Item) -> tuple[str | None, ...]:
        return seen.get(item.item_index if item.leader_index is None else item.leader_index, (None, None))

    return ("invoice_no", "state"), of


def _numeric_columns(job: JobContext) -> set[str]:
    """The columns of the file that hold numbers."""
    columns = job.row.source.get("columns") or {}
    return {columns[c.name] for c in job.resource.columns if c.kind in NUMERIC and c.name in columns}


def _constants(job: JobContext) -> dict[str, str]:
    """Fields that got their value from an option: the rows must keep it wherever they are dropped again."""
    options, fields = job.options, job.resource.schema.fields
    constants = dict(options.set)
    if "taxMode" in fields and options.prices_include_vat is not Stated.unknown:
        constants.setdefault("taxMode", "incl" if options.prices_include_vat is Stated.true else "excl")
    taken = job.row.source.get("columns") or {}
    return {name: value for name, value in constants.items() if taken.get(name, name) == name}


def _write_options(job: JobContext, path: Path, constants: dict[str, str] | None) -> None:
    """How the file was read, beside the rows to mend: `<file>.options.yaml` holds when both are dropped together."""
    beside = path.with_name(f"{path.name}.options.yaml")
    chosen = job.options.model_dump(mode="json", include=set(READING_FIELDS), exclude_defaults=True)
    # Of the file that was dropped; what is written here is CSV, with its header in the first line.
    for name in ("encoding", "delimiter", "sheet", "header_line", "set"):
        chosen.pop(name, None)
    if "taxMode" in (constants or {}):
        chosen.pop("prices_include_vat", None)
    if constants is None or not chosen:
        beside.unlink(missing_ok=True)
    else:
        write_text(beside, yaml.safe_dump(chosen, allow_unicode=True, sort_keys=True))


def _every_row(job: JobContext, table: Table | None) -> list[Item]:
    """The journal, and the rows of the file that never reached it because the job ended before."""
    items = job.journal.items(brief=True)
    known = {item.item_index for item in items}
    lines = table.lines if table else []
    left = [_unread(index, line) for index, line in enumerate(lines) if index not in known]
    return sorted([*items, *left], key=lambda item: item.item_index)


def _unread(index: int, line: int) -> Item:
    return Item(
        item_index=index,
        line=line,
        item_data=None,
        status=Verdict.UNPROCESSED,
        action=None,
        natural_key=None,
        changes=None,
        before_image=None,
        billy_id=None,
        attempts=0,
        error_code=None,
        error=None,
        details=None,
    )


def write_report(job: JobContext, text: str) -> None:
    """`report.md`."""
    write_text(job.folder / "report.md", text)


def errors_of(job: JobContext, item: Item) -> list[dict[str, Any]]:
    """What is wrong with a row: column as in the file, value, code, message."""
    problems = [detail for detail in _details(job, item) if not detail.get("warning")]
    code, message = _reason(item)
    if problems or code is None:
        return problems
    return [{"column": "", "value": "", "code": code, "message": message or ""}]


def _details(job: JobContext, item: Item) -> list[dict[str, Any]]:
    """A row's problems and warnings. The plan knows fields; people know the columns of their file."""
    columns = job.row.source.get("columns") or {}
    details = item.details if isinstance(item.details, list) else []
    return [
        detail
        if detail.get("stage") == FROM_FILE
        else {**detail, "column": columns.get(detail["column"], "")}
        if detail["column"] in columns
        else detail
        for detail in details
    ]


def _reason(item: Item) -> tuple[str | None, str | None]:
    """Code and message of a row; one that was cut off while its request was out has none of its own."""
    if item.error_code is None and item.status in IN_DOUBT:
        return "outcome_unknown", sentence("not_settled", message="the job ended before Billy answered")
    if item.error_code is None and verdict_of(item) is Verdict.UNPROCESSED:
        return None, f"not carried out: {item.action}" if item.action else "the job ended before this row's turn"
    return item.error_code, item.error


def _warnings(job: JobContext, item: Item) -> str:
    found = [detail for detail in _details(job, item) if detail.get("warning")]
    return " | ".join(f"{detail['column']}: {detail['message']}".removeprefix(": ") for detail in found)


def _delimiter(job: JobContext) -> str:
    return str(job.row.source.get("delimiter") or DEFAULT_DELIMITER)


def reject_rows(job: JobContext) -> list[dict[str, Any]]:
    """The first rejected rows for the run page, with masked values (rule B23)."""
    rows = []
    for item in job.journal.items([Verdict.REJECTED], brief=True)[:FIRST_REJECTS]:
        for problem in errors_of(job, item):
            value, text = str(problem["value"]), str(problem["message"])
            if str(problem["code"]) in REPEATING or value.startswith("["):
                text = "rejected.csv says more"
            elif value:
                text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", lambda _: masked(value), text)  # noqa: B023
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


def _as_code(name: str) -> str:
    """Text from a file in Markdown that a browser will show: nothing in it is a link or an image."""
    return f"`{' '.join(name.replace('`', ' ').split())[:60]}`"


def report_text(job: JobContext, document: dict[str, Any]) -> str:
    """The report, in Markdown: whose books, how many rows ended how, why rows were refused, what to do next."""
    counts, row = document["counts"], job.row
    codes = Counter(item.error_code for item in job.journal.items([Verdict.REJECTED], brief=True) if item.error_code)
    lines = [
        f"# {row.job_id}: {row.status}",
        "",
        " · ".join(filter(None, (row.resource_type, row.operation, f"organization {row.organization}", row.message))),
        "",
    ]
    lines += [f"**{error['code']}**: {error['message']}\n" for error in row.errors[-1:] if row.status == State.FAILED]
    lines += ["| verdict | rows |", "|---|---:|"]
    lines += [f"| {verdict} | {number:,} |" for verdict, number in counts.items() if number or verdict == "total"]
    if row.status == "planned" and row.planned:
        lines += ["", "Planned: " + ", ".join(f"{name} {number}" for name, number in row.planned.items()) + "."]
    lines += on_the_way(row)
    if codes:
        lines += ["", "| rejected because | rows |", "|---|---:|", *(f"| {c} | {n} |" for c, n in codes.most_common())]
    if row.warnings:
        lines += ["", "| warning | rows |", "|---|---:|", *(f"| {c} | {n} |" for c, n in row.warnings.items())]
    lines += approval_lines(job)
    lines += understanding(row.source)
    if counts[Verdict.REJECTED]:
        lines += ["", "Mend the rows in rejected.csv and drop that file again."]
    if counts[Verdict.FAILED] or counts[Verdict.UNPROCESSED]:
        lines += ["", f"`billy retry {row.part_of or row.job_id}` tries failed and unprocessed rows again."]
    return "\n".join(lines) + "\n"


def on_the_way(row: JobRow) -> list[str]:
    """What the job's sub-jobs have made for it, or will, in Markdown."""
    parts = row.source.get("on_the_way") or {}
    if not parts:
        return []
    lines = ["", "| made on the way | made | still planned | failed | job |", "|---|---:|---:|---:|---|"]
    return lines + [
        f"| {name} | {each['made']:,} | {each['planned']:,} | {each['failed']:,} | `{part_name(row.job_id, name)}` |"
        for name, each in parts.items()
    ]


_KIND_NAMES = {"csv": "Delimited text", "json": "JSON", "ndjson": "JSON lines", "xlsx": "Excel workbook"}
_KIND_NAMES |= {"xls": "Excel 97 workbook", "ods": "LibreOffice sheet"}
_ENCODING_NAMES = {"utf-8": "UTF-8", "utf-16": "UTF-16", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16"}
_ENCODING_NAMES |= {"cp1252": "Windows-1252", "cp865": "DOS (cp865)", "cp850": "DOS (cp850)", "mac_roman": "MacRoman"}


def understanding(source: dict[str, Any]) -> list[str]:
    """How the file was understood, in Markdown: what was found out is said, so that it can be contradicted."""
    if not source.get("kind"):
        return []
    kind, sheet = source["kind"], source.get("sheet")
    parts = [_KIND_NAMES.get(kind, kind)]
    if kind == "csv":
        delimiter = {"\t": "tab"}.get(source["delimiter"], source["delimiter"])
        parts.append(f"{_ENCODING_NAMES.get(source['encoding'], source['encoding'])}, separated by `{delimiter}`")
    if sheet:
        parts.append(f"sheet {_as_code(sheet)}")
    if source.get("profile"):
        parts.append(f"recognised as {source['profile']}")
    lines = ["", f"The file was read as: {'; '.join(parts)}."]
    if aside := source.get("set_aside"):
        shown = ", ".join(f"line {each['line']} ({each['what']})" for each in aside[:FIRST_SET_ASIDE])
        more = f" and {len(aside) - FIRST_SET_ASIDE} more" if len(aside) > FIRST_SET_ASIDE else ""
        lines += ["", f"Lines that are no rows: {shown}{more}."]
    if mapping := source.get("remembered_mapping"):
        named = ", ".join(f"{_as_code(column)} is {field or 'not used'}" for column, field in mapping.items())
        lines += ["", f"As confirmed for such files before: {named}."]
    if unknown := source.get("unknown_columns"):
        named = ", ".join(
            f"{_as_code(name)}{f' (did you mean {near}?)' if near else ''}" for name, near in unknown.items()
        )
        lines += ["", f"Columns not used: {named}."]
    if ignored := source.get("ignored_columns"):
        named = ", ".join(f"{_as_code(name)} ({reason})" for name, reason in ignored.items())
        lines += ["", f"Columns left out on purpose: {named}."]
    return lines
