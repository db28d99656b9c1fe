"""An invoice against the books: its contact, products, date, currency, number, credited invoice (B5-B7, B11-B16)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from billy_pipelines.sandbox import OrganizationSeed, Sandbox, SandboxServer, Switches
from billy_pipelines.schemas.invoice_lookups import NumberSeries
from billy_pipelines.schemas.invoice_meaning import create_body
from billy_pipelines.schemas.invoice_references import InvoiceReferences, load_references
from billy_pipelines.schemas.invoice_requests import read_all_invoices
from billy_pipelines.schemas.invoice_resolving import resolve
from billy_pipelines.schemas.nearest import NONE, Nearest
from billy_pipelines.schemas.resource import PlanTerms, Resolved
from billy_pipelines.settings import Organization
from billy_pipelines_tests.support import open_client_for

TODAY = date(2026, 2, 3)
EAN = "5790000000005"
CVR = "99000007"


@pytest.fixture(scope="module")
def running() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


@pytest.fixture
def books(running: SandboxServer) -> SandboxServer:
    """Some contacts and products, the same for every test."""
    sandbox = running
    sandbox.sandbox.switch(**Switches().model_dump())
    sandbox.sandbox.reset()
    person = {"id": "per1", "name": "Anna Prøvesen", "email": "anna@aeblehaven.example", "isPrimary": True}
    contacts: list[dict[str, Any]] = [
        {"id": "ctc17", "name": "Æblehaven Prøve ApS", "contactNo": "0017", "contactPersons": [person]},
        {"id": "ctc18", "name": "Østerkær Prøve ApS", "contactNo": "18", "registrationNo": CVR},
        {"id": "ctc19", "name": "Prøve Kommune", "ean": EAN},
        {"id": "ctc20", "name": "Gammel Prøve ApS", "contactNo": "20", "isArchived": True},
        {"id": "ctc21", "name": "Dobbelt Prøve ApS", "contactNo": "21"},
        {"id": "ctc22", "name": "Dobbelt Prøve ApS", "contactNo": "21"},
    ]
    sandbox.sandbox.add("contacts", [{"isCustomer": True, **contact} for contact in contacts])
    sandbox.sandbox.add(
        "products",
        [
            {
                **{"id": "prd42", "name": "Blå prøvevare", "productNo": "0042"},
                "prices": [{"currencyId": "DKK", "unitPrice": 125.5}, {"currencyId": "EUR", "unitPrice": 17}],
            },
            {"id": "prd43", "name": "Rød prøvevare"},
            {"id": "prd44", "name": "Udgået prøvevare", "productNo": "0044", "isArchived": True},
            {"id": "prd45", "name": "Grøn prøvevare", "productNo": "0045"},
            {"id": "prd46", "name": "Grøn prøvevare", "productNo": "0045"},
        ],
    )
    return sandbox


def row(*lines: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A row of an import as validation leaves it; a field of None is left out."""
    usual = {"invoice": "1", "contactNo": "0017", "entryDate": "2026-02-03", "taxMode": "excl"}
    first = {"line": 2, "productNo": "0042", "unitPrice": "100"}
    said = {name: value for name, value in {**usual, **fields}.items() if value is not None}
    return {**said, "lines": list(lines) or [first]}


def load(sandbox: SandboxServer, *rows: dict[str, Any], **terms: Any) -> tuple[InvoiceReferences, PlanTerms]:
    fields = frozenset(name for each in rows for part in (each, *each["lines"]) for name in part)
    organization = Organization(name="default", locked_until=terms.pop("locked_until", None))
    plan_terms = PlanTerms(organization, **{"today": TODAY, **terms})

    async def go() -> InvoiceReferences:
        async with open_client_for(sandbox) as client:
            present = await read_all_invoices(client)
            sandbox.sandbox.requests.clear()  # only what the references themselves ask for counts
            return await load_references(client, plan_terms, fields, present)

    return asyncio.run(go()), plan_terms


def resolved(sandbox: SandboxServer, *rows: dict[str, Any], **terms: Any) -> list[Resolved]:
    references, plan_terms = load(sandbox, *rows, **terms)
    found = [resolve(each, references, plan_terms) for each in rows]
    # A job that goes on resolves again, with fresh references; an applied plan has to come out the same.
    anew, plan_terms = load(sandbox, *rows, **terms)
    for each in found:
        if not errors(each):
            assert resolve(each.row, anew, plan_terms).row == each.row
    return found


def errors(found: Resolved) -> list[str]:
    return [problem.code for problem in found.problems if not problem.warning]


def warnings(found: Resolved) -> list[str]:
    return [problem.code for problem in found.problems if problem.warning]


def one(sandbox: SandboxServer, given: dict[str, Any], **terms: Any) -> Resolved:
    [found] = resolved(sandbox, given, **terms)
    return found


# -- the contact (B5, B6, B7) ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "contact"),
    [
        ({"contactId": "ctc18"}, "ctc18"),
        ({"contactNo": "0017"}, "ctc17"),
        ({"ean": EAN}, "ctc19"),
        ({"vatNo": CVR}, "ctc18"),
        ({"contactName": "ÆBLEHAVEN prøve aps", "contactEmail": "Anna@aeblehaven.example"}, "ctc17"),
        ({"contactNo": "18", "ean": EAN}, "ctc18"),
        ({"contactNo": "999", "ean": EAN}, "ctc19"),
    ],
    ids=str,
)
def test_b5_a_contact_is_found_by_the_first_key_that_decides(
    books: SandboxServer, said: dict[str, str], contact: str
) -> None:
    found = one(books, row(**{"contactNo": None, **said}))
    assert errors(found) == []
    assert found.row["contactId"] == contact


def test_b5_a_name_alone_finds_a_contact_only_where_that_was_allowed(books: SandboxServer) -> None:
    given = row(contactNo=None, contactName="Østerkær Prøve ApS")
    refused = one(books, given)
    assert errors(refused) == ["contact_unknown"]
    assert "contact_by_name" in refused.problems[0].message
    assert "ctc18" in refused.problems[0].message, "the nearest is named"
    assert one(books, given, contact_by_name=True).row["contactId"] == "ctc18"


def test_b5_a_name_whose_details_contradict_finds_nobody(books: SandboxServer) -> None:
    given = row(contactNo=None, contactName="Prøve Kommune", ean="5790000000012")
    assert errors(one(books, given, contact_by_name=True)) == ["contact_unknown"]


@pytest.mark.parametrize(
    ("said", "code", "named"),
    [
        ({"contactNo": "999"}, "contact_unknown", NONE),
        ({"contactNo": "17"}, "contact_unknown", "ctc17"),
        ({"contactNo": "999", "contactName": "Æblehavn Prøve ApS"}, "contact_unknown", "ctc17"),
        ({"contactId": "gone"}, "contact_unknown", "gone"),
        ({"contactNo": "20"}, "contact_archived", "ctc20"),
        ({"contactNo": "21"}, "contact_ambiguous", "ctc21, ctc22"),
        ({"contactName": "Dobbelt Prøve ApS"}, "contact_ambiguous", "ctc21, ctc22"),
    ],
    ids=str,
)
def test_a_contact_that_is_not_found_is_named_with_what_is_near(
    books: SandboxServer, said: dict[str, str], code: str, named: str
) -> None:
    found = one(books, row(**{"contactNo": None, **said}), contact_by_name=True)
    assert errors(found) == [code]
    assert named in found.problems[0].message
    assert "contactId" not in found.row or said.get("contactId")


def test_b6_a_cvr_number_that_several_have_or_with_another_ean_finds_nobody(books: SandboxServer) -> None:
    assert errors(one(books, row(contactNo=None, vatNo=CVR, ean="5790000000012"))) == []
    books.sandbox.change_contact("ctc18", ean="5790000000029")
    assert errors(one(books, row(contactNo=None, vatNo=CVR, ean="5790000000012"))) == ["contact_unknown"]
    books.sandbox.add_contacts([{"name": "Østerkær Prøve, afdeling 2", "registrationNo": CVR}])
    assert errors(one(books, row(contactNo=None, vatNo=CVR))) == ["contact_ambiguous"]


def test_a_customer_number_that_differs_keeps_cvr_and_name_from_finding_somebody_else(books: SandboxServer) -> None:
    for said in ({"vatNo": CVR}, {"contactName": "Østerkær Prøve ApS"}):
        assert errors(one(books, row(contactNo=None, **said), contact_by_name=True)) == []
        refused = one(books, row(contactNo="999", **said), contact_by_name=True)
        assert errors(refused) == ["contact_unknown"]
        assert "ctc18" in refused.problems[0].message


def test_b7_a_supplier_who_is_no_customer_yet_is_named(books: SandboxServer) -> None:
    books.sandbox.change_contact("ctc17", isCustomer=False, isSupplier=True)
    found = one(books, row())
    assert (errors(found), warnings(found)) == ([], ["contact_no_customer"])


def test_b15_attention_is_a_person_of_the_contact_or_left_out_with_a_warning(books: SandboxServer) -> None:
    assert create_body(one(books, row(attention="ANNA prøvesen")).row)["attContactPersonId"] == "per1"
    missing = one(books, row(attention="Ukendt Prøvesen"))
    assert (errors(missing), warnings(missing)) == ([], ["attention_unknown"])
    assert "attContactPersonId" not in create_body(missing.row)


def test_b15_terms_come_from_the_row_the_contact_the_company(books: SandboxServer) -> None:
    assert create_body(one(books, row()).row)["paymentTermsDays"] == 8
    books.sandbox.change_contact("ctc17", paymentTermsMode="netEndOfMonth", paymentTermsDays=15)
    body = create_body(one(books, row()).row)
    assert (body["paymentTermsMode"], body["paymentTermsDays"]) == ("netEndOfMonth", 15)
    assert create_body(one(books, row(paymentTerms="net 0")).row)["paymentTermsDays"] == 0


# -- products ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "product"),
    [
        ({"productNo": "0042"}, "prd42"),
        ({"productId": "prd43"}, "prd43"),
        ({"productName": "rød  PRØVEVARE"}, "prd43"),
        ({"productNo": "9", "productName": "Rød prøvevare"}, "prd43"),
    ],
    ids=str,
)
def test_a_product_is_found_by_id_number_name(books: SandboxServer, said: dict[str, str], product: str) -> None:
    found = one(books, row({"line": 2, "unitPrice": "1", **said}))
    assert (errors(found), found.row["lines"][0]["productId"]) == ([], product)


@pytest.mark.parametrize(
    ("said", "code", "named"),
    [
        ({"productNo": "42"}, "product_unknown", "prd42"),
        ({"productName": "Blaa prøvevare"}, "product_unknown", "prd42"),
        ({"productNo": "9", "productName": "Blå prøvevare"}, "product_unknown", "prd42"),
        ({"productId": "gone"}, "product_unknown", "gone"),
        ({"productNo": "0044"}, "product_archived", "prd44"),
        ({"productNo": "0045"}, "product_ambiguous", "prd45, prd46"),
        ({"productName": "Grøn prøvevare"}, "product_ambiguous", "prd45, prd46"),
        ({"description": "Fragt"}, "product_missing", "line 7"),
    ],
    ids=str,
)
@pytest.mark.parametrize("archived_in_lists", ["included", "hidden"])
def test_a_line_whose_product_is_not_found_is_named_by_its_line(
    books: SandboxServer, said: dict[str, str], code: str, named: str, archived_in_lists: str
) -> None:
    books.sandbox.switch(archived_in_lists=archived_in_lists)
    found = one(books, row({"line": 7, "unitPrice": "1", **said}))
    assert errors(found) == [code]
    assert "line 7" in found.problems[0].message
    assert named in found.problems[0].message


def test_all_that_is_missing_is_named_at_once(books: SandboxServer) -> None:
    lines = [{"line": n, "productNo": f"x{n}", "unitPrice": "1"} for n in (2, 3)]
    found = one(books, row(*lines, contactNo="999", entryDate="2026-06-01", currency="EUR"))
    assert errors(found) == [
        *("contact_unknown", "date_far_ahead", "rate_missing", "product_unknown", "product_unknown")
    ]


@pytest.mark.parametrize("include", ["honoured", "ignored"])
def test_a_line_without_price_takes_the_products_in_the_invoices_currency(books: SandboxServer, include: str) -> None:
    books.sandbox.switch(include=include)
    priced, unpriced = {"line": 2, "productNo": "0042"}, {"line": 3, "productName": "Rød prøvevare"}
    assert one(books, row(priced)).row["lines"][0]["unitPrice"] == "125.5"
    assert one(books, row(priced, currency="EUR")).row["lines"][0]["unitPrice"] == "17"
    for given in (row(unpriced), row(priced, currency="SEK"), row(priced, taxMode="incl")):
        assert errors(one(books, given)) == ["price_missing"]


def test_a_new_line_states_its_quantity(books: SandboxServer) -> None:
    [sent] = create_body(one(books, row()).row)["lines"]
    assert sent == {"productId": "prd42", "quantity": 1, "unitPrice": 100, "priority": 0}


# -- dates (B12) -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "code"),
    [(31, []), (32, ["date_far_ahead"]), (0, []), (-34, []), (-35, ["date_locked"]), (-400, ["date_locked"])],
)
def test_b12_a_date_in_a_closed_period_or_far_ahead_is_refused(
    books: SandboxServer, days: int, code: list[str]
) -> None:
    entry = (TODAY + timedelta(days=days)).isoformat()
    found = one(books, row(entryDate=entry), locked_until=TODAY - timedelta(days=35))
    assert errors(found) == code


def test_b12_a_date_in_a_settled_vat_period_is_refused() -> None:
    this_year = date.today().year  # noqa: DTZ011 - the sandbox has the periods of this year and the last
    settled = date(this_year, 3, 31)
    organizations: list[OrganizationSeed] = [{"token": "one", "vat_settled_until": settled}]
    with SandboxServer(organizations=organizations) as server:
        seed(server.sandbox)
        for day, codes in ((settled, ["date_settled"]), (settled + timedelta(days=1), [])):
            assert errors(one(server, row(entryDate=day.isoformat()), today=settled)) == codes


def seed(sandbox: Sandbox) -> None:
    sandbox.add("contacts", [{"id": "ctc17", "name": "Æblehaven Prøve ApS", "contactNo": "0017"}])
    sandbox.add("products", [{"id": "prd42", "name": "Blå prøvevare", "productNo": "0042"}])


@pytest.mark.parametrize("resource", ["salesTaxReturns", "taxRates"])
def test_lists_that_a_token_may_not_see_count_as_empty(books: SandboxServer, resource: str) -> None:
    books.sandbox.switch(forbidden_resource=resource)
    references, _ = load(books, row())
    assert (references.settled_periods, bool(references.tax_rates)) == ((), resource != "taxRates")
    assert errors(one(books, row())) == []


# -- currency (B15) ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"currency": "EUR"}, []),
        ({"currency": "EUR", "entryDate": "2026-02-02"}, ["rate_missing"]),
        ({"currency": "EUR", "entryDate": "2026-02-02", "exchangeRate": "7.46"}, []),
        ({"currency": "EUR", "exchangeRate": "8.9"}, []),
        ({"currency": "EUR", "exchangeRate": "9"}, ["rate_unlikely"]),
        ({"currency": "EUR", "exchangeRate": "5.9"}, ["rate_unlikely"]),
        ({"currency": "EUR", "exchangeRate": "746"}, ["rate_unlikely"]),
        ({"currency": "CHF", "exchangeRate": "780"}, []),
        ({"currency": "XQX", "exchangeRate": "1"}, ["currency_not_in_billy"]),
    ],
    ids=str,
)
def test_b15_a_foreign_currency_needs_a_likely_rate_unless_dated_today(
    books: SandboxServer, said: dict[str, str], code: list[str]
) -> None:
    assert errors(one(books, row(**said))) == code


def test_b15_the_base_currency_is_stated_and_needs_no_rate(books: SandboxServer) -> None:
    body = create_body(one(books, row(entryDate="2026-01-05", exchangeRate="100")).row)
    assert body["currencyId"] == "DKK"
    assert "exchangeRate" not in body


# -- numbers (B11) -----------------------------------------------------------------------------------------------------


def counted(books: SandboxServer, counter: int) -> None:
    company = books.sandbox.records("organizations")[0]["id"]
    books.sandbox.change("organizations", company, nextInvoiceNo=counter)


def present(books: SandboxServer, number: str, **keys: Any) -> str:
    usual = {"contactId": "ctc17", "entryDate": "2026-02-03", "invoiceNo": number}
    lines = [{"productId": "prd42", "unitPrice": 100}]
    return books.sandbox.add("invoices", [{**usual, "lines": lines, **keys}])[0]


@pytest.mark.parametrize("include", ["honoured", "ignored"])
@pytest.mark.parametrize(
    "other",
    [
        {"lines": [{"productId": "prd42", "unitPrice": 101}]},
        {"contactId": "ctc18"},
        {"entryDate": "2026-02-02"},
        {"type": "creditNote"},
    ],
    ids=str,
)
def test_b11_a_number_that_another_invoice_has_is_refused(
    books: SandboxServer, other: dict[str, Any], include: str
) -> None:
    books.sandbox.switch(include=include)
    holder = present(books, "1001", **other)
    found = one(books, row(invoiceNo="1001"), own_numbers=True)
    assert errors(found) == ["number_taken"]
    assert holder in found.problems[0].message


def test_b11_the_same_invoice_imported_before_is_no_other(books: SandboxServer) -> None:
    present(books, "1001", contactMessage="Hej", paymentTermsDays=14)
    assert errors(one(books, row(invoiceNo="1001", contactMessage="Dav"))) == []


@pytest.mark.parametrize("state", ["draft", "approved"])
def test_b11_own_numbers_that_go_on_from_the_counter_need_no_option(books: SandboxServer, state: str) -> None:
    present(books, "1000", state=state)
    counted(books, 1001)
    rows = [row(invoiceNo=number) for number in ("1001", "1002", "999", "1004", "1003", "F-1005")]
    codes = [errors(found) for found in resolved_once(books, *rows)]
    assert codes == [[], [], [], ["number_gap"], [], ["number_gap"]]
    allowed = resolved_once(books, *rows, own_numbers=True)
    assert [errors(found) for found in allowed] == [[]] * 6


def resolved_once(sandbox: SandboxServer, *rows: dict[str, Any], **terms: Any) -> list[Resolved]:
    references, plan_terms = load(sandbox, *rows, **terms)
    return [resolve(each, references, plan_terms) for each in rows]


def test_b11_a_row_that_is_wrong_takes_no_number(books: SandboxServer) -> None:
    counted(books, 1001)
    rows = [row(invoiceNo="1001", contactNo="999"), row(invoiceNo="1002")]
    assert [errors(found) for found in resolved_once(books, *rows)] == [["contact_unknown"], ["number_gap"]]


def test_b11_without_a_counter_the_series_goes_on_from_the_highest_number() -> None:
    series = NumberSeries(None, ["7", "12", "F-100", None])
    assert (series.fits("13"), series.fits("14"), series.fits("9"), series.expected) == (True, False, True, "13")
    unknown = NumberSeries(None, [])
    assert unknown.fits("500")
    unknown.take("500")
    assert (unknown.fits("501"), unknown.fits("502")) == (True, False)


# -- credit notes (B16) ------------------------------------------------------------------------------------------------


def test_b16_the_credited_invoice_is_found_by_its_number(books: SandboxServer) -> None:
    credited = present(books, "1001", state="approved")
    body = create_body(one(books, row(type="creditNote", creditedInvoiceNo="1001")).row)
    assert (body["type"], body["creditedInvoiceId"]) == ("creditNote", credited)


def test_b16_a_credited_invoice_that_is_not_there_or_somebody_elses_is_refused(books: SandboxServer) -> None:
    present(books, "1001", contactId="ctc18")
    present(books, "1002", type="creditNote")
    for number, code in (("999", "credited_unknown"), ("1001", "credited_other_contact"), ("1002", "credited_unknown")):
        assert errors(one(books, row(type="creditNote", creditedInvoiceNo=number))) == [code]


# -- updates and deletes -----------------------------------------------------------------------------------------------


def test_an_update_resolves_what_its_file_says_and_states_nothing_else(books: SandboxServer) -> None:
    given = {"id": "inv1", "contactMessage": "Hej", "contactName": "Ukendt", "lines": [{"line": 2}]}
    found = one(books, given, operation="update")
    assert (found.row, found.problems) == (given, ())
    assert books.sandbox.requests and all("invoices" not in entry.path for entry in books.sandbox.requests)


def test_an_update_finds_the_contact_person_of_the_invoice_it_means(books: SandboxServer) -> None:
    invoice = present(books, "1001")
    for said in ({"id": invoice}, {"invoiceNo": "1001"}):
        given = {**said, "attention": "Anna Prøvesen", "lines": [{"line": 2}]}
        assert one(books, given, operation="update").row["attContactPersonId"] == "per1"
    given = {"id": invoice, "attention": "Ukendt", "lines": [{"line": 2}]}
    assert errors(one(books, given, operation="update")) == ["person_unknown"]


def test_an_update_of_lines_is_compared_by_their_products(books: SandboxServer) -> None:
    given = {"id": "inv1", "lines": [{"line": 2, "productNo": "0042", "quantity": "3"}]}
    assert one(books, given, operation="update").row["lines"] == [
        {"line": 2, "productNo": "0042", "quantity": "3", "productId": "prd42"}
    ]


def test_a_delete_asks_nothing_of_the_books(books: SandboxServer) -> None:
    given = {"id": "inv1", "contactNo": "999", "lines": [{"line": 2}]}
    found = one(books, given, operation="delete")
    assert (found.row, found.problems) == (given, ())
    assert not list(books.sandbox.requests)


# -- the nearest -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("Æblehavens Prøve ApS", "A"),
        ("æblehaven", "A"),
        ("Ostekær Prøve ApS", "B"),
        ("0017", "C"),
        ("Noget helt andet", NONE),
        ("", NONE),
        ("x", NONE),
    ],
)
def test_the_nearest_is_what_looks_alike(text: str, called: str) -> None:
    known = Nearest([("Æblehaven Prøve ApS", "A"), ("Østekær Prøve ApS", "B"), ("00017", "C"), (None, "D"), ("", "E")])
    assert known.to(text) == called


def test_the_nearest_is_found_among_many_that_share_their_words() -> None:
    known = Nearest((f"Kunde {number:05d} Prøve ApS", str(number)) for number in range(50_000))
    assert known.to("Kunde 04711 Prøve A/S") == "4711"
    assert known.to("kunde 04711  prøve a/s") == "4711"
