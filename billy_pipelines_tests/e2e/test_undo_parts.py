"""What was made on the way of a job is taken back by the run that takes back the job: alive till all has ended."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import Popen

import pytest
from sqlalchemy import Engine, text

from billy_pipelines import runs
from billy_pipelines.database.connection import Database
from billy_pipelines.database.jobs import get_job, parts_of
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, run_job, take_in
from billy_pipelines_tests.e2e.commands import billy, finish, start
from billy_pipelines_tests.support import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CONTACTS = 60
SLOWLY = "4"
"""Requests per second: the contacts last longer than any command takes."""
SOON = (datetime.now(UTC).date() + timedelta(days=3)).isoformat()


def test_an_undo_that_is_at_what_was_made_on_the_way_is_alive_and_can_be_stopped(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    job_id = _imported(settings, engine, sandbox, tmp_path)
    [contacts] = [each.job_id for each in parts_of(engine, [job_id])]

    def left() -> int:
        return len(sandbox.sandbox.contacts)

    def by(named: str) -> Callable[[Popen[str]], None]:
        def cancel(_undo: Popen[str]) -> None:
            code, document, err = billy(settings, "cancel", named)
            assert (code, document["cancel_requested"]) == (0, True), err

        return cancel

    def by_ctrl_c(undo: Popen[str]) -> None:
        undo.send_signal(signal.SIGINT)

    ways = [by(job_id), by(f"{job_id}-undo-2"), by(f"{contacts}-undo"), by_ctrl_c]
    for number, stop in enumerate(ways):
        before = left()
        undo = start(settings, "undo", job_id, "--json", BILLY_REQUESTS_PER_SECOND=SLOWLY)
        wait_until(lambda before=before: left() < before, 60, pause=0.02)  # type: ignore[misc]
        if number == 0:
            assert sandbox.sandbox.records("invoices") == [], "they are gone, and the contacts are being deleted"
            with runs.open_instance(settings, Database(engine, None)) as instance:
                assert runs.sweep(settings, engine, instance) == [], "it is alive"
            code, document, err = billy(settings, "status", job_id)
            assert document["status"] == "undoing"
        stop(undo)
        asked = time.monotonic()
        code, _, err = finish(undo, 30)
        assert code == 130, err
        assert time.monotonic() - asked < 10
        assert _run_statuses(engine)[-1] == "CANCELED"
        part = get_job(engine, f"{contacts}-undo")
        assert part is not None
        assert (part.status, part.counts["unprocessed"]) == ("cancelled", left())
        assert left() > 0

    undo = start(settings, "undo", job_id, "--json")
    code, _, err = finish(undo, 60)
    assert (code, left()) == (0, 0), err
    row = get_job(engine, job_id)
    assert row is not None and row.status == "undone"


def test_who_asks_again_while_the_rest_is_taken_back_follows(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    job_id = _imported(settings, engine, sandbox, tmp_path)
    first = start(settings, "undo", job_id, "--json", BILLY_REQUESTS_PER_SECOND=SLOWLY)
    wait_until(lambda: len(sandbox.sandbox.contacts) < CONTACTS, 60, pause=0.02)
    code, document, err = billy(settings, "undo", job_id)
    assert f"is being taken back right now by job {job_id}-undo" in " ".join(err.split())
    assert (code, document["job_id"]) == (0, f"{job_id}-undo")
    assert finish(first, 60)[0] == 0
    assert get_job(engine, f"{job_id}-undo-2") is None
    assert _run_statuses(engine) == ["SUCCESS"]


def _imported(settings: Settings, engine: Engine, sandbox: SandboxServer, folder: Path) -> str:
    """An import of one invoice for each of many contacts that it makes."""
    prices = [{"currencyId": "DKK", "unitPrice": 125.5}]
    sandbox.sandbox.add("products", [{"name": "Vare", "productNo": "0042", "prices": prices}])
    rows = [
        {
            "invoice": str(number),
            "contactName": f"Ny Kunde {number} ApS",
            "contactNo": f"90{number}",
            "entryDate": SOON,
            "productNo": "0042",
            "unitPrice": "100",
        }
        for number in range(CONTACTS)
    ]
    file = customers_csv(folder / "fakturaer.csv", rows)
    job = take_in(settings, engine, file, resource="invoices", create_missing=True, max_error_rate=1.0).job
    assert run_job(settings, engine, job.job_id).counts["created"] == CONTACTS
    assert len(sandbox.sandbox.contacts) == CONTACTS
    return job.job_id


def _run_statuses(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT status FROM dagster.runs ORDER BY id")).scalars())
