"""What a valid invoice is: rows put together, rules B11-B16, and totals that are compared, never sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billy_pipelines.files.headers import folded
from billy_pipelines.schemas.invoice_totals import line_amount
from billy_pipelines.schemas.invoices import INVOICES_SCHEMA
from billy_pipelines.schemas.row_schema import Validated
from billy_pipelines_tests.schemas.checking import assert_well_described, codes, examples, fields_of_headers, judge

EAN = "5790000000005"


def line(**fields: str) -> dict[str, str]:
    """A row that is a whole invoice by itself, with fields changed or added."""
    usual = {"invoice": "1", "contactNo": "17", "entryDate": "2026-04-01", "productNo": "0042", "unitPrice": "100"}
    return usual | fields


def further(**fields: str) -> dict[str, str]:
    """A further line of that invoice: header fields blank."""
    return {"invoice": "1", "productNo": "1001", "unitPrice": "50", **fields}


def check(*rows: dict[str, str], **context: Any) -> Validated:
    return judge(INVOICES_SCHEMA, *rows, **context)


def invoice_of(*rows: dict[str, str], **context: Any) -> dict[str, Any]:
    """The invoice the rows make; every further row must be part of it."""
    found = check(*rows, **context)
    assert not found.rejected.any(), found.problems
    first, *others = found.rows
    assert others == [{"part_of": 0}] * (len(rows) - 1)
    assert first is not None
    return first


# -- the description ---------------------------------------------------------------------------------------------------


def test_columns_are_well_described() -> None:
    assert_well_described(INVOICES_SCHEMA)


@pytest.mark.parametrize("danish", [False, True])
def test_the_examples_of_the_template_are_two_lines_of_one_invoice(danish: bool) -> None:
    found = check(*examples(INVOICES_SCHEMA, danish=danish))
    assert found.problems == {}
    first, second = found.rows
    assert second == {"part_of": 0}
    assert first is not None
    assert [one["line"] for one in first["lines"]] == [2, 3]
    assert first["netTotal"] == "1784.5"


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Fakturanr.", "invoiceNo"),
        ("Fakturadato", "entryDate"),
        ("Kundenr.", "contactNo"),
        ("Debitornr.", "contactNo"),
        ("Kundenavn", "contactName"),
        ("Debitornavn", "contactName"),
        ("EAN-nr.", "ean"),
        ("GLN", "ean"),
        ("CVR-nr.", "vatNo"),
        ("Att.", "attention"),
        ("Betalingsbetingelser", "paymentTerms"),
        ("Forfaldsdato", "dueDate"),
        ("Valuta", "currency"),
        ("Ordrenr.", "orderNo"),
        ("Rekvisition", "orderNo"),
        ("Deres ref.", "orderNo"),
        ("Varenr.", "productNo"),
        ("SKU", "productNo"),
        ("Varenavn", "productName"),
        ("Linjetekst", "description"),
        ("Antal", "quantity"),
        ("Stk.pris", "unitPrice"),
        ("Enhedspris", "unitPrice"),
        ("pris ekskl. moms", "unitPrice"),
        ("Rabat %", "discountPercent"),
        ("Rabatbeløb", "discountAmount"),
        ("Beløb", "amountControl"),
        ("Moms", "taxControl"),
        ("I alt", "totalControl"),
    ],
)
def test_headers_people_write_are_known(header: str, field: str) -> None:
    assert fields_of_headers(INVOICES_SCHEMA)[folded(header)] == field


@pytest.mark.parametrize("header", ["Kostpris", "Indkøbspris", "Nettopris", "Stregkode", "Saldo", "CPR", "Enhed"])
def test_what_is_never_used_is_no_field(header: str) -> None:
    assert folded(header) in {folded(name) for name in INVOICES_SCHEMA.ignored}


# -- rows and invoices -------------------------------------------------------------------------------------------------


def test_rows_of_one_invoice_become_one_invoice_with_lines() -> None:
    found = check(
        line(currency="dkk", attention="Anna", quantity="2", description="Uge 14"),
        line(invoice="2"),
        further(quantity="1,5", discountPercent="10 %"),
    )
    assert found.problems == {}
    assert list(found.rows) == [
        {
            "invoice": "1",
            "contactNo": "17",
            "entryDate": "2026-04-01",
            "currency": "DKK",
            "attention": "Anna",
            "taxMode": "excl",
            "lines": [
                {"line": 2, "productNo": "0042", "unitPrice": "100", "quantity": "2", "description": "Uge 14"},
                {"line": 4, "productNo": "1001", "unitPrice": "50", "quantity": "1.5", "discountPercent": "10"},
            ],
        },
        {
            "invoice": "2",
            "contactNo": "17",
            "entryDate": "2026-04-01",
            "taxMode": "excl",
            "lines": [{"line": 3, "productNo": "0042", "unitPrice": "100"}],
        },
        {"part_of": 0},
    ]


@pytest.mark.parametrize("key", ["invoice", "invoiceNo", "orderNo", "externalId", "id"])
def test_any_of_the_keys_ties_the_rows_of_an_invoice(key: str) -> None:
    rows = [{**row, "invoice": "", key: "7"} for row in (line(), further())]
    assert len(invoice_of(*rows)["lines"]) == 2


def test_a_file_without_any_key_is_rejected_row_by_row() -> None:
    rows = [{name: text for name, text in row.items() if name != "invoice"} for row in (line(), line())]
    found = check(*rows)
    assert codes(found, 0) == codes(found, 1) == [("needs_one_of", "invoice")]


def test_a_row_without_the_key_is_rejected_alone() -> None:
    found = check(line(), line(invoice=""))
    assert codes(found, 1) == [("required", "invoice")]
    assert found.rows[0] is not None


def test_one_bad_line_rejects_its_invoice_and_is_named_by_the_others() -> None:
    found = check(line(), further(unitPrice="gratis"), line(invoice="2"), further())
    assert codes(found, 1) == [("number_form", "unitPrice")]
    for position in (0, 3):
        assert codes(found, position) == [("invoice_rejected", "invoice")]
        assert "line 3" in found.problems[position][0].message
    assert [row is None for row in found.rows] == [True, True, False, True]


def test_what_holds_for_the_whole_invoice_must_not_differ() -> None:
    found = check(line(), further(entryDate="02-04-2026"))
    assert codes(found, 1) == [("differs_within_invoice", "entryDate")]
    assert "line 2" in found.problems[1][0].message
    assert codes(found, 0) == [("invoice_rejected", "invoice")]


def test_currencies_are_never_mixed() -> None:
    found = check(line(currency="DKK"), further(currency="EUR"))
    assert codes(found, 1) == [("mixed_currencies", "currency")]


@pytest.mark.parametrize("field", ["invoiceNo", "id", "externalId"])
def test_b11_a_number_that_two_invoices_share_is_rejected(field: str) -> None:
    found = check(line(**{field: "7"}), further(), line(invoice="2", **{field: "7"}))
    assert codes(found, 2) == [("duplicate_in_file", field)]
    assert [row is None for row in found.rows] == [False, False, True]


# -- what a new invoice needs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "column", "fields"),
    [
        ("required", "entryDate", {"entryDate": ""}),
        ("needs_one_of", "contactNo", {"contactNo": ""}),
        ("needs_one_of", "productNo", {"productNo": ""}),
        ("date_form", "entryDate", {"entryDate": "i dag"}),
        ("ean_form", "ean", {"ean": "5790000000006"}),
        ("vat_form", "vatNo", {"vatNo": "1234567"}),
        ("unknown_terms", "paymentTerms", {"paymentTerms": "PBS"}),
        ("currency_unknown", "currency", {"currency": "guld"}),
        ("not_positive", "exchangeRate", {"exchangeRate": "0"}),
        ("choice_unknown", "type", {"type": "tilbud"}),
        ("choice_unknown", "taxMode", {"taxMode": "måske"}),
        ("choice_unknown", "contactType", {"contactType": "forening"}),
        ("boolean_form", "approve", {"approve": "måske"}),
        ("number_form", "quantity", {"quantity": "to"}),
        ("discount_form", "discountPercent", {"discountPercent": "101"}),
        ("discount_form", "discountPercent", {"discountPercent": "-5"}),
        ("discount_form", "discountAmount", {"discountAmount": "-5"}),
        ("clear_not_allowed", "contactMessage", {"contactMessage": "#RYD"}),
    ],
)
def test_a_wrong_cell_is_rejected_by_its_code_and_column_alone(code: str, column: str, fields: dict[str, str]) -> None:
    found = check(line(**fields))
    assert codes(found) == [(code, column)]
    assert list(found.rows) == [None]


def test_b12_a_missing_date_is_never_today() -> None:
    found = check(line(entryDate=""), line(invoice="2"))
    assert codes(found) == [("required", "entryDate")]


@pytest.mark.parametrize("field", ["contactNo", "contactId", "ean", "vatNo", "contactName"])
def test_any_of_these_names_the_contact(field: str) -> None:
    text = {"ean": EAN, "vatNo": "99000007"}.get(field, "x")
    assert invoice_of(line() | {"contactNo": ""} | {field: text})[field] == text


def test_a_line_without_price_takes_that_of_its_product_and_a_text_alone_has_none() -> None:
    assert invoice_of(line(unitPrice=""))["lines"] == [{"line": 2, "productNo": "0042"}]
    assert codes(check(line(unitPrice="", productNo="", description="Tak"))) == [("needs_one_of", "unitPrice")]


def test_a_wrong_check_digit_of_a_cvr_number_is_warned_of_once_per_invoice() -> None:
    found = check(line(vatNo="99000008"), further(), further())
    assert codes(found, 0) == [("vat_check_digit", "vatNo")]
    assert found.problems.keys() == {0}
    assert not found.rejected.any()


def test_an_invoice_to_delete_needs_nothing_but_its_id() -> None:
    found = check({"id": "inv1"}, {"id": "inv2"}, operation="delete")
    assert not found.rejected.any()


# -- payment terms (B15) -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "terms"),
    [
        ({"paymentTerms": "Netto 8 dage"}, "net 8"),
        ({"paymentTerms": "Løbende måned + 15"}, "netEndOfMonth 15"),
        ({"paymentTerms": "Kontant"}, "net 0"),
        ({"paymentTerms": "01-05-2026"}, "date 2026-05-01"),
        ({"dueDate": "01-05-2026"}, "date 2026-05-01"),
        ({"paymentTerms": "Netto 30 dage", "dueDate": "01-05-2026"}, "net 30"),
        ({"paymentTerms": "Løbende måned + 1", "dueDate": "01-05-2026"}, "netEndOfMonth 1"),
        ({"paymentTerms": "", "dueDate": ""}, None),
    ],
)
def test_b15_payment_terms_have_one_spelling(fields: dict[str, str], terms: str | None) -> None:
    found = check(line(**fields), further())
    assert found.problems == {}
    assert (found.rows[0] or {}).get("paymentTerms") == terms


def test_b15_a_due_date_counts_for_more_than_terms_that_contradict_it() -> None:
    found = check(line(paymentTerms="Netto 14 dage", dueDate="17-04-2026"), further())
    assert codes(found) == [("due_date_differs", "dueDate")]
    [warning] = found.problems[0]
    assert warning.warning
    assert "2026-04-15" in warning.message
    assert (found.rows[0] or {})["paymentTerms"] == "date 2026-04-17"


# -- whether prices include VAT (B14) ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "option", "mode"),
    [
        ("", "unknown", "excl"),
        ("", "false", "excl"),
        ("", "true", "incl"),
        ("ekskl.", "true", "excl"),
        ("inkl. moms", "unknown", "incl"),
        ("inkl. moms", "ask", "incl"),
    ],
)
def test_b14_every_invoice_states_its_tax_mode(column: str, option: str, mode: str) -> None:
    assert invoice_of(line(taxMode=column), further(), prices_include_vat=option)["taxMode"] == mode


def test_b14_where_it_must_be_known_and_is_not_the_invoice_is_refused_once() -> None:
    found = check(line(), further(), prices_include_vat="ask")
    assert codes(found, 0) == [("price_basis_unknown", "unitPrice")]
    assert codes(found, 1) == [("invoice_rejected", "invoice")]


# -- discounts ---------------------------------------------------------------------------------------------------------


def test_a_line_has_one_discount() -> None:
    found = check(line(discountPercent="10", discountAmount="11"))
    assert codes(found) == [("two_discounts", "discountAmount")]


def test_an_amount_that_repeats_the_percentage_is_no_second_discount() -> None:
    [only] = invoice_of(line(quantity="3", discountPercent="10", discountAmount="30,00"))["lines"]
    assert only["discountPercent"] == "10"
    assert "discountAmount" not in only


def test_numbers_longer_than_can_be_counted_with_are_no_accident() -> None:
    found = check(line(quantity="1" * 40, discountPercent="10", discountAmount="5", amountControl="1"))
    assert codes(found) == [("two_discounts", "discountAmount")]


@pytest.mark.parametrize("zero", ["0", "0,00", ""])
def test_a_discount_of_nothing_is_no_second_discount(zero: str) -> None:
    assert not check(line(discountPercent="10", discountAmount=zero)).rejected.any()


@pytest.mark.parametrize("header", ["Rabat", "rabat ", "Discount"])
def test_a_header_that_does_not_say_what_kind_of_discount_is_asked_about(header: str) -> None:
    found = check(line(discountPercent="50"), line(invoice="2", discountPercent="0"), names={"discountPercent": header})
    assert [(problem.code, problem.field) for problem in found.problems[0]] == [("discount_unclear", "discountPercent")]
    assert found.problems.keys() == {0}
    assert not check(line(discountPercent="50"), names={"discountPercent": "Rabat %"}).rejected.any()


@pytest.mark.parametrize("header", ["LineDiscount", "Linje-rabat:", " LINJERABAT", "line_discount"])
def test_such_a_header_is_known_however_it_is_written(header: str) -> None:
    found = check(line(discountPercent="50"), names={"discountPercent": header})
    assert [(problem.code, problem.field) for problem in found.problems[0]] == [("discount_unclear", "discountPercent")]


def test_a_per_cent_sign_in_the_cell_settles_what_the_header_leaves_open() -> None:
    found = check(
        line(discountPercent="50 %"),
        line(invoice="2", discountPercent="50"),
        line(invoice="3", discountPercent="500 %"),
        names={"discountPercent": "Rabat"},
    )
    assert [[problem.code for problem in found.problems.get(at, [])] for at in range(3)] == [
        [],
        ["discount_unclear"],
        ["discount_form"],
    ]


# -- units in number columns -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "fields", "column"),
    [
        ("unit_unexpected", {"discountPercent": "50 kr"}, "discountPercent"),
        ("unit_unexpected", {"discountPercent": "50 €"}, "discountPercent"),
        ("unit_unexpected", {"discountAmount": "10 %"}, "discountAmount"),
        ("unit_unexpected", {"quantity": "10 %"}, "quantity"),
        ("unit_unexpected", {"quantity": "10 $"}, "quantity"),
        ("currency_differs", {"unitPrice": "$ 100"}, "unitPrice"),
        ("currency_differs", {"unitPrice": "100 kr", "currency": "EUR"}, "unitPrice"),
        ("currency_differs", {"discountAmount": "10 €"}, "discountAmount"),
        ("currency_differs", {"totalControl": "125 EUR"}, "totalControl"),
        ("currency_differs", {"exchangeRate": "7,46 EUR", "currency": "EUR"}, "exchangeRate"),
    ],
)
def test_a_unit_that_does_not_belong_is_refused(code: str, fields: dict[str, str], column: str) -> None:
    assert codes(check(line(**fields))) == [(code, column)]


def test_units_that_belong_are_taken_off() -> None:
    row = line(currency="EUR", exchangeRate="7,46 kr", unitPrice="€ 100,00", quantity="2", discountPercent="10 %")
    found = invoice_of(row, further(unitPrice="50,00 EUR"))
    assert found["exchangeRate"] == "7.46"
    assert [one["unitPrice"] for one in found["lines"]] == ["100", "50"]
    assert found["lines"][0]["discountPercent"] == "10"


def test_a_further_line_is_in_the_currency_of_its_invoice() -> None:
    found = check(line(currency="EUR"), further(unitPrice="50 kr"))
    assert codes(found, 1) == [("currency_differs", "unitPrice")]


# -- the customer's details --------------------------------------------------------------------------------------------


def test_an_invoice_has_one_address_and_a_second_one_is_not_lost_in_silence() -> None:
    found = check(line(contactEmail="f@b.example; g@b.example"))
    assert codes(found) == [("email_form", "contactEmail")]
    assert found.problems[0][0].value == "f@b.example; g@b.example"
    assert invoice_of(line(contactEmail="F <f@b.example>;"))["contactEmail"] == "f@b.example"


def test_a_danish_se_number_of_the_customer_is_its_cvr_number() -> None:
    assert invoice_of(line(vatNo="SE 99 00 00 07"), further())["vatNo"] == "99000007"


# -- credit notes (B16) ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["Kreditnota", "creditNote", "credit note"])
def test_b16_a_credit_note_says_which_invoice_it_credits(written: str) -> None:
    assert codes(check(line(type=written))) == [("required", "creditedInvoiceNo")]
    assert invoice_of(line(type=written, creditedInvoiceNo="1001"), further())["type"] == "creditNote"


@pytest.mark.parametrize("kind", ["", "faktura"])
def test_b16_an_invoice_credits_nothing(kind: str) -> None:
    found = check(line(type=kind, creditedInvoiceNo="1001"))
    assert codes(found) == [("not_a_credit_note", "creditedInvoiceNo")]


@pytest.mark.parametrize(
    ("rows", "position", "column"),
    [
        ([line(quantity="-1")], 0, "quantity"),
        ([line(), further(unitPrice="-100,01")], 1, "unitPrice"),
        ([line(unitPrice="10", discountAmount="11")], 0, "unitPrice"),
        ([line(type="kreditnota", creditedInvoiceNo="9", quantity="-1")], 0, "quantity"),
    ],
)
def test_b16_a_negative_total_is_rejected_with_the_hint(rows: list[dict[str, str]], position: int, column: str) -> None:
    found = check(*rows)
    assert codes(found, position) == [("negative_total", column)]
    assert "creditNote" in found.problems[position][0].message
    assert found.rejected.all()


def test_a_negative_line_within_a_positive_invoice_is_fine() -> None:
    assert not check(line(), further(quantity="-2")).rejected.any()


# -- control totals (B10) ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "price", "percent", "cash", "amount"),
    [
        ("3.42", "12.345", "0", "0", "42.22"),
        ("7.5", "19.99", "0", "7.15", "142.78"),
        ("17.67", "8.99", "0", "0", "158.85"),
        ("1", "0.50", "1", "0", "0.49"),
        ("-1", "0.125", "0", "0", "-0.13"),
    ],
)
def test_lines_are_counted_as_billy_counts(quantity: str, price: str, percent: str, cash: str, amount: str) -> None:
    assert line_amount(Decimal(quantity), Decimal(price), Decimal(percent), Decimal(cash)) == Decimal(amount)


def test_totals_of_lines_are_compared_line_by_line() -> None:
    rows = [line(quantity="2", amountControl="200,00"), further(amountControl="50"), line(invoice="2")]
    good = check(*rows)
    assert good.problems == {}
    assert (good.rows[0] or {})["lines"][1]["amountControl"] == "50"
    assert "netTotal" not in (good.rows[0] or {})
    bad = check(*rows, line(invoice="3", amountControl="99,98"))
    assert codes(bad, 3) == [("total_differs", "amountControl")]
    assert "99.98" in bad.problems[3][0].message
    assert "100.00" in bad.problems[3][0].message


@pytest.mark.parametrize("second", ["150,00", ""])
def test_totals_of_invoices_stand_on_each_line_or_on_the_first_and_go_with_the_invoice(second: str) -> None:
    good = invoice_of(line(amountControl="150,00"), further(amountControl=second))
    assert good["netTotal"] == "150"
    assert all("amountControl" not in one for one in good["lines"])
    wrong = second and "150,02"
    bad = check(line(amountControl="150,02"), further(amountControl=wrong))
    assert codes(bad, 0) == [("total_differs", "amountControl")]
    assert codes(bad, 1) == [("invoice_rejected", "invoice")]


def test_an_ore_of_rounding_is_no_difference() -> None:
    assert not check(line(amountControl="100,01"), line(invoice="2", amountControl="99,99")).rejected.any()


def test_the_whole_column_decides_what_its_totals_are_totals_of() -> None:
    # By itself the second invoice would fit both: two equal lines, with their own amount or a wrong one of the whole.
    by_line = check(
        line(amountControl="100"),
        further(amountControl="50"),
        line(invoice="2", amountControl="100"),
        line(invoice="2", amountControl="100"),
    )
    assert not by_line.rejected.any()
    by_invoice = check(
        line(amountControl="150"),
        further(amountControl="150"),
        line(invoice="2", amountControl="100"),
        line(invoice="2", amountControl="100"),
    )
    assert [row is None for row in by_invoice.rows] == [False, False, True, True]


def test_a_total_of_the_invoice_that_differs_within_it_names_the_line() -> None:
    rows = [line(amountControl="150"), further(amountControl="150")]
    found = check(
        *rows, *({**row, "invoice": "2"} for row in (line(amountControl="150"), further(amountControl="151")))
    )
    assert codes(found, 3) == [("differs_within_invoice", "amountControl")]


def test_with_vat_the_total_with_vat_is_compared() -> None:
    rows = [line(taxMode="inkl", totalControl="150", taxControl="30"), further()]
    assert invoice_of(*rows) | {"lines": []} == {
        "invoice": "1",
        "contactNo": "17",
        "entryDate": "2026-04-01",
        "taxMode": "incl",
        "taxTotal": "30",
        "grossTotal": "150",
        "lines": [],
    }
    rows[0]["totalControl"] = "187,50"
    assert codes(check(*rows)) == [("total_differs", "totalControl")]


def test_net_follows_from_total_and_vat() -> None:
    assert not check(line(totalControl="125", taxControl="25")).rejected.any()
    found = check(line(totalControl="100", taxControl="20"))
    assert codes(found) == [("total_differs", "totalControl")]
    assert not check(line(taxMode="inkl", amountControl="80", taxControl="20")).rejected.any()


def test_what_depends_on_the_vat_rate_or_on_billys_price_is_left_for_later() -> None:
    assert invoice_of(line(totalControl="1"))["grossTotal"] == "1"
    assert invoice_of(line(unitPrice="", amountControl="1"))["netTotal"] == "1"


def test_a_credit_notes_totals_may_carry_a_minus() -> None:
    note = {"type": "kreditnota", "creditedInvoiceNo": "9"}
    assert invoice_of(line(amountControl="-100", **note))["netTotal"] == "100"


def test_amounts_in_messages_are_written_as_the_language_writes_them() -> None:
    found = check(line(amountControl="99,98"), language="da")
    assert "99,98" in found.problems[0][0].message
    assert "100,00" in found.problems[0][0].message


def test_a_column_of_totals_is_never_a_price() -> None:
    found = check({**line(unitPrice="", productNo="", description="Uge 14"), "amountControl": "100"})
    assert codes(found) == [("needs_one_of", "unitPrice")]


# -- anything ----------------------------------------------------------------------------------------------------------

_cells = {
    "invoice": st.sampled_from(["", "1", "1", "2"]),
    "contactNo": st.sampled_from(["", "17"]),
    "entryDate": st.sampled_from(["", "2026-04-01", "01-04-2026", "x"]),
    "productNo": st.sampled_from(["", "0042"]),
    "quantity": st.sampled_from(["", "1", "-1", "2,5", "1" * 40, "x"]),
    "unitPrice": st.sampled_from(["", "100", "-3", "0,005", "9" * 30, "#RYD"]),
    "discountPercent": st.sampled_from(["", "0", "10", "x"]),
    "discountAmount": st.sampled_from(["", "0", "10", "x"]),
    "amountControl": st.sampled_from(["", "100", "-100", "250,00", "x"]),
    "taxControl": st.sampled_from(["", "25", "x"]),
    "totalControl": st.sampled_from(["", "125", "x"]),
    "paymentTerms": st.sampled_from(["", "Netto 8 dage", "x\ny"]),
    "dueDate": st.sampled_from(["", "2026-04-09", "2026-13-45"]),
    "type": st.sampled_from(["", "kreditnota", "faktura", "x"]),
    "taxMode": st.sampled_from(["", "incl", "excl", "x"]),
}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.fixed_dictionaries({}, optional=_cells), min_size=1, max_size=6),
    st.sampled_from(["unknown", "true", "ask"]),
    st.sampled_from(["import", "update", "delete"]),
)
def test_every_row_of_any_table_is_part_of_one_invoice_or_rejected_with_a_reason(
    rows: list[dict[str, str]], option: str, operation: str
) -> None:
    if not any(rows):
        return
    found = check(*rows, prices_include_vat=option, operation=operation)
    lines = [one["line"] - 2 for row in found.rows for one in (row or {}).get("lines", [])]
    assert sorted(lines) == [position for position, row in enumerate(found.rows) if row is not None]
    for position, row in enumerate(found.rows):
        wrong = [problem for problem in found.problems.get(position, []) if not problem.warning]
        assert (row is None) == bool(wrong) == bool(found.rejected[position])
