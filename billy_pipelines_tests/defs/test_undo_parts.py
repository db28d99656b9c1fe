"""The Dagster job `undo` and what was made on the way: one run, which begins nothing that it may not end."""

from __future__ import annotations

import dagster as dg
import pytest

from billy_pipelines import runs
from billy_pipelines.bulk.undo import begin_undo
from billy_pipelines.bulk.verdicts import State
from billy_pipelines.database.jobs import get_job, parts_of, update_job
from billy_pipelines.definitions import defs
from billy_pipelines_tests.bulk.test_undo_kept import Office, office
from billy_pipelines_tests.bulk.test_undo_of_parts import approved, let_time_pass
from billy_pipelines_tests.defs.test_undo import environment, instance

__all__ = ["environment", "instance", "office"]


def test_a_retry_that_comes_too_late_for_a_part_does_nothing(office: Office, instance: dg.DagsterInstance) -> None:
    job = approved(office)
    undo = begin_undo(office.settings, office.engine, job.job_id, launch=False).job
    update_job(office.engine, undo.job_id, status=State.CANCELLED)
    let_time_pass(office, 100)
    written = len(office.sandbox.ledger)
    with pytest.raises(dg.Failure, match="too_late: What job"):
        defs.resolve_job_def("undo").execute_in_process(
            run_config=runs.run_config(undo), tags=runs.run_tags(undo), instance=instance
        )
    assert len(office.sandbox.ledger) == written
    assert (get_job(office.engine, job.job_id) or job).status == "completed"


def test_a_part_whose_process_died_ends_as_its_run_did(office: Office, instance: dg.DagsterInstance) -> None:
    """The run is that of the job's undo: cancelled is cancelled, and nothing resumes what was made on the way."""
    job = approved(office)
    [part] = parts_of(office.engine, [job.job_id])
    undo = begin_undo(office.settings, office.engine, job.job_id, launch=False).job
    of_part = begin_undo(office.settings, office.engine, part.job_id, launch=False).job
    run = instance.create_run_for_job(
        defs.resolve_job_def("undo"), run_config=runs.run_config(undo), tags=runs.run_tags(undo)
    )
    instance.report_run_canceled(run)
    update_job(office.engine, undo.job_id, status=State.COMPLETED)
    update_job(office.engine, of_part.job_id, status=State.PROCESSING, dagster_run_id=run.run_id)
    assert runs.sweep(office.settings, office.engine, instance, at_start=True) == [of_part.job_id]
    swept = get_job(office.engine, of_part.job_id)
    assert swept is not None and (swept.status, swept.launch_wanted) == ("cancelled", False)
