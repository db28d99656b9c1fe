"""The Dagster job `apply_plan`: what `billy apply` does, from the UI. It asks; the sensor starts the job's own run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Engine

from billy_pipelines import runs
from billy_pipelines.database.connection import Database
from billy_pipelines.database.jobs import JobRow, get_job, jobs_to_launch
from billy_pipelines.definitions import defs
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, run_job, take_in

CUSTOMERS = [{"name": f"Kunde {number} ApS", "contactNo": str(number)} for number in range(10)]


@pytest.fixture(autouse=True)
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run reads its settings from."""
    monkeypatch.setenv("BILLY_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("BILLY_API_URL", settings.api_url)
    monkeypatch.setenv("BILLY_DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("BILLY_ACCESS_TOKEN", settings.environ["BILLY_ACCESS_TOKEN"])


@pytest.fixture
def deletes(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> JobRow:
    """A dropped file that deletes three of ten customers: planned, and waiting for a person (rule B17)."""
    sandbox.sandbox.add_contacts({**customer, "isCustomer": True} for customer in CUSTOMERS)
    file = customers_csv(tmp_path / "kunder.csv", [{"contactNo": customer["contactNo"]} for customer in CUSTOMERS[:3]])
    job_id = take_in(settings, engine, file, operation="delete", launch=True).job.job_id
    return run_job(settings, engine, job_id)


@pytest.fixture
def instance(settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """Dagster's own tables in this test's database: those in memory know no second thread, as heartbeats are."""
    for name in ("DAGSTER_HOME", "BILLY_DAGSTER_DATABASE_URL"):
        monkeypatch.setenv(name, "")  # so that what open_instance sets is taken back after the test
    with runs.open_instance(settings, Database(engine, None)) as opened:
        yield opened


def apply(**config: Any) -> dg.ExecuteInProcessResult:
    return defs.resolve_job_def("apply_plan").execute_in_process(run_config={"ops": {"apply": {"config": config}}})


def carry_out(request: dg.RunRequest, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """The run a sensor asks for, as the daemon would start it."""
    assert request.job_name is not None
    assert request.partition_key is not None
    instance.add_dynamic_partitions(runs.PARTITIONS, [request.partition_key])
    return defs.resolve_job_def(request.job_name).execute_in_process(
        run_config=request.run_config, partition_key=request.partition_key, tags=request.tags, instance=instance
    )


def test_an_applied_plan_is_carried_out_by_the_run_the_sensor_asks_for(
    deletes: JobRow, engine: Engine, sandbox: SandboxServer, instance: dg.DagsterInstance
) -> None:
    assert deletes.status == "planned"
    assert jobs_to_launch(engine) == []
    assert apply(job_id=deletes.job_id, confirm_count=3).success
    assert len(sandbox.sandbox.contacts) == len(CUSTOMERS), "asking writes nothing"
    asked = defs.resolve_sensor_def("uploads")(dg.build_sensor_context())
    assert isinstance(asked, dg.SensorResult)
    [request] = asked.run_requests or []
    assert (request.job_name, request.partition_key) == ("bulk_customers", deletes.job_id)
    assert carry_out(request, instance).success
    done = get_job(engine, deletes.job_id)
    assert done is not None
    assert (done.status, done.counts["deleted"]) == ("completed", 3)
    assert {each["contactNo"] for each in sandbox.sandbox.contacts} == {each["contactNo"] for each in CUSTOMERS[3:]}
    assert jobs_to_launch(engine) == []


def test_without_a_plan_that_waits_the_run_fails_with_the_reason(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    job = take_in(settings, engine, customers_csv(tmp_path / "kunder.csv", CUSTOMERS)).job
    with pytest.raises(dg.Failure, match="is pending; only a plan that waits for a person can be applied"):
        apply(job_id=job.job_id)
    with pytest.raises(dg.Failure, match="There is no job 'nothing'"):
        apply(job_id="nothing")
    assert jobs_to_launch(engine) == []
