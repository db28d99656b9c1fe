"""Rules for the books that only a whole job can show, and no other test of whole jobs does (B2, B3, B4, B17)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from billy_pipelines.bulk.applying import apply_plan
from billy_pipelines.bulk.context import job_folder
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, run_job, take_in


@dataclass
class Desk:
    """Where files of customers are handed in."""

    settings: Settings
    engine: Engine
    sandbox: SandboxServer
    folder: Path
    files: int = 0

    def hand_in(self, rows: Sequence[dict[str, str]], operation: str = "import", **options: Any) -> JobRow:
        self.files += 1
        file = customers_csv(self.folder / f"kunder-{self.files}.csv", rows)
        job = take_in(self.settings, self.engine, file, operation=operation, **options).job
        return run_job(self.settings, self.engine, job.job_id)

    def text(self, job: JobRow, name: str) -> str:
        return (job_folder(self.settings, job.job_id) / name).read_text(encoding="utf-8")

    def organizations(self, text: str) -> None:
        self.settings.data_dir.mkdir(parents=True, exist_ok=True)
        (self.settings.data_dir / "organizations.yaml").write_text(f"organizations: [{{{text}}}]", encoding="utf-8")


@pytest.fixture
def desk(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> Desk:
    return Desk(settings, engine, sandbox, tmp_path)


def test_b2_plan_and_report_say_whose_books_these_are(desk: Desk) -> None:
    [company] = desk.sandbox.sandbox.records("organizations")
    job = desk.hand_in([{"name": "Æblehaven Prøve ApS"}])
    for name in ("plan.md", "report.md"):
        assert f"books of {company['name']} (CVR {company['registrationNo'] or 'not given'})" in desk.text(job, name)


def test_b2_a_token_that_opens_other_books_than_those_pinned_writes_nothing(desk: Desk) -> None:
    desk.organizations("name: default, billy_organization_id: another")
    job = desk.hand_in([{"name": "Æblehaven Prøve ApS"}])
    assert (job.status, job.errors[-1]["code"]) == ("failed", "wrong_organization")
    assert not desk.sandbox.sandbox.ledger


def test_b2_a_plan_is_not_carried_out_in_other_books_than_it_was_made_for(desk: Desk) -> None:
    job = desk.hand_in([{"name": "Æblehaven Prøve ApS"}], dry_run=True)
    desk.organizations("name: default, billy_organization_id: another")
    apply_plan(desk.engine, job.job_id, launch=False)
    applied = run_job(desk.settings, desk.engine, job.job_id)
    assert (applied.status, applied.errors[-1]["code"]) == ("failed", "wrong_organization")
    assert not desk.sandbox.sandbox.ledger


def test_b3_an_invoice_email_is_a_person_of_its_own(desk: Desk) -> None:
    desk.hand_in([{"name": "A Prøve ApS", "email": "anna@proeve.example", "Fakturamail": "faktura@proeve.example"}])
    persons = {person["email"]: person["isPrimary"] for person in desk.sandbox.sandbox.contact_persons}
    assert persons == {"anna@proeve.example": True, "faktura@proeve.example": False}


def test_b4_the_plan_counts_what_is_cleared_column_by_column(desk: Desk) -> None:
    there = {"isCustomer": True, "phone": "12345678", "street": "Prøvevej 1"}
    desk.sandbox.sandbox.add_contacts([{**there, "name": f"K{n}", "contactNo": f"{n}"} for n in range(3)])
    rows = [
        {"contactNo": "0", "phone": "#RYD", "address": "Prøvevej 2"},
        {"contactNo": "1", "phone": "#CLEAR", "address": "#RYD"},
        {"contactNo": "2", "phone": "87654321", "address": ""},
    ]
    job = desk.hand_in(rows, "update")
    plan = desk.text(job, "plan.md")
    assert "| phone | 3 | 2 |" in plan
    assert "| address | 2 | 1 |" in plan
    assert [contact["phone"] for contact in desk.sandbox.sandbox.contacts] == [None, None, "87654321"]


def test_b17_more_than_fifty_deletes_need_their_number_however_large_the_register_is(desk: Desk) -> None:
    bodies = [{"isCustomer": True, "name": f"K{n}", "contactNo": f"{n}"} for n in range(300)]
    desk.sandbox.sandbox.add_contacts(bodies)
    fifty = desk.hand_in([{"contactNo": f"{n}"} for n in range(50)], "delete")
    assert (fifty.status, fifty.counts["deleted"]) == ("completed", 50)
    more = desk.hand_in([{"contactNo": f"{n}"} for n in range(100, 151)], "delete")
    assert (more.status, "--confirm-count 51" in (more.message or "")) == ("planned", True)
    assert len(desk.sandbox.sandbox.contacts) == 250


def test_b17_a_shrunken_file_deletes_what_it_names_and_nothing_else(desk: Desk) -> None:
    rows = [{"name": f"Kunde {n} ApS", "contactNo": f"{n}"} for n in range(10)]
    desk.hand_in(rows)
    desk.hand_in(rows[:4])
    desk.hand_in(rows[:4], "update", on_missing="skip")
    assert len(desk.sandbox.sandbox.contacts) == 10
    desk.hand_in(rows[:1], "delete")
    assert sorted(contact["contactNo"] for contact in desk.sandbox.sandbox.contacts) == [f"{n}" for n in range(1, 10)]
