"""The heartbeat beats on while a job's end is written; what the end says stays."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import Engine

from billy_pipelines.bulk import lifecycle
from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.progress import Progress
from billy_pipelines.database.items import NewItem
from billy_pipelines.database.jobs import get_job
from billy_pipelines.defs import heartbeat
from billy_pipelines.defs.heartbeat import Heartbeat
from billy_pipelines.defs.stopping import StopSwitch
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, numbered, take_in
from billy_pipelines_tests.support import wait_until


class Counted(Progress):
    """Progress that tells how often it was asked."""

    asked = 0

    @property
    def percent(self) -> float:
        self.asked += 1
        return super().percent


def test_a_beat_changes_the_numbers_of_a_running_job_and_none_of_one_that_has_ended(
    settings: Settings, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)
    job_id = take_in(settings, engine, customers_csv(tmp_path / "kunder.csv", numbered(2))).job.job_id
    job = lifecycle.begin(load_job(settings, engine, job_id), "a-run")
    job.journal.insert([NewItem(0, 2, {"name": "A"}, "created"), NewItem(1, 3, {"name": "B"}, "outcome_unknown")])
    progress = Counted(total=2, statuses=Counter({"created": 1, "outcome_unknown": 1}))

    def stands() -> tuple[float, int, int]:
        row = get_job(engine, job_id)
        assert row is not None
        return row.progress, row.counts.get("failed", 0), row.counts.get("unprocessed", 0)

    with Heartbeat(cast(Any, SimpleNamespace()), engine, job_id, progress, StopSwitch()):
        # What is in doubt is not called failed as long as the job goes on.
        assert wait_until(lambda: stands() == (50.0, 0, 1))
        lifecycle.end_completed(job)
        before = progress.asked
        assert wait_until(lambda: progress.asked >= before + 10), "no further beat came"
        assert stands() == (100.0, 1, 0)
    assert stands() == (100.0, 1, 0)
