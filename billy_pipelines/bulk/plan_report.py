"""What a job is going to do, before it does it: `plan.csv` row by row, `plan.md` in numbers with the first changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from billy_pipelines.bulk.approval_report import approval_places, approval_plan, as_code
from billy_pipelines.bulk.context import JobContext
from billy_pipelines.bulk.placeholders import lines_by_placeholder, placeholder
from billy_pipelines.bulk.verdicts import ACTIONS, PLANNED
from billy_pipelines.database.items import Item
from billy_pipelines.database.jobs import parts_of
from billy_pipelines.database.journal import Journal
from billy_pipelines.files.writing import write_rows, write_text

FIRST_CHANGES = 50
NOTHING = "∅"
MISSING_HEADER = ("line", "resource", "action", "key", "fields", "needed_by_lines", "warnings")


def write_plan(job: JobContext, items: Iterable[Item]) -> None:
    """The files of a plan; `items` are all rows of the job. What is made on their way has one of its own."""
    rows = list(items)
    places = approval_places(job, rows)
    header = ("line", "action", "key", "billy_id", "changes", "code", "message", *(("approval",) if places else ()))
    cells = [
        (
            *(i.line, action_of(i), i.natural_key, i.billy_id, _in_words(i.changes), i.error_code, i.error),
            *((places.get(i.item_index),) if places else ()),
        )
        for i in rows
    ]
    write_rows(job.folder / "plan.csv", header, cells, delimiter=str(job.row.source.get("delimiter") or ";"))
    missing = _on_the_way(job, rows)
    path = job.folder / "plan_missing.csv"
    if missing:
        write_rows(path, MISSING_HEADER, missing, delimiter=str(job.row.source.get("delimiter") or ";"))
    else:
        path.unlink(missing_ok=True)
    write_text(job.folder / "plan.md", plan_text(job, rows) + _missing_text(missing))


def _missing_text(missing: Sequence[Sequence[object]]) -> str:
    """How many records of what will be made before the rows, for plan.md."""
    counts = Counter(str(each[1]) for each in missing)
    if not counts:
        return ""
    lines = ["", "| made on the way (plan_missing.csv) | records |", "|---|---:|"]
    return "\n".join([*lines, *(f"| {name} | {number:,} |" for name, number in counts.items())]) + "\n"


def _on_the_way(job: JobContext, rows: Sequence[Item]) -> list[tuple[object, ...]]:
    """What will be made before the rows, each record once, with the lines that need it."""
    needed = lines_by_placeholder(rows)
    found: list[tuple[object, ...]] = []
    for part in parts_of(job.engine, [job.job_id]):
        for item in Journal(job.engine, part.job_id).items([PLANNED]):
            lines = ", ".join(map(str, needed.get(placeholder(part.job_id, item.item_index), ())))
            details = item.details if isinstance(item.details, list) else []
            warnings = " | ".join(str(each["message"]) for each in details if each.get("warning"))
            found.append((item.line, part.resource_type, item.action, item.natural_key, _said(item), lines, warnings))
    return found


def _said(item: Item) -> str:
    """What a record that is still to be made will hold, as far as rows say."""
    row = item.item_data or {}
    return "; ".join(f"{name}: {value}" for name, value in row.items() if isinstance(value, str))


def action_of(item: Item) -> str:
    """What is to happen to a row: its action, or the verdict it has without one."""
    return (item.action or item.status) if item.status == PLANNED else item.status


def plan_text(job: JobContext, items: Sequence[Item]) -> str:
    """The plan in Markdown: whose books, how many rows get what, which fields change how often, the first changes."""
    row = job.row
    counts = Counter(map(action_of, items))
    lines = [
        f"# Plan of {row.job_id}",
        "",
        " · ".join(filter(None, (row.resource_type, row.operation, f"organization {row.organization}", row.message))),
        "",
        "| what | rows |",
        "|---|---:|",
        *(f"| {name} | {counts[name]:,} |" for name in sorted(counts, key=_order)),
    ]
    lines += approval_plan(job, items)
    changing = [item for item in items if item.status == PLANNED and item.changes]
    if changing:
        fields = Counter(name for item in changing for name in item.changes or {})
        cleared = Counter(
            name for item in changing for name, (old, new) in (item.changes or {}).items() if old and new is None
        )
        lines += ["", "| field | rows that change it | of these cleared |", "|---|---:|---:|"]
        lines += [f"| {name} | {number:,} | {cleared[name]:,} |" for name, number in fields.most_common()]
        lines += ["", "The first changes:", "", "| line | key | change |", "|---:|---|---|"]
        lines += [
            f"| {item.line} | {as_code(item.natural_key)} | {as_code(_in_words(item.changes))} |"
            for item in changing[:FIRST_CHANGES]
        ]
    return "\n".join(lines) + "\n"


def _order(name: str) -> tuple[int, str]:
    return (ACTIONS.index(name) if name in ACTIONS else len(ACTIONS), name)


def _in_words(changes: dict[str, Any] | None) -> str:
    """Every changed field, old → new."""
    return "; ".join(f"{field}: {_value(old)} → {_value(new)}" for field, (old, new) in (changes or {}).items())


def _value(value: Any) -> str:
    return NOTHING if value in (None, "") else str(value)
