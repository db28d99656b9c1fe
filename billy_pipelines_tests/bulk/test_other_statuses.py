"""Statuses that nobody knows of the real Billy: of a delete that it refuses, and of an id that it does not have."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from billy_pipelines.sandbox import Fault, SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.test_undo_kept import Office

ROWS = [{"contactNo": str(n)} for n in range(3)]


@pytest.fixture
def office(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> Office:
    return Office(settings, engine, sandbox, tmp_path)


def customers(office: Office) -> list[str]:
    records = ({"name": f"Kunde {n} ApS", "contactNo": str(n), "isCustomer": True} for n in range(3))
    return office.there("contacts", *records)


@pytest.mark.parametrize("bulk_save", ["off", "on"])
@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_a_record_that_billy_keeps_is_archived_whatever_the_status_says(
    office: Office, status: int, bulk_save: str
) -> None:
    kept = customers(office)[1]
    office.sandbox.mark_in_use(kept)
    office.sandbox.switch(kept_status=status)
    job = office.run("customers", "delete", ROWS, confirm_count=3, bulk_save=bulk_save)
    assert (job.status, job.counts["deleted"], job.counts["archived"]) == ("completed", 2, 1)
    assert office.one("contacts")["isArchived"] is True


@pytest.mark.parametrize("bulk_save", ["off", "on"])
def test_a_403_to_one_delete_stops_no_others_while_the_token_is_good(office: Office, bulk_save: str) -> None:
    """A token that may not delete must not archive all instead: the row has failed."""
    kept = customers(office)[0]
    office.sandbox.mark_in_use(kept)
    office.sandbox.switch(kept_status=403)
    job = office.run("customers", "delete", ROWS, confirm_count=3, bulk_save=bulk_save)
    assert (job.status, job.counts["deleted"], job.counts["failed"]) == ("completed_with_errors", 2, 1)
    assert office.one("contacts")["isArchived"] is not True


@pytest.mark.parametrize("status", [400, 403, 404])
def test_an_undo_keeps_what_billy_keeps_whatever_the_status_says(office: Office, status: int) -> None:
    job = office.run("customers", "import", [{"name": f"Kunde {n} ApS", "contactNo": str(n)} for n in range(3)])
    kept = office.one("contacts", contactNo="1")["id"]
    office.sandbox.mark_in_use(kept)
    office.sandbox.switch(kept_status=status)
    assert office.take_back(job).verdicts == ["reversed", "failed" if status == 403 else "kept", "reversed"]
    assert office.one("contacts")["id"] == kept


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_delete_without_a_clear_answer_is_settled_whatever_a_missing_id_answers(office: Office, status: int) -> None:
    customers(office)
    unclear = [Fault(kind=kind, resource="contacts", methods=("DELETE",)) for kind in ("5xx-after", "reset-after")]
    office.sandbox.switch(missing_status=status, faults=unclear)
    job = office.run("customers", "delete", ROWS, confirm_count=3)
    assert (job.status, job.counts["deleted"]) == ("completed", 3)
    assert office.sandbox.records("contacts") == []


@pytest.mark.parametrize("status", [400, 404, 422])
def test_an_undo_finds_a_record_gone_whatever_a_missing_id_answers(office: Office, status: int) -> None:
    job = office.run("customers", "import", [{"name": "Kunde ApS", "contactNo": "1"}])
    office.sandbox.delete("contacts", office.one("contacts")["id"])
    office.sandbox.switch(missing_status=status)
    undone = office.take_back(job)
    assert (undone.verdicts, undone.codes) == (["reversed"], ["already_gone"])
