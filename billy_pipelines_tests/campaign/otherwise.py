"""Evidence changed in one point, for those who tell lies about a history: its journal, its jobs, Billy's ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from billy_pipelines.database.items import Item
from billy_pipelines.sandbox import Change
from billy_pipelines_tests.campaign.evidence import Evidence, JobSeen


def job_of(evidence: Evidence, file: int) -> JobSeen:
    return next(job for job in evidence.jobs if job.file == file)


def with_job(evidence: Evidence, file: int, **changes: Any) -> Evidence:
    jobs = [replace(job, **changes) if job.file == file else job for job in evidence.jobs]
    return replace(evidence, jobs=jobs)


def with_item(evidence: Evidence, file: int, index: int, **changes: Any) -> Evidence:
    """The journal says otherwise of a row; counts and files say the same as the journal."""
    items = [replace(item, **changes) if item.item_index == index else item for item in job_of(evidence, file).items]
    return with_job(evidence, file, items=items, ended=False)


def item_of(evidence: Evidence, file: int, status: str) -> Item:
    return next(item for item in job_of(evidence, file).items if item.status == status and not item.leader_index)


def with_change(evidence: Evidence, change: Change, **changes: Any) -> Evidence:
    """Billy's ledger has one more entry, like another."""
    return replace(
        evidence, changes=[*evidence.changes, replace(change, sequence=len(evidence.changes) + 1, **changes)]
    )


def change_of(evidence: Evidence, operation: str, record_id: str | None) -> Change:
    return next(c for c in evidence.changes if c.operation == operation and c.id == record_id)


def without(changes: Sequence[Change], record_id: str | None, operation: str) -> list[Change]:
    return [change for change in changes if (change.id, change.operation) != (record_id, operation)]
