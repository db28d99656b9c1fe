"""Bulk save and bulk delete: many rows in a request, each with its own honest verdict, whatever the server makes of a
batch in which one record is wrong (billy-api.md 2.1, 2.2: unknown)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from billy_pipelines.bulk.applying import apply_plan
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.sandbox import Fault, SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import check_accounts, customers_csv, names_created, numbered, run_job, take_in

MODES = ("atomic", "partial", "partial-200")
ROWS = 40


class Desk:
    """Where files are handed in with `bulk_save: on`."""

    def __init__(self, settings: Settings, engine: Engine, sandbox: SandboxServer, folder: Path) -> None:
        self.settings, self.engine, self.sandbox, self.folder = settings, engine, sandbox, folder

    def hand_in(self, rows: list[dict[str, str]], operation: str = "import", **options: Any) -> JobRow:
        file = customers_csv(self.folder / "kunder.csv", rows)
        options = {"batch_size": 10, "bulk_save": "on", "max_error_rate": 1.0, **options}
        job = take_in(self.settings, self.engine, file, operation=operation, again=True, **options).job
        return self.run(job.job_id)

    def run(self, job_id: str) -> JobRow:
        row = run_job(self.settings, self.engine, job_id)
        if row.operation == "import":
            check_accounts(self.settings, self.engine, self.sandbox, row)
        return row

    def requests(self, method: str) -> int:
        """How many requests of that verb for contacts were made."""
        found = self.sandbox.sandbox.requests.select(method=method)
        return sum(request.path.startswith("/v2/contacts") for request in found)


@pytest.fixture
def desk(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> Desk:
    return Desk(settings, engine, sandbox, tmp_path)


def poison(text: str, **more: Any) -> Fault:
    return Fault(kind="422", body_contains=text, methods=["PATCH", "POST", "PUT"], **more)


def test_a_batch_is_one_request(desk: Desk) -> None:
    row = desk.hand_in(numbered(ROWS))
    assert row.counts["created"] == ROWS, row
    assert (desk.requests("PATCH"), desk.requests("POST")) == (4, 0)
    persons = desk.sandbox.sandbox.records("contactPersons")
    assert sorted(person["email"] for person in persons) == sorted(f"k{n}@kunde.example" for n in range(ROWS))


@pytest.mark.parametrize("mode", MODES)
def test_a_record_that_is_refused_fails_alone(desk: Desk, mode: str) -> None:
    desk.sandbox.sandbox.switch(bulk_save=mode, faults=[poison("Kunde 00003"), poison("Kunde 00017")])
    row = desk.hand_in(numbered(ROWS))
    assert (row.counts["created"], row.counts["failed"]) == (ROWS - 2, 2), row.counts
    assert set(names_created(desk.sandbox).values()) == {1}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["5xx-after", "reset-after", "bad-json-after", "5xx-before", "reset-before"])
def test_an_unclear_answer_to_a_batch_neither_doubles_nor_loses(desk: Desk, mode: str, kind: str) -> None:
    desk.sandbox.sandbox.switch(
        bulk_save=mode,
        faults=[Fault.model_validate({"kind": kind, "methods": ["PATCH"], "share": 0.5}), poison("Kunde 00003")],
    )
    row = desk.hand_in(numbered(ROWS))
    assert desk.sandbox.sandbox.faults_fired[kind] > 0
    assert (row.counts["created"], row.counts["failed"]) == (ROWS - 1, 1), row.counts


@pytest.mark.parametrize("status", ["5xx-before", "5xx-after"])
def test_a_record_that_breaks_the_server_is_found_by_halving(desk: Desk, status: str) -> None:
    fault = {"kind": status, "methods": ["PATCH", "POST"], "body_contains": "Kunde 00013"}
    desk.sandbox.sandbox.switch(faults=[Fault.model_validate(fault)])
    row = desk.hand_in(numbered(ROWS))
    made = 1 if status == "5xx-after" else 0
    assert (row.counts["created"], row.counts["failed"]) == (ROWS - 1 + made, 1 - made), row.counts


@pytest.mark.parametrize("mode", ["unavailable", "unavailable-401", "unavailable-404"])
def test_without_bulk_save_the_job_falls_back_once_and_says_so(desk: Desk, mode: str) -> None:
    desk.sandbox.sandbox.switch(bulk_save=mode)
    row = desk.hand_in(numbered(ROWS))
    assert row.counts["created"] == ROWS, (row.status, row.errors, row.counts)
    assert desk.requests("POST") == ROWS
    assert desk.requests("PATCH") <= 4, "only what was under way"
    assert "single requests" in (row.message or "")


def test_a_revoked_token_is_no_missing_bulk_save(desk: Desk) -> None:
    desk.sandbox.sandbox.switch(revoked_after=4)
    row = desk.hand_in(numbered(ROWS))
    assert (row.status, row.errors[-1]["code"]) == ("failed", "token_refused")
    desk.sandbox.sandbox.switch(revoked_after=None)
    assert desk.run(row.job_id).counts["created"] == ROWS


def test_changes_of_known_records_leave_together_where_one_request_is_enough(desk: Desk) -> None:
    without = numbered(ROWS)
    without[5]["email"] = ""
    desk.hand_in(without)
    moved = [{**row, "city": "Aalborg"} for row in numbered(ROWS)]
    moved[5]["email"] = "ny@kunde.example"  # the e-mail is a person's: a request of its own
    row = desk.hand_in(moved, on_existing="update")
    assert row.counts["updated"] == ROWS, row.counts
    assert desk.requests("PUT") == 1
    assert Counter(contact["cityText"] for contact in desk.sandbox.sandbox.contacts) == {"Aalborg": ROWS}
    emails = {person["email"] for person in desk.sandbox.sandbox.records("contactPersons")}
    assert "ny@kunde.example" in emails
    assert len(emails) == ROWS


def test_new_and_known_records_share_a_batch(desk: Desk) -> None:
    desk.hand_in(numbered(20))
    rows = [{**row, "city": "Aalborg"} for row in numbered(40)]
    before = desk.requests("PATCH")
    row = desk.hand_in(rows, on_existing="update")
    assert (row.counts["created"], row.counts["updated"]) == (20, 20)
    assert desk.requests("PATCH") - before == 4


@pytest.mark.parametrize("mode", ["all-or-nothing", "partial"])
def test_one_record_that_billy_keeps_does_not_keep_the_others(desk: Desk, mode: str) -> None:
    desk.hand_in(numbered(20))
    kept = str(desk.sandbox.sandbox.contacts[7]["id"])
    desk.sandbox.sandbox.mark_in_use(kept)
    desk.sandbox.sandbox.switch(bulk_delete=mode)
    waiting = desk.hand_in([{"name": row["name"]} for row in numbered(20)], operation="delete", match_on=["name"])
    assert waiting.status == "planned"
    apply_plan(desk.engine, waiting.job_id, confirm_count=20, launch=False)
    row = desk.run(waiting.job_id)
    assert (row.counts["deleted"], row.counts["archived"]) == (19, 1), row.counts
    assert [contact["id"] for contact in desk.sandbox.sandbox.contacts] == [kept]


def test_a_delete_that_was_carried_out_without_an_answer_is_called_deleted(desk: Desk) -> None:
    desk.hand_in(numbered(10))
    desk.sandbox.sandbox.switch(faults=[Fault(kind="reset-after", methods=["DELETE"], limit=1)])
    waiting = desk.hand_in([{"name": row["name"]} for row in numbered(10)], operation="delete", match_on=["name"])
    apply_plan(desk.engine, waiting.job_id, confirm_count=10, launch=False)
    row = desk.run(waiting.job_id)
    assert row.counts["deleted"] == 10, row.counts
    assert desk.sandbox.sandbox.contacts == []
