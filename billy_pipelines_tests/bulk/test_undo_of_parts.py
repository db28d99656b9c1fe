"""What was made on the way of a job goes after it: or, when it is too late for that, nothing goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from billy_pipelines.bulk.applying import apply_plan
from billy_pipelines.bulk.undo import Begun, CannotUndo, begin_undo
from billy_pipelines.bulk.verdicts import State
from billy_pipelines.database.jobs import JobRow, get_job, parts_of, update_job
from billy_pipelines.database.locks import Lease
from billy_pipelines_tests.bulk.jobs import run_job
from billy_pipelines_tests.bulk.test_undo_kept import Office, office

__all__ = ["office"]

SOON = (datetime.now(UTC).date() + timedelta(days=3)).isoformat()


def approved(office: Office) -> JobRow:
    """A job that has approved two invoices, and made their customers on its way."""
    office.there("products", {"name": "Vare", "productNo": "42"})
    rows = [
        {
            "invoice": str(number),
            "contactName": f"Ny Kunde {number} ApS",
            "contactNo": f"90{number}",
            "entryDate": SOON,
            "productNo": "42",
            "unitPrice": "100",
        }
        for number in range(2)
    ]
    planned = office.run("invoices", "import", rows, create_missing=True, approve=True)
    apply_plan(office.engine, planned.job_id, confirm_count=2, launch=False)
    job = run_job(office.settings, office.engine, planned.job_id)
    assert [each["state"] for each in office.sandbox.records("invoices")] == ["approved"] * 2, job.errors
    return job


def let_time_pass(office: Office, days: int) -> None:
    with office.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE billy.billy_bulk_jobs SET created_at = created_at - make_interval(days => :days),"
                " updated_at = updated_at - make_interval(days => :days),"
                " completed_at = completed_at - make_interval(days => :days)"
            ),
            {"days": days},
        )


def test_when_it_is_too_late_for_what_was_made_on_the_way_nothing_is_taken_back(office: Office) -> None:
    """Jobs that approved invoices are kept for years, and the customers they made for 90 days."""
    job = approved(office)
    [part] = parts_of(office.engine, [job.job_id])
    let_time_pass(office, 100)
    for dry_run in (True, False):
        with pytest.raises(CannotUndo) as refused:
            begin_undo(office.settings, office.engine, job.job_id, dry_run=dry_run, launch=False)
        assert refused.value.code == "too_late"
        assert part.job_id in str(refused.value)
    assert get_job(office.engine, f"{job.job_id}-undo") is None
    assert (get_job(office.engine, job.job_id) or job).status == "completed"
    assert f"`billy undo {job.job_id} --only created`" in str(refused.value)
    alone = office.take_back(job, only="created")
    assert alone.codes == ["invoice_booked"] * 2


def test_parts_of_which_nothing_is_left_are_never_too_late(office: Office) -> None:
    job = approved(office)
    for invoice in office.sandbox.records("invoices"):
        office.sandbox.delete("invoices", invoice["id"])
    [part] = parts_of(office.engine, [job.job_id])
    assert office.take_back(part).verdicts == ["reversed"] * 2
    let_time_pass(office, 100)
    assert office.take_back(job).codes == ["already_gone"] * 2


def test_an_undo_is_at_work_until_what_was_made_on_the_way_is_taken_back_too(office: Office) -> None:
    """Whoever asks in between follows it; a second undo would do the same beside it."""
    job = approved(office)
    [part] = parts_of(office.engine, [job.job_id])
    first = begin_undo(office.settings, office.engine, job.job_id, launch=False).job.job_id
    of_part = begin_undo(office.settings, office.engine, part.job_id, launch=False).job.job_id
    update_job(office.engine, first, status=State.COMPLETED_WITH_ERRORS, completed_at=datetime.now(UTC))
    with Lease(office.engine, first) as lease:
        assert lease.take_job() and lease.go_on_with(of_part)
        asked = begin_undo(office.settings, office.engine, job.job_id, launch=False)
        assert (asked.begun, asked.job.job_id) == (Begun.FOLLOWED, first)
        asked = begin_undo(office.settings, office.engine, part.job_id, launch=False)
        assert (asked.begun, asked.job.job_id) == (Begun.FOLLOWED, of_part)
