"""What goes every night: job folders, images in the journal, snapshots, each when its time is over (rule B26).

What may go is decided in `bulk/retention.py`. A job is taken away under its own lease, so that nobody resumes or undoes
it meanwhile. Everything here can be killed at any moment; the next night does the rest.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from billy_pipelines.bulk.context import job_folder
from billy_pipelines.bulk.retention import (
    FILES,
    IMAGES,
    RetentionClass,
    files_kept_until,
    images_kept_until,
    is_open,
    retention_class,
)
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.database.locks import Lease
from billy_pipelines.database.pruning import (
    family_of,
    forget_images,
    has_rows_in_doubt,
    jobs_with_images,
    known_jobs,
    latest_entry_date,
    mark_pruned,
)
from billy_pipelines.files.snapshots import newest_snapshot, snapshots_root
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.schemas.resource import COPENHAGEN
from billy_pipelines.settings import Settings

LEFTOVER_SECONDS = 86_400.0
"""How old a half-written folder is before nobody can be writing it any more."""
_GOING = ".removing-"
_JOBS_AT_ONCE = 500


@dataclass
class JobsRemoved:
    """What went of jobs, and what stayed although its time is over."""

    folders: int = 0
    bytes: int = 0
    images_of_jobs: int = 0
    rows: int = 0
    """Rows of the journal whose data went."""
    closed: set[str] = field(default_factory=set)
    """Jobs that had broken off, and that nobody can resume any more from now on."""
    kept_in_doubt: set[str] = field(default_factory=set)
    """Jobs past their time with rows that may be in Billy or not; `billy retry` finds out."""
    not_removable: set[str] = field(default_factory=set)
    """Jobs whose folder the file system did not let go."""


@dataclass
class SnapshotsRemoved:
    """What went of snapshots and the files made of them."""

    nights: int = 0
    leftovers: int = 0
    """Folders that a process which died had begun to write, or to remove."""
    bytes: int = 0
    not_removable: set[str] = field(default_factory=set)
    """Nights the file system did not let go: `default/customers/2026-10-01`."""


# -- jobs --------------------------------------------------------------------------------------------------------------


def prune_jobs(settings: Settings, engine: Engine, *, now: datetime | None = None) -> JobsRemoved:
    """Remove the folders of jobs, and what their rows and records said, where the time of that is over.

    Raises:
        SettingsError, SQLAlchemyError
    """
    now = now or datetime.now(UTC)
    removed = JobsRemoved()
    for job in _jobs_with_folder(settings, engine):
        _prune(settings, engine, job, FILES, now, removed)
    for job in jobs_with_images(engine, changed_before=now - timedelta(days=1)):  # nothing is kept for less
        _prune(settings, engine, job, IMAGES, now, removed)
    return removed


def _jobs_with_folder(settings: Settings, engine: Engine) -> Iterator[JobRow]:
    """The jobs whose folder is there. Folders of no job on record are left alone: the database may be another one."""
    root = settings.jobs_dir
    names = sorted(path.name for path in root.iterdir() if _is_folder(path)) if root.is_dir() else []
    for start in range(0, len(names), _JOBS_AT_ONCE):
        yield from known_jobs(engine, names[start : start + _JOBS_AT_ONCE])


def _prune(settings: Settings, engine: Engine, job: JobRow, what: str, now: datetime, removed: JobsRemoved) -> None:
    """Remove one of the two things of a job if the time of it and of all that hang together with it is over: an undo
    that broke off needs the images of the job it takes back."""

    def over(each: JobRow) -> bool:
        return _is_over(settings, engine, each, what, now, removed)

    if not over(job) or not all(map(over, family_of(engine, job.job_id))):
        return
    # A part of a job has no lease of its own.
    with Lease(engine, job.part_of or job.job_id) as lease:
        if not lease.take_job():
            return
        present = family_of(engine, job.job_id)
        if not all(map(over, present)):
            return  # somebody was at work on it a moment ago
        job = next(each for each in present if each.job_id == job.job_id)
        was_open = is_open(job)
        if what == FILES:
            _remove_files(settings, engine, job, now, removed)
        else:
            _forget(engine, job, now, removed)
        if was_open and not is_open(known_jobs(engine, [job.job_id])[0]):
            removed.closed.add(job.job_id)


def _is_over(settings: Settings, engine: Engine, job: JobRow, what: str, now: datetime, removed: JobsRemoved) -> bool:
    kept_until = files_kept_until if what == FILES else images_kept_until
    if now < kept_until(settings, job):
        return False
    if retention_class(job) is RetentionClass.APPROVED:
        with engine.connect() as connection:  # invoices can be dated in a later year than that in which they were made
            return now >= kept_until(settings, job, latest_entry=latest_entry_date(connection, job.job_id))
    if now >= kept_until(settings, job, in_doubt=True):
        return True
    with engine.connect() as connection:
        in_doubt = has_rows_in_doubt(connection, job.job_id)
    if in_doubt:
        removed.kept_in_doubt.add(job.job_id)
    return not in_doubt


def _remove_files(settings: Settings, engine: Engine, job: JobRow, now: datetime, removed: JobsRemoved) -> None:
    """A job that can go on is closed before: killed in the middle of it, half a folder must not be taken for one."""
    if is_open(job):
        with engine.begin() as connection:
            mark_pruned(connection, job.job_id, FILES, now)
    try:
        removed.bytes += _remove(job_folder(settings, job.job_id))
    except OSError:
        removed.not_removable.add(job.job_id)
        return
    removed.folders += 1
    with engine.begin() as connection:
        mark_pruned(connection, job.job_id, FILES, now)


def _forget(engine: Engine, job: JobRow, now: datetime, removed: JobsRemoved) -> None:
    with engine.begin() as connection:
        rows = forget_images(connection, job.job_id)
        mark_pruned(connection, job.job_id, IMAGES, now)
        if is_open(job):  # its folder was gone before, by somebody's hand: it cannot be begun again without its rows
            mark_pruned(connection, job.job_id, FILES, now)
    removed.images_of_jobs += 1
    removed.rows += rows


# -- snapshots ---------------------------------------------------------------------------------------------------------


def prune_snapshots(settings: Settings, *, now: datetime | None = None) -> SnapshotsRemoved:
    """Remove the nights whose time is over, with their files. The newest snapshot of a listed organization stays.

    Raises:
        SettingsError
    """
    today = (now or datetime.now(UTC)).astimezone(COPENHAGEN).date()
    removed = SnapshotsRemoved()
    root = snapshots_root(settings)
    for folder in sorted(path for path in root.glob("*/*") if path.name in RESOURCES and _is_folder(path)):
        organization, resource = folder.parent.name, folder.name
        _remove_leftovers(folder, removed)
        oldest = today - timedelta(days=settings.keep_for(organization).snapshots_days)
        over = [night for night in sorted(folder.iterdir()) if (day := _day_of(night)) is not None and day < oldest]
        newest = newest_snapshot(settings, organization, resource) if over else None
        for night in over:
            last_good = newest is not None and newest.folder == night and organization in settings.organizations()
            if not last_good:
                _remove_night(night, removed)
    return removed


def _remove_night(night: Path, removed: SnapshotsRemoved) -> None:
    """Renamed first, so that nobody sees half of it."""
    going = night.with_name(f"{_GOING}{night.name}")
    try:
        night.rename(going)
        removed.bytes += _remove(going)
        removed.nights += 1
    except OSError:
        removed.not_removable.add("/".join(night.parts[-3:]))


def _remove_leftovers(folder: Path, removed: SnapshotsRemoved) -> None:
    """Folders of processes that died. A snapshot that one was about to replace, and did not, is put back."""
    for path in sorted(path for path in folder.glob(".*") if _is_folder(path)):
        replaced = path.with_name(path.name.removeprefix(".").removesuffix(".old"))
        try:
            if not path.name.startswith(_GOING) and time.time() - path.stat().st_mtime < LEFTOVER_SECONDS:
                continue
            if path.name.endswith(".old") and not replaced.exists():
                path.rename(replaced)
                continue
            removed.bytes += _remove(path)
            removed.leftovers += 1
        except OSError:
            removed.not_removable.add("/".join(path.parts[-3:]))


def _day_of(path: Path) -> date | None:
    """The day a folder is named by; None for anything else."""
    try:
        day = date.fromisoformat(path.name)
    except ValueError:
        return None
    return day if _is_folder(path) and day.isoformat() == path.name else None


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _remove(folder: Path) -> int:
    """Remove a folder and say how many bytes were in it.

    Raises:
        OSError
    """
    size = sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
    shutil.rmtree(folder)
    return size
