"""R3: a hundred interrupts under load. None is lost, none hangs, none leaves a row without its true verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import Engine

from billy_pipelines.database.jobs import get_job
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import check_accounts
from billy_pipelines_tests.e2e.commands import environment

TIMES = 100


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_a_hundred_interrupts_under_load(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.sandbox.switch(latency="0.02-0.15")
    ended = subprocess.run(
        [sys.executable, "-m", "billy_pipelines_tests.defs.interrupts", str(tmp_path), str(TIMES)],
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    ends = json.loads(ended.stdout)
    assert len(ends) == TIMES
    assert all(end["handlers_back"] for end in ends)
    assert all(end["asked"] for end in ends), "a signal was lost"
    how = Counter(end["how"] for end in ends)
    assert how["stopped"] > TIMES / 2, f"the interrupts came too late to prove anything: {how}"
    for end in ends:
        row = get_job(engine, end["job_id"])
        assert row is not None
        assert row.status == ("cancelled" if end["how"] == "stopped" else "completed")
        check_accounts(settings, engine, sandbox, row)
