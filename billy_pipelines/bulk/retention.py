"""How long a job's files and images are kept (rule B26): pure functions of its row and the settings.

Two things of a job go, each at its time: its files (upload, plan, results) and its images (what rows and records said,
in the journal). The job itself, its counts, and what became of each row under which Billy id stay: a file dropped
again is still known. What is removed, and why not, is decided here; `exports/maintenance.py` does it.

A job that broke off needs both to go on. Nobody who has not come back to it by the end of its time will, and people's
data does not wait for ever: then it is closed, and goes as the others do.
"""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from billy_pipelines.bulk.verdicts import RESUMABLE, RUNNING, UNDO, State
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.schemas.resource import COPENHAGEN
from billy_pipelines.settings import Settings

PRUNED = "pruned"
"""Key in a job's `source` that says what was removed when: `{"files": "2026-11-22T04:30:00+00:00", …}`."""
FILES = "files"
IMAGES = "images"
LEAST_TO_GO_ON = timedelta(days=30)
"""How long a job can at least be resumed after it broke off, however short its class is kept: longer than a holiday."""
LEAST_IN_DOUBT = timedelta(days=90)
"""How long a job is at least kept whose rows nobody knows of whether they are in Billy: its data is the evidence."""


class RetentionClass(StrEnum):
    """What a job's data is, as far as keeping it goes."""

    APPROVED = "approved"
    """It approved invoices: bookkeeping records, which the law wants kept."""
    CONTACTS = "contacts"
    """People's names and addresses."""
    OTHER = "other"


def retention_class(job: JobRow) -> RetentionClass:
    """The class of a job. A plan that was only made approved nothing."""
    if job.options.get("approve") and job.status != State.PLANNED:
        return RetentionClass.APPROVED
    resource = RESOURCES.get(job.resource_type)
    of_contacts = resource is not None and resource.family == RESOURCES["contacts"].family
    return RetentionClass.CONTACTS if of_contacts else RetentionClass.OTHER


def is_open(job: JobRow) -> bool:
    """Whether the job can still go on, or is going on.

    A plan that waits for a person is not: after the time of its class nobody should carry it out any more.
    """
    waits = job.status == State.PLANNED and job.completed_at is not None and not job.launch_wanted
    return job.status in (State.PENDING, *RUNNING, State.UNDOING, *RESUMABLE) and not waits and not is_closed(job)


def is_closed(job: JobRow) -> bool:
    """Whether what it would need to go on is gone. To take a job back needs its images, and no files."""
    of_undo = job.operation == UNDO or job.status == State.UNDOING
    return was_pruned(job, IMAGES) or (not of_undo and was_pruned(job, FILES))


def was_pruned(job: JobRow, what: str = IMAGES) -> bool:
    """Whether its files, or its images, are gone."""
    return what in (job.source.get(PRUNED) or {})


def files_kept_until(
    settings: Settings, job: JobRow, *, latest_entry: date | None = None, in_doubt: bool = False
) -> datetime:
    """When the job's folder may go, and with it the way to go on. `latest_entry`: the last day any of its invoices is
    dated; `in_doubt`: whether rows of it may be in Billy or not.

    Raises:
        SettingsError
    """
    keep = settings.keep_for(job.organization)
    match retention_class(job):
        case RetentionClass.APPROVED:
            return _bookkeeping_until(settings, job, latest_entry)
        case RetentionClass.CONTACTS:
            time_of_class = timedelta(days=keep.contact_uploads_days)
        case RetentionClass.OTHER:
            time_of_class = timedelta(days=keep.uploads_days)
    return _ended(job) + max(time_of_class, _least(job, in_doubt))


def images_kept_until(
    settings: Settings, job: JobRow, *, latest_entry: date | None = None, in_doubt: bool = False
) -> datetime:
    """When what the job's rows and records said may go; until then it can be undone. Of a job that can go on they are
    kept as long as its files: without them its rows could not be sent.

    Raises:
        SettingsError
    """
    if retention_class(job) is RetentionClass.APPROVED:
        return _bookkeeping_until(settings, job, latest_entry)
    time_of_images = timedelta(days=settings.keep_for(job.organization).images_days)
    until = _ended(job) + max(time_of_images, _least(job, in_doubt))
    return max(until, files_kept_until(settings, job, in_doubt=in_doubt)) if is_open(job) else until


def _least(job: JobRow, in_doubt: bool) -> timedelta:
    """The time below which no setting gets."""
    if in_doubt:
        return LEAST_IN_DOUBT
    return LEAST_TO_GO_ON if is_open(job) else timedelta(0)


def too_late_to_undo(settings: Settings, job: JobRow, *, now: datetime | None = None) -> bool:
    """Whether the images of a job are gone, or so old that the next night takes them.

    Raises:
        SettingsError
    """
    return was_pruned(job) or (now or datetime.now(UTC)) >= images_kept_until(settings, job)


def _ended(job: JobRow) -> datetime:
    """The job's last change: an undo, or a retry, is as young as it looks."""
    return max(job.completed_at or job.created_at, job.updated_at)


def _bookkeeping_until(settings: Settings, job: JobRow, latest_entry: date | None) -> datetime:
    """The end of the financial year of the job, or of its last invoice if that is dated later, and the years after."""
    day = max(_ended(job).astimezone(COPENHAGEN).date(), latest_entry or date.min)
    listed = settings.organizations().get(job.organization)
    month, last = map(int, (listed.financial_year_ends if listed else "12-31").split("-"))
    year = day.year if day <= _day(day.year, month, last) else day.year + 1
    end = _day(year + settings.keep_for(job.organization).approved_years, month, last)
    return datetime.combine(end + timedelta(days=1), time(), COPENHAGEN)


def _day(year: int, month: int, day: int) -> date:
    """That day of the month, or its last one where the month is shorter."""
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))
