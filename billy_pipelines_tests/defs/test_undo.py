"""The Dagster job `undo`: from the launchpad, where it changes nothing unless told to, and from the sensor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Engine

from billy_pipelines import runs
from billy_pipelines.bulk.undo import begin_undo
from billy_pipelines.database.connection import Database
from billy_pipelines.database.jobs import JobRow, get_job, jobs_to_launch
from billy_pipelines.definitions import defs
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, numbered, run_job, take_in


@pytest.fixture(autouse=True)
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run reads its settings from."""
    monkeypatch.setenv("BILLY_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("BILLY_API_URL", settings.api_url)
    monkeypatch.setenv("BILLY_DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("BILLY_ACCESS_TOKEN", settings.environ["BILLY_ACCESS_TOKEN"])


@pytest.fixture
def instance(settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """Dagster's own tables in this test's database: those in memory know no second thread, as heartbeats are."""
    for name in ("DAGSTER_HOME", "BILLY_DAGSTER_DATABASE_URL"):
        monkeypatch.setenv(name, "")  # so that what open_instance sets is taken back after the test
    with runs.open_instance(settings, Database(engine, None)) as opened:
        yield opened


@pytest.fixture
def imported(settings: Settings, engine: Engine, tmp_path: Path) -> JobRow:
    file = customers_csv(tmp_path / "kunder.csv", numbered(3))
    return run_job(settings, engine, take_in(settings, engine, file).job.job_id)


def launch(instance: dg.DagsterInstance, **config: Any) -> dg.ExecuteInProcessResult:
    job = defs.resolve_job_def("undo")
    return job.execute_in_process(run_config={"ops": {runs.UNDO_OP: {"config": config}}}, instance=instance)


def test_the_launchpad_only_shows_until_it_is_told_to_write(
    imported: JobRow, engine: Engine, sandbox: SandboxServer, instance: dg.DagsterInstance
) -> None:
    shown = launch(instance, job_id=imported.job_id)
    row = get_job(engine, f"{imported.job_id}-undo")
    assert row is not None
    assert (row.status, row.planned["delete"], len(sandbox.sandbox.contacts)) == ("planned", 3, 3)
    assert shown.dagster_run.job_name == "undo"
    run = instance.get_run_by_id(shown.run_id)
    assert run is not None
    assert run.tags[runs.JOB_TAG] == row.job_id, "cancelling and sweeping find a run by its job"
    assert launch(instance, job_id=imported.job_id, dry_run=False).success
    row, target = get_job(engine, row.job_id), get_job(engine, imported.job_id)
    assert row is not None and target is not None
    assert (row.status, row.counts["reversed"], target.status) == ("completed", 3, "undone")
    assert sandbox.sandbox.contacts == []


def test_what_cannot_be_undone_fails_the_run_with_the_reason(imported: JobRow, instance: dg.DagsterInstance) -> None:
    with pytest.raises(dg.Failure, match="no_such_job: There is no job 'nothing'"):
        launch(instance, job_id="nothing")
    with pytest.raises(dg.Failure, match="nothing_to_undo"):
        launch(instance, job_id=imported.job_id, only="updated")


def test_a_program_asks_and_the_sensor_starts_the_run(
    settings: Settings, imported: JobRow, engine: Engine, sandbox: SandboxServer, instance: dg.DagsterInstance
) -> None:
    undo = begin_undo(settings, engine, imported.job_id, lines="3-4", only="created", launch=True).job
    asked = defs.resolve_sensor_def("uploads")(dg.build_sensor_context())
    assert isinstance(asked, dg.SensorResult)
    [request] = asked.run_requests or []
    assert (request.job_name, request.partition_key, asked.dynamic_partitions_requests) == ("undo", None, [])
    done = defs.resolve_job_def("undo").execute_in_process(
        run_config=request.run_config, tags=request.tags, instance=instance
    )
    assert done.success
    row, target = get_job(engine, undo.job_id), get_job(engine, imported.job_id)
    assert row is not None and target is not None
    assert (row.status, row.counts["reversed"], target.status) == ("completed", 2, "undone_partly")
    assert (len(sandbox.sandbox.contacts), jobs_to_launch(engine)) == (1, [])
