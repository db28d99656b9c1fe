"""Creating, changing, approving and deleting invoices and lines: billy-api.md sections 5, 6.3, 6.4, 7, 8."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest

from .conftest import Shop
from .test_records import attributes, error

KEYS = [  # of the sample in section 8, in its order; attContactPersonId stands where the property table has it
    *("id", "organizationId", "type", "createdTime", "approvedTime", "contactId", "attContactPersonId", "entryDate"),
    *("paymentTermsMode", "paymentTermsDays", "dueDate", "state", "sentState", "invoiceNo", "taxMode", "amount", "tax"),
    *("grossAmount", "currencyId", "exchangeRate", "balance", "isPaid"),
]


# -- creating --------------------------------------------------------------------------------------------------------


def test_the_sample_invoice(shop: Shop) -> None:
    """Documented and observed: the sample of section 8."""
    line = {"productId": shop.product, "description": "Uge 5", "quantity": 4, "unitPrice": 125.5}
    terms = {"paymentTermsMode": "net", "paymentTermsDays": 14}
    body = shop.post(line, currencyId="DKK", taxMode="excl", **terms).json()
    assert body.keys() == {"meta", "invoices", "invoiceLines"}
    invoice, made = body["invoices"][0], body["invoiceLines"][0]
    assert list(invoice)[: len(KEYS)] == KEYS
    expected = {
        "type": "invoice",
        "approvedTime": None,
        "dueDate": "2026-02-17",
        "state": "draft",
        "sentState": "unsent",
        "invoiceNo": None,
        "amount": 502,
        "tax": 125.5,
        "grossAmount": 627.5,
        "exchangeRate": 1,
        "balance": 627.5,
        "isPaid": False,
        "lineDescription": "Blå prøvevare: Uge 5",
    }
    assert {**invoice, **expected} == invoice
    rate = next(rate for rate in shop.sandbox.records("taxRates") if rate["id"] == made["taxRateId"])
    assert rate["rate"] == 0.25
    assert made == {
        "id": made["id"],
        "invoiceId": invoice["id"],
        **line,
        "amount": 502,
        "tax": 125.5,
        "taxRateId": rate["id"],
        "discountText": None,
        "discountMode": None,
        "discountValue": None,
        "priority": 0,
    }


def test_the_smallest_invoice(shop: Shop) -> None:
    """Documented: contact, date and lines with product and price; what else it gets is unverified or our choice."""
    invoice = shop.create({"productId": shop.product, "unitPrice": "80"})
    assert (invoice["currencyId"], invoice["taxMode"], invoice["exchangeRate"]) == ("DKK", "excl", 1)
    assert (invoice["amount"], invoice["grossAmount"]) == (80, 100)
    assert (invoice["paymentTermsMode"], invoice["paymentTermsDays"], invoice["dueDate"]) == ("net", 8, "2026-02-11")


def test_terms_come_from_the_contact_before_the_company(shop: Shop) -> None:
    """Our choice; null without a mode is observed."""
    shop.sandbox.change("contacts", shop.contact, paymentTermsMode="netEndOfMonth", paymentTermsDays=15)
    assert shop.create()["dueDate"] == "2026-03-15"
    assert shop.create(paymentTermsMode="net", paymentTermsDays=-3)["dueDate"] == "2026-01-31"
    assert shop.create(paymentTermsMode=None)["dueDate"] is None


def test_the_companys_tax_mode_counts_where_none_is_sent(shop: Shop) -> None:
    """Documented."""
    own = shop.client.get("/organization").json()["organization"]
    shop.client.put(f"/organizations/{own['id']}", json={"organization": {"defaultTaxMode": "incl"}})
    invoice = shop.create()
    assert (invoice["taxMode"], invoice["amount"], invoice["tax"], invoice["grossAmount"]) == ("incl", 80, 20, 100)


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"contactId": None}, "contactId"),
        ({"contactId": "missing"}, "contactId"),
        ({"entryDate": None}, "entryDate"),
        ({"entryDate": "03-02-2026"}, "entryDate"),
        ({"entryDate": "2026-02-30"}, "entryDate"),
        ({"entryDate": "2026-2-3"}, "entryDate"),
        ({"lines": []}, "lines"),
        ({"lines": None}, "lines"),
        ({"state": "sent"}, "state"),
        ({"state": "voided"}, "state"),
        ({"type": "bill"}, "type"),
        ({"currencyId": "KR"}, "currencyId"),
        ({"currencyId": "JPY"}, "exchangeRate"),
        ({"currencyId": "JPY", "exchangeRate": -1}, "exchangeRate"),
        ({"paymentTermsMode": "net", "paymentTermsDays": 10**8}, "paymentTermsDays"),
        ({"creditedInvoiceId": "missing"}, "creditedInvoiceId"),
    ],
)
def test_wrong_invoices_are_refused_and_nothing_is_stored(shop: Shop, values: dict[str, Any], key: str) -> None:
    """At least one line is documented; the statuses are our choice."""
    assert list(attributes(shop.post(**values))) == [key]
    assert (shop.sandbox.records("invoices"), list(shop.sandbox.ledger)) == ([], [])


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"productId": None}, "productId"),
        ({"productId": "missing"}, "productId"),
        ({"unitPrice": None}, "unitPrice"),
        ({"quantity": "mange"}, "quantity"),
        ({"discountMode": "rabat"}, "discountMode"),
    ],
)
def test_a_wrong_line_is_named_and_stops_the_whole_invoice(shop: Shop, change: dict[str, Any], key: str) -> None:
    """Observed: an embedded child has its own entry; documented: all or nothing."""
    response = shop.post(shop.line(), {**shop.line(), **change})
    assert list(attributes(response, "1.lines.2")) == [key]
    assert (shop.sandbox.records("invoices"), shop.sandbox.records("invoiceLines")) == ([], [])


def test_discounts_and_negative_quantities(shop: Shop) -> None:
    """Observed. The line's amount is after the discount by our choice."""
    lines = [
        shop.line(19.99, 7.5, discountMode="cash", discountValue=7.15),
        shop.line(0.5, discountMode="percent", discountValue=1),
        shop.line(10, -2),
    ]
    body = shop.post(*lines).json()
    assert [line["amount"] for line in body["invoiceLines"]] == [142.78, 0.49, -20]
    assert [line["priority"] for line in body["invoiceLines"]] == [0, 1, 2]
    assert (body["invoices"][0]["amount"], body["invoices"][0]["tax"]) == (123.27, 30.82)


def test_a_foreign_currency_takes_todays_rate_or_the_one_sent(shop: Shop) -> None:
    """Documented; always 1 for the base currency (documented)."""
    assert shop.create(currencyId="EUR")["exchangeRate"] == 7.46
    assert shop.create(currencyId="EUR", exchangeRate=7.5)["exchangeRate"] == 7.5
    assert shop.create(currencyId="JPY", exchangeRate=0.046)["exchangeRate"] == 0.046
    assert shop.create(currencyId="DKK", exchangeRate=7.5)["exchangeRate"] == 1


def test_line_descriptions_are_cut_at_75_characters(shop: Shop) -> None:
    """Observed; that parts are joined by a comma is our choice."""
    assert (
        shop.create(shop.line(), shop.line(description="To"))["lineDescription"] == "Blå prøvevare, Blå prøvevare: To"
    )
    long = shop.create(shop.line(description="x" * 80))["lineDescription"]
    assert (len(long), long[-4:]) == (78, "x...")


def test_a_customer_flag_can_be_required(shop: Shop) -> None:
    """Unknown in Billy: a switch."""
    shop.sandbox.change("contacts", shop.contact, isCustomer=False)
    shop.create()
    shop.sandbox.switch(customer_flag="required")
    assert list(attributes(shop.post())) == ["contactId"]


def test_an_external_id_is_kept_or_ignored(shop: Shop) -> None:
    """Unknown in Billy: a switch."""
    assert shop.create(externalId="E-1")["externalId"] == "E-1"
    shop.sandbox.switch(external_id="ignored")
    assert shop.create(externalId="E-2")["externalId"] is None


def test_the_download_address_is_signed_and_different_at_each_read(shop: Shop) -> None:
    """Observed."""
    invoice = shop.create()
    seen = {invoice["downloadUrl"]}
    seen |= {shop.client.get(f"/invoices/{invoice['id']}").json()["invoice"]["downloadUrl"] for _ in range(2)}
    seen.add(shop.client.get("/invoices").json()["invoices"][0]["downloadUrl"])
    assert len(seen) == 4
    assert all(re.fullmatch(r"https://\S+\.example/\S+signature=\S+", address) for address in seen)
    assert "downloadUrl" not in shop.sandbox.records("invoices")[0]


# -- numbers and approval --------------------------------------------------------------------------------------------


def test_approval_gives_a_number_and_a_time_and_brings_the_counter_back(shop: Shop) -> None:
    """Observed: `organizations` may come along; that drafts have no number before is unverified."""
    body = shop.put(shop.create(), state="approved").json()
    invoice = body["invoices"][0]
    assert (invoice["state"], invoice["invoiceNo"]) == ("approved", "1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", invoice["approvedTime"])
    assert body["organizations"][0]["nextInvoiceNo"] == 2
    assert shop.approved()["invoiceNo"] == "2"
    assert [(c.resource, c.operation) for c in shop.sandbox.ledger][-2:] == [
        ("organizations", "update"),
        ("invoices", "update"),
    ]


def test_numbers_can_be_given_at_creation(shop: Shop) -> None:
    """Documented, and contested: a switch."""
    shop.sandbox.switch(invoice_number="at-create")
    invoice = shop.create()
    assert (invoice["invoiceNo"], shop.create()["invoiceNo"]) == ("1", "2")
    assert shop.put(invoice, state="approved").json()["invoices"][0]["invoiceNo"] == "1"


@pytest.mark.parametrize("number", ["2026-17", 17])
def test_a_number_of_ones_own_is_unique_and_text(shop: Shop, number: Any) -> None:
    """Unique is documented; text in payloads observed; the 422 is our choice."""
    invoice = shop.create(invoiceNo=number)
    assert invoice["invoiceNo"] == str(number)
    assert list(attributes(shop.post(invoiceNo=number))) == ["invoiceNo"]
    assert shop.put(invoice, state="approved").json()["invoices"][0]["invoiceNo"] == str(number)


def test_the_counter_passes_over_numbers_in_use(shop: Shop) -> None:
    """Our choice; so is that a number of one's own leaves the counter alone."""
    shop.create(invoiceNo="1")
    assert [shop.approved()["invoiceNo"] for _ in range(2)] == ["2", "3"]


def test_an_invoice_created_as_approved_is_approved(shop: Shop) -> None:
    """Our choice: the documentation names the state as a key of the body."""
    invoice = shop.create(state="approved")
    assert (invoice["state"], invoice["invoiceNo"]) == ("approved", "1")
    assert invoice["approvedTime"]


def test_only_a_draft_becomes_approved_and_nothing_else(shop: Shop) -> None:
    """Documented; approving twice changes nothing, by our choice."""
    draft, approved = shop.create(), shop.approved()
    for invoice, state in ((draft, "voided"), (approved, "draft"), (approved, "voided")):
        assert list(attributes(shop.put(invoice, state=state))) == ["state"]
    again = shop.put(approved, state="approved").json()
    assert "organizations" not in again
    assert (again["invoices"][0]["invoiceNo"], again["invoices"][0]["approvedTime"]) == ("1", approved["approvedTime"])


def test_approval_in_a_settled_vat_period_is_refused_or_allowed(shop: Shop) -> None:
    """Unknown in Billy: a switch."""
    period = shop.sandbox.records("salesTaxReturns")[0]
    shop.sandbox.change("salesTaxReturns", period["id"], isSettled=True)
    invoice = shop.create(entryDate=period["endDate"])
    assert list(attributes(shop.put(invoice, state="approved"))) == ["entryDate"]
    assert shop.approved(entryDate=shop.sandbox.records("salesTaxReturns")[1]["startDate"])["state"] == "approved"
    shop.sandbox.switch(settled_vat_period="allowed")
    assert shop.put(invoice, state="approved").status_code == 200


# -- changing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["entryDate", "invoiceNo", "lines"])
def test_some_keys_are_not_accepted_after_creation(shop: Shop, key: str) -> None:
    """Documented, contradicted by the same text and by one client: a switch with refused, ignored, accepted."""
    invoice = shop.create(invoiceNo="9")
    values = {"entryDate": "2026-03-01", "invoiceNo": "10", "lines": [shop.line(7), shop.line(1)]}
    assert list(attributes(shop.put(invoice, **{key: values[key]}))) == [key]
    shop.sandbox.switch(draft_edit="ignored")
    assert shop.put(invoice, orderNo="B-1", **{key: values[key]}).json()["invoices"][0]["orderNo"] == "B-1"
    untouched = {**shop.read(invoice), "orderNo": None}
    assert untouched == {k: v for k, v in invoice.items() if k != "downloadUrl"}
    shop.sandbox.switch(draft_edit="accepted")
    body = shop.put(invoice, **{key: values[key]}).json()
    changed = body["invoices"][0]
    if key == "lines":
        assert (changed["amount"], len(body["invoiceLines"])) == (8, 2)
        assert len(body["meta"]["deletedRecords"]["invoiceLines"]) == 1
        assert list(attributes(shop.put(invoice, lines=[]))) == ["lines"]
    else:
        assert changed[key] == values[key]
        assert changed["dueDate"] == ("2026-03-09" if key == "entryDate" else invoice["dueDate"])


def test_a_draft_can_be_changed_otherwise_and_is_recomputed(shop: Shop) -> None:
    """Unknown which keys; terms, texts, tax mode and currency are our choice. contactId and type are immutable."""
    invoice = shop.create(shop.line(100), shop.line(25))
    body = shop.put(invoice, taxMode="incl", paymentTermsMode="net", paymentTermsDays=1, contactMessage="Hej").json()
    changed = body["invoices"][0]
    assert (changed["amount"], changed["tax"], changed["grossAmount"]) == (100, 25, 125)
    assert (changed["dueDate"], changed["contactMessage"]) == ("2026-02-04", "Hej")
    assert [line["tax"] for line in body["invoiceLines"]] == [20, 5]
    assert shop.put(invoice, currencyId="EUR").json()["invoices"][0]["exchangeRate"] == 7.46
    assert shop.put(invoice, currencyId="DKK").json()["invoices"][0]["exchangeRate"] == 1
    [other] = shop.sandbox.add("contacts", [{"name": "Anden"}])
    assert attributes(shop.put(invoice, contactId=other, type="creditNote")).keys() == {"contactId", "type"}


def test_an_approved_invoice_is_locked_or_editable(shop: Shop) -> None:
    """Unknown in Billy: a switch; some keys stay free by our choice."""
    invoice = shop.approved()
    assert list(attributes(shop.put(invoice, taxMode="incl"))) == ["taxMode"]
    assert shop.put(invoice, sentState="sent", orderNo="B-1").json()["invoices"][0]["sentState"] == "sent"
    line = shop.sandbox.records("invoiceLines")[0]
    path = f"/invoiceLines/{line['id']}"
    for response in (
        shop.client.put(path, json={"invoiceLine": {"unitPrice": 1}}),
        shop.client.post("/invoiceLines", json={"invoiceLine": {"invoiceId": invoice["id"], **shop.line()}}),
    ):
        assert list(attributes(response)) == ["invoiceId"]
    error(shop.client.delete(path), 422)
    shop.sandbox.switch(approved_invoices="editable")
    assert shop.put(invoice, taxMode="incl").json()["invoices"][0]["grossAmount"] == 100
    assert shop.client.put(path, json={"invoiceLine": {"unitPrice": 1}}).status_code == 200


def test_replacing_lines_of_an_approved_invoice_is_locked_too(shop: Shop) -> None:
    """Our choice, where lines may be sent at all."""
    shop.sandbox.switch(draft_edit="accepted")
    invoice = shop.approved()
    assert attributes(shop.put(invoice, lines=[shop.line(1)], entryDate="2026-02-04")).keys() == {"lines", "entryDate"}
    shop.sandbox.switch(draft_edit="ignored")
    assert shop.put(invoice, lines=[shop.line(1)], entryDate="2026-02-04").status_code == 200
    assert shop.read(invoice)["amount"] == 100


# -- lines -----------------------------------------------------------------------------------------------------------


def test_a_line_added_recomputes_the_invoice_and_brings_it_back(shop: Shop) -> None:
    """Documented."""
    invoice = shop.create()
    body = shop.client.post(
        "/invoiceLines", json={"invoiceLine": {"invoiceId": invoice["id"], **shop.line(50, 2)}}
    ).json()
    assert body.keys() == {"meta", "invoices", "invoiceLines"}
    assert (body["invoices"][0]["amount"], body["invoices"][0]["balance"]) == (200, 250)
    [line] = body["invoiceLines"]
    assert (line["amount"], line["priority"]) == (100, 1)
    listed = shop.client.get(f"/invoiceLines?invoiceId={invoice['id']}").json()["invoiceLines"]
    assert [each["amount"] for each in listed] == [100, 100]


def test_a_line_changed_or_deleted_recomputes_the_invoice(shop: Shop) -> None:
    """Documented for adding; the rest follows. An invoice keeps a line (documented), by a 422 (our choice)."""
    invoice = shop.create(shop.line(100), shop.line(30))
    lines = shop.sandbox.records("invoiceLines")
    paths = [f"/invoiceLines/{line['id']}" for line in lines]
    body = shop.client.put(paths[1], json={"invoiceLine": {"quantity": 2}}).json()
    assert (body["invoices"][0]["amount"], body["invoiceLines"][0]["amount"]) == (160, 60)
    body = shop.client.delete(paths[0]).json()
    assert body["meta"]["deletedRecords"] == {"invoiceLines": [lines[0]["id"]]}
    assert (body["invoices"][0]["amount"], shop.read(invoice)["grossAmount"]) == (60, 75)
    assert "at least one line" in error(shop.client.delete(paths[1]), 422)["errorMessage"]
    ids = [line["id"] for line in lines]
    error(shop.client.delete("/invoiceLines", params={"ids[]": ids}), 422)


def test_another_product_on_a_line_brings_its_vat(shop: Shop) -> None:
    """Documented: the rate follows from the product's ruleset."""
    exempt = next(r for r in shop.sandbox.records("salesTaxRulesets") if r["abbreviation"] == "F")
    [free] = shop.sandbox.add("products", [{"name": "Momsfri", "salesTaxRulesetId": exempt["id"]}])
    shop.create()
    path = f"/invoiceLines/{shop.sandbox.records('invoiceLines')[0]['id']}"
    body = shop.client.put(path, json={"invoiceLine": {"productId": free}}).json()
    assert (body["invoices"][0]["tax"], body["invoiceLines"][0]["tax"]) == (0, 0)
    assert list(attributes(shop.client.put(path, json={"invoiceLine": {"invoiceId": "x"}}))) == ["invoiceId"]


# -- deleting and crediting ------------------------------------------------------------------------------------------


def test_only_drafts_can_be_deleted_unless_the_switch_allows_more(shop: Shop) -> None:
    """Unverified: a switch. Removed lines are listed too (observed)."""
    draft, approved = shop.create(), shop.approved()
    lines = {line["invoiceId"]: line["id"] for line in shop.sandbox.records("invoiceLines")}
    removed = shop.client.delete(f"/invoices/{draft['id']}").json()["meta"]["deletedRecords"]
    assert removed == {"invoices": [draft["id"]], "invoiceLines": [lines[draft["id"]]]}
    path = f"/invoices/{approved['id']}"
    assert "only drafts" in error(shop.client.delete(path), 422)["errorMessage"]
    shop.sandbox.switch(approved_invoice_delete="allowed")
    assert shop.client.delete(path).json()["meta"]["deletedRecords"].keys() == {"invoices", "invoiceLines"}
    assert (shop.sandbox.records("invoices"), shop.sandbox.records("invoiceLines")) == ([], [])


def test_a_credit_note_names_the_invoice_it_credits(shop: Shop) -> None:
    """Documented keys, spelling observed. That it needs one of type `invoice`, and changes nothing there, is ours."""
    invoice = shop.approved()
    note = shop.create(type="creditNote", creditedInvoiceId=invoice["id"])
    assert (note["type"], note["creditedInvoiceId"], note["amount"]) == ("creditNote", invoice["id"], 100)
    assert list(attributes(shop.post(creditedInvoiceId=invoice["id"]))) == ["creditedInvoiceId"]
    response = shop.post(type="creditNote", creditedInvoiceId=note["id"])
    assert list(attributes(response)) == ["creditedInvoiceId"]
    assert shop.put(note, state="approved").json()["invoices"][0]["invoiceNo"] == "2"
    assert shop.read(invoice)["balance"] == 125
    found = shop.client.get(f"/invoices?creditedInvoiceId={invoice['id']}").json()["invoices"]
    assert [each["id"] for each in found] == [note["id"]]


def test_a_contact_with_invoices_is_in_use(shop: Shop) -> None:
    """Unverified, so a switch."""
    invoice = shop.create()
    assert "in use" in error(shop.client.delete(f"/contacts/{shop.contact}"), 422)["errorMessage"]
    shop.client.delete(f"/invoices/{invoice['id']}")
    assert shop.client.delete(f"/contacts/{shop.contact}").json()["meta"]["deletedRecords"]


def test_an_invoice_outlives_contact_and_product_where_switches_allow_it(shop: Shop) -> None:
    """Our choice: the rate once chosen stays, and the name is gone."""
    shop.sandbox.switch(contact_in_use="allowed", product_in_use="allowed")
    invoice = shop.create()
    shop.client.delete(f"/contacts/{shop.contact}")
    shop.client.delete(f"/products/{shop.product}")
    changed = shop.put(invoice, taxMode="incl").json()["invoices"][0]
    assert (changed["tax"], changed["lineDescription"]) == (20, "")


def test_made_up_days_are_days(shop: Shop) -> None:
    """A date far ahead is Billy's business (unknown), one that cannot be is not."""
    assert shop.create(entryDate=date.max.isoformat(), paymentTermsMode=None)["dueDate"] is None
    late = shop.post(entryDate=date.max.isoformat(), paymentTermsMode="net", paymentTermsDays=1)
    assert list(attributes(late)) == ["paymentTermsDays"]
