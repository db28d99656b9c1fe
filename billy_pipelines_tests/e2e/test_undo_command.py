"""`billy undo` with nothing else running: its document and exit codes, cancel, kill -9, and what goes on afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from billy_pipelines.database.jobs import get_job
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, numbered, run_job, take_in
from billy_pipelines_tests.bulk.taking_back import ended
from billy_pipelines_tests.e2e.commands import billy, finish, start
from billy_pipelines_tests.support import wait_until

pytestmark = pytest.mark.slow


def test_a_job_is_taken_back_from_the_command_line(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    file = customers_csv(tmp_path / "kunder.csv", numbered(150))
    job_id = take_in(settings, engine, file).job.job_id
    run_job(settings, engine, job_id)
    undo_id = f"{job_id}-undo"

    def left() -> int:
        return len(sandbox.sandbox.contacts)

    code, document, _ = billy(settings, "undo", job_id, "--dry-run")
    assert (code, document["status"], document["planned"]["delete"], left()) == (0, "planned", 150, 150)

    sandbox.sandbox.switch(latency="0.05-0.1")
    process = start(settings, "undo", job_id, "--json", BILLY_REQUESTS_PER_SECOND="40")
    wait_until(lambda: left() < 140, 60)
    code, document, _ = billy(settings, "cancel", job_id)  # people know the job they take back, not its undo
    assert (code, document["cancel_requested"]) == (0, True)
    code, _, err = finish(process, 30)
    assert code == 130, err
    row, target = get_job(engine, undo_id), get_job(engine, job_id)
    assert row is not None and target is not None
    assert (row.status, target.status) == ("cancelled", "undone_partly")
    assert row.counts["reversed"] == 150 - left()

    process = start(settings, "undo", job_id, "--json", BILLY_REQUESTS_PER_SECOND="40")
    wait_until(lambda: left() < 100, 60)
    process.kill()
    process.wait()
    code, document, _ = billy(settings, "status", undo_id)
    assert document["status"] == "interrupted"

    sandbox.sandbox.switch(latency="0")
    sandbox.sandbox.change_contact(sandbox.sandbox.contacts[0]["id"], phone="99 99 99 99")
    code, document, err = billy(settings, "retry", undo_id)
    assert (code, document["undoes"], document["status"]) == (3, job_id, "completed_with_errors"), err
    assert document["counts"] == {"total": 150, "reversed": 149, "kept": 1, "failed": 0, "unprocessed": 0}
    assert (ended(settings, engine, undo_id).target.status, left()) == ("undone_partly", 1)

    code, document, err = billy(settings, "undo", undo_id)
    assert (code, document["error"]["code"]) == (2, "undo_of_undo")
    assert "an undo is not taken back" in err
    code, document, _ = billy(settings, "status", job_id)
    assert (document["status"], document["undone_by"]) == ("undone_partly", undo_id)
