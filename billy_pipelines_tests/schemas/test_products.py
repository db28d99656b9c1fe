"""What a valid row of a product file is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from billy_pipelines.files.headers import folded
from billy_pipelines.schemas.products import PRODUCTS_SCHEMA
from billy_pipelines_tests.schemas.checking import assert_well_described, codes, examples, fields_of_headers, judge

NAME = "Blå prøvevare"


def product(**fields: str) -> dict[str, str]:
    return {"name": NAME, **fields}


def row_of(fields: dict[str, str], **context: Any) -> dict[str, Any]:
    [row] = judge(PRODUCTS_SCHEMA, fields, **context).rows
    assert row is not None
    return row


def test_columns_are_well_described() -> None:
    assert_well_described(PRODUCTS_SCHEMA)


@pytest.mark.parametrize("danish", [False, True])
def test_the_examples_of_the_template_are_valid(danish: bool) -> None:
    found = judge(PRODUCTS_SCHEMA, *examples(PRODUCTS_SCHEMA, danish=danish))
    assert found.problems == {}


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Varenr.", "productNo"),
        ("varenummer", "productNo"),
        ("SKU", "productNo"),
        ("Navn", "name"),
        ("Varenavn", "name"),
        ("Titel", "name"),
        ("Beskrivelse", "description"),
        ("Salgspris", "unitPrice"),
        ("Enhedspris", "unitPrice"),
        ("Stk.pris", "unitPrice"),
        ("pris ekskl. moms", "unitPrice"),
        ("Pris inkl. moms", "unitPrice"),
        ("Price (incl. VAT)", "unitPrice"),
        ("Konto", "accountNo"),
        ("Omsætningskonto", "accountNo"),
        ("Momssats", "salesTaxRuleset"),
        ("Spærret", "isArchived"),
        ("Valuta", "currency"),
    ],
)
def test_headers_people_write_are_known(header: str, field: str) -> None:
    assert fields_of_headers(PRODUCTS_SCHEMA)[folded(header)] == field


@pytest.mark.parametrize(
    "header",
    ["Kostpris", "Indkøbspris", "Vejl. pris", "Nettopris", "Lager", "Lagerbeholdning", "Stregkode", "Enhed"],
)
def test_what_only_looks_like_a_sales_price_or_a_number_is_never_used(header: str) -> None:
    assert folded(header) in {folded(name) for name in PRODUCTS_SCHEMA.ignored}
    assert folded(header) not in fields_of_headers(PRODUCTS_SCHEMA)


def test_a_full_row_passes_cleaned() -> None:
    found = judge(
        PRODUCTS_SCHEMA,
        product(
            description=" Blå, 10 cm ",
            productNo="0042",
            suppliersProductNo="X-1",
            accountNo="1110",
            unitPrice="kr. 1.250,50",
            currency="dkk",
            salesTaxRuleset="25 %",
            isArchived="nej",
        ),
    )
    assert found.problems == {}
    assert list(found.rows) == [
        {
            "name": NAME,
            "description": "Blå, 10 cm",
            "productNo": "0042",
            "suppliersProductNo": "X-1",
            "accountNo": "1110",
            "unitPrice": "1250.5",
            "currency": "DKK",
            "salesTaxRuleset": "vat25",
            "isArchived": "false",
        }
    ]


def test_b1_validation_adds_no_defaults() -> None:
    assert row_of(product(unitPrice="5", currency="", salesTaxRuleset="", isArchived="")) == product(unitPrice="5")


@pytest.mark.parametrize(
    ("written", "ruleset"),
    [
        *((text, "vat25") for text in ("25", "25%", "25,00", "0.25", "U25", "Moms", "Dansk moms", "vat25", "TRUE")),
        *((text, "vat0") for text in ("0", "0 %", "Momsfri", "uden moms", "none", "FALSE")),
        *((text, "abroad") for text in ("Udland", "eksport", "abroad")),
    ],
)
def test_vat_is_written_in_many_ways(written: str, ruleset: str) -> None:
    assert row_of(product(salesTaxRuleset=written))["salesTaxRuleset"] == ruleset


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("required", {"name": " ", "productNo": "1"}),
        ("not_positive", product(unitPrice="0")),
        ("not_positive", product(unitPrice="-5,00")),
        ("number_form", product(unitPrice="efter aftale")),
        ("account_form", product(accountNo="1110 Salg")),
        ("choice_unknown", product(salesTaxRuleset="12 %")),
        ("currency_unknown", product(currency="guld")),
        ("boolean_form", product(isArchived="måske")),
        ("list_form", product(prices="17 EUR")),
        ("list_form", product(prices='[{"currencyId": "EUR"}]')),
        ("list_form", product(prices='[{"currencyId": "EUR", "unitPrice": 0}]')),
        ("list_form", product(prices='[{"currencyId": "EUR", "unitPrice": true}]')),
        ("list_form", product(prices='[{"unitPrice": 17}]')),
        ("clear_not_allowed", product(productNo="#RYD")),
    ],
)
def test_a_wrong_cell_is_rejected_by_its_code_and_column_alone(code: str, fields: dict[str, str]) -> None:
    found = judge(PRODUCTS_SCHEMA, fields)
    column = list(fields)[-1] if code != "required" else "name"
    assert codes(found) == [(code, column)]
    assert list(found.rows) == [None]


# -- prices ------------------------------------------------------------------------------------------------------------


def test_only_what_is_known_of_a_price_goes_on() -> None:
    prices = [{"currency": "eur", "unitPrice": 17, "note": "privat"}, {"currencyId": "SEK", "unitPrice": "99.50"}]
    assert row_of(product(prices=json.dumps(prices)))["prices"] == [
        {"currencyId": "EUR", "unitPrice": "17"},
        {"currencyId": "SEK", "unitPrice": "99.50"},
    ]


@pytest.mark.parametrize(
    ("own", "prices"),
    [
        ({}, [{"currencyId": "EUR", "unitPrice": 17}, {"currencyId": "eur", "unitPrice": 17}]),
        ({"unitPrice": "125"}, [{"currencyId": "DKK", "unitPrice": 126}]),
        ({"unitPrice": "125", "currency": "EUR"}, [{"currencyId": "EUR", "unitPrice": 126}]),
    ],
)
def test_two_prices_in_one_currency_are_rejected(own: dict[str, str], prices: list[dict[str, object]]) -> None:
    assert codes(judge(PRODUCTS_SCHEMA, product(prices=json.dumps(prices), **own))) == [("two_prices", "prices")]


def test_the_rows_own_price_may_stand_in_the_list_as_well() -> None:
    prices = json.dumps([{"currencyId": "DKK", "unitPrice": 125}, {"currencyId": "EUR", "unitPrice": 17}])
    assert len(row_of(product(unitPrice="125,00", prices=prices))["prices"]) == 2


# -- whether prices include VAT (B14) ----------------------------------------------------------------------------------


def test_b14_prices_nobody_has_asked_about_are_without_vat() -> None:
    assert "taxMode" not in row_of(product(unitPrice="100"))
    assert "taxMode" not in row_of(product(unitPrice="100"), prices_include_vat="false")


def test_b14_prices_that_include_vat_say_so_and_are_not_converted_here() -> None:
    row = row_of(product(unitPrice="100"), prices_include_vat="true")
    assert row == product(unitPrice="100", taxMode="incl")
    assert "taxMode" not in row_of(product(unitPrice=""), prices_include_vat="true")


def test_b14_where_it_must_be_known_and_is_not_the_price_is_refused() -> None:
    found = judge(
        PRODUCTS_SCHEMA,
        product(productNo="1", unitPrice="100"),
        product(productNo="2"),
        product(productNo="3", unitPrice="100", taxMode="ekskl. moms"),
        prices_include_vat="ask",
    )
    assert codes(found, 0) == [("price_basis_unknown", "unitPrice")]
    assert [row is None for row in found.rows] == [True, False, False]


def test_b14_a_column_counts_for_more_than_the_option() -> None:
    found = judge(PRODUCTS_SCHEMA, product(unitPrice="100", taxMode="nej"), prices_include_vat="true")
    assert list(found.rows) == [product(unitPrice="100", taxMode="excl")]


# -- duplicates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["productNo", "id"])
def test_the_second_row_of_one_product_names_the_first(field: str) -> None:
    found = judge(PRODUCTS_SCHEMA, product(**{field: "a1"}), product(**{field: "b"}), product(**{field: "a1"}))
    assert [codes(found, position) for position in range(3)] == [[], [], [("duplicate_in_file", field)]]
    assert "line 2" in found.problems[2][0].message


def test_product_numbers_are_the_same_in_any_case_and_products_may_share_a_name() -> None:
    found = judge(PRODUCTS_SCHEMA, product(productNo="a1"), product(productNo="A1"), product(productNo="b"))
    assert [row is None for row in found.rows] == [False, True, False]


# -- currencies in the price -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "currency"),
    [
        *(("100 kr.", currency) for currency in ("", "DKK", "kr", "SEK", "NOK")),
        *(("DKK 100", currency) for currency in ("", "DKK")),
        *(("100,-", currency) for currency in ("", "DKK", "EUR")),
        ("€ 100,00", "EUR"),
        ("100 eur", "€"),
        ("$100", "USD"),
        ("$100", "CAD"),
        ("100 SEK", "SEK"),
    ],
)
def test_a_price_may_repeat_the_currency_of_its_row(price: str, currency: str) -> None:
    assert row_of(product(unitPrice=price, currency=currency))["unitPrice"] == "100"


@pytest.mark.parametrize(
    ("price", "currency", "read_as"),
    [
        ("€ 100,00", "", "DKK"),
        ("250,00 SEK", "DKK", "DKK"),
        ("$ 100", "EUR", "EUR"),
        ("100 kr", "EUR", "EUR"),
        ("DKK 100", "SEK", "SEK"),
        ("£ 100", "usd", "USD"),
    ],
)
def test_a_price_is_never_read_in_another_currency_than_it_is_written_in(
    price: str, currency: str, read_as: str
) -> None:
    found = judge(PRODUCTS_SCHEMA, product(unitPrice=price, currency=currency), product(unitPrice="5"))
    assert codes(found) == [("currency_differs", "unitPrice")]
    assert price in found.problems[0][0].message
    assert read_as in found.problems[0][0].message
    assert list(found.rejected) == [True, False]


def test_a_file_without_a_currency_column_is_in_kroner() -> None:
    assert codes(judge(PRODUCTS_SCHEMA, product(unitPrice="€ 5"))) == [("currency_differs", "unitPrice")]
    assert row_of(product(unitPrice="5 kr"))["unitPrice"] == "5"


def test_a_currency_nobody_knows_is_one_error_not_two() -> None:
    found = judge(PRODUCTS_SCHEMA, product(unitPrice="€ 5", currency="dukater"))
    assert codes(found) == [("currency_unknown", "currency")]


def test_a_percentage_is_no_price() -> None:
    assert codes(judge(PRODUCTS_SCHEMA, product(unitPrice="12 %"))) == [("unit_unexpected", "unitPrice")]
