"""Jobs that broke off: how long they can go on, what is kept of them for that, and that they are closed then."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from billy_pipelines.bulk import lifecycle
from billy_pipelines.bulk.context import job_folder, load_job
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.retention import is_open, too_late_to_undo
from billy_pipelines.bulk.verdicts import OUTCOME_UNKNOWN, RESUMABLE, SENDING, State, Verdict
from billy_pipelines.database.items import Outcome
from billy_pipelines.database.journal import Journal
from billy_pipelines.exports.maintenance import prune_jobs
from billy_pipelines.settings import Keep, Settings
from billy_pipelines_tests.bulk.jobs import run_job, take_in
from billy_pipelines_tests.exports.old_jobs import NOW, aged, broken_off, done, reread, with_status


def test_a_job_that_broke_off_can_go_on_for_30_days_and_is_closed_then(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    job = aged(engine, broken_off(settings, engine, tmp_path), 29.9)
    assert prune_jobs(settings, engine).closed == set()
    for state in (*RESUMABLE, State.PENDING, State.VALIDATING, State.PROCESSING, State.UNDOING):
        assert is_open(with_status(engine, job, state))
    with_status(engine, job, State.CANCELLED)

    removed = prune_jobs(settings, engine, now=NOW + timedelta(days=1))
    assert (removed.closed, removed.folders, removed.images_of_jobs) == ({job.job_id}, 1, 0)
    assert not job_folder(settings, job.job_id).exists()
    closed = reread(engine, job)
    assert not is_open(closed)
    assert (closed.status, closed.counts) == (State.CANCELLED, job.counts), "it is not called anything it was not"
    with pytest.raises(Halted, match="past") as refused:
        lifecycle.begin(load_job(settings, engine, job.job_id), "a run")
    assert (refused.value.code, refused.value.resumable) == ("job_closed", False)
    assert not too_late_to_undo(settings, closed), "what it did can be taken back as long as its images are there"

    removed = prune_jobs(settings, engine, now=NOW + timedelta(days=61))
    assert (removed.closed, removed.images_of_jobs, removed.rows) == (set(), 1, 3)
    assert too_late_to_undo(settings, reread(engine, job))
    assert prune_jobs(settings, engine, now=NOW + timedelta(days=99)).closed == set(), "it is closed once"


def test_a_job_that_was_taken_up_again_has_all_its_time_again(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    job = aged(engine, broken_off(settings, engine, tmp_path), 29)
    lifecycle.begin(load_job(settings, engine, job.job_id), "a run")
    assert prune_jobs(settings, engine, now=NOW + timedelta(days=29)).folders == 0
    assert prune_jobs(settings, engine, now=NOW + timedelta(days=31)).closed == {job.job_id}


def test_an_undo_that_broke_off_can_go_on_without_files_as_long_as_the_images_are_there(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    job = with_status(engine, aged(engine, done(settings, engine, tmp_path), 31), State.UNDOING)
    removed = prune_jobs(settings, engine)
    assert (removed.folders, removed.images_of_jobs, removed.closed) == (1, 0, set())
    assert is_open(reread(engine, job))
    removed = prune_jobs(settings, engine, now=NOW + timedelta(days=60))
    assert (removed.images_of_jobs, removed.closed) == (1, {job.job_id})


@pytest.mark.parametrize("state", [State.INTERRUPTED, State.COMPLETED])
def test_no_setting_takes_from_a_job_that_can_go_on_what_it_needs(
    settings: Settings, engine: Engine, tmp_path: Path, state: State
) -> None:
    job = with_status(engine, aged(engine, broken_off(settings, engine, tmp_path), 20), state)
    settings = replace(settings, keep=Keep(contact_uploads_days=7, images_days=3))
    removed = prune_jobs(settings, engine)
    done = state is State.COMPLETED
    assert (removed.folders, removed.images_of_jobs, removed.closed) == (done, done, set())
    removed = prune_jobs(settings, engine, now=NOW + timedelta(days=11))
    assert (removed.folders, removed.images_of_jobs) == (not done, not done)
    assert removed.closed == (set() if done else {job.job_id})


def test_files_kept_for_long_keep_the_images_of_a_job_that_can_go_on(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    """Without them it would begin again, and have nothing to send."""
    settings = replace(settings, keep=Keep(contact_uploads_days=400))
    job = aged(engine, broken_off(settings, engine, tmp_path), 399)
    removed = prune_jobs(settings, engine)
    assert (removed.folders, removed.images_of_jobs) == (0, 0)
    shutil.rmtree(job_folder(settings, job.job_id))  # by somebody's hand
    removed = prune_jobs(settings, engine, now=NOW + timedelta(days=2))
    assert (removed.images_of_jobs, removed.closed) == (1, {job.job_id})
    with pytest.raises(Halted, match="past"):
        lifecycle.begin(load_job(settings, engine, job.job_id), "a run")


@pytest.mark.parametrize("state", [State.FAILED, State.COMPLETED_WITH_ERRORS])
def test_a_row_that_may_be_in_billy_or_not_is_evidence_for_90_days(
    settings: Settings, engine: Engine, tmp_path: Path, state: State
) -> None:
    job = with_status(engine, aged(engine, done(settings, engine, tmp_path), 89), state)
    settings = replace(settings, keep=Keep(images_days=14))
    for status, code in ((OUTCOME_UNKNOWN, None), (SENDING, None), (Verdict.FAILED, "outcome_unknown")):
        Journal(engine, job.job_id).write([Outcome(1, status, error_code=code)])
        removed = prune_jobs(settings, engine)
        assert (removed.folders, removed.images_of_jobs, removed.closed) == (0, 0, set())
        assert removed.kept_in_doubt == {job.job_id}
    assert all(item.item_data for item in Journal(engine, job.job_id).items())
    removed = prune_jobs(settings, engine, now=NOW + timedelta(days=2))
    assert (removed.folders, removed.images_of_jobs, removed.kept_in_doubt) == (1, 1, set())


@pytest.mark.parametrize("written", [True, False])
def test_the_file_of_a_closed_job_dropped_again_is_answered_and_never_booked_twice(
    settings: Settings, engine: Engine, tmp_path: Path, written: bool
) -> None:
    job = aged(engine, broken_off(settings, engine, tmp_path), 31)
    if not written:
        with engine.begin() as connection:
            connection.execute(text("UPDATE billy.billy_bulk_job_items SET attempts = 0"))
    prune_jobs(settings, engine)
    again = take_in(settings, engine, tmp_path / "kunder.csv")
    assert (again.job.job_id == job.job_id) is written
    assert str(again.reception) == ("repeated" if written else "new")
    if written:
        assert "--again" in again.sentence()
        again = take_in(settings, engine, tmp_path / "kunder.csv", again=True)
        assert str(again.reception) == "new"
    assert run_job(settings, engine, again.job.job_id).status == State.COMPLETED
