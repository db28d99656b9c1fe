"""A person's word that a plan is to be carried out, given more than once."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from billy_pipelines.bulk.applying import NotApplicable, apply_plan
from billy_pipelines.database.jobs import get_job, jobs_to_launch
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, numbered, run_job, take_in


def test_a_plan_that_is_applied_twice_before_its_run_begins_asks_for_one_run(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    file = customers_csv(tmp_path / "kunder.csv", numbered(1))
    job_id = take_in(settings, engine, file, dry_run=True).job.job_id
    run_job(settings, engine, job_id)
    first = apply_plan(engine, job_id, launch=True)
    second = apply_plan(engine, job_id, confirm_count=1, launch=True)
    assert (first.launches, second.launches) == (1, 1), "the number of the asking is what tells runs apart"
    assert second.options["confirm_count"] == 1, "what was typed last counts"
    assert [job.job_id for job in jobs_to_launch(engine)] == [job_id]
    assert run_job(settings, engine, job_id).status == "completed"
    with pytest.raises(NotApplicable, match="completed"):
        apply_plan(engine, job_id, launch=True)
    done = get_job(engine, job_id)
    assert done is not None
    assert (done.launches, done.launch_wanted) == (1, False)
