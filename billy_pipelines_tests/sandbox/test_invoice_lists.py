"""Filters and sorts of invoices, and filters nobody has seen work: billy-api.md sections 3.2, 3.3."""

from __future__ import annotations

from datetime import date

import pytest

from billy_pipelines.sandbox import Sandbox
from billy_pipelines.sandbox.periods import period

from .conftest import Shop
from .test_lists import names
from .test_records import error


@pytest.fixture
def books(shop: Shop) -> Shop:
    """Invoices A, B, C and D, called so in their `orderNo`; A is paid, D credits A."""
    [other] = shop.sandbox.add("contacts", [{"name": "Østerkær ApS"}])

    def add(name: str, day: str, price: float, **more: object) -> str:
        lines = [shop.line(price)]
        return shop.sandbox.add(
            "invoices", [{"contactId": shop.contact, "orderNo": name, "entryDate": day, "lines": lines, **more}]
        )[0]

    first = add("A", "2025-12-31", 100, state="approved", approvedTime="2026-01-02T08:00:00", invoiceNo="9")
    add("B", "2026-02-03", 80, state="approved", approvedTime="2026-02-03T09:30:00", invoiceNo="10", contactId=other)
    add("C", "2026-02-04", 60, externalId="E-1", currencyId="EUR")
    add("D", "2026-06-30", 100, type="creditNote", creditedInvoiceId=first, paymentTermsMode=None)
    subject = {"subjectReference": f"invoice:{first}"}
    shop.sandbox.add("bankPayments", [{"cashAmount": 125, "associations": [subject]}])
    return shop


def found(shop: Shop, query: str) -> str:
    """The names of the invoices listed."""
    response = shop.client.get(f"/invoices?{query}")
    assert response.status_code == 200, response.text
    return "".join(invoice["orderNo"] for invoice in response.json()["invoices"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "ABCD"),
        ("organizationId=org0000000000000000001", "ABCD"),
        ("organizationId=org0000000000000000002", ""),
        ("contactId={contact}", "ACD"),
        ("creditedInvoiceId={first}", "D"),
        ("state=draft", "CD"),
        ("state=approved", "AB"),
        ("state=voided", ""),
        ("invoiceNo=10", "B"),
        ("externalId=E-1", "C"),
        ("minEntryDate=2026-02-03", "BCD"),
        ("maxEntryDate=2026-02-03", "AB"),
        ("minEntryDate=2026-02-03&maxEntryDate=2026-02-03", "B"),
        ("entryDatePeriod=all", "ABCD"),
        ("entryDatePeriod=dates:2025-12-31...2026-02-03", "AB"),
        ("entryDatePeriod=day:2026-02-04", "C"),
        ("entryDatePeriod=month:2026-02", "BC"),
        ("entryDatePeriod=quarter:2026-2", "D"),
        ("entryDatePeriod=halfYear:2026-1", "BCD"),
        ("entryDatePeriod=year:2025", "A"),
        ("entryDatePeriod=fiscalYear:2026", "BCD"),
        ("minApprovedTime=2026-02-03%2009:30:00", "B"),
        ("maxApprovedTime=2026-02-03 09:29:59", "A"),
        ("minApprovedTime=2026-01-02", "AB"),
        ("maxApprovedTime=2026-02-03", "AB"),
        ("approvedTimePeriod=from:2026-01-03", "B"),
        ("approvedTimePeriod=through:2026-01-02", "A"),
        ("approvedTimePeriod=half:2026-1", "AB"),
        ("minDueDate=2026-02-11", "BC"),
        ("maxDueDate=2026-02-11", "AB"),
        ("isPaid=true", "A"),
        ("isPaid=false", "BCD"),
        ("currencyId=EUR", "C"),
        ("amount=100", "AD"),
        ("amount=99.99", ""),
        ("quoteId=x", ""),
        ("recurringInvoiceId=x", ""),
        ("q=ØSTERKÆR", "B"),
        ("q=75", "C"),
        ("q=prøvevare", "ABCD"),
        ("isPaid=false&contactId={contact}&state=draft&minEntryDate=2026-05-01", "D"),
        ("orderNo=A&nonsense=1", "ABCD"),
    ],
)
def test_documented_filters_work_and_others_are_ignored(books: Shop, query: str, expected: str) -> None:
    """Documented; unknown parameters ignored: observed. What follows day, halfYear, half, from, through is ours."""
    first = books.sandbox.records("invoices")[0]["id"]
    assert found(books, query.format(contact=books.contact, first=first)) == expected


@pytest.mark.parametrize(
    "query",
    [
        "state=sent",
        "isPaid=maybe",
        "minEntryDate=3/2",
        "entryDatePeriod=day:2026-02",
        "entryDatePeriod=from:2026-01-01",
        "entryDatePeriod=month:2026-13",
        "entryDatePeriod=week:7",
        "approvedTimePeriod=day:2026-02-03",
        "amount=mange",
    ],
)
def test_a_wrong_value_in_a_known_filter_is_refused(books: Shop, query: str) -> None:
    """One report for `state=sent`, with 404 (unverified); the others by analogy (our choice)."""
    error(books.client.get(f"/invoices?{query}"), 404, "INVALID_FILTER")


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("entryDate", "ABCD"),
        ("dueDate", "DABC"),
        ("createdTime", "ABCD"),
        ("invoiceNo", "CDAB"),
        ("lineDescription", "ABCD"),
        ("amount", "CBAD"),
        ("grossAmount", "CBAD"),
        ("balance", "ACBD"),
        ("contact.name", "ACDB"),
        ("approvedTime", "CDAB"),
        ("orderNo", "ABCD"),
    ],
)
def test_listed_properties_sort_both_ways(books: Shop, sort: str, expected: str) -> None:
    """Documented list; null first, and numbers by size, are our choice."""
    assert found(books, f"sortProperty={sort}") == expected
    key = {"contact.name": "contactId"}.get(sort, sort)
    values = {each["orderNo"]: each[key] for each in books.sandbox.records("invoices")}
    backwards = found(books, f"sortProperty={sort}&sortDirection=DESC")
    assert [values[name] for name in backwards] == [values[name] for name in expected][::-1]
    books.sandbox.switch(unlisted_sort="refused")
    assert found(books, f"sortProperty={sort}") == expected


def test_a_property_that_is_not_listed_is_accepted_ignored_or_refused(books: Shop) -> None:
    """Only listed ones are allowed (documented), the answer to others is unknown: a switch."""
    assert found(books, "sortProperty=currencyId&sortDirection=DESC")[0] == "C"
    books.sandbox.switch(unlisted_sort="ignored")
    assert found(books, "sortProperty=currencyId&sortDirection=DESC") == "ABCD"
    books.sandbox.switch(unlisted_sort="refused")
    error(books.client.get("/invoices?sortProperty=currencyId"), 400, "INVALID_SORT_PROPERTY")


def test_a_sort_is_stable_where_unsorted_lists_are_reshuffled(books: Shop) -> None:
    """Observed."""
    books.sandbox.switch(unstable_paging=True)
    assert len({found(books, "") for _ in range(30)}) > 1
    assert {found(books, "sortProperty=entryDate") for _ in range(10)} == {"ABCD"}


def test_a_list_follows_every_change(books: Shop) -> None:
    """Whatever the sandbox keeps in mind between two pages."""
    assert found(books, "q=Østerkær") == "B"
    books.sandbox.change("contacts", books.contact, name="Østerkær II")
    assert found(books, "q=Østerkær") == "ABCD"
    books.sandbox.delete("invoices", books.sandbox.records("invoices")[3]["id"])
    assert found(books, "q=Østerkær") == "ABC"
    assert (found(books, ""), found(books, "")) == ("ABC", "ABC")


def test_filters_nobody_has_seen_work_are_ignored_or_honoured(shop: Shop, sandbox: Sandbox) -> None:
    """Unverified: a switch. `isArchived` alone works by default, since clients depend on it."""
    sandbox.add_contacts(
        [
            {
                "name": "S",
                "isSupplier": True,
                "phone": "1",
                "countryId": "SE",
                "contactPersons": [{"email": "q@x.example"}],
            }
        ]
    )
    queries = [{"q": "Q@X"}, {"isSupplier": "true"}, {"phone": "1"}, {"countryId": "SE"}, {"isCustomer": "false"}]
    every = ["Æblehaven ApS", "S"]
    assert all(names(shop.client, **query) == every for query in queries)
    assert names(shop.client, isArchived="true") == []
    sandbox.switch(unproven_filters="honoured")
    assert all(names(shop.client, **query) == ["S"] for query in queries)
    assert names(shop.client, organizationId="org0000000000000000002") == []
    sandbox.switch(unproven_filters="ignored")
    assert names(shop.client, isArchived="true", q="x") == every


@pytest.mark.parametrize(
    ("text", "last_month", "expected"),
    [
        ("month:2024-02", 12, ("2024-02-01", "2024-02-29")),
        ("quarter:2026-4", 12, ("2026-10-01", "2026-12-31")),
        ("halfYear:2026-2", 12, ("2026-07-01", "2026-12-31")),
        ("fiscalYear:2026", 12, ("2026-01-01", "2026-12-31")),
        ("fiscalYear:2026", 6, ("2025-07-01", "2026-06-30")),
    ],
)
def test_periods_are_whole_days(text: str, last_month: int, expected: tuple[str, str]) -> None:
    """Forms documented; that a fiscal year has the name of the year it ends in is our choice."""
    assert period(text, last_month) == tuple(map(date.fromisoformat, expected))
