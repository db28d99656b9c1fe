"""Options of a run: what is given changes the job, what is not stays as the job has it, wherever the run comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Engine

from billy_pipelines import runs
from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.lifecycle import begin
from billy_pipelines.bulk.options import JobOptions
from billy_pipelines.database.connection import Database
from billy_pipelines.database.jobs import JobRow, get_job
from billy_pipelines.definitions import defs
from billy_pipelines.defs.options import options_given
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, numbered, run_job, take_in

SCAFFOLD = JobOptions().model_dump(mode="json")
"""What the launchpad fills in: every option with its default."""


@pytest.fixture
def instance(settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    for name in ("DAGSTER_HOME", "BILLY_DAGSTER_DATABASE_URL"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("BILLY_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("BILLY_API_URL", settings.api_url)
    monkeypatch.setenv("BILLY_DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("BILLY_ACCESS_TOKEN", settings.environ["BILLY_ACCESS_TOKEN"])
    with runs.open_instance(settings, Database(engine, None)) as opened:
        yield opened


@pytest.fixture
def planned(settings: Settings, engine: Engine, tmp_path: Path) -> JobRow:
    """A dry run with options of its own."""
    file = customers_csv(tmp_path / "kunder.csv", numbered(1))
    return take_in(settings, engine, file, on_existing="update", batch_size=3, dry_run=True).job


Launch = Callable[..., dict[str, Any]]


@pytest.fixture
def launch(instance: dg.DagsterInstance, engine: Engine, planned: JobRow) -> Launch:
    """A run of the job from the launchpad; the options the job has after it."""
    instance.add_dynamic_partitions(runs.PARTITIONS, [planned.job_id])

    def launched(config: dict[str, Any]) -> dict[str, Any]:
        run_config = {"ops": {"customers__rows": {"config": config}}} if config else {}
        run = defs.resolve_job_def("bulk_customers").execute_in_process(
            run_config=run_config,
            partition_key=planned.job_id,
            instance=instance,
            asset_selection=[dg.AssetKey(["customers", "rows"])],  # the only one that takes options
        )
        assert run.success
        after = get_job(engine, planned.job_id)
        assert after is not None
        return after.options

    return launched


def test_the_launchpad_leaves_the_jobs_options_alone_but_those_that_are_changed(
    launch: Launch, planned: JobRow
) -> None:
    assert launch({}) == planned.options
    assert launch(SCAFFOLD) == planned.options
    assert launch({**SCAFFOLD, "batch_size": 7}) == {**planned.options, "batch_size": 7}
    assert launch({"on_existing": "skip"})["on_existing"] == "skip", "given alone, a default counts"


def test_runs_that_nobody_gave_options_name_none(planned: JobRow) -> None:
    assert runs.run_config(planned) == {}
    config = runs.run_config(planned, {"batch_size": 5})
    assert options_given(runs.options_given(config, "customers")) == {"batch_size": 5}
    assert runs.options_given({"ops": {"customers__rows": {}}}, "customers") == {}


def limited(settings: Settings, policy: str) -> None:
    settings.data_dir.mkdir(exist_ok=True)
    path = settings.data_dir / "organizations.yaml"
    path.write_text(f"organizations:\n  - name: default\n    policy: {{{policy}}}\n", encoding="utf-8")


def test_b25_a_run_does_not_exceed_the_policy_whoever_gives_its_options(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    file = customers_csv(tmp_path / "kunder.csv", [*numbered(1), {"name": "", "email": "x@y.example", "city": ""}])
    done = run_job(settings, engine, take_in(settings, engine, file).job.job_id)
    assert done.status == "completed_with_errors"
    limited(settings, "max_error_rate: 0.1")
    with pytest.raises(Halted, match=r"max_error_rate is 0\.5, but this organization's policy allows 0\.1"):
        begin(load_job(settings, engine, done.job_id), "run", {"max_error_rate": 0.5})
    assert get_job(engine, done.job_id) == done, "a run that is refused changes nothing"
    waiting = take_in(settings, engine, file, again=True).job
    limited(settings, "batch_size: 5")
    with pytest.raises(Halted, match="batch_size is 10"):
        begin(load_job(settings, engine, waiting.job_id), "run")
    ended = get_job(engine, waiting.job_id)
    assert ended is not None
    assert (ended.status, ended.errors[-1]["code"]) == ("failed", "bad_option"), "nobody would ever start it again"
