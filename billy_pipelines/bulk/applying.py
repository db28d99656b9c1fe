"""Plans that wait for a person: a dry run's, an approval's, a delete's that came as a dropped file (B9, B17)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, func

from billy_pipelines.bulk.approvals import is_to_approve, planned_approvals
from billy_pipelines.bulk.context import JobContext
from billy_pipelines.bulk.planning import Plan
from billy_pipelines.bulk.verdicts import DELETE, PLANNED, State, Verdict
from billy_pipelines.database.items import Item, PlannedItem
from billy_pipelines.database.jobs import JobRow, change_status, get_job, job_that_wrote, want_launch
from billy_pipelines.schemas.codes import sentence
from billy_pipelines.schemas.resource import Resource

MANY_DELETES = 50
MANY_DELETES_SHARE = 0.2
"""Above that many, or that share of the register, the number itself has to be typed (rule B17)."""


class NotApplicable(Exception):
    """There is no plan of this job that could be carried out; the text says why."""


def apply_plan(engine: Engine, job_id: str, *, confirm_count: int = 0, launch: bool) -> JobRow:
    """A person wants the plan of a job carried out as it is. `launch` asks the sensor for the run.

    Raises:
        NotApplicable
    """
    job = get_job(engine, job_id)
    if job is None:
        raise NotApplicable(f"There is no job {job_id!r}. `billy status` lists the jobs.")
    if job.part_of:
        raise NotApplicable(f"Job {job_id} is a part of job {job.part_of}; apply the plan of that one.")
    if job.status != State.PLANNED or job.completed_at is None:
        raise NotApplicable(f"Job {job_id} is {job.status}; only a plan that waits for a person can be applied.")
    options = {**job.options, "dry_run": False, "confirm_count": confirm_count}
    with engine.begin() as connection:
        if other := job_that_wrote(connection, job, since=job.completed_at):
            raise NotApplicable(
                f"Job {other} has carried out the same file since this plan was made, so the plan does not hold any "
                "more. Make a new one."
            )
        moved = change_status(
            connection,
            job_id,
            expected=[State.PLANNED],
            new=State.PLANNED,
            options=options,
            applied_at=func.clock_timestamp(),
        )
        if moved and launch and not (job.applied_at and job.launch_wanted):  # once is enough, however often it is asked
            want_launch(connection, job_id)
        applied = get_job(connection, job_id)
    if not moved or applied is None:
        raise NotApplicable(f"Job {job_id} was taken on by somebody else just now.")
    return applied


def waits_for_person(job: JobContext, register: int) -> str:
    """Why the plan must not be carried out yet, '' when it may. `register`: live records in Billy now."""
    if is_to_approve(job):
        return _approval_waits(job)
    if job.row.operation != DELETE:
        return ""
    done = len(job.journal.leaders((Verdict.DELETED, Verdict.ARCHIVED)))
    number = len(job.journal.leaders((PLANNED,))) + done
    if number == done:
        return ""
    many = number > MANY_DELETES or number > MANY_DELETES_SHARE * (register + done)
    # Rows that failed since, or were left alone, make the number smaller: what was typed covers them.
    language, confirmed = job.options.language, number <= job.options.confirm_count
    if many and not (job.row.applied_at and confirmed):
        code = "confirm_count"
    elif job.row.applied_at is None:
        code = "apply_delete"
    else:
        return ""
    return sentence(code, language, job=job.job_id, number=number)


def _approval_waits(job: JobContext) -> str:
    """Typed or dropped: only a plan that a person applied is carried out (rule B9)."""
    planned = job.journal.leaders((PLANNED,))
    approved = planned_approvals(job, planned)
    if job.row.applied_at or not (planned or approved):
        return ""
    return sentence("apply_approve", job.options.language, job=job.job_id, number=len(approved))


def hold_to_plan(resource: Resource[Any], items: Sequence[Item], plan: Plan, language: str) -> None:
    """An applied plan is carried out exactly: a row that would be decided otherwise now, or whose record is no
    more what it was, is not touched (`items`: the rows as they stand in the journal)."""
    agreed = {item.item_index: item for item in items if item.action is not None}
    for place, now in enumerate(plan.items):
        then = agreed.get(now.item_index)
        if then is None:
            continue
        record = plan.records.get(now.item_index)
        moved = resource.moved(then.before_image or {}, record) if record is not None else []
        if _same(then, now) and not moved:
            continue
        plan.records.pop(now.item_index, None)
        named = {**dict.fromkeys(moved), **(then.changes or {}), **(now.changes or {})}
        fields = ", ".join(named) or then.natural_key or then.action or ""
        plan.items[place] = PlannedItem(
            now.item_index,
            Verdict.FAILED,
            then.action,
            billy_id=then.billy_id,
            changes=then.changes,
            error_code="changed_since_plan",
            error=sentence("changed_since_plan", language, fields=fields),
            details=now.details,
        )


def _same(then: Item, now: PlannedItem) -> bool:
    return (PLANNED, then.action, then.billy_id, then.changes or {}, then.item_data) == (
        now.status,
        now.action,
        now.billy_id,
        now.changes or {},
        now.item_data,
    )
