"""A dry run of an undo says what the undo would say, and leaves everything as it was."""

from __future__ import annotations

from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.verdicts import VALID, State
from billy_pipelines.database.items import Outcome
from billy_pipelines.database.jobs import get_job, update_job
from billy_pipelines_tests.bulk.jobs import leave_in_doubt
from billy_pipelines_tests.bulk.test_undo_among_others import customers
from billy_pipelines_tests.bulk.test_undo_kept import Office, office

__all__ = ["office"]


def test_a_dry_run_says_of_a_dead_jobs_rows_what_the_undo_says(office: Office) -> None:
    """It looks in Billy for what was in doubt, as the undo does, and leaves the job as it was."""
    job = office.run("customers", "import", customers(3))
    journal = load_job(office.settings, office.engine, job.job_id).journal
    items = journal.items()
    leave_in_doubt(office.engine, job.job_id, (2, 3))
    office.sandbox.delete("contacts", items[1].billy_id or "")  # this one never reached Billy
    update_job(office.engine, job.job_id, status=State.PROCESSING, completed_at=None)
    before, row_before, written = journal.items(), get_job(office.engine, job.job_id), len(office.sandbox.ledger)
    shown = office.take_back(job, dry_run=True)
    assert [(row["line"], row["verdict"]) for row in shown.rows] == [
        ("2", "would be deleted"),
        ("4", "would be deleted"),
    ]
    assert (journal.items(), get_job(office.engine, job.job_id)) == (before, row_before)
    assert len(office.sandbox.ledger) == written
    undone = office.take_back(job)
    assert [(row["line"], row["verdict"]) for row in undone.rows] == [("2", "reversed"), ("4", "reversed")]


def test_a_dry_run_leaves_what_the_job_has_done_by_half_to_the_job(office: Office) -> None:
    office.run("customers", "import", customers(2))
    job = office.run("customers", "update", [{"contactNo": str(n), "city": "Ribe"} for n in range(2)])
    journal = load_job(office.settings, office.engine, job.job_id).journal
    journal.write([Outcome(1, VALID)])
    update_job(office.engine, job.job_id, status=State.INTERRUPTED)
    shown = office.take_back(job, dry_run=True)
    assert shown.verdicts == ["would be restored"] * 2
    assert [item.status for item in journal.items()] == ["updated", VALID], "the job can still go on and finish it"
    assert office.take_back(job).verdicts == ["reversed"] * 2
    assert [item.error_code for item in journal.items()] == [None, "partly_changed"]


def test_what_a_dry_run_called_reversed_is_in_the_undo_as_well(office: Office) -> None:
    job = office.run("customers", "import", customers(3))
    gone = load_job(office.settings, office.engine, job.job_id).journal.items()[1].billy_id or ""
    office.sandbox.delete("contacts", gone)
    assert office.take_back(job, dry_run=True).codes == ["", "already_gone", ""]
    undone = office.take_back(job)
    assert (undone.verdicts, undone.codes) == (["reversed"] * 3, ["", "already_gone", ""])
    assert undone.target.status == "undone"
