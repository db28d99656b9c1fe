"""Re-execute of a completed job in Dagster's UI: the run succeeds, and does nothing."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import Engine

from billy_pipelines import runs
from billy_pipelines.bulk.context import job_folder
from billy_pipelines.bulk.undo import begin_undo
from billy_pipelines.database.jobs import JobRow, get_job
from billy_pipelines.definitions import defs
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, run_job, take_in
from billy_pipelines_tests.bulk.taking_back import work_on


def written(settings: Settings, job: JobRow) -> dict[str, int]:
    folder = job_folder(settings, job.job_id)
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


@pytest.fixture
def completed(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> JobRow:
    """An import whose one row was in Billy already; somebody has deleted it there since."""
    [there] = sandbox.sandbox.add("contacts", [{"name": "A ApS", "contactNo": "1", "isCustomer": True}])
    file = customers_csv(tmp_path / "kunder.csv", [{"name": "A ApS", "contactNo": "1"}])
    job = run_job(settings, engine, take_in(settings, engine, file).job.job_id)
    assert (job.status, job.counts["skipped"]) == ("completed", 1)
    sandbox.sandbox.delete("contacts", there)
    return job


def test_a_completed_job_executed_again_sends_nothing_and_stays_as_it_is(
    settings: Settings, engine: Engine, sandbox: SandboxServer, nightly: dg.DagsterInstance, completed: JobRow
) -> None:
    files, requests = written(settings, completed), len(sandbox.sandbox.requests)
    nightly.add_dynamic_partitions(runs.PARTITIONS, [completed.job_id])
    run = defs.resolve_job_def("bulk_customers").execute_in_process(partition_key=completed.job_id, instance=nightly)
    assert run.success
    assert len(run.get_asset_materialization_events()) == 4, "its run page shows a job that is well"
    assert all(check.passed for check in run.get_asset_check_evaluations())
    assert get_job(engine, completed.job_id) == completed
    assert (len(sandbox.sandbox.requests), written(settings, completed)) == (requests, files)


def test_a_completed_job_stays_so_though_its_file_is_gone(
    settings: Settings, engine: Engine, nightly: dg.DagsterInstance, completed: JobRow
) -> None:
    (job_folder(settings, completed.job_id) / completed.upload_name).unlink()
    nightly.add_dynamic_partitions(runs.PARTITIONS, [completed.job_id])
    run = defs.resolve_job_def("bulk_customers").execute_in_process(partition_key=completed.job_id, instance=nightly)
    assert run.success
    assert get_job(engine, completed.job_id) == completed


def test_a_completed_undo_executed_again_sends_nothing_and_stays_as_it_is(
    settings: Settings, engine: Engine, sandbox: SandboxServer, nightly: dg.DagsterInstance, tmp_path: Path
) -> None:
    file = customers_csv(tmp_path / "kunder.csv", [{"name": "B ApS"}])
    job = run_job(settings, engine, take_in(settings, engine, file).job.job_id)
    undo = work_on(settings, engine, begin_undo(settings, engine, job.job_id, launch=False).job.job_id)
    assert undo.status == "completed"
    target, requests = get_job(engine, job.job_id), len(sandbox.sandbox.requests)
    run = defs.resolve_job_def(runs.UNDO_JOB).execute_in_process(
        run_config=runs.run_config(undo), tags=runs.run_tags(undo), instance=nightly
    )
    assert run.success
    assert (get_job(engine, undo.job_id), get_job(engine, job.job_id)) == (undo, target)
    assert len(sandbox.sandbox.requests) == requests
