"""What a valid customer row is: every wrong cell of every row is named at once, and what is right passes untouched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billy_pipelines.schemas.codes import HIDDEN, WARNINGS
from billy_pipelines.schemas.customers import CUSTOMERS_SCHEMA
from billy_pipelines.schemas.row_schema import Context, Validated
from billy_pipelines.schemas.validation import validate
from billy_pipelines_tests.schemas.checking import judge

GOOD_CVR, WRONG_CVR, EAN = "99000007", "99000008", "5790000000005"
NAMES = [column.name for column in CUSTOMERS_SCHEMA.columns]


def check(*rows: dict[str, str], **context: Any) -> Validated:
    """Validate rows as a file would bring them: every column any row has, blank where a row has none."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    table = pd.DataFrame([[row.get(name, "") for name in columns] for row in rows], columns=columns, dtype="str")
    return validate(CUSTOMERS_SCHEMA, table, Context(**context))


def customer(**fields: str) -> dict[str, str]:
    return {"name": "Æblehaven Prøve ApS", **fields}


def codes(found: Validated, position: int = 0) -> list[tuple[str, str]]:
    """Code and column of each problem of a row."""
    return [(problem.code, problem.column) for problem in found.problems.get(position, [])]


def row_of(*fields: dict[str, str], blank_means: str = "keep") -> dict[str, Any]:
    [row] = check(*fields, blank_means=blank_means).rows
    assert row is not None
    return row


# -- what passes -------------------------------------------------------------------------------------------------------


def test_a_full_row_passes_cleaned_without_a_word() -> None:
    found = check(
        {
            "name": "  Æblehaven Prøve ApS ",
            "email": "faktura@aeblehaven.example",
            "phone": "'+45 00 00 00 00",
            "address": "Prøvevej 1",
            "city": "Høje Taastrup",
            "zipcode": "0800",
            "country": "Danmark",
            "vatNo": "DK 99 00 00 07",
            "contactNo": "0017",
            "ean": EAN,
        }
    )
    assert found.problems == {}
    assert list(found.rows) == [
        {
            "name": "Æblehaven Prøve ApS",
            "email": "faktura@aeblehaven.example",
            "phone": "+45 00 00 00 00",
            "address": "Prøvevej 1",
            "city": "Høje Taastrup",
            "zipcode": "0800",
            "country": "DK",
            "vatNo": GOOD_CVR,
            "contactNo": "0017",
            "ean": EAN,
        }
    ]


def test_b1_validation_adds_no_defaults() -> None:
    assert row_of({"name": "A", "country": "", "email": ""}) == {"name": "A"}


@pytest.mark.parametrize(
    "email",
    [
        "a@b.dk",
        "fornavn.efternavn+faktura@firma.co.uk",
        "søren@æblegård.example",
        "o'hara@x-y.example",
        "a_b@1.example",
    ],
)
def test_addresses_people_have_are_addresses(email: str) -> None:
    assert codes(check(customer(email=email))) == []


@pytest.mark.parametrize("country", ["SE", "Sverige", "sweden"])
def test_b6_a_foreign_number_without_prefix_passes_under_its_country(country: str) -> None:
    assert row_of(customer(country=country, vatNo="556012-345601")) == customer(country="SE", vatNo="556012345601")


# -- what is rejected --------------------------------------------------------------------------------------------------

REJECTED = [
    ("required", {"name": "  ", "city": "Ry"}, "name"),
    ("email_form", customer(email="faktura@aeblehaven"), "email"),
    ("email_form", customer(email="a@b.example; c@d"), "email"),
    ("email_form", customer(invoiceEmail="faktura"), "invoiceEmail"),
    ("country_unknown", customer(country="Atlantis"), "country"),
    ("vat_form", customer(vatNo="1234567"), "vatNo"),
    ("vat_form", customer(vatNo="ukendt"), "vatNo"),
    ("vat_form", customer(vatNo="556012345601"), "vatNo"),
    ("ean_form", customer(ean="5790000000006"), "ean"),
    ("digits_lost", customer(ean="5,79E+12"), "ean"),
    ("excel_error", customer(city="#I/T"), "city"),
    ("mojibake", customer(name="HÃ¥ndvÃ¦rk ApS"), "name"),
    ("text_damaged", customer(name="H\ufffdndværk ApS"), "name"),
    ("possible_cpr", customer(vatNo="0101901234"), "vatNo"),
    ("possible_cpr", customer(address="c/o 010190-1234"), "address"),
    *(("clear_not_allowed", customer(**{name: "#RYD"}), name) for name in ("name", "country", "vatNo", "contactNo")),
    ("clear_not_allowed", customer(ean="#clear"), "ean"),
    ("clear_not_allowed", customer(id="#RYD"), "id"),
]


@pytest.mark.parametrize(("code", "fields", "column"), REJECTED)
def test_a_wrong_cell_is_rejected_by_its_code_and_column_alone(code: str, fields: dict[str, str], column: str) -> None:
    found = check(fields)
    assert codes(found) == [(code, column)]
    assert list(found.rows) == [None]
    [problem] = found.problems[0]
    assert not problem.warning
    assert problem.message
    assert problem.value == (HIDDEN if code == "possible_cpr" else fields[column])


@pytest.mark.parametrize(
    ("code", "number"), [("vat_check_digit", WRONG_CVR), ("vat_placeholder", "12345678"), ("vat_placeholder", "0" * 8)]
)
def test_b6_a_cvr_number_nobody_can_have_is_a_warning_and_is_sent_as_it_is(code: str, number: str) -> None:
    found = check(customer(vatNo=number))
    assert codes(found) == [(code, "vatNo")]
    assert found.problems[0][0].warning
    assert list(found.rows) == [customer(vatNo=number)]
    assert code in WARNINGS


@pytest.mark.parametrize("country", ["FI", "Finland"])
def test_b6_eight_digits_from_abroad_are_not_judged_by_danish_check_digits(country: str) -> None:
    assert codes(check(customer(vatNo=WRONG_CVR, country=country))) == []


@pytest.mark.parametrize("country", ["", "DK", "Danmark"])
def test_b6_a_danish_se_number_is_a_cvr_number(country: str) -> None:
    found = check(customer(vatNo=f"SE{GOOD_CVR}", country=country), customer(vatNo=f"SE-nr. {GOOD_CVR}"))
    assert [row and row["vatNo"] for row in found.rows] == [GOOD_CVR, None]
    assert codes(found, 1) == [("duplicate_in_file", "vatNo")]
    assert codes(check(customer(vatNo=f"SE{WRONG_CVR}", country=country))) == [("vat_check_digit", "vatNo")]


@pytest.mark.parametrize("country", ["SE", "Finland"])
def test_b6_eight_digits_are_no_swedish_number(country: str) -> None:
    assert codes(check(customer(vatNo="SE12345678", country=country))) == [("vat_form", "vatNo")]


def test_full_width_digits_are_digits_and_those_of_other_scripts_are_refused() -> None:
    wide = str.maketrans("0123456789", "０１２３４５６７８９")
    numbers = {"vatNo": GOOD_CVR, "ean": EAN, "zipcode": "0800"}
    assert row_of(customer(**{name: text.translate(wide) for name, text in numbers.items()})) == customer(**numbers)
    assert codes(check(customer(zipcode="８００"))) == [("zeros_lost", "zipcode")]
    arabic = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
    found = check(
        customer(vatNo=GOOD_CVR.translate(arabic), ean=EAN.translate(arabic), zipcode="800".translate(arabic))
    )
    assert sorted(codes(found)) == [("ean_form", "ean"), ("vat_form", "vatNo")]


@pytest.mark.parametrize("digits", ["０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩"])
def test_b23_digits_of_other_scripts_do_not_hide_a_cpr(digits: str) -> None:
    text = "010190-1234".translate(str.maketrans("0123456789", digits))
    assert codes(check(customer(vatNo=text, country="SE"))) == [("possible_cpr", "vatNo")]
    assert codes(check(customer(city=text))) == [("possible_cpr", "city")]


def test_all_errors_of_all_rows_come_at_once() -> None:
    found = check(
        {"name": "", "email": "x", "country": "Atlantis", "vatNo": "1", "ean": "2", "city": "Ry"},
        customer(email="a@b.example"),
        {"name": "#RYD", "email": "y@", "vatNo": WRONG_CVR},
    )
    assert sorted(codes(found, 0)) == [
        ("country_unknown", "country"),
        ("ean_form", "ean"),
        ("email_form", "email"),
        ("required", "name"),
        ("vat_form", "vatNo"),
    ]
    assert codes(found, 1) == []
    assert sorted(codes(found, 2)) == [
        ("clear_not_allowed", "name"),
        ("email_form", "email"),
        ("vat_check_digit", "vatNo"),
    ]
    assert [row is None for row in found.rows] == [True, False, True]


def test_a_problem_repeats_the_cell_as_it_stood_in_the_file() -> None:
    [problem] = check(customer(email=" FAKTURA(at)firma ")).problems[0]
    assert problem.value == " FAKTURA(at)firma "
    assert problem.value in problem.message


# -- what a spreadsheet or a wrong encoding did to the text ------------------------------------------------------------


def test_a_danish_postcode_of_three_digits_gets_its_zero_back_and_says_so() -> None:
    found = check(customer(zipcode="800"), {"name": "B", "zipcode": "800", "country": "Island"})
    assert [row and row["zipcode"] for row in found.rows] == ["0800", "800"]
    assert [(p.code, p.warning) for p in found.problems[0]] == [("zeros_lost", True)]
    assert 1 not in found.problems


def test_text_that_was_decoded_wrongly_is_mended_when_asked() -> None:
    found = check(customer(city="HÃ¸je Taastrup"), repair_text=True)
    assert list(found.rows) == [customer(city="Høje Taastrup")]
    assert [(p.code, p.value) for p in found.problems[0]] == [("text_repaired", "HÃ¸je Taastrup")]


# -- several e-mail addresses ------------------------------------------------------------------------------------------


def test_several_addresses_in_one_cell_are_several_addresses() -> None:
    row = row_of(customer(email="Anna <a@b.example>; c@d.example, e@f.example", invoiceEmail="faktura@b.example"))
    assert (row["email"], row["otherEmails"]) == ("a@b.example", "c@d.example;e@f.example")
    assert row["invoiceEmail"] == "faktura@b.example"


def test_further_addresses_for_invoices_are_kept_beside_the_others() -> None:
    both = row_of(customer(email="a@b.example; c@d.example", invoiceEmail="f@b.example; g@b.example"))
    assert (both["invoiceEmail"], both["otherEmails"]) == ("f@b.example", "c@d.example;g@b.example")
    found = check(customer(invoiceEmail="f@b.example, g@b.example"), {"name": "B", "email": "a@b.example; c@d.example"})
    assert [row and row["otherEmails"] for row in found.rows] == ["g@b.example", "c@d.example"]


# -- duplicates within the file ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "column"),
    [
        ({"name": "A", "contactNo": "17"}, {"name": "B", "contactNo": " 17"}, "contactNo"),
        ({"name": "A", "ean": EAN}, {"name": "B", "ean": EAN}, "ean"),
        ({"name": "A", "vatNo": GOOD_CVR}, {"name": "B", "vatNo": f"DK {GOOD_CVR}"}, "vatNo"),
        ({"name": "A", "email": "a@b.example", "phone": "1"}, {"name": "a", "email": "A@B.example"}, "name"),
        ({"name": "A  ApS", "city": "Ry"}, {"name": "a aps"}, "name"),
        ({"name": "A", "id": "abc"}, {"name": "B", "id": "abc"}, "id"),
    ],
)
def test_the_second_row_of_one_record_names_the_line_of_the_first(
    first: dict[str, str], second: dict[str, str], column: str
) -> None:
    found = check(first, {"name": "Another"}, second, lines=[2, 3, 7])
    assert codes(found, 2) == [("duplicate_in_file", column)]
    assert "line 2" in found.problems[2][0].message
    assert [row is None for row in found.rows] == [False, False, True]


def test_b5_rows_of_one_name_whose_details_differ_are_two() -> None:
    assert check({"name": "A", "zipcode": "8000"}, {"name": "A", "zipcode": "9000"}).problems == {}


def test_b6_one_public_body_with_two_ean_numbers_is_two_customers() -> None:
    other = "5790000000012"
    assert (
        check({"name": "A", "vatNo": GOOD_CVR, "ean": EAN}, {"name": "B", "vatNo": GOOD_CVR, "ean": other}).problems
        == {}
    )


@pytest.mark.parametrize(("key", "numbers"), [("contactNo", ("17", "18")), ("id", ("abc", "abd"))])
def test_two_departments_of_one_firm_are_two_customers(key: str, numbers: tuple[str, str]) -> None:
    first, second = ({"name": f"A {n}", "vatNo": GOOD_CVR, key: n} for n in numbers)
    assert check(first, second).problems == {}
    assert codes(check(first, {**second, key: ""}), 1) == [("duplicate_in_file", "vatNo")]


def test_a_wrong_row_is_nobodys_twin() -> None:
    found = check({"name": "A", "contactNo": "17", "email": "x"}, {"name": "B", "contactNo": "17"})
    assert [row is None for row in found.rows] == [True, False]


def test_only_the_keys_of_match_on_count_and_none_where_duplicates_are_meant() -> None:
    rows = [{"name": "A", "contactNo": "17"}, {"name": "A", "contactNo": ""}]
    assert codes(check(*rows), 1) == [("duplicate_in_file", "name")]
    assert check(*rows, match_on=["contactNo"]).problems == {}
    assert check(rows[0], rows[0], duplicates_allowed=True).problems == {}


# -- messages ----------------------------------------------------------------------------------------------------------


def test_a_problem_names_the_column_as_the_file_does_and_speaks_danish_when_asked() -> None:
    [problem] = check({"name": ""}, names={"name": "Kundens navn"}, language="da").problems[0]
    assert (problem.column, problem.field) == ("Kundens navn", "name")
    assert problem.message == "Kundens navn mangler. Udfyld feltet."


# -- CPR numbers (B23) -------------------------------------------------------------------------------------------------

CPR = "010190-1234"


@pytest.mark.parametrize("column", NAMES)
def test_b23_a_possible_cpr_is_refused_in_every_column_and_repeated_nowhere(column: str) -> None:
    found = check(customer(**{column: f"privat {CPR}"}))
    assert codes(found) == [("possible_cpr", column)]
    assert list(found.rows) == [None]
    assert CPR not in str(found)
    assert "0101901234" not in str(found)


def test_b23_ten_digits_with_anything_between_them_are_refused_in_the_cvr_column() -> None:
    for text in ("0101901234", "010190 1234", "01 01 90 12 34", "DK-0101901234", "010190.1234"):
        found = check(customer(vatNo=text))
        assert codes(found) == [("possible_cpr", "vatNo")], text
        assert text not in str(found)


@pytest.mark.parametrize("unseen", ["\u200b", "\u200e", "\u2060", "\ufeff"])
def test_b23_what_cannot_be_seen_does_not_hide_a_cpr(unseen: str) -> None:
    for text in (f"010190{unseen}-1234", f"0101{unseen}90-1234", f"010190-{unseen}1234"):
        found = check(customer(phone=text))
        assert codes(found) == [("possible_cpr", "phone")]
        assert list(found.rows) == [None]


def test_b23_what_else_is_wrong_with_such_a_cell_is_not_said() -> None:
    found = check(customer(email=f"{CPR}@", country=CPR, vatNo="0101901234"))
    assert sorted(codes(found)) == [("possible_cpr", "country"), ("possible_cpr", "email"), ("possible_cpr", "vatNo")]


def test_b23_a_swedish_company_number_is_no_cpr() -> None:
    assert codes(check(customer(vatNo="556012-3456", country="SE"))) == []


# -- clearing (B4) -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["#RYD", "#ryd", " #CLEAR ", "#Clear"])
def test_b4_a_clear_mark_clears_its_field_only(mark: str) -> None:
    assert row_of(customer(phone=mark, city="", email="a@b.example")) == {
        "name": "Æblehaven Prøve ApS",
        "phone": None,
        "email": "a@b.example",
    }


def test_b4_a_mark_is_no_wrong_value_of_its_column() -> None:
    assert codes(check(customer(email="#RYD"))) == []


@pytest.mark.parametrize("cell", ["# RYD", "#RYD!", "RYD"])
def test_b4_what_only_looks_like_a_mark_is_a_value(cell: str) -> None:
    assert row_of(customer(city=cell))["city"] == cell


def test_b4_blank_means_keep_says_nothing_of_blank_cells() -> None:
    row = row_of({name: "A" if name == "name" else "" for name in NAMES})
    assert row == {"name": "A"}


def test_b4_blank_means_clear_clears_blank_cells_but_never_country_or_keys() -> None:
    row = row_of({name: "A" if name == "name" else "" for name in NAMES}, blank_means="clear")
    cleared = ("email", "phone", "address", "city", "zipcode", "contactPerson", "language", "paymentTerms")
    assert row == {"name": "A", **dict.fromkeys(cleared)}


def test_b4_blank_means_clear_does_not_touch_columns_the_file_does_not_have() -> None:
    assert row_of({"name": "A", "city": ""}, blank_means="clear") == {"name": "A", "city": None}


# -- the whole ---------------------------------------------------------------------------------------------------------

_cell = st.text(max_size=12) | st.sampled_from(["#RYD", "DK", GOOD_CVR, CPR, EAN, "a@b.example", "A", "=1"])


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.fixed_dictionaries({"name": _cell}, optional=dict.fromkeys(NAMES[1:], _cell)), min_size=1, max_size=5
    ),
    blank_means=st.sampled_from(["keep", "clear"]),
)
def test_any_table_is_judged_row_by_row_and_nothing_raises(rows: list[dict[str, str]], blank_means: str) -> None:
    found = check(*rows, blank_means=blank_means, duplicates_allowed=True)
    assert len(found.rows) == len(rows)
    for position, row in enumerate(found.rows):
        wrong = [problem for problem in found.problems.get(position, []) if not problem.warning]
        assert (row is None) == bool(wrong)
        assert row is None or row["name"]
    turned = check(*reversed(rows), blank_means=blank_means, duplicates_allowed=True)
    assert list(turned.rows)[::-1] == list(found.rows), "a row's verdict depends on its neighbours"


def test_examples_of_the_template_are_valid_customers() -> None:
    for number in (0, 1):
        example = {column.name: column.examples[number] for column in CUSTOMERS_SCHEMA.columns}
        assert [code for code, _ in codes(check(example))] in ([], ["vat_placeholder"])


def test_two_rows_of_one_name_with_a_customer_number_each_are_two_customers() -> None:
    for same in ({"name": "Prøve ApS"}, {"name": "Prøve ApS", "email": "post@prove.example"}):
        found = check({**same, "contactNo": "1"}, {**same, "contactNo": "2"}, same)
        assert [codes(found, row) for row in (0, 1)] == [[], []]
        assert codes(found, 2)[0][0] == "duplicate_in_file", "without a number it may be either"


@pytest.mark.parametrize(("operation", "expected"), [("import", ["needs_one_of"]), ("update", []), ("delete", [])])
def test_what_a_new_record_needs_is_asked_of_imports_only(operation: str, expected: list[str]) -> None:
    schema = replace(CUSTOMERS_SCHEMA, needs_one_of=(("email", "phone"),))
    found = judge(schema, {"name": "Prøve ApS", "email": "", "city": "Ry"}, operation=operation)
    assert [code for code, _ in codes(found)] == expected
