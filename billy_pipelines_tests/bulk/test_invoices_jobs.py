"""Whole jobs of invoices: import, update and delete, from the file to the verdict of every row and Billy's ledger."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from billy_pipelines.bulk import reports
from billy_pipelines.bulk.applying import apply_plan
from billy_pipelines.bulk.context import load_job
from billy_pipelines.database.items import Item
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.sandbox import Fault, SandboxServer
from billy_pipelines.schemas.invoices import INVOICES
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, run_job, take_in

TODAY = datetime.now(UTC).date()
SOON = (TODAY + timedelta(days=3)).isoformat()


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RESOURCES, "invoices", INVOICES)


@dataclass
class Books:
    """A company with customers and products, and jobs of invoices on it."""

    settings: Settings
    engine: Engine
    sandbox: SandboxServer
    folder: Path
    files: int = 0

    def run(
        self, rows: Iterable[Mapping[str, str]], operation: str = "import", **options: Any
    ) -> tuple[JobRow, list[Item]]:
        """One file through all its steps: the job as it ended, and its rows in the order of the file."""
        self.files += 1
        file = customers_csv(self.folder / f"fakturaer-{self.files}.csv", rows)
        job = take_in(self.settings, self.engine, file, resource="invoices", operation=operation, **options).job
        return self.go_on(job.job_id)

    def go_on(self, job_id: str) -> tuple[JobRow, list[Item]]:
        """The job through all its steps, from wherever it stands."""
        row = run_job(self.settings, self.engine, job_id)
        job = load_job(self.settings, self.engine, job_id)
        items = job.journal.items()
        if row.completed_at:
            verdicts = Counter(reports.verdict_of(item).value for item in items)
            assert {name: n for name, n in row.counts.items() if n and name != "total"} == dict(verdicts)
            with (job.folder / "results.csv").open(encoding="utf-8-sig", newline="") as results:
                assert [int(each["line"]) for each in csv.DictReader(results, delimiter=";")] == [i.line for i in items]
        return row, items

    def created(self) -> list[dict[str, Any]]:
        """What was created in Billy, by its ledger, once each."""
        entries = self.sandbox.sandbox.ledger.select("create", "invoices")
        return [dict(entry.record or {}) for entry in entries]

    @property
    def invoices(self) -> list[dict[str, Any]]:
        return self.sandbox.sandbox.records("invoices")

    def lines(self, invoice_id: str) -> list[dict[str, Any]]:
        lines = [line for line in self.sandbox.sandbox.records("invoiceLines") if line["invoiceId"] == invoice_id]
        return sorted(lines, key=lambda line: line["priority"])


@pytest.fixture
def books(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> Books:
    sandbox.sandbox.add(
        "contacts",
        [
            {"id": "ctc17", "name": "Æblehaven Prøve ApS", "contactNo": "17", "isCustomer": True},
            {"id": "ctc18", "name": "Østerkær Prøve ApS", "contactNo": "18", "isCustomer": True},
        ],
    )
    sandbox.sandbox.add(
        "products",
        [
            {
                "id": "prd42",
                "name": "Blå prøvevare",
                "productNo": "0042",
                "prices": [{"currencyId": "DKK", "unitPrice": 125.5}],
            },
            {"id": "prd43", "name": "Rød prøvevare", "productNo": "0043"},
        ],
    )
    return Books(settings, engine, sandbox, tmp_path)


def row(invoice: str, **fields: str) -> dict[str, str]:
    usual = {"invoice": invoice, "contactNo": "17", "entryDate": SOON, "productNo": "0042", "unitPrice": "100"}
    return usual | fields


def further(invoice: str, **fields: str) -> dict[str, str]:
    return {"invoice": invoice, "productNo": "0043", "unitPrice": "50", **fields}


def verdicts(items: Iterable[Item]) -> list[tuple[str, str | None]]:
    return [(item.status, item.error_code) for item in items]


# -- import ------------------------------------------------------------------------------------------------------------


def test_an_import_makes_one_draft_per_invoice_and_every_row_has_its_verdict(books: Books) -> None:
    job, items = books.run(
        [
            row("1", quantity="2", orderNo="PO-17"),
            row("2", contactNo="18"),
            further("1", discountPercent="10"),
            further("2"),
        ]
    )
    assert (job.status, verdicts(items)) == ("completed", [("created", None)] * 4)
    assert [item.billy_id for item in items] == [items[0].billy_id, items[1].billy_id] * 2
    first, second = books.created()
    assert {first["id"], second["id"]} == {item.billy_id for item in items}
    made = {each["contactId"]: each for each in (first, second)}
    assert (made["ctc17"]["amount"], made["ctc18"]["amount"]) == (245, 150)
    assert {each["state"] for each in made.values()} == {"draft"}
    assert made["ctc17"]["orderNo"] == "PO-17"
    assert [line["productId"] for line in books.lines(made["ctc17"]["id"])] == ["prd42", "prd43"]


def test_each_wrong_invoice_is_rejected_with_all_its_rows_and_the_others_go_on(books: Books) -> None:
    far = (TODAY + timedelta(days=40)).isoformat()
    _, items = books.run(
        [
            *(row("1", contactNo="999"), further("1")),
            *(row("2"), further("2", productNo="9")),
            row("3", entryDate=far),
            row("4", currency="EUR"),
            {**row("5"), "productNo": "", "description": "Fragt"},
            row("6"),
        ],
        max_error_rate=1.0,
    )
    assert verdicts(items) == [
        *[("rejected", "contact_unknown")] * 2,
        *[("rejected", "product_unknown")] * 2,
        ("rejected", "date_far_ahead"),
        ("rejected", "rate_missing"),
        ("rejected", "product_missing"),
        ("created", None),
    ]
    assert "line 5" in (items[3].error or ""), "the line that is wrong is named"
    assert len(books.created()) == 1


def test_a_dry_run_reads_only_and_its_plan_is_carried_out_as_it_is(books: Books) -> None:
    rows = [row("1", attention="Ukendt"), further("1", unitPrice="50"), row("2", unitPrice="", contactNo="18")]
    job, items = books.run(rows, dry_run=True)
    assert (job.status, [item.action for item in items]) == ("planned", ["create"] * 3)
    assert {entry.method for entry in books.sandbox.sandbox.requests} == {"GET"}
    apply_plan(books.engine, job.job_id, launch=False)
    done, items = books.go_on(job.job_id)
    assert (done.status, verdicts(items)) == ("completed", [("created", None)] * 3)
    assert sorted(invoice["amount"] for invoice in books.created()) == [125.5, 150]


def test_a_plan_asks_billy_for_nothing_twice(books: Books) -> None:
    books.run([row("", invoiceNo="1"), row("", invoiceNo="2", creditedInvoiceNo="1", type="creditNote")], dry_run=True)
    asked = Counter((each.path, each.query) for each in books.sandbox.sandbox.requests)
    assert [each for each, times in asked.items() if times > 1 and "organization" not in each[0]] == []


def test_b10_a_draft_whose_total_is_not_the_files_stays_and_its_rows_have_failed(books: Books) -> None:
    rows = [row("1", **{"I alt": "125,00"}), row("2", **{"I alt": "999,00"}), further("2", **{"I alt": "999,00"})]
    job, items = books.run(rows)
    assert verdicts(items) == [("created", None), *[("failed", "total_differs")] * 2]
    assert "187.50" in (items[1].error or "")
    assert "999.00" in (items[1].error or "")
    assert {item.billy_id for item in items} == {invoice["id"] for invoice in books.invoices}
    books.go_on(job.job_id)
    assert len(books.created()) == 2, "a retry makes it no second time"


@pytest.mark.parametrize("include", ["honoured", "ignored"])
def test_b11_the_same_numbers_again_are_skipped_and_another_invoice_of_a_number_is_rejected(
    books: Books, include: str
) -> None:
    books.sandbox.sandbox.switch(include=include)
    rows = [row("", invoiceNo="501"), row("", invoiceNo="502", externalId="web-2")]
    _, items = books.run(rows, own_numbers=True)
    assert verdicts(items) == [("created", None)] * 2
    _, items = books.run(rows, own_numbers=True, again=True)
    assert verdicts(items) == [("skipped", "exists")] * 2
    assert not any("(" in (item.error or "") for item in items), "nothing differs"
    _, items = books.run([row("", invoiceNo="501", unitPrice="101"), row("", invoiceNo="504")])
    assert verdicts(items) == [("rejected", "number_taken"), ("rejected", "number_gap")]
    assert len(books.created()) == 2


def test_b11_two_rows_of_one_number_are_one_invoice_and_of_one_external_id_are_not(books: Books) -> None:
    _, items = books.run([row("1", externalId="web-1"), row("2", externalId="web-1")])
    assert verdicts(items) == [("created", None), ("rejected", "duplicate_in_file")]


def test_b16_a_credit_note_is_made_for_the_invoice_it_credits(books: Books) -> None:
    body = {"contactId": "ctc17", "state": "approved", "lines": [{"productId": "prd42", "unitPrice": 100}]}
    [credited] = books.sandbox.sandbox.add("invoices", [{**body, "invoiceNo": "77"}])
    _, items = books.run([row("1", type="kreditnota", creditedInvoiceNo="77")])
    assert verdicts(items) == [("created", None)]
    [made] = books.created()
    assert (made["type"], made["creditedInvoiceId"], made["state"]) == ("creditNote", credited, "draft")


# -- no clear answer ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["5xx-after", "reset-after", "bad-json-after", "timeout-after", "reset-before"])
@pytest.mark.parametrize("modes", [{}, {"include": "ignored", "invoice_number": "at-create", "external_id": "ignored"}])
def test_a_create_without_a_clear_answer_is_looked_up_and_made_once(
    books: Books, kind: Any, modes: dict[str, str]
) -> None:
    fault = Fault(kind=kind, every=2, methods=("POST",), seconds=2)
    books.sandbox.sandbox.switch(faults=[fault], unstable_paging=True, **modes)
    rows = [row(str(n), unitPrice=f"{100 + n % 3}", description=f"Uge {n % 4}" if n % 2 else "") for n in range(12)]
    job, items = books.run([each for n, head in enumerate(rows) for each in (head, further(str(n)))])
    assert (job.status, set(verdicts(items))) == ("completed", {("created", None)})
    made = books.created()
    assert len(made) == 12
    assert {item.billy_id for item in items} == {each["id"] for each in made}
    for item in items[::2]:  # every row has the draft that holds what it says
        wanted = (item.item_data or {})["lines"][0]
        first = books.lines(item.billy_id or "")[0]
        assert (f"{first['unitPrice']}", first["description"]) == (wanted["unitPrice"], wanted.get("description"))


# -- update ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("draft_edit", ["refused", "ignored", "accepted"])
@pytest.mark.parametrize("include", ["honoured", "ignored"])
def test_an_update_changes_drafts_only_and_only_what_may_change(books: Books, draft_edit: str, include: str) -> None:
    books.sandbox.sandbox.switch(draft_edit=draft_edit, include=include)
    line = {"productId": "prd42", "unitPrice": 100, "quantity": 2}
    body = {"contactId": "ctc17", "entryDate": SOON, "lines": [line]}
    one, two, _, four = books.sandbox.sandbox.add(
        "invoices", [body, body, {**body, "state": "approved", "invoiceNo": "3"}, {**body, "contactMessage": "Hej"}]
    )
    _, items = books.run(
        [
            {
                "id": one,
                "contactMessage": "Hej",
                "Betalingsbetingelse": "Netto 30 dage",
                "productNo": "0042",
                "quantity": "2",
            },
            {"id": two, "contactMessage": "Hej", "productNo": "0042", "quantity": "3"},
            {"invoiceNo": "3", "contactMessage": "Hej"},
            {"id": four, "contactMessage": "hej"},
            {"id": "gone", "contactMessage": "Hej"},
        ],
        "update",
    )
    assert verdicts(items) == [
        ("updated", None),
        ("rejected", "invoice_fixed"),
        ("rejected", "invoice_approved"),
        ("unchanged", None),
        ("rejected", "not_found"),
    ]
    changed = [(each.operation, each.id) for each in books.sandbox.sandbox.ledger.select(None, "invoices")]
    assert changed == [("update", one)]
    assert "lines" in (items[1].error or "")
    record = next(each for each in books.invoices if each["id"] == one)
    assert (record["contactMessage"], record["paymentTermsDays"], record["amount"]) == ("Hej", 30, 200)


# -- delete ------------------------------------------------------------------------------------------------------------


def test_b17_a_delete_waits_for_a_person_and_keeps_what_is_approved(books: Books) -> None:
    body = {"contactId": "ctc17", "lines": [{"productId": "prd42", "unitPrice": 100}]}
    draft, numbered, approved, sent, *_others = books.sandbox.sandbox.add(
        "invoices",
        [
            *(body, {**body, "invoiceNo": "55"}, {**body, "state": "approved"}, {**body, "sentState": "sent"}),
            *[body] * 12,
        ],
    )
    rows = [{"id": draft}, {"id": draft}, {"invoiceNo": "55"}, {"id": approved}, {"id": sent}, {"id": "gone"}]
    job, items = books.run(rows, "delete", max_error_rate=0.9, launch=True)
    found = [
        *[("planned", None)] * 3,
        *[("rejected", "invoice_approved"), ("rejected", "invoice_sent"), ("rejected", "not_found")],
    ]
    assert (job.status, verdicts(items)) == ("planned", found)
    apply_plan(books.engine, job.job_id, launch=False)
    done, items = books.go_on(job.job_id)
    assert verdicts(items) == [*[("deleted", None)] * 3, *found[3:]]
    assert done.status == "completed_with_errors"
    deleted = {each.id for each in books.sandbox.sandbox.ledger.select("delete", "invoices")}
    assert deleted == {draft, numbered}
    assert len(books.invoices) == 14


def test_a_draft_that_was_approved_since_the_plan_is_not_deleted(books: Books) -> None:
    body = {"contactId": "ctc17", "lines": [{"productId": "prd42", "unitPrice": 100}]}
    ids = books.sandbox.sandbox.add("invoices", [body] * 20)
    job, _ = books.run([{"id": record_id} for record_id in ids[:2]], "delete", launch=True)
    books.sandbox.sandbox.change("invoices", ids[0], state="approved")
    apply_plan(books.engine, job.job_id, launch=False)
    _, items = books.go_on(job.job_id)
    assert verdicts(items) == [("failed", "changed_since_plan"), ("deleted", None)]
    assert {each["id"] for each in books.invoices} == set(ids) - {ids[1]}
