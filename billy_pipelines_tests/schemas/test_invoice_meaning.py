"""What an invoice row means in Billy: the body of a new draft, differences, obstacles, totals, updates."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.errors import NotFound
from billy_pipelines.billy.invoice_models import Invoice
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.schemas import invoice_meaning as meaning
from billy_pipelines.schemas import invoice_requests as requests
from billy_pipelines.schemas.invoice_amounts import created_problem, expected
from billy_pipelines.schemas.resource import Change
from billy_pipelines_tests.support import open_client_for

T = TypeVar("T")


def line(**fields: str) -> dict[str, Any]:
    """A resolved line of a new invoice."""
    usual = {"line": 2, "productId": "prd42", "quantity": "2", "unitPrice": "125.5", "discountPercent": "0"}
    return usual | fields


def resolved(*lines: dict[str, Any], **fields: str) -> dict[str, Any]:
    """A resolved row of a new invoice."""
    usual = {"contactId": "ctc17", "entryDate": "2026-02-03", "type": "invoice", "currency": "DKK", "taxMode": "excl"}
    return {**usual, **fields, "lines": list(lines) or [line()]}


FULL = resolved(
    line(description="Uge 5", discountPercent="10"),
    line(line=3, productId="prd43", quantity="-1.5", unitPrice="19.99", discountPercent="", discountAmount="7.15"),
    invoiceNo="1001",
    externalId="web-7",
    orderNo="PO-17",
    contactMessage="Tak for handlen",
    paymentTerms="netEndOfMonth 15",
    attContactPersonId="per1",
    approve="true",
    contactName="Æblehaven Prøve ApS",
    netTotal="1",
)


def record(row: dict[str, Any] = FULL, **keys: Any) -> Invoice:
    """The invoice Billy has once that row was imported, with keys changed."""
    return Invoice.model_validate({**meaning.row_as_invoice(row, "inv1").image(), "state": "draft", **keys})


def fields(changes: list[Change]) -> dict[str, tuple[Any, Any]]:
    return {change.field: (change.old, change.new) for change in changes}


def ask(sandbox: SandboxServer, call: Callable[[BillyClient], Awaitable[T]]) -> T:
    async def go() -> T:
        async with open_client_for(sandbox) as client:
            return await call(client)

    return asyncio.run(go())


@pytest.fixture
def shop(sandbox: SandboxServer) -> SandboxServer:
    """A customer with a contact person, and two products with Danish VAT."""
    person = {"id": "per1", "name": "Anna Prøvesen", "email": "anna@aeblehaven.example", "isPrimary": True}
    other = {"id": "per2", "name": "Bo Prøvesen", "email": "bo@aeblehaven.example"}
    contact = {"id": "ctc17", "name": "Æblehaven Prøve ApS", "contactNo": "17", "contactPersons": [person, other]}
    sandbox.sandbox.add("contacts", [contact])
    sandbox.sandbox.add(
        "products", [{"id": "prd42", "name": "Blå prøvevare"}, {"id": "prd43", "name": "Rød prøvevare"}]
    )
    return sandbox


# -- a create ----------------------------------------------------------------------------------------------------------


def test_a_row_becomes_a_draft_with_its_lines_in_one_body() -> None:
    assert meaning.create_body(FULL) == {
        "type": "invoice",
        "state": "draft",
        "contactId": "ctc17",
        "entryDate": "2026-02-03",
        "currencyId": "DKK",
        "taxMode": "excl",
        "invoiceNo": "1001",
        "externalId": "web-7",
        "orderNo": "PO-17",
        "contactMessage": "Tak for handlen",
        "attContactPersonId": "per1",
        "paymentTermsMode": "netEndOfMonth",
        "paymentTermsDays": 15,
        "lines": [
            {
                "productId": "prd42",
                "description": "Uge 5",
                "quantity": 2,
                "unitPrice": 125.5,
                "discountMode": "percent",
                "discountValue": 10,
                "priority": 0,
            },
            {
                "productId": "prd43",
                "quantity": -1.5,
                "unitPrice": 19.99,
                "discountMode": "cash",
                "discountValue": 7.15,
                "priority": 1,
            },
        ],
    }


def test_b14_the_tax_mode_is_always_stated_and_b9_nothing_is_ever_approved() -> None:
    body = meaning.create_body({k: v for k, v in FULL.items() if k != "taxMode"} | {"approve": "true"})
    assert (body["taxMode"], body["state"]) == ("excl", "draft")
    assert meaning.create_body(resolved(taxMode="incl"))["taxMode"] == "incl"


def test_what_a_row_does_not_say_is_not_sent() -> None:
    assert set(meaning.create_body(resolved())) == {
        *("type", "state", "contactId", "entryDate", "currencyId", "taxMode", "lines"),
    }
    assert set(meaning.create_body(resolved())["lines"][0]) == {"productId", "quantity", "unitPrice", "priority"}


def test_b15_a_foreign_currency_is_sent_with_its_rate() -> None:
    body = meaning.create_body(resolved(currency="EUR", exchangeRate="7.46"))
    assert (body["currencyId"], body["exchangeRate"]) == ("EUR", 7.46)


@pytest.mark.parametrize(
    ("terms", "mode", "days"),
    [
        ("net 14", "net", 14),
        ("net 0", "net", 0),
        ("netEndOfMonth 15", "netEndOfMonth", 15),
        ("date 2026-02-17", "net", 14),
        ("date 2026-01-31", "net", -3),
    ],
)
def test_b15_terms_travel_as_mode_and_days_a_due_date_as_days_after_the_invoice(
    terms: str, mode: str, days: int
) -> None:
    body = meaning.create_body(resolved(paymentTerms=terms))
    assert (body["paymentTermsMode"], body["paymentTermsDays"]) == (mode, days)


def test_terms_of_the_contact_are_sent_where_the_row_says_none() -> None:
    assert meaning.create_body(resolved(presetTerms="net 8"))["paymentTermsDays"] == 8
    assert meaning.create_body(resolved(presetTerms="net 8", paymentTerms="net 14"))["paymentTermsDays"] == 14


def test_b16_a_credit_note_names_what_it_credits() -> None:
    body = meaning.create_body(resolved(type="creditNote", creditedInvoiceId="inv7", creditedInvoiceNo="1001"))
    assert (body["type"], body["creditedInvoiceId"]) == ("creditNote", "inv7")


@pytest.mark.parametrize("include", ["honoured", "ignored"])
@pytest.mark.parametrize("invoice_number", ["at-approval", "at-create"])
@pytest.mark.parametrize("external_id", ["kept", "ignored"])
def test_the_sandbox_makes_of_that_body_what_the_row_says(
    shop: SandboxServer, include: str, invoice_number: str, external_id: str
) -> None:
    shop.sandbox.switch(include=include, invoice_number=invoice_number, external_id=external_id)
    row = FULL if invoice_number == "at-create" else {k: v for k, v in FULL.items() if k != "invoiceNo"}
    answer = ask(shop, lambda client: client.create("invoices", "invoice", meaning.create_body(row)))
    made = requests.created_invoice(answer)
    assert meaning.is_complete(row, made)
    assert meaning.differences(row, made) == []
    read = ask(shop, lambda client: requests.read_one_invoice(client, made.id))
    assert meaning.differences(row, read) == []
    assert [one.priority for one in meaning.lines_of(read)] == [0, 1]
    [listed] = ask(shop, requests.read_all_invoices)
    assert meaning.is_complete(row, listed) is (include == "honoured")


def test_a_row_and_the_invoice_it_would_become_do_not_differ() -> None:
    assert meaning.differences(FULL, meaning.row_as_invoice(FULL, "2")) == []


# -- differences -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "field"),
    [
        ({"contactId": "ctc18"}, "contactId"),
        ({"entryDate": "2026-02-04"}, "entryDate"),
        ({"type": "creditNote"}, "type"),
        ({"currencyId": "EUR"}, "currency"),
        ({"taxMode": "incl"}, "taxMode"),
        ({"invoiceNo": "1002"}, "invoiceNo"),
        ({"externalId": "web-8"}, "externalId"),
        ({"orderNo": None}, "orderNo"),
        ({"contactMessage": "Hej"}, "contactMessage"),
        ({"attContactPersonId": None}, "attention"),
        ({"paymentTermsDays": 14}, "paymentTerms"),
        ({"paymentTermsMode": "net"}, "paymentTerms"),
        ({"lines": None}, "lines"),
        ({"lines": []}, "lines"),
    ],
)
def test_each_field_that_differs_is_named(keys: dict[str, Any], field: str) -> None:
    assert list(fields(meaning.differences(FULL, record(**keys)))) == [field]


@pytest.mark.parametrize(
    "keys",
    [
        {"invoiceNo": None},
        {"externalId": None},
        {"entryDate": "2026-02-03T00:00:00"},
        {"contactMessage": "TAK  for handlen"},
        {"invoiceNo": 1001},
        {"sentState": "printed", "exchangeRate": 1, "amount": 1},
    ],
    ids=str,
)
def test_what_means_the_same_and_what_billy_may_leave_out_is_no_difference(keys: dict[str, Any]) -> None:
    assert meaning.differences(FULL, record(**keys)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"productId": "prd44"},
        {"quantity": 3},
        {"unitPrice": 125.49},
        {"description": "Uge 6"},
        {"discountValue": 11},
        {"discountMode": "cash"},
        {"discountMode": None, "discountValue": None},
    ],
    ids=str,
)
def test_a_line_that_differs_in_anything_is_a_difference(change: dict[str, Any]) -> None:
    lines = [one.image() for one in record().lines or []]
    changed = record(lines=[{**lines[0], **change}, lines[1]])
    assert list(fields(meaning.differences(FULL, changed))) == ["lines"]


def test_lines_are_compared_in_the_order_they_have_in_billy() -> None:
    first, second = [one.image() for one in record().lines or []]
    assert meaning.differences(FULL, record(lines=[second, first])) == [], "priority counts, not the place in the list"
    swapped = [{**first, "priority": 1}, {**second, "priority": 0}]
    assert list(fields(meaning.differences(FULL, record(lines=swapped)))) == ["lines"]


def test_a_blank_text_or_number_of_pieces_is_no_difference() -> None:
    row = resolved(line())
    [one] = [each.image() for each in record(row).lines or []]
    filled = record(
        row, lines=[{**one, "description": "Varens egen tekst", "discountMode": "percent", "discountValue": 0}]
    )
    assert meaning.differences(row, filled) == []
    single = resolved(line(quantity="1"))
    [one] = [each.image() for each in record(single).lines or []]
    assert meaning.differences(single, record(single, lines=[{**one, "quantity": None}])) == []


def test_a_line_without_discount_is_not_one_with() -> None:
    row = resolved(line())
    [one] = [each.image() for each in record(row).lines or []]
    cheaper = record(row, lines=[{**one, "discountMode": "percent", "discountValue": 5}])
    assert list(fields(meaning.differences(row, cheaper))) == ["lines"]


def test_an_update_compares_only_what_its_file_says() -> None:
    assert meaning.differences({"id": "inv1", "lines": [{"line": 2}]}, record()) == []
    assert meaning.is_complete({"id": "inv1", "lines": [{"line": 2}]}, record(lines=None))
    assert fields(meaning.differences({"id": "inv1", "contactMessage": "Hej", "lines": []}, record())) == {
        "contactMessage": ("Tak for handlen", "Hej")
    }


def test_a_due_date_is_compared_with_the_due_date() -> None:
    row = {"paymentTerms": "date 2026-03-01"}
    assert meaning.differences(row, record(dueDate="2026-03-01")) == []
    assert fields(meaning.differences(row, record(dueDate="2026-03-15"))) == {
        "paymentTerms": ("netEndOfMonth 15", "date 2026-03-01")
    }


# -- keys --------------------------------------------------------------------------------------------------------------


def keys_of(row: dict[str, Any]) -> dict[str, str | None]:
    return {key.name: key.of_row(row) for key in meaning.MATCH_KEYS}


def test_an_invoice_is_found_by_id_number_and_external_id_and_a_create_in_doubt_by_contact_and_date() -> None:
    found = record(FULL)
    for key in meaning.MATCH_KEYS:
        wanted = key.of_row({**FULL, "id": "inv1"})
        assert wanted
        assert wanted in key.of_record(found), key.name
    without = keys_of(resolved())
    assert {name for name, value in without.items() if value} == {"contact and date"}
    assert keys_of({"id": "x"}) == {"id": "x", "invoiceNo": None, "externalId": None, "contact and date": None}


def test_a_draft_without_a_number_has_no_number_to_be_found_by() -> None:
    key = next(key for key in meaning.MATCH_KEYS if key.name == "invoiceNo")
    assert not any(key.of_record(record(invoiceNo=None)))


def test_a_credit_note_is_no_invoice_of_the_same_day() -> None:
    key = meaning.MATCH_KEYS[-1]
    assert key.of_row(resolved()) not in key.of_record(record(type="creditNote"))


def test_what_people_call_an_invoice() -> None:
    assert meaning.label(FULL) == "1001, Æblehaven Prøve ApS"
    assert meaning.label({"invoice": "3", "contactNo": "17"}) == "3, 17"
    assert meaning.label({"id": "inv1"}) == "inv1"


def test_b10_invoices_are_approved_by_date_and_then_in_the_order_of_the_file() -> None:
    dates = ["2026-02-03", "2026-02-01", "2026-02-03", "2026-01-31"]
    assert meaning.approval_order([(place, {"entryDate": day}) for place, day in enumerate(dates)]) == [3, 1, 0, 2]


# -- obstacles ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "keys", "code"),
    [
        ({"contactMessage": "Hej", "orderNo": "PO-18", "paymentTerms": "net 8"}, {}, None),
        ({"attContactPersonId": "per2"}, {}, None),
        ({"entryDate": "2026-02-04"}, {}, "invoice_fixed"),
        ({"contactMessage": "Hej", "invoiceNo": "1002"}, {}, "invoice_fixed"),
        ({"lines": [{"line": 2, "unitPrice": "1"}]}, {}, "invoice_fixed"),
        ({"contactId": "ctc18"}, {}, "invoice_fixed"),
        ({"contactMessage": "Hej"}, {"state": "approved"}, "invoice_approved"),
        ({"contactMessage": "Hej"}, {"state": "voided"}, "invoice_approved"),
        ({"contactMessage": "Hej"}, {"state": None}, "invoice_approved"),
    ],
)
def test_only_a_draft_is_changed_and_only_what_billy_accepts_after_creation(
    row: dict[str, Any], keys: dict[str, Any], code: str | None
) -> None:
    problem = meaning.update_obstacle(row, record(**keys), "en")
    assert (problem.code if problem else None) == code
    if problem:
        assert "inv1" in problem.message


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"invoiceNo": None}, None),
        ({"invoiceNo": "1001", "sentState": "unsent"}, None),
        ({"sentState": "sent"}, "invoice_sent"),
        ({"state": "approved"}, "invoice_approved"),
        ({"state": "voided"}, "invoice_approved"),
    ],
)
def test_only_a_draft_nobody_was_sent_is_deleted(keys: dict[str, Any], code: str | None) -> None:
    problem = meaning.delete_obstacle(record(**keys), None, "en")
    assert (problem.code if problem else None) == code


# -- totals (B10) ------------------------------------------------------------------------------------------------------

BOOKS: Any = SimpleNamespace(language="en", tax_rates={"vat25": Decimal("0.25"), "free": Decimal(0)})


def made(row: dict[str, Any], *rates: str, **totals: Any) -> Invoice:
    """Billy's answer to a create of the row: lines with VAT rates, and totals."""
    lines = [{**one.image(), "taxRateId": rate} for one, rate in zip(record(row).lines or [], rates, strict=False)]
    return record(row, lines=lines or None, **totals)


@pytest.mark.parametrize(
    ("lines", "net"),
    [
        ([line(quantity="3.42", unitPrice="12.345")], "42.22"),
        ([line(quantity="7.5", unitPrice="19.99", discountAmount="7.15")], "142.78"),
        ([line(quantity="17.67", unitPrice="8.99")] * 2, "317.70"),
        ([line(quantity="1", unitPrice="0.5", discountPercent="1")], "0.49"),
    ],
)
def test_the_check_values_of_billys_own_library(lines: list[dict[str, Any]], net: str) -> None:
    row = resolved(*lines)
    assert expected(row, record(row), {}).net == Decimal(net)
    assert created_problem(row, made(row, amount=float(net)), BOOKS) is None
    assert created_problem(row, made(row, amount=float(net) - 0.02), BOOKS) is not None


def test_a_server_that_rounds_discounts_as_the_rule_is_written_makes_no_mistake() -> None:
    """A cent on each of five lines: 0.49 by the code of Billy's library, 0.50 by its text."""
    row = resolved(*[line(quantity="1", unitPrice="0.5", discountPercent="1")] * 5)
    assert created_problem(row, made(row, amount=2.45), BOOKS) is None
    assert created_problem(row, made(row, amount=2.50), BOOKS) is None
    assert created_problem(row, made(row, amount=2.47), BOOKS) is not None


@pytest.mark.parametrize(
    ("mode", "rates", "totals", "fits"),
    [
        ("excl", ["vat25"], {"amount": 251, "tax": 62.75, "grossAmount": 313.75}, True),
        ("excl", ["vat25"], {"amount": 251, "tax": 62.76}, True),
        ("excl", ["vat25"], {"amount": 251, "tax": 0, "grossAmount": 251}, False),
        ("excl", ["free"], {"amount": 251, "tax": 0, "grossAmount": 251}, True),
        ("excl", ["other"], {"amount": 251, "tax": 12, "grossAmount": 263}, True),
        ("incl", ["vat25"], {"amount": 200.8, "tax": 50.2, "grossAmount": 251}, True),
        ("incl", ["vat25"], {"amount": 251, "tax": 62.75, "grossAmount": 313.75}, False),
        ("incl", ["other"], {"amount": 200.8, "tax": 50.2}, True),
        ("excl", [], {}, True),
    ],
)
def test_b10_totals_as_billy_answers_them(mode: str, rates: list[str], totals: dict[str, Any], fits: bool) -> None:
    row = resolved(line(), taxMode=mode)
    problem = created_problem(row, made(row, *rates, **totals), BOOKS)
    assert (problem is None) is fits
    assert problem is None or problem.code == "total_differs"


@pytest.mark.parametrize(
    ("control", "fits"),
    [
        ({"grossTotal": "313.75"}, True),
        ({"grossTotal": "313.76"}, True),
        ({"grossTotal": "251"}, False),
        ({"taxTotal": "62.75", "netTotal": "251"}, True),
        ({"taxTotal": "0"}, False),
    ],
    ids=str,
)
def test_b10_the_files_own_totals_are_compared_with_billys(control: dict[str, str], fits: bool) -> None:
    row = resolved(line(), **control)
    problem = created_problem(row, made(row, "vat25", amount=251, tax=62.75), BOOKS)
    assert (problem is None) is fits
    if problem:
        assert "inv1" in problem.message


def test_b16_the_sign_that_billy_gives_a_credit_note_does_not_matter() -> None:
    row = resolved(line(), type="creditNote", grossTotal="313.75")
    assert created_problem(row, made(row, "vat25", amount=-251, tax=-62.75, grossAmount=-313.75), BOOKS) is None
    assert created_problem(row, made(row, "vat25", amount=251, tax=62.75, grossAmount=313.75), BOOKS) is None
    assert created_problem(row, made(row, "vat25", amount=-252), BOOKS) is not None


def test_b10_what_the_sandbox_makes_of_random_lines_is_what_we_count(shop: SandboxServer) -> None:
    chance = random.Random(4)

    def some_line(place: int) -> dict[str, Any]:
        discount = chance.choice([{}, {"discountPercent": "12.5"}, {"discountAmount": "3.33"}])
        quantity, price = chance.randint(1, 99_999) / 1000, chance.randint(1, 999_999) / 1000
        product = chance.choice(["prd42", "prd43"])
        return line(line=place, productId=product, quantity=f"{quantity}", unitPrice=f"{price}", **discount)

    async def go(client: BillyClient) -> list[tuple[dict[str, Any], Invoice]]:
        rates, _ = await client.list("taxRates", {})
        books = SimpleNamespace(language="en", tax_rates={key: Decimal(str(raw["rate"])) for key, raw in rates.items()})
        found = []
        for _ in range(40):
            row = resolved(*(some_line(place) for place in range(chance.randint(1, 6))))
            row["taxMode"] = chance.choice(["excl", "incl"])
            answer = requests.created_invoice(await client.create("invoices", "invoice", meaning.create_body(row)))
            assert created_problem(row, answer, books) is None, (row, answer)
            assert meaning.differences(row, answer) == []
            assert expected(row, answer, books.tax_rates).tax is not None, "the rates of the lines were known"
            found.append((row, answer))
        return found

    assert len(ask(shop, go)) == 40


# -- answers and requests ----------------------------------------------------------------------------------------------


def test_the_new_credit_note_is_told_from_the_invoice_it_changed() -> None:
    answer = {
        "invoices": [{"id": "old", "type": "invoice"}, {"id": "new", "type": "creditNote"}],
        "invoiceLines": [{"id": "l1", "invoiceId": "new", "productId": "prd42"}],
    }
    made = requests.created_invoice(answer)
    assert (made.id, [one.id for one in made.lines or []]) == ("new", ["l1"])


def test_an_answer_need_not_be_a_complete_record() -> None:
    made = requests.created_invoice({"invoices": [{"id": "new"}]})
    assert (made.id, made.lines, made.amount) == ("new", None, None)
    assert not meaning.is_complete(FULL, made), "it has to be read before its totals are believed"
    assert created_problem(FULL | {"netTotal": "1"}, made, BOOKS) is None


def test_secrets_of_an_invoice_never_reach_an_image(shop: SandboxServer) -> None:
    [added] = shop.sandbox.add("invoices", [{"contactId": "ctc17", "lines": [{"productId": "prd42", "unitPrice": 1}]}])
    read = ask(shop, lambda client: requests.read_one_invoice(client, added))
    assert "downloadUrl" not in read.image()


@pytest.mark.parametrize("include", ["honoured", "ignored"])
def test_one_invoice_is_read_with_its_own_lines_only(shop: SandboxServer, include: str) -> None:
    shop.sandbox.switch(include=include)
    bodies = [{"contactId": "ctc17", "lines": [{"productId": "prd42", "unitPrice": price}]} for price in (1, 2)]
    first, second = shop.sandbox.add("invoices", bodies)
    read = ask(shop, lambda client: requests.read_one_invoice(client, second))
    assert (read.id, [one.unitPrice for one in read.lines or []]) == (second, [2])
    with pytest.raises(NotFound):
        ask(shop, lambda client: requests.read_one_invoice(client, "none"))
    assert {each.id for each in ask(shop, requests.read_all_invoices)} == {first, second}


@pytest.mark.parametrize("draft_edit", ["refused", "ignored", "accepted"])
def test_an_update_of_a_draft_sends_what_may_change_and_nothing_else(shop: SandboxServer, draft_edit: str) -> None:
    shop.sandbox.switch(draft_edit=draft_edit)
    body = {"contactId": "ctc17", "entryDate": "2026-02-03", "lines": [{"productId": "prd42", "unitPrice": 100}]}
    [added] = shop.sandbox.add("invoices", [body])
    row = {
        **{"id": added, "contactMessage": "Hej", "orderNo": "PO-18", "paymentTerms": "date 2026-03-03"},
        **{"attention": "Bo Prøvesen", "attContactPersonId": "per2", "lines": [{"line": 2}]},
    }

    async def update(client: BillyClient) -> Invoice:
        before = await requests.read_one_invoice(client, added)
        assert meaning.update_obstacle(row, before, "en") is None
        return await requests.write_invoice_update(client, before, meaning.differences(row, before), False)

    after = ask(shop, update)
    stored = ask(shop, lambda client: requests.read_one_invoice(client, added))
    assert after.image() == stored.image(), "what the journal keeps is not what Billy has"
    assert meaning.differences(row, stored) == []
    assert (stored.dueDate, stored.contactMessage, stored.orderNo) == ("2026-03-03", "Hej", "PO-18")
    assert [e.method for e in shop.sandbox.requests if e.method != "GET"] == ["PUT"]
