"""What a job is going to do, before it does it: `plan.csv` row by row, `plan.md` in numbers with the first changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from billy_pipelines.bulk.context import JobContext
from billy_pipelines.bulk.verdicts import ACTIONS, PLANNED
from billy_pipelines.database.journal import Item
from billy_pipelines.files.writing import write_rows, write_text

FIRST_CHANGES = 50
NOTHING = "∅"


def write_plan(job: JobContext, items: Iterable[Item]) -> None:
    """Both files; `items` are all rows of the job."""
    rows = list(items)
    header = ("line", "action", "key", "billy_id", "changes", "code", "message")
    cells = [
        (i.line, action_of(i), i.natural_key, i.billy_id, _in_words(i.changes), i.error_code, i.error) for i in rows
    ]
    write_rows(job.folder / "plan.csv", header, cells, delimiter=str(job.row.source.get("delimiter") or ";"))
    write_text(job.folder / "plan.md", plan_text(job, rows))


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
            f"| {item.line} | {_code(item.natural_key)} | {_code(_in_words(item.changes))} |"
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


def _code(text: str | None) -> str:
    """Text from files and books in a table that a browser shows: nothing in it is a link, a picture or a cell's end."""
    plain = " ".join((text or "").replace("`", " ").replace("|", "/").split())[:200]
    return f"`{plain}`" if plain else ""
