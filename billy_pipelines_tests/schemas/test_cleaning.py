"""Cleaning and comparing: the same thing written differently is the same thing, and nothing anybody writes raises."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.dk import cvr

from billy_pipelines.schemas import cleaning
from billy_pipelines.schemas.cleaning import (
    PLACEHOLDER_CVR,
    USUAL_NAMES,
    clean_text,
    clean_vat,
    comparable,
    comparable_phone,
    comparable_postcode,
    country_code,
    foreign_prefix,
    is_cvr,
    is_ean,
    is_possible_cpr,
    is_possible_cpr_in_vat,
    is_vat_form,
    vat_key,
)

GOOD_CVR = "99000007"
"""Passes the check digits; no number of that range has been given to a firm."""
EAN = "5790000000005"

_TRICKY = st.sampled_from(list("'=+-@\t\r\n \u00a0\u200b\u200e\ufeffe\u0301A\u030a\x1f\u2003\u0085#0123456789DKSE."))
any_text = st.text(_TRICKY | st.characters(exclude_categories=["Cs"]), max_size=14)
any_country = st.sampled_from([None, "", "DK", "SE", "DE", "GR"])


def cleaned(*cells: str) -> list[str]:
    return list(clean_text(pd.Series(list(cells), dtype="str")))


# -- text --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("  Æblehaven ApS \t", "Æblehaven ApS"),
        ("\u00a0Æble\u00a0haven\u00a0", "Æble haven"),
        ("\ufeffÆble\u200bhaven\u200e", "Æblehaven"),
        ("A\u030aens Bageri", "Åens Bageri"),
        ("A\u200b\u030aens Bageri", "Åens Bageri"),
        ("'+45 12 34 56 78", "+45 12 34 56 78"),
        ("'=SUM(A1)", "=SUM(A1)"),
        ("'0800", "0800"),
        ("'\t'=1", "=1"),
        ("'t Hof", "'t Hof"),
        ("'", "'"),
        (" \u00a0\u200b ", ""),
    ],
)
def test_text_loses_what_cannot_be_seen_and_nothing_else(cell: str, text: str) -> None:
    assert cleaned(cell) == [text]


@settings(max_examples=200)
@given(st.lists(any_text, min_size=1, max_size=5))
def test_cleaning_text_twice_changes_nothing_more(cells: list[str]) -> None:
    once = cleaned(*cells)
    assert cleaned(*once) == once


@settings(max_examples=200)
@given(any_text, any_country)
def test_cleaning_a_vat_number_twice_changes_nothing_more_and_it_keeps_its_key(text: str, country: str | None) -> None:
    once = clean_vat(text)
    assert clean_vat(once) == once
    assert vat_key(once, country) == vat_key(text, country)


@settings(max_examples=200)
@given(any_text, any_country)
def test_no_text_makes_judging_it_raise(text: str, country: str | None) -> None:
    assert " ".join(comparable(text).split()) == comparable(text)
    assert all(sign.isdecimal() for sign in comparable_phone(text))
    assert not any(sign.isspace() for sign in comparable_postcode(text))
    is_vat_form(clean_vat(text), country or "")
    is_possible_cpr_in_vat(text, country or "")
    is_ean(text)
    code = country_code(text)
    assert code is None or country_code(code) == code


# -- comparing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Æblehaven ApS", "ÆBLEHAVEN  aps "),
        ("A\u030aens Bageri", "åens bageri"),
        ("Straße 1", "STRASSE 1"),
        ("ﬁrma", "Firma"),
        ("", None),
    ],
)
def test_names_are_equal_in_any_case_form_and_spacing(left: str, right: str | None) -> None:
    assert comparable(left) == comparable(right)


@pytest.mark.parametrize(("left", "right"), [("Møller", "Moller"), ("A/S", "AS"), ("Nr 1", "Nr 11")])
def test_names_that_differ_in_a_letter_or_a_sign_are_not_equal(left: str, right: str) -> None:
    assert comparable(left) != comparable(right)


@pytest.mark.parametrize("text", ["+45 12 34 56 78", "0045 12345678", "12345678", "12-34-56-78", "(+45) 12.34.56.78"])
def test_a_danish_phone_number_is_the_same_with_and_without_its_country(text: str) -> None:
    assert comparable_phone(text) == "12345678"


def test_phone_numbers_of_different_countries_differ() -> None:
    assert comparable_phone("+46 12 34 56 78") != comparable_phone("+45 12 34 56 78")
    assert comparable_phone("45 12 34 56") == "45123456", "eight digits that begin with 45 hold no country"
    assert comparable_phone("00 00 00 00") == comparable_phone("+45 00 00 00 00") == "00000000", "as in the samples"


@pytest.mark.parametrize("text", ["2630", "DK-2630", "dk2630", " 26 30"])
def test_a_postcode_is_the_same_with_and_without_its_country(text: str) -> None:
    assert comparable_postcode(text) == "2630"


# -- CVR, VAT, EAN, CPR ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [GOOD_CVR, "99 00 00 07", "DK99000007", "dk-99.00.00.07", "CVR-nr.: 99000007", "SE-nr. DK 99 00 00 07"]
)
def test_b6_a_cvr_number_is_the_same_key_however_it_is_decorated(text: str) -> None:
    assert vat_key(text, "DK") == vat_key(text, None) == GOOD_CVR


@pytest.mark.parametrize("number", sorted(PLACEHOLDER_CVR))
def test_b6_a_placeholder_finds_nobody(number: str) -> None:
    assert vat_key(number, "DK") is None


def test_b6_a_wrong_check_digit_finds_nobody() -> None:
    assert [n for n in range(10) if vat_key(f"9900000{n}", "DK")] == [7]


@given(st.integers(0, 99_999_999))
def test_b6_a_danish_key_always_has_right_check_digits(number: int) -> None:
    key = vat_key(f"{number:08d}", "DK")
    assert (key is not None) == is_cvr(f"{number:08d}")
    assert key is None or (cvr.is_valid(key) and key not in PLACEHOLDER_CVR)


def test_b6_a_foreign_number_keeps_its_prefix_and_gets_that_of_its_country_when_it_has_none() -> None:
    assert vat_key("SE 5560-123456-01", "SE") == vat_key("556012345601", "SE") == "SE556012345601"
    assert vat_key("ATU12345678", None) == "ATU12345678"


def test_b6_eight_foreign_digits_are_no_cvr_number() -> None:
    assert vat_key(GOOD_CVR, "FI") == f"FI{GOOD_CVR}" != vat_key(GOOD_CVR, "DK")


@pytest.mark.parametrize("text", ["FI00000000", "DE000000000", "SE", "", None])
def test_b6_a_foreign_placeholder_finds_nobody(text: str | None) -> None:
    assert vat_key(text, "FI") is None


@pytest.mark.parametrize(
    ("number", "prefix"), [("DK99000007", ""), ("SE5560", "SE"), ("EL123456789", "EL"), ("XI1", "XI"), ("QQ12", "")]
)
def test_a_prefix_is_that_of_a_country_other_than_denmark(number: str, prefix: str) -> None:
    assert foreign_prefix(number) == prefix


@pytest.mark.parametrize(
    ("number", "country", "fits"),
    [
        ("99000007", "", True),
        ("9900000", "", False),
        ("990000071", "DK", False),
        ("SE556012345601", "", True),
        ("556012345601", "SE", True),
        ("556012345601", "DK", False),
        ("UKENDT", "SE", False),
        ("SEABC", "", False),
        ("SE12345678", "SE", False),
        ("SE5560123456", "SE", False),
        ("SE556012345602", "", True),
        ("ATU12345678", "", True),
        ("AT12345678", "", False),
        ("DE123456789", "", True),
        ("DE12345678", "DE", False),
        ("EL123456789", "", True),
        ("XI123456789", "", True),
        ("NL123456789B01", "", True),
        ("NO999999999MVA", "", True),
        ("CH1234", "", True),
        ("١٢٣٤٥٦٧٨", "", False),
        ("١٢٣٤٥٦٧٨", "SE", False),
    ],
)
def test_the_form_of_a_number_is_that_of_denmark_or_of_the_country_it_names(
    number: str, country: str, fits: bool
) -> None:
    assert is_vat_form(number, country) is fits


_vat_like = st.text("0123456789ABCUX", max_size=13)


@given(st.sampled_from(["AT", "BE", "CZ", "DE", "EL", "ES", "FR", "IE", "LT", "NL", "RO", "SE", "XI", "NO"]), _vat_like)
def test_the_form_of_any_foreign_number_can_be_told(prefix: str, number: str) -> None:
    assert is_vat_form(prefix + number, "") in (True, False)


def test_b6_eight_digits_behind_se_are_a_danish_se_number_unless_the_row_is_from_abroad() -> None:
    assert vat_key("SE 99 00 00 07", None) == vat_key("SE99000007", "DK") == GOOD_CVR
    assert vat_key("SE99000007", "SE") == "SE99000007"


def test_b15_an_ean_has_13_digits_with_a_check_digit() -> None:
    assert [n for n in range(10) if is_ean(f"579000000000{n}")] == [5]
    assert not is_ean("03600029145-2"), "a good number of twelve digits, written with a dash in 13 signs"
    assert not is_ean("40170725"), "eight digits are an EAN too, but no electronic invoice goes there"


@pytest.mark.parametrize("dash", "-‐‑–—−\u00ad")
def test_b23_six_digits_a_dash_and_four_are_a_possible_cpr_whatever_the_dash(dash: str) -> None:
    assert is_possible_cpr(f"Søren, 010190{dash}1234 (privat)")


@pytest.mark.parametrize("text", ["0101901234", "1010190-1234", "010190-12345", "12345-6789", "010190 1234"])
def test_b23_other_numbers_in_a_text_are_none(text: str) -> None:
    assert not is_possible_cpr(text)


@pytest.mark.parametrize(
    ("text", "country", "possible"),
    [
        ("0101901234", "", True),
        ("010190-1234", "DK", True),
        ("CPR 010190 1234", "", True),
        ("DK0101901234", "DK", True),
        ("9999999999", "DK", True),
        ("5560123456", "SE", False),
        ("556012-3456", "SE", False),
        ("010190-1234", "SE", True),
        ("FI0101901234", "", False),
        ("99000007", "DK", False),
        ("SE556012345601", "SE", False),
    ],
)
def test_b23_ten_digits_in_a_cvr_column_are_a_possible_cpr_unless_another_country_explains_them(
    text: str, country: str, possible: bool
) -> None:
    assert is_possible_cpr_in_vat(text, country) is possible


# -- countries ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("DK", "DK"),
        ("dk", "DK"),
        ("DNK", "DK"),
        ("danmark", "DK"),
        ("Denmark", "DK"),
        ("TYSKLAND", "DE"),
        ("Germany", "DE"),
        ("Grønland", "GL"),
        ("Færøerne", "FO"),
        ("Tjekkiet", "CZ"),
        ("Czechia", "CZ"),
        ("uk", "GB"),
        ("USA", "US"),
    ],
)
def test_a_country_is_known_by_code_and_by_its_english_and_danish_name(text: str, code: str) -> None:
    assert country_code(text) == code


@pytest.mark.parametrize("name", USUAL_NAMES)
def test_names_in_daily_use_are_known_in_any_case(name: str) -> None:
    assert country_code(name) == country_code(name.lower()) == country_code(name.upper()) == USUAL_NAMES[name]


@pytest.mark.parametrize("text", ["", "QQ", "D", "Atlantis", "12", "Danmarkk"])
def test_what_is_no_country_has_no_code(text: str) -> None:
    assert country_code(text) is None


# -- whole columns say what single cells say ---------------------------------------------------------------------------

_TEXT = st.text(max_size=8) | st.text(alphabet="aÅåßẞ İıΣςµ\u00a0\u200bo\u0308'=+-1\t\n\x1c\x85 A", max_size=8)


@given(st.lists(_TEXT, min_size=1, max_size=8))
def test_a_column_is_compared_as_its_cells_are(cells: list[str]) -> None:
    column = pd.Series(cells, dtype="str")
    assert list(cleaning.comparable_column(column)) == [cleaning.comparable(cell) for cell in cells]


@given(st.lists(_TEXT, min_size=1, max_size=8))
def test_a_cell_is_cleaned_the_same_whatever_stands_beside_it(cells: list[str]) -> None:
    together = list(cleaning.clean_text(pd.Series(cells, dtype="str")))
    assert together == [cleaning.clean_text(pd.Series([cell], dtype="str"))[0] for cell in cells]
    assert all(cell == cell.strip() for cell in together)


@given(st.lists(st.from_regex(r"[0-9]{8}", fullmatch=True), max_size=20))
def test_a_column_of_cvr_numbers_is_judged_as_the_library_judges_each(numbers: list[str]) -> None:
    numbers = [*numbers, "99000007", "12345678", "00000000", "10000009"]
    column = pd.Series(numbers, dtype="str")
    assert list(cleaning.are_cvr(column)) == [cleaning.is_cvr(number) for number in numbers]


@given(
    st.lists(
        st.sampled_from(["DK 99 00 00 07", "99000007", "SE556012345601", "cvr-nr. 99.00.00.07", "", "x"]), min_size=1
    )
)
def test_a_column_of_vat_numbers_is_cleaned_as_its_cells_are(cells: list[str]) -> None:
    column = pd.Series(cells, dtype="str")
    assert list(cleaning.clean_vat_column(column)) == [cleaning.clean_vat(cell) for cell in cells]
