"""`create_missing`: contacts and products that invoices name and Billy lacks are planned with them and made first."""

from __future__ import annotations

import asyncio
import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from billy_pipelines.bulk.applying import NotApplicable, apply_plan
from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.document import job_document
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.intake import Refused
from billy_pipelines.bulk.lifecycle import begin
from billy_pipelines.database.items import Item
from billy_pipelines.database.jobs import JobRow, list_jobs, parts_of
from billy_pipelines.sandbox import Fault, SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, run_job, run_job_async, take_in
from billy_pipelines_tests.bulk.taking_back import take_back
from billy_pipelines_tests.support import wait_until

TODAY = datetime.now(UTC).date()
SOON = (TODAY + timedelta(days=3)).isoformat()
CVR = "99000007"


@dataclass
class Books:
    """A company with one customer and one product, and files of invoices that name others."""

    settings: Settings
    engine: Engine
    sandbox: SandboxServer
    folder: Path
    files: int = 0

    def take(self, rows: Iterable[Mapping[str, str]], **options: Any) -> str:
        """Hand a file in; returns the job's id."""
        self.files += 1
        file = customers_csv(self.folder / f"fakturaer-{self.files}.csv", rows)
        usual = {"resource": "invoices", "create_missing": True, "max_error_rate": 1.0, "again": True}
        return take_in(self.settings, self.engine, file, **{**usual, **options}).job.job_id

    def run(self, rows: Iterable[Mapping[str, str]], **options: Any) -> JobRow:
        return self.go_on(self.take(rows, **options))

    def go_on(self, job_id: str) -> JobRow:
        return run_job(self.settings, self.engine, job_id)

    def apply(self, job_id: str) -> JobRow:
        apply_plan(self.engine, job_id, launch=False)
        return self.go_on(job_id)

    def items(self, job_id: str) -> list[Item]:
        return load_job(self.settings, self.engine, job_id).journal.items()

    def ended(self, job: JobRow) -> list[tuple[str, str | None]]:
        """Verdict and code of each row."""
        return [(item.status, item.error_code) for item in self.items(job.job_id)]

    def parts(self, job: JobRow) -> dict[str, JobRow]:
        return {row.resource_type: row for row in parts_of(self.engine, [job.job_id])}

    def lines(self, job: JobRow, name: str) -> list[dict[str, str]]:
        path = load_job(self.settings, self.engine, job.job_id).folder / name
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, delimiter=";"))

    def document(self, job: JobRow) -> dict[str, Any]:
        return job_document(self.settings, job)

    def made(self, plural: str) -> list[dict[str, Any]]:
        """What was created in Billy, by its ledger."""
        return [dict(entry.record or {}) for entry in self.sandbox.sandbox.ledger.select("create", plural)]

    def names(self, plural: str = "contacts") -> list[str]:
        return sorted(str(record["name"]) for record in self.made(plural))

    def check_once(self, job: JobRow) -> None:
        """Nothing was made twice, every invoice has a real contact, and the sub-jobs' accounts add up."""
        assert set(Counter(self.names()).values()) <= {1}
        assert set(Counter(self.names("products")).values()) <= {1}
        known = {str(record["id"]) for record in self.sandbox.sandbox.records("contacts")}
        assert {invoice["contactId"] for invoice in self.made("invoices")} <= known
        for name, part in self.parts(job).items():
            created = [item.billy_id for item in self.items(part.job_id) if item.status == "created"]
            assert part.counts["created"] == len(created) == len(self.made(name))
            assert set(created) == {record["id"] for record in self.made(name)}
            assert part.counts["total"] == sum(n for verdict, n in part.counts.items() if verdict != "total")
            assert part.completed_at is not None


@pytest.fixture
def books(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> Books:
    sandbox.sandbox.add("contacts", [{"id": "ctc17", "name": "Æblehaven Prøve ApS", "contactNo": "17"}])
    prices = [{"currencyId": "DKK", "unitPrice": 125.5}]
    sandbox.sandbox.add("products", [{"id": "prd42", "name": "Blå vare", "productNo": "0042", "prices": prices}])
    return Books(settings, engine, sandbox, tmp_path)


def row(invoice: str, **fields: str) -> dict[str, str]:
    usual = {"invoice": invoice, "contactNo": "17", "entryDate": SOON, "productNo": "0042", "unitPrice": "100"}
    return usual | fields


def new(number: str, name: str) -> dict[str, str]:
    return {"contactNo": number, "contactName": name}


# -- the plan, and carrying it out -------------------------------------------------------------------------------------


def test_a_dry_run_shows_what_would_be_made_and_apply_makes_exactly_that(books: Books) -> None:
    rows = [
        row("1", **new("98", "Ørsted Prøve ApS"), vatNo=CVR, contactEmail="post@oersted.example"),
        row("2", **new("98", "ørsted prøve aps"), productNo="77", productName="Ny vare", unitPrice="80"),
        row("3", **new("99", "Åby Prøve A/S"), productNo="77", productName="Ny vare", unitPrice="80"),
        row("4"),
    ]
    planned = books.run(rows, dry_run=True)
    assert (planned.status, [item.action for item in books.items(planned.job_id)]) == ("planned", ["create"] * 4)
    assert {entry.method for entry in books.sandbox.sandbox.requests} == {"GET"}
    missing = books.lines(planned, "plan_missing.csv")
    assert [(each["resource"], each["key"], each["needed_by_lines"]) for each in missing] == [
        ("contacts", "Ørsted Prøve ApS", "2, 3"),
        ("contacts", "Åby Prøve A/S", "4"),
        ("products", "77 Ny vare", "3, 4"),
    ]
    assert CVR in missing[0]["fields"] and "post@oersted.example" in missing[0]["fields"]
    document = books.document(planned)
    assert document["planned_on_the_way"] == {"contacts": 2, "products": 1}
    assert document["made_on_the_way"] == {"contacts": 0, "products": 0}
    assert document["planned"]["create"] == 4, "its own rows only"
    done = books.apply(planned.job_id)
    assert (done.status, done.counts["total"], done.counts["created"]) == ("completed", 4, 4)
    assert books.document(done)["made_on_the_way"] == {"contacts": 2, "products": 1}
    assert set(books.names()) == {"Ørsted Prøve ApS", "Åby Prøve A/S"}
    [product] = books.made("products")
    price = next(each for each in books.sandbox.sandbox.records("productPrices") if each["productId"] == product["id"])
    assert (product["productNo"], price["unitPrice"], price["currencyId"]) == ("77", 80, "DKK")
    contacts = {each["contactNo"]: each for each in books.made("contacts")}
    assert (contacts["98"]["registrationNo"], contacts["98"]["countryId"], contacts["98"]["isCustomer"]) == (
        CVR,
        "DK",
        True,
    )
    assert [each["contactId"] for each in books.made("invoices")].count(contacts["98"]["id"]) == 2
    books.check_once(done)
    report = (load_job(books.settings, books.engine, done.job_id).folder / "report.md").read_text(encoding="utf-8")
    assert f"| contacts | 2 | 0 | 0 | `{done.job_id}-contacts` |" in report
    again = books.run(rows)
    assert books.parts(again) == {}, "everything they name is there now"


def test_what_was_made_by_somebody_since_the_plan_is_not_made_once_more(books: Books) -> None:
    planned = books.run([row("1", **new("98", "Ørsted Prøve ApS")), row("2", **new("99", "Åby ApS"))], dry_run=True)
    books.sandbox.sandbox.add("contacts", [{"name": "Ørsted Prøve ApS", "contactNo": "98"}])
    done = books.apply(planned.job_id)
    assert books.ended(done) == [("failed", "changed_since_plan"), ("created", None)]
    assert books.names() == ["Åby ApS"]
    books.check_once(done)


def test_without_the_option_nothing_is_made(books: Books) -> None:
    job = books.run([row("1", **new("98", "Ørsted Prøve ApS"))], create_missing=False)
    assert books.ended(job) == [("rejected", "contact_unknown")]
    assert "made_on_the_way" not in books.document(job)
    assert books.made("contacts") == []


def test_the_option_is_for_imports_of_invoices(books: Books) -> None:
    for place in ({"resource": "customers"}, {"operation": "update"}):
        with pytest.raises(Refused, match="create_missing is for imports of invoices"):
            books.take([row("1")], **place)


# -- what is made, and what is not -------------------------------------------------------------------------------------


def test_a_row_that_is_wrong_anyway_makes_nothing(books: Books) -> None:
    far = (TODAY + timedelta(days=40)).isoformat()
    job = books.run(
        [
            row("1", **new("98", "Ørsted Prøve ApS"), entryDate=far),
            row("2", **new("99", "Åby ApS"), productNo="78"),
            row("3", contactNo="100"),
            row("4", contactId="gone", contactName="Ny ApS"),
            row("5", **new("101", "Ny A/S"), productNo="78", productName="Uden pris", unitPrice=""),
            row("6"),
        ]
    )
    assert books.ended(job) == [
        ("rejected", "date_far_ahead"),
        ("rejected", "product_unknown"),
        ("rejected", "contact_unknown"),
        ("rejected", "contact_unknown"),
        ("rejected", "price_missing"),
        ("created", None),
    ]
    wordings = [item.error or "" for item in books.items(job.job_id)]
    assert "without a name none can be made" in wordings[1] and "without a name none can be made" in wordings[2]
    assert books.made("contacts") == books.made("products") == []
    assert books.parts(job) == {}


def test_b21_the_gate_stands_before_anything_is_made(books: Books) -> None:
    rows = [row("1", **new("98", "Ørsted Prøve ApS")), row("2", productNo="78")]
    job = books.run(rows, max_error_rate=0)
    assert (job.status, job.errors[-1]["code"]) == ("failed", "too_many_rejected")
    assert {entry.method for entry in books.sandbox.sandbox.requests} == {"GET"}
    [part] = books.parts(job).values()
    assert (part.status, part.counts["unprocessed"]) == ("failed", 1)


def test_b5_a_name_alone_makes_a_contact_only_where_a_name_alone_finds_one(books: Books) -> None:
    rows = [
        row("1", contactNo="", contactName="Kun et navn"),
        row("2", contactNo="", contactName="Med post", contactEmail="post@med.example"),
        row("3", contactNo="", contactName="Med post", contactEmail="post@med.example"),
    ]
    job = books.run(rows)
    assert books.ended(job) == [("rejected", "contact_unknown"), ("created", None), ("created", None)]
    assert books.names() == ["Med post"]
    job = books.run(rows[:1], contact_by_name=True)
    assert books.ended(job) == [("created", None)]
    assert books.names() == ["Kun et navn", "Med post"]


def test_b5_a_contact_of_that_name_is_never_doubled_and_its_rows_say_so(books: Books) -> None:
    books.sandbox.sandbox.add("contacts", [{"id": "ctc5", "name": "Åby ApS"}])
    books.sandbox.sandbox.add("products", [{"id": "prd5", "name": "Rød vare", "productNo": "5"}])
    job = books.run(
        [
            row("1", **new("98", "æblehaven prøve aps")),
            row("2", **new("99", "Åby ApS")),
            row("3", productNo="6", productName="Rød vare"),
        ]
    )
    assert books.ended(job) == [("rejected", "possible_duplicate")] * 3
    first, second, third = (item.error or "" for item in books.items(job.job_id))
    assert "ctc17" in first and "contactNo" in first
    assert "ctc5" in second
    assert "prd5" in third and "productNo" in third and "CVR" not in third
    assert books.made("contacts") == books.made("products") == []


def test_rows_that_contradict_each_other_make_nothing_and_loose_details_are_left_out(books: Books) -> None:
    job = books.run(
        [
            row("1", **new("98", "Ørsted Prøve ApS")),
            row("2", **new("98", "Et helt andet navn")),
            row("3", **new("99", "Åby ApS"), contactEmail="a@aaby.example", productNo="77", productName="Ny vare"),
            row("4", **new("99", "Åby ApS"), contactEmail="b@aaby.example", vatNo=CVR, productName="Ny vare"),
            row("5", contactNo="99", productNo="77", productName="Ny vare", unitPrice="90"),
        ]
    )
    assert [code for _, code in books.ended(job)] == ["missing_unclear", "missing_unclear", None, None, None]
    said = books.items(job.job_id)[0].error or ""
    assert "(name)" in said and "lines 2, 3" in said
    [contact] = books.made("contacts")
    assert (contact["contactNo"], contact["registrationNo"]) == ("99", CVR), "what one row alone says is taken too"
    assert books.sandbox.sandbox.contact_persons == [], "two addresses do not say which is the customer's"
    assert len(books.made("invoices")) == 3, "a number is enough for a row where another one says the name"


def test_a_product_sold_at_several_prices_is_made_without_one(books: Books) -> None:
    job = books.run(
        [row("1", productNo="77", productName="Ny", unitPrice="80"), row("2", productNo="77", productName="Ny")]
    )
    assert [verdict for verdict, _ in books.ended(job)] == ["created", "created"]
    assert [part.counts["created"] for part in books.parts(job).values()] == [1]
    [product] = books.made("products")
    assert [each for each in books.sandbox.sandbox.records("productPrices") if each["productId"] == product["id"]] == []


def test_a_foreign_vat_number_says_where_the_contact_is(books: Books) -> None:
    books.run([row("1", **new("98", "Prøve AB"), vatNo="SE556000000101")])
    assert [(each["countryId"], each["registrationNo"]) for each in books.made("contacts")] == [
        ("SE", "SE556000000101")
    ]


# -- when something goes wrong -----------------------------------------------------------------------------------------


def test_what_billy_refuses_fails_the_rows_that_need_it_and_a_retry_makes_it(books: Books) -> None:
    books.sandbox.sandbox.switch(faults=[Fault(kind="422", record="Ørsted Prøve ApS")])
    rows = [row("1", **new("98", "Ørsted Prøve ApS")), row("2", **new("99", "Åby ApS")), row("3")]
    job = books.run(rows)
    assert books.ended(job) == [("failed", "missing_not_made"), ("created", None), ("created", None)]
    assert "Ørsted Prøve ApS" in (books.items(job.job_id)[0].error or "")
    assert books.document(job)["made_on_the_way"] == {"contacts": 1}
    assert books.parts(job)["contacts"].status == "completed_with_errors"
    books.sandbox.sandbox.switch(faults=[])
    done = books.go_on(job.job_id)
    assert (done.status, books.document(done)["made_on_the_way"]) == ("completed", {"contacts": 2})
    assert len(books.made("invoices")) == 3
    books.check_once(done)


def test_without_going_on_after_errors_a_record_that_is_not_made_stops_all(books: Books) -> None:
    books.sandbox.sandbox.switch(faults=[Fault(kind="422", record="Ørsted Prøve ApS")])
    job = books.run([row("1", **new("98", "Ørsted Prøve ApS")), row("2")], continue_on_error=False)
    assert books.ended(job) == [("failed", "missing_not_made"), ("unprocessed", None)]
    assert books.made("invoices") == []


@pytest.mark.parametrize("kind", ["5xx-after", "reset-after", "bad-json-after"])
def test_answers_that_are_lost_make_nothing_twice(books: Books, kind: str) -> None:
    books.sandbox.sandbox.switch(faults=[Fault(kind=kind, methods=("POST",), every=2)])
    job = books.run([row(str(n), **new(str(900 + n), f"Kunde {n} ApS")) for n in range(6)])
    assert job.status == "completed"
    assert (len(books.made("contacts")), len(books.made("invoices"))) == (6, 6)
    books.check_once(job)


def test_a_job_killed_while_it_makes_them_goes_on_and_makes_nothing_twice(books: Books) -> None:
    """As after a kill -9: all of them were marked as leaving, and half had reached Billy."""
    rows = [row(str(n), **new(str(900 + n), f"Kunde {n} ApS")) for n in range(4)]
    planned = books.run(rows, dry_run=True)
    apply_plan(books.engine, planned.job_id, launch=False)
    part = f"{planned.job_id}-contacts"
    with books.engine.begin() as connection:
        connection.execute(
            text("UPDATE billy.billy_bulk_job_items SET status = 'sending', attempts = 1 WHERE job_id = :part"),
            {"part": part},
        )
        connection.execute(
            text(
                "UPDATE billy.billy_bulk_jobs SET status = 'processing', completed_at = NULL WHERE job_id = ANY(:ids)"
            ),
            {"ids": [planned.job_id, part]},
        )
    for item in books.items(part)[:2]:
        made = item.item_data or {}
        body = {"name": made["name"], "contactNo": made["contactNo"], "countryId": "DK", "isCustomer": True}
        books.sandbox.sandbox.add("contacts", [{**body, "type": "company", "isSupplier": False}])
    done = books.go_on(planned.job_id)
    assert (done.status, done.counts["created"]) == ("completed", 4)
    assert books.document(done)["made_on_the_way"] == {"contacts": 4}
    assert books.names() == ["Kunde 2 ApS", "Kunde 3 ApS"], "the others were there already"
    assert len({invoice["contactId"] for invoice in books.made("invoices")}) == 4


def test_a_job_that_is_stopped_among_them_keeps_its_accounts_and_goes_on(books: Books) -> None:
    rows = [row(str(n), **new(str(900 + n), f"Kunde {n} ApS")) for n in range(12)]
    job_id = books.take(rows, batch_size=2)

    async def stopped() -> JobRow:
        stop = asyncio.Event()
        running = asyncio.create_task(run_job_async(books.settings, books.engine, job_id, stop=stop))
        await asyncio.to_thread(wait_until, lambda: running.done() or books.made("contacts"))
        stop.set()
        return await running

    books.sandbox.sandbox.switch(latency=0.02)
    job = asyncio.run(stopped())
    assert job.status == "cancelled"
    assert job.counts["unprocessed"] == 12 and books.made("invoices") == []
    assert books.parts(job)["contacts"].status == "cancelled"
    books.check_once(job)
    books.sandbox.sandbox.switch(latency=0)
    done = books.go_on(job_id)
    assert (done.status, done.counts["created"], len(books.made("contacts"))) == ("completed", 12, 12)
    books.check_once(done)


def test_an_undo_takes_back_what_was_made_after_the_invoices(books: Books) -> None:
    done = books.run([row("1", **new("98", "Ørsted Prøve ApS"), productNo="77", productName="Ny vare"), row("2")])
    assert done.status == "completed"
    take_back(books.settings, books.engine, done.job_id)
    left = {plural: books.sandbox.sandbox.records(plural) for plural in ("contacts", "products", "invoices")}
    assert {plural: [record["id"] for record in records] for plural, records in left.items()} == {
        "contacts": ["ctc17"],
        "products": ["prd42"],
        "invoices": [],
    }


def test_b9_what_is_to_be_approved_is_made_when_the_plan_is_applied(books: Books) -> None:
    past = (TODAY - timedelta(days=1)).isoformat()
    waiting = books.run([row("1", **new("98", "Ørsted Prøve ApS"), entryDate=past)], approve=True)
    assert (waiting.status, books.made("contacts")) == ("planned", [])
    done = books.apply(waiting.job_id)
    assert (done.status, books.document(done)["made_on_the_way"]) == ("completed", {"contacts": 1})
    assert [invoice["state"] for invoice in books.sandbox.sandbox.records("invoices")] == ["approved"]
    books.check_once(done)


# -- what people see of sub-jobs ---------------------------------------------------------------------------------------


def test_a_sub_job_is_listed_with_its_job_and_never_run_by_itself(books: Books) -> None:
    planned = books.run([row("1", **new("98", "Ørsted Prøve ApS"))], dry_run=True)
    [part] = books.parts(planned).values()
    assert [job.job_id for job in list_jobs(books.engine)] == [planned.job_id]
    assert books.document(part)["part_of"] == planned.job_id
    with pytest.raises(NotApplicable, match=planned.job_id):
        apply_plan(books.engine, part.job_id, launch=False)
    with pytest.raises(Halted, match=planned.job_id):
        begin(load_job(books.settings, books.engine, part.job_id), "run")


def test_other_jobs_of_contacts_wait_until_the_invoices_are_done(books: Books) -> None:
    job = load_job(books.settings, books.engine, books.take([row("1")]))
    assert job.families == ["contacts", "invoices", "products"], "in one order, so that no two wait for each other"
    plain = load_job(books.settings, books.engine, books.take([row("1")], create_missing=False))
    assert plain.families == ["invoices"]
