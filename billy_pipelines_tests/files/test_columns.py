"""From columns to fields: what is joined, split, inherited, constant, left out; how numbers and prices are read."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billy_pipelines.files.columns import apply_columns
from billy_pipelines.files.compound import postcode_and_town
from billy_pipelines.files.headers import map_headers
from billy_pipelines.schemas.reading_options import ReadingOptions
from billy_pipelines.schemas.registry import SCHEMAS
from billy_pipelines.schemas.row_schema import Profile
from billy_pipelines_tests.files.in_memory import rows_of, table_of, understood

CUSTOMERS, CONTACTS, PRODUCTS, INVOICES = (SCHEMAS[n] for n in ("customers", "contacts", "products", "invoices"))


def rows(header: str, *lines: str, schema: Any = CUSTOMERS, **said: Any) -> list[dict[str, str]]:
    return rows_of(understood(table_of(header, *lines), schema, operation="update", **said)[1])


def test_cells_stay_as_they_stand_in_the_file() -> None:
    _, fields = understood(table_of("Navn;Noter;Postnr.", " Åvej ApS ;hemmeligt;0800", ";x;"), CUSTOMERS)
    assert fields.cells.to_dict("list") == {"name": [" Åvej ApS ", ""], "zipcode": ["0800", ""]}
    assert all(str(kind) == "str" for kind in fields.cells.dtypes)


def test_a_constant_stands_on_every_row() -> None:
    assert rows("Navn", "A", "B", set={"country": "DK"}) == [
        {"name": "A", "country": "DK"},
        {"name": "B", "country": "DK"},
    ]


def test_a_table_without_rows_has_its_fields() -> None:
    empty = table_of("Navn;Adresse1;Adresse2;Post/By")
    _, fields = understood(empty, CUSTOMERS, set={"country": "DK"})
    assert list(fields.cells.columns) == ["name", "address", "zipcode", "city", "country"]
    assert len(fields.cells) == 0


# Postcode and town


@pytest.mark.parametrize(
    ("cell", "postcode", "town"),
    [
        ("8000 Aarhus C", "8000", "Aarhus C"),
        (" DK-8000  Aarhus C ", "8000", "Aarhus C"),
        ("dk 8000 Aarhus C", "8000", "Aarhus C"),
        ("8000, Aarhus C", "8000", "Aarhus C"),
        ("800 Høje Taastrup", "800", "Høje Taastrup"),
        ("2630", "2630", ""),
        ("Høje Taastrup", "", "Høje Taastrup"),
        ("SE-211 20 Malmö", "SE-211 20", "Malmö"),
        ("211 20 Malmö", "211 20", "Malmö"),
        ("D-20095 Hamburg", "D-20095", "Hamburg"),
        ("00-950 Warszawa", "00-950", "Warszawa"),
        ("London SW1A 1AA", "", "London SW1A 1AA"),
        ("Aarhus 8000", "", "Aarhus 8000"),
        ("8000 12", "", "8000 12"),
        ("", "", ""),
        ("#RYD", "#RYD", "#RYD"),
        ("#I/T", "", "#I/T"),
    ],
)
def test_postcode_and_town_are_split(cell: str, postcode: str, town: str) -> None:
    _, fields = understood(table_of("Navn;Post/By", f"A;{cell}"), CUSTOMERS)
    assert fields.cells.iloc[0].to_dict() == {"name": "A", "zipcode": postcode, "city": town}


@given(st.lists(st.text("0123456789 -,DKdkåS", max_size=14) | st.text(max_size=20), min_size=1, max_size=5))
def test_splitting_loses_nothing_but_blanks_commas_and_the_danish_prefix(cells: list[str]) -> None:
    postcode, town = postcode_and_town(pd.Series(cells, dtype="str"))
    for cell, number, name in zip(cells, postcode, town, strict=True):
        rest = cell.strip()
        assert rest.endswith(name)
        before = rest.removesuffix(name).rstrip(" ,\t\n\r\x0b\x0c")
        assert before == number or (before[:2].lower() == "dk" and before.endswith(number))


# Columns joined


def test_address_lines_are_joined_without_gaps() -> None:
    assert rows("Navn;Adresse1;Adresse 2;Adresse3", "A;Prøvevej 1;;2. th.", "B; ;Baghuset ;", "C;;;") == [
        {"name": "A", "address": "Prøvevej 1 2. th."},
        {"name": "B", "address": "Baghuset"},
        {"name": "C"},
    ]


def test_care_of_is_said() -> None:
    assert rows("Navn;Adresse;c/o", "A;Åvej 2;Prøvesen", "B;Åvej 2;C/O Prøvesen", "C;Åvej 2;", "D;Åvej 2;Cosmos") == [
        {"name": "A", "address": "Åvej 2 c/o Prøvesen"},
        {"name": "B", "address": "Åvej 2 C/O Prøvesen"},
        {"name": "C", "address": "Åvej 2"},
        {"name": "D", "address": "Åvej 2 c/o Cosmos"},
    ]


def test_a_mark_that_clears_counts_only_where_no_part_says_anything() -> None:
    assert rows("Navn;Adresse1;Adresse2", "A;Åvej 2;#ryd", "B;#CLEAR;") == [
        {"name": "A", "address": "Åvej 2"},
        {"name": "B", "address": "#CLEAR"},
    ]


def test_an_error_of_the_spreadsheets_is_not_hidden_inside_an_address() -> None:
    assert rows("Navn;Adresse1;Adresse2", "A;Åvej 2;#I/T", "B;#N/A;Baghuset") == [
        {"name": "A", "address": "#I/T"},
        {"name": "B", "address": "#N/A"},
    ]


def test_first_and_last_name_make_a_name() -> None:
    assert rows("Efternavn;Fornavn;By", "Prøvesen;Søren;Ry", ";Anna;Ry") == [
        {"name": "Søren Prøvesen", "city": "Ry"},
        {"name": "Anna", "city": "Ry"},
    ]


def test_the_person_is_the_customer_where_there_is_no_company() -> None:
    assert rows("Firma;Fornavn;Efternavn", "Æblehaven ApS;Anna;Prøvesen", " ;Søren;Prøvesen") == [
        {"name": "Æblehaven ApS", "contactPerson": "Anna Prøvesen"},
        {"name": "Søren Prøvesen"},
    ]


def test_a_person_to_write_to_never_becomes_the_customer() -> None:
    assert rows("Navn;Att.", ";Anna Prøvesen") == [{"contactPerson": "Anna Prøvesen"}]


# Blank cells below


def test_blank_cells_of_a_further_line_stay_blank_unless_somebody_says_so() -> None:
    assert rows("Fakturanr.;Kundenr.;Antal", "1;17;2", ";;3", schema=INVOICES) == [
        {"invoiceNo": "1", "contactNo": "17", "quantity": "2"},
        {"quantity": "3"},
    ]


def test_the_option_fills_blank_header_cells_and_no_others() -> None:
    found = rows(
        "Fakturanr.;Kundenr.;Valuta;Antal;Tekst",
        "1;17;EUR;2;Æbler",
        ";; ;3;",
        "2;18;;1;Pærer",
        ";;;1;",
        schema=INVOICES,
        inherit_blanks="inherit",
    )
    assert found == [
        {"invoiceNo": "1", "contactNo": "17", "currency": "EUR", "quantity": "2", "description": "Æbler"},
        {"invoiceNo": "1", "contactNo": "17", "currency": "EUR", "quantity": "3"},
        {"invoiceNo": "2", "contactNo": "18", "quantity": "1", "description": "Pærer"},
        {"invoiceNo": "2", "contactNo": "18", "quantity": "1"},
    ]


def test_nothing_is_inherited_from_above_the_first_row() -> None:
    assert rows("Fakturanr.;Kundenr.", ";17", "2;", schema=INVOICES, inherit_blanks="inherit") == [
        {"contactNo": "17"},
        {"invoiceNo": "2"},
    ]


def test_without_anything_that_tells_invoices_apart_cells_fill_from_above() -> None:
    found = rows("Kundenr.;Antal", "17;1", ";2", "18;1", schema=INVOICES, inherit_blanks="inherit")
    assert [row["contactNo"] for row in found] == ["17", "17", "18"]


def test_an_inherited_cell_is_a_number_of_its_own_as_the_one_above() -> None:
    table = table_of("Fakturanr.;Valutakurs;Enhedspris", "1;7.46;10", ";;11", typed={"Valutakurs": [True, False]})
    _, fields = understood(table, INVOICES, operation="update", inherit_blanks="inherit")
    assert fields.typed["exchangeRate"].tolist() == [True, True]
    assert list(fields.typed) == ["exchangeRate"]


def test_cells_that_were_numbers_of_their_own_are_known_by_field() -> None:
    table = table_of(
        "Varenr.;Salgspris;Note", "0042;12.5;7", "x;12,5;", typed={"Salgspris": [True, False], "Note": [True, False]}
    )
    _, fields = understood(table, PRODUCTS, operation="update")
    assert {name: mask.tolist() for name, mask in fields.typed.items()} == {"unitPrice": [True, False]}


def test_a_profile_fills_only_within_an_order_and_the_option_stops_it() -> None:
    header = "Name;Financial Status;Created at;Currency;Billing Name;Billing Company;Lineitem quantity;Lineitem price"
    lines = (
        "#1;paid;2026-04-01;DKK;Anna;Æblehaven ApS;1;10.00",
        "#1;;;;;;2;5.00",
        "#2;paid;2026-04-02;;Søren;;1;10.00",
    )
    filled = rows(header, *lines, schema=INVOICES)
    assert filled == [
        {"invoice": "#1", "entryDate": "2026-04-01", "currency": "DKK", "contactName": "Æblehaven ApS"}
        | {"attention": "Anna", "quantity": "1", "unitPrice": "10.00"},
        {"invoice": "#1", "entryDate": "2026-04-01", "currency": "DKK", "contactName": "Æblehaven ApS"}
        | {"attention": "Anna", "quantity": "2", "unitPrice": "5.00"},
        {"invoice": "#2", "entryDate": "2026-04-02", "contactName": "Søren", "quantity": "1", "unitPrice": "10.00"},
    ]
    kept = rows(header, *lines, schema=INVOICES, inherit_blanks="keep")
    assert kept[1] == {"invoice": "#1", "quantity": "2", "unitPrice": "5.00"}


# Rows left out


def test_refunded_and_voided_orders_are_left_out_with_all_their_lines() -> None:
    table = table_of(
        "Name;Financial Status;Created at;Lineitem quantity;Lineitem price",
        *("#1;Refunded;2026-04-01;1;10", "#1;;;1;5", "#2;paid;2026-04-02;1;10", "#2;;;1;5", "#3;voided;2026-04-02;1;1"),
    )
    for inherit in ("auto", "keep", "inherit"):
        _, fields = understood(table, INVOICES, operation="update", inherit_blanks=inherit)
        assert fields.excluded == {
            0: ("Financial Status", "Refunded"),
            1: ("Financial Status", "Refunded"),
            4: ("Financial Status", "voided"),
        }


# Numbers, dates, VAT


PROFILE = Profile(
    "p",
    "P",
    ("Varenr.",),
    decimal="comma",
    date_order="month_first",
    prices_include_vat="ask",
    meaning={"Varenr.": "productNo"},
)


def _read(header: str = "Varenr.;Pris", profile: Profile | None = PROFILE, **said: Any) -> tuple[str, str, str]:
    table, options = table_of(header), ReadingOptions(**said)
    headers = map_headers(table.header, PRODUCTS, options, profile=profile, operation="update")
    fields = apply_columns(table, headers, PRODUCTS, profile, options)
    assert (fields.decimal_fallback, fields.date_order_fallback) == (("comma", "month_first") if profile else ("", ""))
    return fields.decimal, fields.date_order, fields.prices_include_vat


def test_what_nobody_says_is_found_out_from_the_column() -> None:
    assert _read(profile=None) == ("auto", "auto", "unknown")


def test_how_a_profiles_program_writes_is_a_fallback_and_no_order() -> None:
    assert _read() == ("auto", "auto", "ask")


def test_the_option_counts_for_more_than_the_profile() -> None:
    assert _read(decimal="point", date_order="day_first", prices_include_vat=True) == ("point", "day_first", "true")
    assert _read(prices_include_vat=False)[2] == "false"


def test_a_header_that_says_including_vat_asks_until_the_option_says_so() -> None:
    assert _read("Varenr.;Salgspris inkl. moms", profile=None)[2] == "ask"
    assert _read("Varenr.;Salgspris inkl. moms", profile=None, prices_include_vat=True)[2] == "true"
    assert _read("Varenr.;Salgspris ekskl. moms", profile=None)[2] == "unknown"


def test_a_mapped_column_that_says_including_vat_asks_too() -> None:
    assert (
        _read(
            "Varenr.;Hvad det koster (inkl. moms)", profile=None, mapping={"Hvad det koster (inkl. moms)": "unitPrice"}
        )[2]
        == "ask"
    )


def test_a_total_that_includes_vat_asks_nothing() -> None:
    table, options = table_of("Fakturanr.;I alt inkl. moms"), ReadingOptions()
    headers = map_headers(table.header, INVOICES, options, operation="update")
    assert apply_columns(table, headers, INVOICES, None, options).prices_include_vat == "unknown"
