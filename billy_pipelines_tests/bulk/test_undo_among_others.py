"""An undo beside other undos, other jobs and people at work: nothing is taken back twice, nothing made again twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text

from billy_pipelines.bulk.undo import begin_undo
from billy_pipelines.bulk.undo_books import UndoBooks
from billy_pipelines.bulk.undo_execution import UndoExecution
from billy_pipelines.bulk.verdicts import State
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.sandbox import Fault
from billy_pipelines_tests.bulk.jobs import QUICK, leave_in_doubt
from billy_pipelines_tests.bulk.taking_back import Undone, ended, take_back, work_on, work_on_async
from billy_pipelines_tests.bulk.test_undo_kept import Office, office
from billy_pipelines_tests.support import wait_until

__all__ = ["office"]


def customers(count: int) -> list[dict[str, str]]:
    return [{"name": f"Kunde {n} ApS", "contactNo": str(n)} for n in range(count)]


def deleted(office: Office, rows: Sequence[Mapping[str, str]]) -> JobRow:
    """A job that has deleted these customers."""
    named = [{"contactNo": row["contactNo"]} for row in rows]
    job = office.run("customers", "delete", named, confirm_count=len(rows))
    assert job.counts["deleted"] == len(rows)
    return job


# -- other undos of the same job ---------------------------------------------------------------------------------------


def at_rate(office: Office, rate: int, changed: str) -> None:
    with office.engine.begin() as connection:
        query = "UPDATE billy.billy_organizations SET rate = :rate, rate_changed_at = now() + CAST(:at AS interval)"
        connection.execute(text(query), {"rate": rate, "at": changed})


def stopped_in_the_middle(office: Office, job: JobRow, **asked: Any) -> str:
    """An undo that was cancelled when its first record was made again; its id."""
    undo = begin_undo(office.settings, office.engine, job.job_id, launch=False, **asked).job.job_id
    written = len(office.sandbox.ledger)

    async def go() -> JobRow:
        stop = asyncio.Event()
        work = asyncio.create_task(work_on_async(office.settings, office.engine, undo, stop=stop))
        await asyncio.to_thread(wait_until, lambda: len(office.sandbox.ledger) > written, 60, pause=0.005)
        stop.set()
        return await work

    at_rate(office, 4, "1 hour")
    row = asyncio.run(go())
    at_rate(office, 500, "0")
    assert row.status == "cancelled" and 0 < row.counts["reversed"] < 4, row.counts
    return undo


def test_what_another_undo_has_taken_back_is_not_taken_back_again(office: Office) -> None:
    office.run("customers", "import", customers(4))
    job = deleted(office, customers(4))
    first = stopped_in_the_middle(office, job, lines="2-5")
    second = office.take_back(job)
    assert second.job.job_id != first and second.target.status == "undone"
    office.sandbox.change("contacts", second.rows[0]["new_id"], name="Ny A/S", contactNo="1000")
    work_on(office.settings, office.engine, first)
    retried = ended(office.settings, office.engine, first)
    others = {row["line"] for row in second.rows}
    assert {row["line"] for row in retried.rows if row["verdict"] == "reversed"} == {"2", "3", "4", "5"} - others
    kept = [row for row in retried.rows if row["verdict"] == "kept"]
    assert {row["line"] for row in kept} == others
    assert {row["code"] for row in kept} == {"undone_elsewhere"}
    assert second.job.job_id in kept[0]["message"]
    assert (len(office.names()), retried.target.status) == (4, "undone")


def test_what_another_undo_has_in_doubt_waits_for_that_one(office: Office) -> None:
    office.run("customers", "import", customers(4))
    job = deleted(office, customers(4))
    first = stopped_in_the_middle(office, job, lines="2-5")
    second = office.take_back(job)
    doubted = second.rows[0]["line"]
    leave_in_doubt(office.engine, second.job.job_id, [int(doubted)], status=State.INTERRUPTED)
    office.sandbox.change("contacts", second.rows[0]["new_id"], name="Ny A/S", contactNo="1000")
    work_on(office.settings, office.engine, first)
    retried = ended(office.settings, office.engine, first)
    [row] = [row for row in retried.rows if row["line"] == doubted]
    assert (row["verdict"], row["code"]) == ("kept", "undo_unsettled")
    assert f"`billy retry {second.job.job_id}`" in row["message"]
    assert len(office.names()) == 4


# -- made again under a new id -----------------------------------------------------------------------------------------


def test_a_record_that_was_deleted_and_made_again_is_taken_back_under_its_new_id(office: Office) -> None:
    imported = office.run("customers", "import", [{**row, "email": "post@k.example"} for row in customers(2)])
    for _ in range(2):  # its id changes twice
        assert set(office.take_back(deleted(office, customers(2))).codes) == {"made_again"}
    new = {record["contactNo"]: record["id"] for record in office.sandbox.records("contacts")}
    shown = office.take_back(imported, dry_run=True)
    assert shown.verdicts == ["would be deleted"] * 2
    undone = office.take_back(imported)
    assert (undone.verdicts, undone.codes) == (["reversed"] * 2, ["reversed_made_again"] * 2)
    assert new["0"] in undone.rows[0]["message"]
    assert (office.names(), undone.target.status) == (set(), "undone")


def test_one_that_people_edited_after_it_was_made_again_stays(office: Office) -> None:
    imported = office.run("customers", "import", customers(1))
    office.take_back(deleted(office, customers(1)))
    new_id = office.one("contacts")["id"]
    office.sandbox.change("contacts", new_id, phone="99999999")
    undone = office.take_back(imported)
    assert (undone.verdicts, undone.codes) == (["kept"], ["edited_since"])
    assert new_id in undone.rows[0]["message"]
    assert undone.target.status == "completed"


def test_an_update_is_taken_back_on_the_record_that_was_made_again(office: Office) -> None:
    """What hangs on it has new ids too: a person the update added is found by what is written of it."""
    office.run("customers", "import", [{**row, "city": "Ry", "email": "post@k.example"} for row in customers(1)])
    new = {"contactNo": "0", "city": "Ribe", "email": "ny@k.example", "invoiceEmail": "faktura@k.example"}
    updated = office.run("customers", "update", [new])
    office.take_back(deleted(office, customers(1)))
    undone = office.take_back(updated)
    assert (undone.verdicts, undone.codes) == (["reversed"], ["reversed_made_again"])
    assert office.one("contacts")["cityText"] == "Ry"
    assert [person["email"] for person in office.sandbox.records("contactPersons")] == ["post@k.example"]


def test_while_its_new_id_is_in_doubt_a_record_is_not_called_gone(office: Office) -> None:
    imported = office.run("customers", "import", customers(1))
    again = office.take_back(deleted(office, customers(1)))
    leave_in_doubt(office.engine, again.job.job_id, [2])
    undone = office.take_back(imported)
    assert (undone.verdicts, undone.codes) == (["kept"], ["undo_unsettled"])
    assert again.job.job_id in undone.rows[0]["message"]


# -- people at work meanwhile ------------------------------------------------------------------------------------------


def while_it_works(
    office: Office, job: JobRow, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], Any], fresh: float
) -> Undone:
    """Take a job back; something happens in Billy between the plan and the first write."""
    real = UndoExecution.sync

    async def sync(work: UndoExecution, stop: asyncio.Event) -> None:
        meanwhile()
        await real(work, stop)

    monkeypatch.setattr(UndoExecution, "sync", sync)
    return take_back(office.settings, office.engine, job.job_id, timing=replace(QUICK, fresh=fresh))


def count_listings(monkeypatch: pytest.MonkeyPatch) -> list[UndoBooks]:
    """Grows with each listing of the register by an undo."""
    listed: list[UndoBooks] = []
    real = UndoBooks.list_anew

    async def list_anew(books: UndoBooks) -> None:
        listed.append(books)
        await real(books)

    monkeypatch.setattr(UndoBooks, "list_anew", list_anew)
    return listed


def test_what_a_person_makes_again_meanwhile_is_not_made_a_second_time(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.run("customers", "import", customers(6))
    job = deleted(office, customers(6))

    def by_hand() -> None:
        office.sandbox.add("contacts", [{"name": "Kunde 0 ApS", "contactNo": "0", "isCustomer": True}])

    undone = while_it_works(office, job, monkeypatch, by_hand, fresh=0.0)
    assert (undone.verdicts, undone.codes[0]) == (["kept"] + ["reversed"] * 5, "there_again")
    assert len(office.sandbox.contacts) == 6


@pytest.mark.parametrize("kind", ["", "5xx-after", "reset-mid"])
def test_namesakes_of_one_undo_are_no_obstacle_to_each_other(
    office: Office, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """However often it looks: what the undo itself has made, clear answer or not, nobody has made again."""
    ids = office.there("contacts", *({"name": "Hansen", "isCustomer": True},) * 16)
    job = office.run("customers", "delete", [{"id": each} for each in ids], confirm_count=16)
    assert job.counts["deleted"] == 16
    listed = count_listings(monkeypatch)

    def slow_and_faulty() -> None:
        """Several creates are on their way whenever the list is old."""
        at_rate(office, 8, "1 hour")
        office.sandbox.switch(latency="0.15", faults=[Fault(kind=kind, every=3, methods=("POST",))] if kind else [])

    undone = while_it_works(office, job, monkeypatch, slow_and_faulty, fresh=0.0)
    assert undone.verdicts == ["reversed"] * 16, undone.codes
    assert len(office.sandbox.contacts) == 16
    assert len({row["new_id"] for row in undone.rows}) == 16
    assert len(listed) >= 2, "it was listed again on the way"


def test_nothing_is_listed_while_a_record_is_on_its_way() -> None:
    """Its id is not known before the answer: in the list it would look like somebody else's."""
    happened = []

    async def read_all(_client: Any) -> list[Any]:
        happened.append("listed")
        return []

    async def go() -> None:
        resource: Any = SimpleNamespace(read_all=read_all, match_keys=())
        client: Any = SimpleNamespace(requests=0)
        terms: Any = None
        books = UndoBooks(resource, client, terms, 60.0, asks_use=False)
        await books.list_anew()
        async with books.creating():
            again = asyncio.create_task(books.list_anew())
            for _ in range(5):
                await asyncio.sleep(0)
            happened.append("made")
        await again

    asyncio.run(go())
    assert happened == ["listed", "made", "listed"]


def test_the_register_is_listed_again_only_when_its_list_is_old(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.run("customers", "import", customers(30))
    job = deleted(office, customers(30))
    listed = count_listings(monkeypatch)
    assert office.take_back(job).verdicts == ["reversed"] * 30
    assert len(listed) == 1
