"""Undo as a job: refused, once, resumed after a stop or a kill, faults settled, and what comes after it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from billy_pipelines.bulk.applying import apply_plan
from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.document import exit_code, job_document
from billy_pipelines.bulk.intake import Reception
from billy_pipelines.bulk.lifecycle import begin
from billy_pipelines.bulk.undo import Begun, CannotUndo, begin_undo
from billy_pipelines.bulk.verdicts import State
from billy_pipelines.database.jobs import JobRow, get_job, parts_of, update_job
from billy_pipelines.database.locks import Lease
from billy_pipelines.database.pruning import forget_images, mark_pruned
from billy_pipelines.sandbox import Fault, SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, leave_in_doubt, numbered, run_job, take_in
from billy_pipelines_tests.bulk.taking_back import books, ended, work_on, work_on_async
from billy_pipelines_tests.bulk.test_undo_kept import Office, invoice
from billy_pipelines_tests.e2e.commands import environment
from billy_pipelines_tests.support import wait_until

LONG_AGO = "2026-01-02T08:00:00"


@pytest.fixture
def office(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> Office:
    return Office(settings, engine, sandbox, tmp_path)


def imported(office: Office, count: int) -> JobRow:
    return office.run("customers", "import", numbered(count))


def mixed(office: Office) -> tuple[JobRow, JobRow, list[Any]]:
    """Thirty customers of which ten were made, ten changed, ten deleted; the two jobs, and the books before them."""
    primary = [{"name": "P", "email": "p@p.example", "isPrimary": True}]
    office.there(
        "contacts",
        *({"name": f"Der {n}", "contactNo": f"{n}", "cityText": "Ry", "contactPersons": primary} for n in range(60)),
    )
    for each in office.sandbox.records("contacts"):
        office.sandbox.change("contacts", each["id"], isCustomer=True)
    before = books(office.server)
    changed = [
        {"name": f"Der {n}", "contactNo": f"{n}", "city": "Ribe", "email": f"ny{n}@n.example"} for n in range(10)
    ]
    new = [{"name": f"Ny {n}", "contactNo": f"N{n}", "city": "Ans", "email": f"n{n}@n.example"} for n in range(10)]
    one = office.run("customers", "import", [*changed, *new], on_existing="update")
    two = office.run("customers", "delete", [{"contactNo": f"{n}"} for n in range(50, 60)])
    assert (one.counts["created"], one.counts["updated"], two.counts["deleted"]) == (10, 10, 10)
    return one, two, before


def undo_id(office: Office, job: JobRow, **asked: Any) -> str:
    return begin_undo(office.settings, office.engine, job.job_id, launch=False, **asked).job.job_id


def check_once(office: Office) -> None:
    """No record was made twice, by whoever."""
    made = Counter(str(change.key) for change in office.sandbox.ledger.select("create", "contacts"))
    assert all(times <= 1 for times in made.values()), made


# -- refused -----------------------------------------------------------------------------------------------------------


def refusal(office: Office, job_id: str, **asked: Any) -> str:
    with pytest.raises(CannotUndo) as refused:
        begin_undo(office.settings, office.engine, job_id, launch=False, **asked)
    assert len(str(refused.value)) > 30
    return refused.value.code


def test_what_cannot_be_undone_is_refused_with_the_reason(office: Office) -> None:
    assert refusal(office, "no-such-job") == "no_such_job"
    file = customers_csv(office.folder / "plan.csv", numbered(1, 100))
    planned = take_in(office.settings, office.engine, file, dry_run=True).job.job_id
    assert refusal(office, planned) == "still_running", "it waits for its first run"
    run_job(office.settings, office.engine, planned)
    assert refusal(office, planned) == "only_planned"
    job = imported(office, 2)
    assert refusal(office, job.job_id, lines="x") == "bad_lines"
    assert refusal(office, job.job_id, lines="9-3") == "bad_lines"
    assert refusal(office, job.job_id, only="deleted") == "bad_lines"
    assert refusal(office, job.job_id, lines="7") == "nothing_to_undo"
    again = office.run("customers", "import", numbered(2), again=True)
    assert refusal(office, again.job_id) == "nothing_to_undo", "it only skipped rows"
    undone = office.take_back(job)
    assert refusal(office, job.job_id) == "already_undone"
    assert refusal(office, undone.job.job_id) == "undo_of_undo"


def test_a_job_that_runs_is_refused_and_one_whose_process_died_is_not(office: Office) -> None:
    job = imported(office, 1)
    update_job(office.engine, job.job_id, status=State.PROCESSING, completed_at=None)
    with Lease(office.engine, job.job_id) as lease:
        assert lease.take_job()
        assert refusal(office, job.job_id) == "still_running"
    assert office.take_back(job).target.status == "undone"


def test_after_their_time_images_are_not_believed_in(office: Office) -> None:
    pruned, old = imported(office, 1), office.run("customers", "import", numbered(1, 50))
    with office.engine.begin() as connection:
        mark_pruned(connection, pruned.job_id, "images", datetime.now(UTC))
        long_ago = datetime.now(UTC) - timedelta(days=91)
        connection.execute(
            text("UPDATE billy.billy_bulk_jobs SET completed_at = :at, updated_at = :at WHERE job_id = :job"),
            {"at": long_ago, "job": old.job_id},
        )
    assert [refusal(office, job.job_id) for job in (pruned, old)] == ["too_late", "too_late"]


def test_other_books_than_the_jobs_are_not_touched(office: Office) -> None:
    job = imported(office, 1)
    with office.engine.begin() as connection:
        connection.execute(text("UPDATE billy.billy_organizations SET billy_organization_id = 'another'"))
    undo = work_on(office.settings, office.engine, undo_id(office, job))
    assert (undo.status, undo.errors[-1]["code"]) == ("failed", "wrong_organization")
    assert "`billy retry" in undo.errors[-1]["message"]
    assert (get_job(office.engine, job.job_id) or job).status == "completed"
    assert len(office.names()) == 1


# -- once --------------------------------------------------------------------------------------------------------------


def test_two_at_once_do_one(office: Office) -> None:
    job = imported(office, 3)
    with ThreadPoolExecutor(4) as pool:
        asked = [
            pool.submit(begin_undo, office.settings, office.engine, job.job_id, launch=False).result for _ in range(4)
        ]
        begun = [each() for each in asked]
    assert {undo.job.job_id for undo in begun} == {f"{job.job_id}-undo"}
    assert Counter(undo.begun for undo in begun) == {Begun.NEW: 1, Begun.FOLLOWED: 3}


def test_a_plan_that_was_only_looked_at_becomes_the_undo_itself(office: Office) -> None:
    job = imported(office, 2)
    shown = office.take_back(job, dry_run=True)
    assert ([row["verdict"] for row in shown.rows], exit_code(shown.job)) == (["would be deleted"] * 2, 0)
    document = job_document(office.settings, shown.job)
    assert document["planned"]["delete"] == 2
    assert document["counts"] == {"total": 2, "reversed": 0, "kept": 0, "failed": 0, "unprocessed": 2}
    office.sandbox.change("contacts", office.one("contacts", name=numbered(1)[0]["name"])["id"], phone="1")
    applied = apply_plan(office.engine, shown.job.job_id, launch=False)
    work_on(office.settings, office.engine, applied.job_id)
    done = ended(office.settings, office.engine, applied.job_id)
    assert (done.verdicts, exit_code(done.job)) == (["kept", "reversed"], 3)


def test_documents_say_what_undoes_what(office: Office) -> None:
    job = imported(office, 1)
    undone = office.take_back(job)
    document = job_document(office.settings, undone.job)
    assert (document["operation"], document["undoes"]) == ("undo", job.job_id)
    assert document["counts"] == {"total": 1, "reversed": 1, "kept": 0, "failed": 0, "unprocessed": 0}
    assert {"undo", "report"} <= document["files"].keys()
    of_target = job_document(office.settings, undone.target)
    assert (of_target["status"], of_target["undone_by"]) == ("undone", undone.job.job_id)
    assert (of_target["counts"]["created"], "undo" in of_target["files"]) == (1, True)


# -- faults ------------------------------------------------------------------------------------------------------------

FAULTS = [
    *(Fault(kind=kind, every=3) for kind in ("5xx-after", "reset-mid", "bad-json-after")),
    Fault(kind="timeout-after", every=4, seconds=2),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
def test_unclear_answers_are_settled_and_nothing_is_made_twice(office: Office, fault: Fault) -> None:
    one, two, before = mixed(office)
    office.sandbox.switch(faults=[fault])
    assert office.take_back(two).verdicts == ["reversed"] * 10
    assert office.take_back(one).verdicts == ["reversed"] * 20
    office.sandbox.switch(faults=[])
    assert books(office.server) == before
    made = Counter(str(change.key) for change in office.sandbox.ledger.select("create", "contacts"))
    assert set(made.values()) == {1}, "ten imported, ten made again, each once"


def test_what_billy_refuses_fails_and_a_retry_takes_it_back(office: Office) -> None:
    one, _, _ = mixed(office)
    office.sandbox.switch(faults=[Fault(kind="422", methods=("PUT",), record="Der 3")])
    undone = office.take_back(one)
    assert (undone.verdicts.count("failed"), undone.codes[3]) == (1, "billy_refused")
    assert (undone.target.status, exit_code(undone.job)) == ("undone_partly", 3)
    office.sandbox.switch(faults=[])
    work_on(office.settings, office.engine, undone.job.job_id)
    assert ended(office.settings, office.engine, undone.job.job_id).target.status == "undone"


# -- stopped, killed, resumed ------------------------------------------------------------------------------------------


def test_stopped_in_the_middle_it_goes_on_where_it_was(office: Office) -> None:
    one, two, before = mixed(office)
    for job in (two, one):
        office.sandbox.switch(latency="0.02")
        undo, written = undo_id(office, job), len(office.sandbox.ledger)

        async def stopped(undo: str = undo, written: int = written) -> JobRow:
            stop = asyncio.Event()
            work = asyncio.create_task(work_on_async(office.settings, office.engine, undo, stop=stop))
            await asyncio.to_thread(wait_until, lambda: len(office.sandbox.ledger) >= written + 3, 60, pause=0.005)
            stop.set()
            return await work

        row = asyncio.run(stopped())
        office.sandbox.switch(latency="0")
        if row.status == "cancelled":
            assert row.counts["unprocessed"] > 0
            assert ended(office.settings, office.engine, undo).target.status in ("undone_partly", "completed")
            assert undo_id(office, job) == undo, "asked again, it is taken up"
            work_on(office.settings, office.engine, undo)
        assert ended(office.settings, office.engine, undo).target.status == "undone"
    check_once_but_imported(office)
    assert books(office.server) == before


def check_once_but_imported(office: Office) -> None:
    made = Counter(str(change.key) for change in office.sandbox.ledger.select("create", "contacts"))
    assert set(made.values()) == {1}, made


def writes_beyond(office: Office, number: int) -> bool:
    return len(office.sandbox.ledger) > number


KILLED = """
import sys
from sqlalchemy import create_engine
from billy_pipelines.database.engine import open_engine
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.taking_back import work_on
settings = Settings.from_environment()
work_on(settings, open_engine(settings.database_url), sys.argv[1])
"""


def test_killed_in_the_middle_it_is_resumed_and_settled(office: Office) -> None:
    """kill -9 with requests on their way: the next run looks for what came of them before it sends anything."""
    one, two, before = mixed(office)
    for job in (two, one):
        undo, written = undo_id(office, job), len(office.sandbox.ledger)
        office.sandbox.switch(latency="0.15")
        process = subprocess.Popen([sys.executable, "-c", KILLED, undo], env=environment(office.settings))
        wait_until(partial(writes_beyond, office, written), 60, pause=0.005)
        process.kill()
        process.wait()
        office.sandbox.switch(latency="0")
        assert (get_job(office.engine, job.job_id) or job).status == "undoing"
        with pytest.raises(Exception, match="a run cannot change that"):
            begin(load_job(office.settings, office.engine, job.job_id), "another-run")
        taken_up = begin_undo(office.settings, office.engine, job.job_id, launch=False)
        assert (taken_up.job.job_id, taken_up.begun) == (undo, Begun.RESUMED)
        work_on(office.settings, office.engine, undo)
        assert ended(office.settings, office.engine, undo).verdicts == ["reversed"] * job.counts["total"]
    check_once_but_imported(office)
    assert books(office.server) == before


def test_what_the_job_left_in_doubt_is_found_out_first(office: Office) -> None:
    """A job killed while its requests were out is taken back whole, without finishing it first."""
    job = imported(office, 4)
    journal = load_job(office.settings, office.engine, job.job_id).journal
    items = journal.items()
    leave_in_doubt(office.engine, job.job_id, (2, 3))
    office.sandbox.delete("contacts", items[1].billy_id or "")  # this one never reached Billy
    update_job(office.engine, job.job_id, status=State.INTERRUPTED, counts={})
    undone = office.take_back(job)
    assert (undone.verdicts, undone.target.status) == (["reversed"] * 3, "undone")
    assert (undone.target.counts["created"], undone.target.counts["unprocessed"]) == (3, 1)
    assert office.names() == set()


# -- afterwards --------------------------------------------------------------------------------------------------------


def test_the_same_file_dropped_again_imports_afresh(office: Office) -> None:
    file = customers_csv(office.folder / "kunder.csv", numbered(3))
    first = take_in(office.settings, office.engine, file).job
    run_job(office.settings, office.engine, first.job_id)
    office.take_back(first)
    again = take_in(office.settings, office.engine, file)
    assert (again.reception, again.job.job_id) == (Reception.NEW, f"{first.job_id}-2")
    assert run_job(office.settings, office.engine, again.job.job_id).counts["created"] == 3


@pytest.mark.parametrize("form", ["csv", "json"])
def test_what_an_undo_had_to_leave_is_not_made_twice_by_the_same_file(office: Office, form: str) -> None:
    """An invoice without a number of its own has nothing it could be recognised by but its line in the file."""
    office.there("contacts", {"name": "Kunde ApS", "contactNo": "17", "isCustomer": True})
    office.there("products", {"name": "Vare", "productNo": "1"})
    rows = [invoice(1), invoice(2), invoice(3), invoice(1)]
    file = customers_csv(office.folder / "fakturaer.csv", rows)
    if form == "json":  # all on one line
        file = office.folder / "fakturaer.json"
        file.write_text(json.dumps(rows), encoding="utf-8")
    how: dict[str, Any] = {"resource": "invoices", "decimal": "point"}
    first = take_in(office.settings, office.engine, file, **how).job
    run_job(office.settings, office.engine, first.job_id)
    items = load_job(office.settings, office.engine, first.job_id).journal.items()
    office.sandbox.change("invoices", items[0].billy_id or "", state="approved", invoiceNo="1001")
    assert office.take_back(first).verdicts == ["kept", "reversed", "reversed", "kept"]
    with office.engine.begin() as connection:  # what rows and records said goes one day (B26); this does not
        for each in (first.job_id, f"{first.job_id}-undo"):
            forget_images(connection, each)
    again = take_in(office.settings, office.engine, file, **how)
    assert again.reception is Reception.NEW
    job = run_job(office.settings, office.engine, again.job.job_id)
    ended_as = load_job(office.settings, office.engine, job.job_id).journal.items()
    assert [(row.status, row.error_code) for row in ended_as] == [
        ("skipped", "kept_by_undo"),
        ("created", None),
        ("created", None),
        ("skipped", "kept_by_undo"),
    ]
    assert len(office.sandbox.records("invoices")) == 3


def test_a_job_of_which_nothing_was_taken_back_is_what_it_was(office: Office) -> None:
    job = imported(office, 1)
    office.sandbox.change("contacts", office.one("contacts")["id"], phone="1")
    undone = office.take_back(job)
    assert (undone.target.status, undone.verdicts) == ("completed", ["kept"])
    file = customers_csv(office.folder / "fil.csv", numbered(1))
    assert take_in(office.settings, office.engine, file, max_error_rate=1.0).reception is Reception.REPEATED


# -- what was made on the way ------------------------------------------------------------------------------------------


def test_what_was_made_on_the_way_goes_too_unless_it_is_used(office: Office) -> None:
    office.there("contacts", {"name": "Kunde ApS", "contactNo": "17", "isCustomer": True})
    new = {"contactNo": "98", "contactName": "Ørsted Prøve ApS", "productNo": "77", "productName": "Ny vare"}
    other = {**new, "contactNo": "99", "contactName": "Østerkær Prøve ApS"}
    rows = [{**invoice(1), **new}, {**invoice(2), **other}]
    job = office.run("invoices", "import", rows, decimal="point", create_missing=True)
    assert job.counts["created"] == 2
    assert len(parts_of(office.engine, [job.job_id])) == 2
    kept = office.one("contacts", contactNo="99")["id"]
    [mine] = [each["id"] for each in office.sandbox.records("invoices") if each["contactId"] == kept]
    office.sandbox.change("invoices", mine, state="approved", invoiceNo="1001")
    undone = office.take_back(job)
    assert (undone.verdicts, undone.target.status) == (["reversed", "kept"], "undone_partly")
    assert office.names() == {"Kunde ApS", "Østerkær Prøve ApS"}
    assert office.names("products") == {"Ny vare"}, "it stands on the invoice that stays"
    office.sandbox.delete("invoices", mine)
    again = office.take_back(job)
    assert (again.codes, again.target.status) == (["already_gone"], "undone")
    assert (office.names(), office.names("products")) == ({"Kunde ApS"}, set())


def test_what_the_job_approved_stays(office: Office) -> None:
    office.there("contacts", {"name": "Kunde ApS", "contactNo": "17", "isCustomer": True})
    office.there("products", {"name": "Vare", "productNo": "1"})
    planned = office.run("invoices", "import", [invoice(1)], decimal="point", approve=True)
    assert planned.status == "planned"
    apply_plan(office.engine, planned.job_id, confirm_count=1, launch=False)
    job = run_job(office.settings, office.engine, planned.job_id)
    assert office.one("invoices")["state"] == "approved", job.errors
    undone = office.take_back(job)
    assert (undone.codes, undone.target.status) == (["invoice_booked"], "completed")
