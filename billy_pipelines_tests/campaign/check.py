"""The checker: holds what jobs say of their rows against Billy's ledger. It knows nothing of how the engine works.

Every promise is one function over the evidence; a violation says which row, which record, and what was said of it.
`accounts.py` holds the ones about counts and files.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billy_pipelines.bulk.verdicts import CREATE, OUTCOME_UNKNOWN, PLANNED, SENDING, VALID, Verdict
from billy_pipelines.database.items import Item
from billy_pipelines.sandbox import Change
from billy_pipelines.sandbox.state import IN_PROCESS
from billy_pipelines_tests.campaign.accounts import check_accounts
from billy_pipelines_tests.campaign.evidence import Evidence, JobSeen
from billy_pipelines_tests.campaign.shapes import LIKENESS, Row
from billy_pipelines_tests.campaign.undo_accounts import check_undo_accounts
from billy_pipelines_tests.campaign.undo_truth import check_undo
from billy_pipelines_tests.campaign.violation import Violation

__all__ = ["Violation", "check"]

NO_WRITE = frozenset({VALID, PLANNED, Verdict.UNPROCESSED, Verdict.REJECTED, Verdict.SKIPPED, Verdict.UNCHANGED})
"""Statuses of rows that have caused no write, whatever happened to their process."""
IN_DOUBT = frozenset({SENDING, OUTCOME_UNKNOWN})


@dataclass(frozen=True)
class Told:
    """A row of a file and what its job says of it."""

    job: JobSeen
    row: Row
    item: Item

    @property
    def is_unclear(self) -> bool:
        """Whether the row may or may not have been written, and says so."""
        return self.item.status in IN_DOUBT or (
            self.item.status == Verdict.FAILED and self.item.error_code == "outcome_unknown"
        )

    @property
    def has_made(self) -> str | None:
        """The id of the record that the row says it has made."""
        if self.item.status == Verdict.CREATED:
            return self.item.billy_id or "no id"
        return self.item.billy_id if self.item.status == Verdict.FAILED and self.item.action == CREATE else None

    def __str__(self) -> str:
        said = f"{self.item.status} {self.item.error_code or ''}".strip()
        return f"{self.job.row.job_id} line {self.item.line} {dict(self.row.cells)} [{said}, {self.item.billy_id}]"


def check(evidence: Evidence) -> list[Violation]:
    """Everything that is not as promised."""
    told = list(_told(evidence))
    found = [
        *check_accounts(evidence),
        *_creates(evidence, told),
        *_doubled_over_jobs(evidence, told),
        *_changes(evidence, told),
        *_deletes(evidence, told),
        *_strangers(evidence, told),
        *_children(evidence, told),
        *_silence(evidence),
        *check_undo_accounts(evidence),
        *check_undo(evidence),
    ]
    return [*found, *_expectations(told)] if evidence.final else found


def _told(evidence: Evidence) -> Iterator[Told]:
    for job in evidence.jobs:
        rows = evidence.history.files[job.file].rows
        for item in job.items:
            if item.item_index < len(rows):
                yield Told(job, rows[item.item_index], item)


def _by_jobs(evidence: Evidence, operation: Any = None) -> list[Change]:
    """Committed changes that came through the API, but for those that took a job back: `undo_truth.py` has them."""
    undone = evidence.undo.changes if evidence.undo else frozenset()
    return [
        c
        for c in evidence.changes
        if c.request_id != IN_PROCESS and c.sequence not in undone and operation in (None, c.operation)
    ]


def _likeness(change: Change) -> tuple[Any, ...]:
    record = change.record or {}
    return tuple(record.get(key) or None for key in LIKENESS[change.resource])  # type: ignore[index]


# -- creates -----------------------------------------------------------------------------------------------------------


def _creates(evidence: Evidence, told: Sequence[Told]) -> Iterator[Violation]:
    """Each record that was made is named by exactly one row that made it, and each row that made one names it; what is
    left over must be owed to rows that say they do not know."""
    made = {c.id: c for c in _by_jobs(evidence, "create") if c.resource in LIKENESS}
    gone = {c.id for c in evidence.changes if c.operation == "delete"}
    claimed: dict[str, Told] = {}
    for each in told:
        record_id = each.has_made
        if record_id is None or each.row.part_of is not None:
            continue
        if record_id not in made:
            yield Violation("absent", f"Billy never made what this row says it made: {each}")
        elif record_id in claimed:
            yield Violation("claimed twice", f"two rows name one record: {each} and {claimed[record_id]}")
        elif each.row.likeness is not None and _likeness(made[record_id]) != each.row.likeness:
            yield Violation("wrong record", f"{each} names a record made as {_likeness(made[record_id])}")
        elif record_id not in gone and record_id not in evidence.books[made[record_id].resource]:
            yield Violation("absent", f"the record is not in Billy any more, and nobody deleted it: {each}")
        claimed.setdefault(record_id, each)
    unclear = Counter(each.row.likeness for each in told if each.is_unclear and each.row.likeness is not None)
    for record_id, change in made.items():
        if record_id in claimed:
            continue
        likeness = _likeness(change)
        if unclear[likeness] > 0:
            unclear[likeness] -= 1
            continue
        alike = [str(each) for each in told if each.row.likeness == likeness and each.row.part_of is None]
        text = f"{change.resource} {record_id} {likeness} was made at {change.time} and no row accounts for it"
        others = [f"{c.id} at {c.time}" for c in made.values() if c.id != record_id and _likeness(c) == likeness]
        yield Violation("unaccounted create", f"{text}; made alike: {others}; rows alike: {alike or 'none'}")
    if evidence.final:
        yield from _what_to_look_for(told)


def _what_to_look_for(told: Sequence[Told]) -> Iterator[Violation]:
    for each in told:
        if each.item.status == Verdict.FAILED and each.item.error_code == "outcome_unknown":
            names = [value for value in (each.row.likeness or ()) if value] + [each.row.target]
            if each.row.part_of is None and not any(name and str(name) in (each.item.error or "") for name in names):
                yield Violation("says not what to look for", f"{each}: {each.item.error}")


def _doubled_over_jobs(evidence: Evidence, told: Sequence[Told]) -> Iterator[Violation]:
    """A row that stands in two files is made by one of their jobs only, unless they were told to make it anyway."""
    if len(evidence.jobs) < 2:
        return
    gone = {c.id for c in evidence.changes if c.operation == "delete"}
    holders: dict[Any, set[str]] = defaultdict(set)
    records: dict[Any, list[str]] = defaultdict(list)
    for each in told:
        if each.job.row.options.get("on_existing") == "create" or each.job.row.resource_type == "invoices":
            continue
        if each.has_made and each.row.likeness is not None:
            holders[each.row.likeness].add(each.job.row.job_id)
            records[each.row.likeness].append(each.has_made)
    for likeness, jobs in holders.items():
        if len(jobs) > 1 and not gone & set(records[likeness]):
            text = f"{likeness} was made by {sorted(jobs)}: {records[likeness]}, though Billy had it"
            yield Violation("doubled over jobs", text)


# -- changes -----------------------------------------------------------------------------------------------------------


def _changes(evidence: Evidence, told: Sequence[Told]) -> Iterator[Violation]:
    """A row that says it changed its record has, in all it wanted; one that says it has not, has not."""
    seen: set[tuple[str, str, Any]] = set()
    for change in _by_jobs(evidence):
        # A record made by a row holds the same values; only the children an update makes count here.
        if change.record and (change.operation == "update" or change.resource not in LIKENESS):
            seen |= {(change.resource, key, _plain(value)) for key, value in change.record.items()}
    equals = Counter(key for each in told for key in _wanted(each.row))
    for each in told:
        wanted = _wanted(each.row)
        if not wanted:
            continue
        wrote = [key for key in wanted if key in seen]
        status, code = each.item.status, each.item.error_code
        if status == Verdict.UPDATED and len(wrote) < len(wanted):
            yield Violation("absent", f"not in Billy's ledger: {set(wanted) - set(wrote)}, said of {each}")
        elif any(equals[key] > 1 for key in wanted):
            continue  # an equal row may have done it
        elif status in NO_WRITE and (stayed := [key for key in wrote if _has_stayed(evidence, key)]):
            yield Violation("written in silence", f"Billy's ledger has {stayed}, said of {each}")
        elif status == Verdict.FAILED and wrote and code not in ("outcome_unknown", "partly_changed"):
            yield Violation("written in silence", f"Billy's ledger has {wrote}, said of {each}: {each.item.error}")
        elif status == Verdict.FAILED and code == "partly_changed":
            stayed = [key for key in wrote if _has_stayed(evidence, key)]
            if not wrote or len(stayed) == len(wanted):
                yield Violation("not partly", f"Billy's ledger has {wrote} of {wanted}, said of {each}")


def _has_stayed(evidence: Evidence, key: tuple[str, str, Any]) -> bool:
    """Whether nobody wrote over a value since a job wrote it last. What another job or a person has changed since is in
    the books no more: a row that was carried out in full is there in part."""
    plural, name, value = key

    def holds(change: Change) -> bool:
        return change.record is not None and _plain(change.record.get(name)) == value

    last = [change for change in _by_jobs(evidence) if change.resource == plural and holds(change)][-1]
    return all(holds(c) for c in evidence.changes if c.id == last.id and c.sequence > last.sequence)


def _wanted(row: Row) -> list[tuple[str, str, Any]]:
    return [(plural, key, _plain(value)) for (plural, key), value in row.wanted.items()]


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) else repr(value)


def _deletes(evidence: Evidence, told: Sequence[Told]) -> Iterator[Violation]:
    """What is called deleted is gone, what is called archived was archived."""
    archived = {c.id for c in evidence.changes if c.operation == "update" and (c.record or {}).get("isArchived")}
    gone = {c.id for c in evidence.changes if c.operation == "delete"}
    for each in told:
        if each.item.status == Verdict.DELETED and (each.item.billy_id not in gone or _is_there(evidence, each)):
            yield Violation("absent", f"the record was never deleted: {each}")
        if each.item.status == Verdict.ARCHIVED and each.item.billy_id not in archived:
            yield Violation("absent", f"the record was never archived: {each}")


def _is_there(evidence: Evidence, each: Told) -> bool:
    return each.item.billy_id in evidence.books[evidence.history.files[each.job.file].plural]


def _strangers(evidence: Evidence, told: Sequence[Told]) -> Iterator[Violation]:
    """Every change of a record of the books before is owed to a row that means it and does not deny it."""
    before = {str(r["id"]): plural for plural, records in evidence.history.books.items() for r in records}
    admits: dict[str, list[Told]] = defaultdict(list)
    for each in told:
        for record_id in {each.row.target, each.item.billy_id} - {None}:
            admits[str(record_id)].append(each)
    for change in _by_jobs(evidence):
        if change.id not in before or change.operation == "create" or change.resource != before[change.id]:
            continue
        if not any(_may_have_written(each) for each in admits[change.id]):
            rows = [str(each) for each in admits[change.id]]
            yield Violation("unaccounted change", f"{change.operation} of {change.id} at {change.time}; rows: {rows}")


def _may_have_written(each: Told) -> bool:
    if each.item.status == Verdict.FAILED:
        return each.is_unclear or each.item.error_code == "partly_changed"
    return each.item.status not in NO_WRITE


def _children(evidence: Evidence, told: Sequence[Told]) -> Iterator[Violation]:
    """No person, price or line was made twice with its record or beside it."""
    for plural, keys in (("contactPersons", ("contactId", "email")), ("productPrices", ("productId", "currencyId"))):
        times = Counter(tuple(record.get(key) for key in keys) for record in evidence.books[plural].values())
        for what, number in times.items():
            if number > 1 and all(what):
                yield Violation("doubled child", f"{plural} {what} is there {number} times")
    lines = Counter(
        str((c.record or {}).get("invoiceId")) for c in _by_jobs(evidence, "create") if c.resource == "invoiceLines"
    )
    parts = Counter((each.job.row.job_id, each.row.part_of) for each in told if each.row.part_of is not None)
    for each in told:
        if (
            each.row.part_of is None
            and each.item.status == Verdict.CREATED
            and each.job.row.resource_type == "invoices"
        ):
            rows = 1 + parts[each.job.row.job_id, each.item.item_index]
            if lines[str(each.item.billy_id)] != rows:
                yield Violation("wrong record", f"{lines[str(each.item.billy_id)]} lines for {rows} rows: {each}")


# -- time and end ------------------------------------------------------------------------------------------------------


def _silence(evidence: Evidence) -> Iterator[Violation]:
    for silence in evidence.silences:
        for request in evidence.requests:
            if silence.since < datetime.fromisoformat(request.time) < silence.until:
                text = (
                    f"{request.method} {request.path} reached Billy at {request.time}, {silence.why} ({silence.since})"
                )
                yield Violation("sent after the end", text)


def _expectations(told: Sequence[Told]) -> Iterator[Violation]:
    """Nothing is lost: a row that nobody disturbed has the verdict it must have once the faults are over."""
    ends: Mapping[str, str] = {each.job.row.job_id: each.job.row.status for each in told}
    for each in told:
        if each.job.cut_short:
            continue
        if each.row.expected and each.item.status not in each.row.expected and ends[each.job.row.job_id] != "failed":
            text = f"should be {' or '.join(sorted(each.row.expected))}: {each}: {each.item.error}"
            yield Violation("not as expected", text)
