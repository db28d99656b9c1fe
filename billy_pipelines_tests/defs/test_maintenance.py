"""The maintenance job on a real instance: runs that are old go with events and logs, those somebody needs do not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Engine, text

from billy_pipelines import runs
from billy_pipelines.bulk.context import job_folder
from billy_pipelines.bulk.verdicts import State
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.definitions import defs
from billy_pipelines.defs.nights import Night, today
from billy_pipelines.files.snapshots import snapshot_folder
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, numbered, take_in
from billy_pipelines_tests.defs.nights import take


def maintain(instance: dg.DagsterInstance) -> dict[str, Any]:
    """Run the job; everything its steps say they removed."""
    result = defs.resolve_job_def("maintenance").execute_in_process(instance=instance)
    assert result.success
    found: dict[str, Any] = {}
    for event in result.all_node_events:
        if event.is_successful_output:
            found |= {name: value.value for name, value in event.step_output_data.metadata.items()}
    return found


def run_of(instance: dg.DagsterInstance, job: JobRow, *, raise_on_error: bool = True) -> str:
    """A bulk run of a job, as the daemon would start it."""
    instance.add_dynamic_partitions(runs.PARTITIONS, [job.job_id])
    result = defs.resolve_job_def(runs.job_name(job.resource_type)).execute_in_process(
        run_config=runs.run_config(job),
        partition_key=job.job_id,
        tags=runs.run_tags(job),
        instance=instance,
        raise_on_error=raise_on_error,
    )
    return result.run_id


def age(engine: Engine, days: float) -> None:
    """All jobs and runs there are become that much older."""
    with engine.begin() as connection:
        for statement in (
            "UPDATE dagster.runs SET create_timestamp = create_timestamp - :age",
            "UPDATE dagster.asset_check_executions SET create_timestamp = create_timestamp - :age",
            "UPDATE billy.billy_bulk_jobs SET created_at = created_at - :age, completed_at = completed_at - :age,"
            " updated_at = updated_at - :age",
        ):
            connection.execute(text(statement), {"age": timedelta(days=days)})


def count(engine: Engine, table: str, run_id: str) -> int:
    with engine.connect() as connection:
        found = connection.execute(text(f"SELECT count(*) FROM dagster.{table} WHERE run_id = :run"), {"run": run_id})
        return int(found.scalar_one())


@pytest.fixture
def job(settings: Settings, engine: Engine, tmp_path: Path) -> JobRow:
    file = customers_csv(tmp_path / "kunder.csv", numbered(2))
    return take_in(settings, engine, file).job


def test_after_90_days_a_run_goes_with_its_events_its_logs_and_the_partition_of_its_job(
    nightly: dg.DagsterInstance, settings: Settings, engine: Engine, job: JobRow
) -> None:
    run_id = run_of(nightly, job)
    logs = settings.dagster_home / run_id
    assert logs.is_dir()
    age(engine, 89)
    found = maintain(nightly)
    assert (found["runs_removed"], found["job_folders_removed"], found["jobs_without_images_now"]) == (0, 1, 0)
    assert count(engine, "event_logs", run_id) > 10
    age(engine, 2)
    found = maintain(nightly)
    # The run of the first maintenance is two days old, and stays.
    assert (found["runs_removed"], found["partitions_removed"]) == (1, 1)
    assert (found["jobs_without_images_now"], found["rows_without_images_now"]) == (1, 2)
    assert nightly.get_run_by_id(run_id) is None
    assert count(engine, "event_logs", run_id) == 0
    assert not logs.exists()
    assert not nightly.has_dynamic_partition(runs.PARTITIONS, job.job_id)


def test_a_job_that_nobody_resumed_is_closed_and_named_and_its_run_goes_with_it(
    nightly: dg.DagsterInstance,
    settings: Settings,
    engine: Engine,
    job: JobRow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id = run_of(nightly, job)
    with engine.begin() as connection:
        connection.execute(text("UPDATE billy.billy_bulk_jobs SET status = :s"), {"s": State.CANCELLED})
    age(engine, 29)
    with monkeypatch.context() as brief:
        brief.setenv("BILLY_KEEP_RUNS_DAYS", "7")
        found = maintain(nightly)
    assert (found["runs_removed"], found["partitions_removed"], found["job_folders_removed"]) == (0, 0, 0)
    assert nightly.get_run_by_id(run_id) is not None, "it may go on tomorrow"
    assert job_folder(settings, job.job_id).is_dir()
    age(engine, 2)
    found = maintain(nightly)
    assert (found["closed_as_nobody_resumed"], found["first_closed"]) == (1, [job.job_id])
    assert (found["runs_removed"], found["job_folders_removed"]) == (0, 1)
    resumed = run_of(nightly, job, raise_on_error=False)
    [event] = [each for each in nightly.all_logs(resumed) if each.dagster_event and each.dagster_event.is_step_failure]
    assert "job_closed: " in str(event.dagster_event.step_failure_data.user_failure_data)  # type: ignore[union-attr]
    age(engine, 60)
    found = maintain(nightly)
    assert (found["runs_removed"], found["partitions_removed"]) == (1, 0), "the run that was refused is younger"
    age(engine, 31)
    assert maintain(nightly)["partitions_removed"] == 1
    assert nightly.get_run_by_id(run_id) is None


def test_what_checks_said_goes_with_their_run_which_dagster_leaves_behind(
    nightly: dg.DagsterInstance, engine: Engine, sandbox: SandboxServer, job: JobRow
) -> None:
    gone, night = run_of(nightly, job), take(nightly, "products").run_id
    checks = count(engine, "asset_check_executions", gone)
    assert checks > 0
    nightly.report_runless_asset_event(
        dg.AssetCheckEvaluation(asset_key=dg.AssetKey("elsewhere"), check_name="from_outside", passed=True)
    )
    age(engine, 91)
    nightly.delete_run(gone)  # by somebody's hand, in the UI
    assert count(engine, "asset_check_executions", gone) == checks, "that is Dagster 1.13; if not, ours is not needed"
    assert maintain(nightly)["check_results_removed"] == checks
    assert count(engine, "asset_check_executions", gone) == 0
    assert count(engine, "asset_check_executions", night) == 3, "its night is there, and so is its run"
    assert count(engine, "asset_check_executions", "") == 1, "what was reported from outside has no run"
    assert maintain(nightly)["check_results_removed"] == 0


def test_nothing_of_a_run_is_left_in_any_table_of_dagsters(
    nightly: dg.DagsterInstance, engine: Engine, job: JobRow
) -> None:
    run_id = run_of(nightly, job)
    age(engine, 91)
    maintain(nightly)
    with engine.connect() as connection:
        query = "SELECT table_name FROM information_schema.columns WHERE table_schema = 'dagster' AND column_name = :n"
        tables = connection.execute(text(query), {"n": "run_id"}).scalars().all()
    assert {"event_logs", "run_tags", "asset_check_executions"} <= set(tables)
    assert {name: left for name in tables if (left := count(engine, name, run_id))} == {}


def test_a_run_that_has_not_ended_stays(nightly: dg.DagsterInstance, engine: Engine) -> None:
    run = nightly.create_run_for_job(defs.resolve_job_def("maintenance"))
    age(engine, 400)
    assert maintain(nightly)["runs_removed"] == 0
    assert nightly.get_run_by_id(run.run_id) is not None


def test_many_runs_are_gone_through_in_batches_behind_those_that_stay(
    nightly: dg.DagsterInstance, settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billy_pipelines.defs.maintenance.RUNS_AT_ONCE", 2)
    night = Night(today() - timedelta(days=1), "default")
    snapshot_folder(settings, "default", "customers", night.day).mkdir(parents=True)
    of_the_night = {
        "dagster/partition/date": night.day.isoformat(),
        "dagster/partition/organization": night.organization,
    }
    kept, removed = set(), set()
    for number in range(9):
        stays = number in (1, 4, 5, 8)
        run = nightly.create_run_for_job(defs.resolve_job_def("maintenance"), tags=of_the_night if stays else {})
        nightly.report_run_failed(run)
        (kept if stays else removed).add(run.run_id)
    age(engine, 400)
    assert maintain(nightly)["runs_removed"] == len(removed)
    assert {run.run_id for run in nightly.get_runs()} >= kept
    assert not {run.run_id for run in nightly.get_runs()} & removed


def test_the_run_of_a_night_stays_as_long_as_its_snapshot(
    nightly: dg.DagsterInstance, settings: Settings, engine: Engine, sandbox: SandboxServer
) -> None:
    """Without its run the night would show as missing in the UI."""
    result = take(nightly, "products")
    age(engine, 400)
    assert maintain(nightly)["runs_removed"] == 0
    folder = snapshot_folder(settings, "default", "products", today())
    folder.rename(folder.with_name((datetime.now(UTC) - timedelta(days=50)).date().isoformat()))
    assert maintain(nightly)["runs_removed"] == 1
    assert nightly.get_run_by_id(result.run_id) is None


def test_a_wrong_setting_is_named_and_nothing_is_removed(
    nightly: dg.DagsterInstance, engine: Engine, job: JobRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLY_KEEP_RUNS_DAYS", "a while")
    run_of_job = defs.resolve_job_def("maintenance").execute_in_process(instance=nightly, raise_on_error=False)
    said = [event.step_failure_data.user_failure_data for event in run_of_job.all_events if event.is_step_failure]
    assert len(said) == 3
    assert all(each is not None and "BILLY_KEEP_RUNS_DAYS is 'a while'" in str(each.description) for each in said)
