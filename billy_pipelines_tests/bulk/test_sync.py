"""The sync engine against a sandbox that misbehaves: nothing twice, nothing lost, counts true."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from billy_pipelines.bulk.timing import Timing
from billy_pipelines.bulk.verdicts import State
from billy_pipelines.database.journal import Journal
from billy_pipelines.sandbox import Fault, SandboxServer
from billy_pipelines.sandbox.reference import countries
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import (
    check_accounts,
    customers_csv,
    leave_in_doubt,
    names_created,
    numbered,
    run_job,
    run_job_async,
    take_in,
)
from billy_pipelines_tests.support import wait_until

BILLY_DOES_NOT_KNOW = "TV"


@pytest.fixture
def unknown_country(monkeypatch: pytest.MonkeyPatch) -> None:
    """A country we know and the sandbox refuses, standing for any rule of Billy's that we do not know."""
    monkeypatch.delitem(countries(), BILLY_DOES_NOT_KNOW)


def _job(settings: Settings, engine: Engine, tmp_path: Path, count: int, **options: object) -> str:
    file = customers_csv(tmp_path / "customers.csv", numbered(count))
    return take_in(settings, engine, file, **options).job.job_id


def test_all_rows_are_created_once(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> None:
    row = run_job(settings, engine, _job(settings, engine, tmp_path, 60))
    assert row.status == "completed"
    assert row.counts["created"] == 60
    check_accounts(settings, engine, sandbox, row)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="5xx-before", every=4),
        Fault(kind="5xx-after", every=4, status=502, body="html"),
        Fault(kind="reset-before", every=5),
        Fault(kind="reset-after", every=5),
        Fault(kind="reset-mid", every=5),
        Fault(kind="bad-json-before", every=6, form="html"),
        Fault(kind="bad-json-after", every=6, form="cut"),
        Fault(kind="timeout-after", every=11, seconds=3, limit=4),
    ],
    ids=lambda fault: fault.kind,
)
def test_an_unclear_answer_neither_doubles_nor_loses(
    fault: Fault, settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.sandbox.switch(faults=[fault])
    row = run_job(settings, engine, _job(settings, engine, tmp_path, 40))
    assert sandbox.sandbox.faults_fired[fault.kind] > 0
    assert row.counts["created"] == 40, row.counts
    check_accounts(settings, engine, sandbox, row)


def test_all_faults_together_with_a_rate_limit(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    kinds = ("5xx-before", "5xx-after", "reset-before", "reset-after", "reset-mid", "bad-json-after")
    faults = [Fault(kind=kind, share=0.04, methods=["GET", "POST"]) for kind in kinds]
    sandbox.sandbox.switch(faults=faults, rate_limit="60/1", retry_after="seconds")
    row = run_job(settings, engine, _job(settings, engine, tmp_path, 120), timing=Timing(settle_after_break=0.05))
    assert row.counts["created"] == 120, row.counts
    check_accounts(settings, engine, sandbox, row)


def test_a_poisoned_row_that_is_made_in_spite_of_its_answer_is_called_created(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.sandbox.switch(faults=[Fault(kind="5xx-after", body_contains="Kunde 00003")])
    row = run_job(settings, engine, _job(settings, engine, tmp_path, 10))
    assert row.counts["created"] == 10
    check_accounts(settings, engine, sandbox, row)


def test_a_row_that_never_gets_a_clear_answer_is_not_sent_for_ever(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.sandbox.switch(faults=[Fault(kind="5xx-before", body_contains="Kunde 00003")])
    row = run_job(settings, engine, _job(settings, engine, tmp_path, 8), timing=Timing(settle_after_break=0.01))
    assert row.counts["created"] == 7
    assert row.counts["failed"] == 1
    job = check_accounts(settings, engine, sandbox, row)
    assert [i.error_code for i in job.journal.items(["failed"])] == ["no_clear_answer"]
    sandbox.sandbox.switch(faults=[])
    again = run_job(settings, engine, row.job_id)
    assert again.counts["created"] == 8
    check_accounts(settings, engine, sandbox, again)


def test_a_record_somebody_else_made_meanwhile_is_never_called_ours(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.sandbox.switch(faults=[Fault(kind="5xx-before", body_contains="Kunde 00001", limit=1)])
    job_id = _job(settings, engine, tmp_path, 3)

    async def scenario() -> object:
        run = asyncio.create_task(run_job_async(settings, engine, job_id, timing=Timing(settle_after_break=1.0)))
        await asyncio.to_thread(wait_until, lambda: sandbox.sandbox.faults_fired["5xx-before"])
        sandbox.sandbox.add_contacts([{"name": "Kunde 00001 ApS", "countryId": "DK", "cityText": "Esbjerg"}])
        return await run

    row = asyncio.run(scenario())
    assert row.counts["created"] == 2  # type: ignore[attr-defined]
    job = check_accounts(settings, engine, sandbox, row)  # type: ignore[arg-type]
    [failed] = job.journal.items(["failed"])
    assert failed.error_code == "outcome_unknown"
    assert "Kunde 00001 ApS" in (failed.error or "")


def test_a_refused_token_ends_the_job_at_once_and_it_resumes_with_a_good_one(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.sandbox.switch(revoked_after=12)
    row = run_job(settings, engine, _job(settings, engine, tmp_path, 40))
    assert row.status == "failed"
    assert row.errors[-1]["code"] == "token_refused"
    assert row.counts["unprocessed"] + row.counts["created"] == 40
    check_accounts(settings, engine, sandbox, row)
    refused = sandbox.sandbox.requests.by_status()["401"]
    assert refused < 40, "the file was burnt through"
    sandbox.sandbox.switch(revoked_after=None)
    row = run_job(settings, engine, row.job_id)
    assert row.counts["created"] == 40
    check_accounts(settings, engine, sandbox, row)


def test_billy_down_ends_the_job_after_the_breaker_time_and_it_resumes(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    job_id = _job(settings, engine, tmp_path, 300)

    async def scenario() -> object:
        run = asyncio.create_task(run_job_async(settings, engine, job_id))
        await asyncio.to_thread(wait_until, lambda: len(sandbox.sandbox.ledger) >= 10)
        sandbox.sandbox.switch(faults=[Fault(kind="5xx-before", methods=["GET", "POST"])])
        return await run

    row = asyncio.run(scenario())
    assert row.status == "failed"  # type: ignore[attr-defined]
    assert row.errors[-1]["code"] == "billy_unavailable"  # type: ignore[attr-defined]
    assert len(sandbox.sandbox.requests) < 200, "the file was burnt through"
    sandbox.sandbox.switch(faults=[])
    row = run_job(settings, engine, job_id)
    assert row.counts["created"] == 300
    check_accounts(settings, engine, sandbox, row)


def test_a_stop_leaves_nothing_unrecorded_and_a_resume_finishes(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.sandbox.switch(latency="0.02-0.05")
    job_id = _job(settings, engine, tmp_path, 400)

    async def scenario() -> object:
        stop = asyncio.Event()
        run = asyncio.create_task(run_job_async(settings, engine, job_id, stop=stop))
        await asyncio.to_thread(wait_until, lambda: len(sandbox.sandbox.ledger) >= 30)
        stop.set()
        return await run

    row = asyncio.run(scenario())
    assert row.status == "cancelled"  # type: ignore[attr-defined]
    assert 0 < row.counts["unprocessed"] < 400  # type: ignore[attr-defined]
    assert not Journal(engine, job_id).items(["sending", "planned", "valid"])
    check_accounts(settings, engine, sandbox, row)  # type: ignore[arg-type]
    row = run_job(settings, engine, job_id)
    assert row.counts["created"] == 400
    check_accounts(settings, engine, sandbox, row)


def test_a_stop_after_the_last_row_stops_nothing(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    """A job whose rows all have their verdict is completed, whatever was asked for meanwhile."""
    sandbox.sandbox.switch(latency=0.5)
    job_id = _job(settings, engine, tmp_path, 5)

    async def scenario() -> object:
        stop = asyncio.Event()
        run = asyncio.create_task(run_job_async(settings, engine, job_id, stop=stop))
        await asyncio.to_thread(wait_until, lambda: names_created(sandbox).total() == 5)  # answers are out
        stop.set()
        return await run

    row = asyncio.run(scenario())
    assert (row.status, row.counts["created"]) == ("completed", 5)  # type: ignore[attr-defined]
    check_accounts(settings, engine, sandbox, row)  # type: ignore[arg-type]


def test_what_billy_carries_out_only_after_the_process_is_gone_is_not_sent_again(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    """The next run comes at once, while Billy still works on requests of the last one: it waits before it looks."""
    job_id = _job(settings, engine, tmp_path, 12)

    async def scenario() -> object:
        stop = asyncio.Event()
        slow = functools.partial(sandbox.sandbox.switch, latency=8)  # half of it before a record is stored
        run = asyncio.create_task(
            run_job_async(settings, engine, job_id, stop=stop, timing=Timing(drain=0.05), before_sync=slow)
        )
        await asyncio.to_thread(
            wait_until, lambda: Journal(engine, job_id).counts().get("sending", 0) == 12
        )  # ten wait at most
        stop.set()
        return await run

    on_their_way = asyncio.run(scenario()).counts["failed"]  # type: ignore[attr-defined]
    assert on_their_way > 0
    sandbox.sandbox.switch(latency=0)
    row = run_job(settings, engine, job_id, timing=Timing(settle_after_timeout=6))
    wait_until(lambda: len([r for r in sandbox.sandbox.requests.select("POST") if r.seconds > 3]) >= on_their_way)
    assert row.counts["created"] == 12
    check_accounts(settings, engine, sandbox, row)


def test_what_does_not_answer_before_the_end_of_the_drain_is_settled_by_the_next_run(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.sandbox.switch(faults=[Fault(kind="timeout-after", seconds=5, limit=3)])
    job_id = _job(settings, engine, tmp_path, 12)

    async def scenario() -> object:
        stop = asyncio.Event()
        timing = Timing(answer=30, drain=0.2, settle_after_timeout=0.1)
        run = asyncio.create_task(run_job_async(settings, engine, job_id, stop=stop, timing=timing))
        await asyncio.to_thread(wait_until, lambda: len(sandbox.sandbox.ledger) >= 3)
        stop.set()
        return await run

    row = asyncio.run(scenario())
    unclear = Journal(engine, job_id).items(["outcome_unknown"])
    assert unclear
    assert row.counts["failed"] == len(unclear)  # type: ignore[attr-defined]
    row = run_job(settings, engine, job_id)
    assert row.counts["created"] == 12
    check_accounts(settings, engine, sandbox, row)


@pytest.mark.usefixtures("unknown_country")
def test_continue_on_error_false_stops_at_the_first_failure(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.sandbox.switch(latency="0.01")
    rows = numbered(300)
    rows[20]["country"] = BILLY_DOES_NOT_KNOW
    file = customers_csv(tmp_path / "customers.csv", rows)
    row = run_job(settings, engine, take_in(settings, engine, file, continue_on_error=False).job.job_id)
    assert row.status == "completed_with_errors"
    assert row.counts["failed"] == 1
    assert row.counts["unprocessed"] > 150
    check_accounts(settings, engine, sandbox, row)


@pytest.mark.usefixtures("unknown_country")
def test_a_row_that_billy_refuses_fails_with_billys_reason_and_the_others_go_on(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    rows = numbered(10)
    rows[3]["country"] = BILLY_DOES_NOT_KNOW
    file = customers_csv(tmp_path / "customers.csv", rows)
    row = run_job(settings, engine, take_in(settings, engine, file).job.job_id)
    assert (row.counts["created"], row.counts["failed"]) == (9, 1)
    [failed] = check_accounts(settings, engine, sandbox, row).journal.items(["failed"])
    assert failed.error_code == "billy_refused"
    assert "422" in (failed.error or "")
    assert "countryId" in (failed.error or "")
    assert (settings.jobs_dir / row.job_id / "failed.csv").exists()


def test_a_crash_between_mark_and_outcome_is_settled_by_one_listing(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    job_id = _job(settings, engine, tmp_path, 20)
    row = run_job(settings, engine, job_id)
    assert row.counts["created"] == 20
    # As after a kill -9: ten rows are marked as leaving; six of them had reached Billy, four had not.
    gone = {str(c["name"]): str(c["id"]) for c in sandbox.sandbox.contacts}
    for number in range(4):
        sandbox.sandbox.delete_contact(gone[f"Kunde {number:05d} ApS"])
    leave_in_doubt(engine, job_id, range(2, 12), status=State.INTERRUPTED)
    before = len(sandbox.sandbox.requests.select(method="GET"))
    row = run_job(settings, engine, job_id)
    assert row.counts["created"] == 20
    assert len(sandbox.sandbox.contacts) == 20
    created = names_created(sandbox)
    assert sum(created.values()) == 24
    assert len(sandbox.sandbox.requests.select(method="GET")) - before <= 4, "settled row by row"


def test_equal_rows_forced_by_on_existing_create_are_each_made_once(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.sandbox.add_contacts([{"name": "Ens ApS", "countryId": "DK", "cityText": "Århus"}])
    sandbox.sandbox.switch(faults=[Fault(kind="5xx-after", every=3), Fault(kind="5xx-before", every=4)])
    file = customers_csv(tmp_path / "customers.csv", [{"name": "Ens ApS", "city": "Århus"}] * 12)
    row = run_job(settings, engine, take_in(settings, engine, file, on_existing="create").job.job_id)
    assert row.counts["created"] == 12
    assert len(sandbox.sandbox.contacts) == 13
    ids = [item.billy_id for item in Journal(engine, row.job_id).items()]
    assert len(set(ids)) == 12


def test_the_gate_stops_before_the_first_write(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    rows = [*numbered(50), *({"name": f"Forkert {n}", "email": "x@"} for n in range(6))]
    file = customers_csv(tmp_path / "customers.csv", rows)
    row = run_job(settings, engine, take_in(settings, engine, file).job.job_id)
    assert (row.status, row.errors[-1]["code"]) == ("failed", "too_many_rejected")
    assert row.counts == {**row.counts, "rejected": 6, "unprocessed": 50, "total": 56}
    assert not sandbox.sandbox.ledger
    check_accounts(settings, engine, sandbox, row)


def test_a_dry_run_only_reads(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> None:
    row = run_job(settings, engine, _job(settings, engine, tmp_path, 10, dry_run=True))
    assert row.status == "planned"
    assert row.planned["create"] == 10
    assert row.counts["unprocessed"] == 10
    assert not sandbox.sandbox.ledger
    assert {entry.method for entry in sandbox.sandbox.requests} == {"GET"}


def test_a_killed_database_connection_does_not_end_the_job(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.sandbox.switch(latency="0.02")
    job_id = _job(settings, engine, tmp_path, 300)

    async def scenario() -> object:
        run = asyncio.create_task(run_job_async(settings, engine, job_id))
        await asyncio.to_thread(wait_until, lambda: len(sandbox.sandbox.ledger) >= 30)

        def kill() -> None:
            with engine.connect() as connection:
                connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )

        await asyncio.to_thread(kill)
        return await run

    row = asyncio.run(scenario())
    assert row.counts["created"] == 300  # type: ignore[attr-defined]
    check_accounts(settings, engine, sandbox, row)  # type: ignore[arg-type]


def test_the_lease_is_given_back(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> None:
    run_job(settings, engine, _job(settings, engine, tmp_path, 3))

    def free() -> bool:
        with engine.connect() as connection:
            locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            here = " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            return connection.execute(text(locks + here)).scalar_one() == 0

    wait_until(free)
