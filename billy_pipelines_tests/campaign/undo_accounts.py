"""One verdict for each row of an undo, everywhere the same: journal, counts, undo.csv; and every row that changed
something is in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from billy_pipelines.bulk.undo_target import parse_lines, selection_of
from billy_pipelines.bulk.verdicts import CREATE, IN_DOUBT, OPEN, VERDICT_OF_STATUS, UndoVerdict, Verdict
from billy_pipelines.database.items import Item
from billy_pipelines_tests.campaign.evidence import Evidence, JobSeen, Line, UndoJobSeen
from billy_pipelines_tests.campaign.violation import Violation

DONE = {
    Verdict.CREATED: "created",
    Verdict.UPDATED: "updated",
    Verdict.ARCHIVED: "archived",
    Verdict.DELETED: "deleted",
}
KINDS = {"created": (CREATE, "approve"), "updated": ("update", "archive")}
"""What `only` names -> actions of rows."""
UNCLEAR = frozenset({"partly_changed", "outcome_unknown"})


def has_changed(item: Item) -> bool:
    """Whether a row of a job has changed something in Billy, or may have."""
    if item.status == Verdict.FAILED:
        return item.error_code in UNCLEAR or (item.action in (CREATE, "approve") and item.billy_id is not None)
    half = item.status in OPEN and item.action == "update" and item.begun
    return item.status in DONE or item.status in IN_DOUBT or half


@dataclass(frozen=True)
class Back:
    """A row of the job that is taken back, and what the undos say of it, oldest first."""

    row: Item
    undos: Sequence[Item]

    @property
    def said(self) -> Item | None:
        """What holds: reversed once is reversed, otherwise the last word."""
        done = [item for item in self.undos if item.status == UndoVerdict.REVERSED]
        return done[0] if done else self.undos[-1] if self.undos else None

    def __str__(self) -> str:
        said = [f"{item.status} {item.error_code or ''} {item.action} {item.billy_id}" for item in self.undos]
        row = f"line {self.row.line} {self.row.status} {self.row.error_code or ''} {self.row.billy_id}"
        return f"{row} {self.row.natural_key!r}, undo: {said or 'none'}"


def is_judged(evidence: Evidence) -> bool:
    """Whether there is an undo to judge. After one of an unfinished job, jobs go on and may touch its records again."""
    undo = evidence.undo
    return undo is not None and not (undo.asked.early and undo.asked.until is not None)


def target_of(evidence: Evidence) -> JobSeen:
    """The job that is taken back."""
    assert evidence.undo is not None
    return next(job for job in evidence.jobs if job.row.job_id == evidence.undo.asked.job_id)


def rows_back(evidence: Evidence) -> list[Back]:
    """The rows of the job that changed something, or are named by an undo."""
    assert evidence.undo is not None
    target = target_of(evidence)
    last = max((item.item_index for item in target.items), default=-1)
    said: dict[int, list[Item]] = {}
    for job in evidence.undo.jobs:
        for item in job.items:
            said.setdefault(last - item.item_index, []).append(item)
    return [
        Back(item, said.get(item.item_index, []))
        for item in target.items
        if has_changed(item) or item.item_index in said
    ]


def check_undo_accounts(evidence: Evidence) -> Iterator[Violation]:
    """Each undo job by itself, and all of them together."""
    if not is_judged(evidence) or evidence.undo is None:
        return
    for job in evidence.undo.jobs:
        for text in (*_journal(job, target_of(evidence)), *(_end(job, target_of(evidence)) if job.ended else ())):
            yield Violation("undo accounts", f"{job.row.job_id} ({job.row.status}): {text}")
    for text in _all(evidence):
        yield Violation("undo accounts", f"undos of {evidence.undo.asked.job_id}: {text}")


def _journal(job: UndoJobSeen, target: JobSeen) -> Iterator[str]:
    """Its rows are such that changed something, as far as they were asked for."""
    last = max((item.item_index for item in target.items), default=-1)
    rows = {item.item_index: item for item in target.items}
    lines, only = selection_of(job.row)
    ranges = parse_lines(lines)
    actions = KINDS.get(only)
    of_kind = {i.item_index for i in target.items if actions is None or i.action in actions}
    named = {_leader(i) for i in target.items if not ranges or any(a <= i.line <= b for a, b in ranges)} & of_kind
    for item in job.items:
        row = rows.get(last - item.item_index)
        if row is None or row.line != item.line:
            yield f"its line {item.line} is not a row of the job ({row and row.line})"
        elif not has_changed(row):
            yield f"its line {item.line} changed nothing: {row.status} {row.error_code}"
        elif _leader(row) not in named:
            yield f"its line {item.line} was not asked for ({ranges} {only})"
    if job.items:
        # What a dry run has found out of rows in doubt, it has not told the job.
        open_ = IN_DOUBT if job.row.options.get("dry_run") else ()
        changed = [i for i in target.items if has_changed(i) and i.status not in open_]
        wanted = [i.line for i in changed if _leader(i) in named]
        missing = Counter(wanted) - Counter(item.line for item in job.items)
        if missing and job.row.job_id.endswith("-undo"):  # later ones have what is left
            yield f"lines {sorted(missing)[:5]} changed something and are not in it"


def _leader(item: Item) -> int:
    return item.item_index if item.leader_index is None else item.leader_index


def _verdict(item: Item) -> str:
    return str(VERDICT_OF_STATUS[item.status])


def _end(job: UndoJobSeen, target: JobSeen) -> Iterator[str]:
    counts = {name: number for name, number in job.row.counts.items() if name != "total" and number}
    verdicts = Counter(_verdict(item) for item in job.items)
    if not job.items:
        verdicts["unprocessed"] = job.row.total_items
    if sum(counts.values()) != job.row.counts.get("total") or counts != {n: c for n, c in verdicts.items() if c}:
        yield f"counts {job.row.counts}, but the journal has {dict(verdicts)}"
    rows = {item.item_index: item for item in target.items}
    last = max(rows, default=-1)
    wanted = [_told(item, rows[last - item.item_index]) for item in job.items if last - item.item_index in rows]
    yield from _differences("undo.csv", job.lines, wanted)


def _told(item: Item | None, row: Item) -> tuple[str, ...]:
    """A line of undo.csv: line, verdict, id, new id, code."""
    if item is None:
        return (str(row.line), "unprocessed", row.billy_id or "", "", "")
    new_id = (item.billy_id or "") if item.action == CREATE else ""
    code = item.error_code or ("outcome_unknown" if item.status in IN_DOUBT else "")
    return (str(item.line), _verdict(item), row.billy_id or "", new_id, code)


def _differences(name: str, lines: Sequence[Line], wanted: Sequence[tuple[str, ...]]) -> Iterator[str]:
    columns = ("line", "verdict", "billy_id", "new_id", "code")
    # The sign keeps a spreadsheet from taking an id that begins with a dash for a formula.
    said = Counter(tuple(line[column].removeprefix("'") for column in columns) for line in lines)
    if said != Counter(wanted):
        yield f"{name} has {sorted(said - Counter(wanted))[:3]}, the journal {sorted(Counter(wanted) - said)[:3]}"


def _all(evidence: Evidence) -> Iterator[str]:
    """No row is taken back twice; at the end every row has its verdict, and the job the state that follows."""
    assert evidence.undo is not None
    backs = rows_back(evidence)
    for back in backs:
        times = sum(item.status == UndoVerdict.REVERSED for item in back.undos)
        if times > 1:
            yield f"reversed by {times} undos: {back}"
    if not evidence.undo.asked.over:
        return
    done = 0
    for back in backs:
        said = back.said
        if said is None or said.status not in (UndoVerdict.REVERSED, UndoVerdict.KEPT, UndoVerdict.FAILED):
            yield f"no verdict at the end: {back}"
        elif said.status == UndoVerdict.FAILED and said.error_code not in UNCLEAR:
            yield f"failed at the end, though nothing was wrong any more: {back}: {said.error}"
        done += said is not None and said.status == UndoVerdict.REVERSED
    status = target_of(evidence).row.status
    wanted = "undone" if backs and done == len(backs) else "undone_partly" if done else ""
    if wanted != (status if status.startswith("undo") else ""):
        yield f"the job is {status}, and {done} of {len(backs)} rows are reversed"
    if evidence.undo.jobs:
        yield from _differences("the job's undo.csv", evidence.undo.lines, [_told(b.said, b.row) for b in backs])
