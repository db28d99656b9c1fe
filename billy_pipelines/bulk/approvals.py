"""Which drafts of a job are to be approved, and what becomes of those that are not: the journal's side of B9 and B10.

A draft is a row that is `created`. Those that are wanted approved and are not end `failed` with the code
`not_approved`, by one write together with the failure that stopped them: no crash can leave a row behind it open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from billy_pipelines.bulk.context import JobContext
from billy_pipelines.bulk.options import approves
from billy_pipelines.bulk.verdicts import CREATE, PLANNED, State, Verdict
from billy_pipelines.database.items import Item, Outcome
from billy_pipelines.database.journal import Journal
from billy_pipelines.schemas.codes import sentence
from billy_pipelines.schemas.invoice_approval import APPROVED, held_back
from billy_pipelines.schemas.invoice_meaning import approval_order

NOT_APPROVED = "not_approved"
REFUSED = "approval_refused"
UNCLEAR = "approval_unclear"
CHANGED = "draft_changed"
GONE = "draft_gone"
TRIED_AGAIN = (NOT_APPROVED, REFUSED, UNCLEAR)
"""What `billy retry` approves after all. A draft that a person changed or deleted is left to that person."""
IN_SOURCE = "approval"
"""Key in a job's `source` under which the `Numbers` of its approvals stand."""


@dataclass(frozen=True)
class Numbers:
    """The series of invoice numbers before and after a job's approvals (rule B10)."""

    next_before: str | None = None
    """The number Billy would have given next; None where it does not say."""
    next_after: str | None = None
    given: list[str] = field(default_factory=list)
    """Numbers of the job's approved invoices, in the order in which they were approved."""
    gaps: list[str] = field(default_factory=list)
    """Numbers between them, or up to the next one, that no invoice has: `105`, `107–109`."""

    def text(self) -> str:
        """In words."""
        given = self.given
        span = "none" if not given else given[0] if len(given) == 1 else f"{given[0]} to {given[-1]} ({len(given):,})"
        before, after = self.next_before or "not told", self.next_after or "not told"
        gaps = f"gaps: {', '.join(self.gaps)}" if self.gaps else "no gap"
        return f"numbers of approved invoices: {span}; the next one was {before}, is {after}; {gaps}"


def numbers_of(source: dict[str, Any]) -> Numbers | None:
    """What stands in a job's `source`."""
    kept = source.get(IN_SOURCE)
    return Numbers(**{each.name: kept[each.name] for each in fields(Numbers)}) if kept else None


def in_source(numbers: Numbers) -> dict[str, Any]:
    """As it is to stand there."""
    return {IN_SOURCE: asdict(numbers)}


def is_to_approve(job: JobContext) -> bool:
    """Whether the job was asked to approve what it makes."""
    return job.options.approve and approves(job.row.resource_type, job.row.operation)


def approves_now(job: JobContext) -> bool:
    """Whether it does: a person has applied its plan (rule B9)."""
    return is_to_approve(job) and job.row.applied_at is not None


def in_order(items: Iterable[Item]) -> list[Item]:
    """Rows in the order of their approval: by date, then as in the file (rule B10)."""
    known = {item.item_index: item for item in items}
    return [known[index] for index in approval_order((index, item.item_data or {}) for index, item in known.items())]


def drafts_to_approve(journal: Journal) -> list[Item]:
    """Drafts this job has made, is not to hold back and has not approved, in the order of their approval."""
    states = journal.after_values("state")
    return in_order(
        item
        for item in journal.leaders([Verdict.CREATED])
        if item.action == CREATE
        and item.billy_id
        and item.item_data is not None
        and not held_back(item.item_data)
        and states.get(item.item_index) != (APPROVED,)
    )


def planned_approvals(job: JobContext, items: Iterable[Item]) -> list[Item]:
    """What a plan is going to approve, in that order: what it makes, and what an earlier run has made already."""
    made = [
        item
        for item in items
        if item.leader_index is None
        and (item.status, item.action) == (PLANNED, CREATE)
        and not held_back(item.item_data or {})
    ]
    return in_order([*made, *drafts_to_approve(job.journal)])


def not_approved(job: JobContext, items: Iterable[Item], reason: str, **details: Any) -> list[Outcome]:
    """The outcomes of drafts that stay drafts though they were wanted approved; `reason` is a code of a sentence."""
    return [failed(job, item, NOT_APPROVED, reason=sentence(reason, job.options.language, **details)) for item in items]


def failed(job: JobContext, item: Item, code: str, **details: Any) -> Outcome:
    """The outcome of a draft that was not approved. The draft itself stays this row's create."""
    text = sentence(code, job.options.language, **{"ids": item.billy_id, "job": job.job_id, **details})
    return Outcome(item.item_index, Verdict.FAILED, error_code=code, error=text, action=CREATE)


def leave_drafts(job: JobContext, state: State | None) -> None:
    """The job ends before all were approved: say so on each draft that is left."""
    if approves_now(job) and (left := drafts_to_approve(job.journal)):
        reason = "job_stopped" if state is State.CANCELLED else "job_failed"
        job.journal.write(not_approved(job, left, reason))


def wanted_again(items: Sequence[Item]) -> list[Outcome]:
    """Failed rows whose draft a person now wants approved after all, as the drafts they are."""
    return [
        Outcome(item.item_index, Verdict.CREATED)
        for item in items
        if item.error_code in TRIED_AGAIN and item.action == CREATE and item.billy_id
    ]
