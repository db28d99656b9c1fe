"""What a person's retry takes up again, what is only resumed, and a completed job, in which no run does anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.execution import Execution
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.lifecycle import begin
from billy_pipelines.bulk.undo import begin_undo
from billy_pipelines.bulk.undo_execution import UndoExecution
from billy_pipelines.bulk.workplace import Stopped
from billy_pipelines.database.jobs import JobRow, get_job, update_job
from billy_pipelines.sandbox import Fault, SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import check_accounts, customers_csv, numbered, run_job, take_in
from billy_pipelines_tests.bulk.taking_back import ended, work_on
from billy_pipelines_tests.bulk.test_undo_kept import Office


@pytest.fixture
def office(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> Office:
    return Office(settings, engine, sandbox, tmp_path)


def after(work: type[Any], step: str, act: Callable[[], None]) -> pytest.MonkeyPatch:
    """`act` when a step of the engine's is done."""
    patch, real = pytest.MonkeyPatch(), getattr(work, step)

    async def stepped(self: Any, *given: Any) -> None:
        await real(self, *given)
        act()

    patch.setattr(work, step, stepped)
    return patch


def raising(error: Exception) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def broken_off(office: Office, error: Exception) -> JobRow:
    """A job of five rows of which one has failed when it ends so."""
    office.sandbox.switch(faults=[Fault(kind="422", resource="contacts", record="Kunde 00003 ApS")])
    file = customers_csv(office.folder / "kunder.csv", numbered(5))
    job_id = take_in(office.settings, office.engine, file).job.job_id
    patch = after(Execution, "send", raising(error))
    try:
        row = run_job(office.settings, office.engine, job_id)
    finally:
        patch.undo()
    office.sandbox.switch(faults=[])
    assert (row.counts["created"], row.counts["failed"]) == (4, 1)
    return row


# -- a person's retry --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "error"), [("cancelled", Stopped()), ("failed", Halted("billy_unavailable", "Billy is away."))]
)
def test_a_retry_tries_the_failed_rows_of_a_job_that_broke_off(office: Office, state: str, error: Exception) -> None:
    row = broken_off(office, error)
    assert row.status == state
    row = run_job(office.settings, office.engine, row.job_id)
    assert (row.status, row.counts["created"]) == ("completed", 5)
    check_accounts(office.settings, office.engine, office.server, row)


def test_a_run_that_resumes_an_interrupted_job_leaves_its_failed_rows(office: Office) -> None:
    """Nobody has asked: Dagster starts it again by itself. Its end is one that a retry goes on from."""
    row = broken_off(office, Stopped())
    update_job(office.engine, row.job_id, status="interrupted")
    row = run_job(office.settings, office.engine, row.job_id)
    assert (row.status, row.counts["failed"], row.counts["created"]) == ("completed_with_errors", 1, 4)


def test_a_row_that_is_refused_again_fails_again_and_the_job_ends(office: Office) -> None:
    row = broken_off(office, Stopped())
    office.sandbox.switch(faults=[Fault(kind="422", resource="contacts", record="Kunde 00003 ApS")])
    for _ in range(2):
        requests = len(office.sandbox.requests)
        row = run_job(office.settings, office.engine, row.job_id)
        assert (row.status, row.counts["failed"], row.counts["created"]) == ("completed_with_errors", 1, 4)
        sent = list(office.sandbox.requests)[requests:]
        assert sum(each.method == "POST" for each in sent) == 1, "tried once, and no other row with it"


@pytest.mark.parametrize("error", [Stopped(), Halted("billy_unavailable", "Billy is away.")])
def test_a_retry_of_an_undo_that_broke_off_tries_what_it_kept(office: Office, error: Exception) -> None:
    job = office.run("customers", "import", [{"name": f"Kunde {n} ApS", "contactNo": str(n)} for n in range(3)])
    edited = office.one("contacts", contactNo="1")["id"]
    office.sandbox.change("contacts", edited, phone="11111111")
    undo = begin_undo(office.settings, office.engine, job.job_id, launch=False).job.job_id
    patch = after(UndoExecution, "sync", raising(error))
    try:
        row = work_on(office.settings, office.engine, undo)
    finally:
        patch.undo()
    assert (row.status in ("cancelled", "failed"), row.counts["kept"], row.counts["reversed"]) == (True, 1, 2)
    office.sandbox.change("contacts", edited, phone=None)
    assert work_on(office.settings, office.engine, undo).status == "completed"
    assert ended(office.settings, office.engine, undo).verdicts == ["reversed"] * 3
    assert office.names() == set()


# -- a completed job ---------------------------------------------------------------------------------------------------


def files_of(office: Office, job: JobRow) -> dict[str, tuple[bytes, int]]:
    folder = load_job(office.settings, office.engine, job.job_id).folder
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir() if path.is_file()}


def nothing_happens(office: Office, job: JobRow, run: Callable[[Settings, Engine, str], JobRow] = run_job) -> None:
    files, requests = files_of(office, job), len(office.sandbox.requests)
    assert run(office.settings, office.engine, job.job_id) == job == get_job(office.engine, job.job_id)
    assert len(office.sandbox.requests) == requests
    assert files_of(office, job) == files


def test_in_a_completed_job_a_run_does_nothing_though_a_person_changed_what_was_unchanged(office: Office) -> None:
    [there] = office.there("contacts", {"name": "A ApS", "contactNo": "1", "cityText": "Ry", "isCustomer": True})
    job = office.run("customers", "update", [{"contactNo": "1", "city": "Ry"}])
    assert (job.status, job.counts["unchanged"]) == ("completed", 1)
    office.sandbox.change("contacts", there, cityText="Hjo")
    nothing_happens(office, job)
    assert office.one("contacts")["cityText"] == "Hjo"


def test_in_a_completed_job_a_run_does_nothing_though_a_person_deleted_what_was_skipped(office: Office) -> None:
    [there] = office.there("contacts", {"name": "A ApS", "contactNo": "1", "isCustomer": True})
    job = office.run("customers", "import", [{"name": "A ApS", "contactNo": "1"}])
    assert (job.status, job.counts["skipped"]) == ("completed", 1)
    office.sandbox.delete("contacts", there)
    nothing_happens(office, job)
    assert office.names() == set()


def test_in_a_completed_undo_a_run_does_nothing_though_a_person_did_the_jobs_work_again(office: Office) -> None:
    """Judged anew, a row that somebody had put back, and has changed once more since, was taken for the job's."""
    [there] = office.there("contacts", {"name": "A ApS", "contactNo": "1", "cityText": "Ry", "isCustomer": True})
    job = office.run("customers", "update", [{"contactNo": "1", "city": "Ribe"}])
    office.sandbox.change("contacts", there, cityText="Ry")
    undone = office.take_back(job)
    assert (undone.codes, undone.job.status) == (["as_before"], "completed")
    office.sandbox.change("contacts", there, cityText="Ribe")
    nothing_happens(office, undone.job, work_on)
    assert office.one("contacts")["cityText"] == "Ribe"
    target = get_job(office.engine, job.job_id)
    assert target is not None and target.status == "undone"


def test_a_completed_job_keeps_its_options_and_refuses_to_read_its_file_otherwise(office: Office) -> None:
    job = office.run("customers", "import", [{"name": "A ApS"}])
    assert begin(load_job(office.settings, office.engine, job.job_id), "run", {"batch_size": 3}).row == job
    with pytest.raises(Halted, match="decimal cannot be changed"):
        begin(load_job(office.settings, office.engine, job.job_id), "run", {"decimal": "point"})
    assert get_job(office.engine, job.job_id) == job
