"""Numbers: what people write is read as they mean it, or refused because the column does not say what they mean."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billy_pipelines.schemas.numbers import Numbers, decimal_of, is_positive, is_whole, read_numbers


def read(*cells: str, typed: list[bool] | None = None, decimal: str = "auto") -> Numbers:
    column = pd.Series(list(cells), dtype="str")
    return read_numbers(column, None if typed is None else pd.Series(typed, dtype=bool), decimal)


def values(*cells: str, typed: list[bool] | None = None, decimal: str = "auto") -> list[str]:
    numbers = read(*cells, typed=typed, decimal=decimal)
    assert numbers.good.all(), list(cells)
    assert not numbers.ambiguous.any()
    assert numbers.readings is None
    return list(numbers.values)


# -- single cells ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1.250,00", "1250"),
        ("1,250.00", "1250"),
        ("1 250,00", "1250"),
        ("1\u00a0250,00", "1250"),
        ("1\u202f250,00", "1250"),
        ("1'250.00", "1250"),
        ("1’250.50", "1250.5"),
        ("1 250", "1250"),
        ("1.250.000", "1250000"),
        ("1,250,000", "1250000"),
        ("1.355,90", "1355.9"),
        ("1355,9", "1355.9"),
        ("12,5", "12.5"),
        ("0.125", "0.125"),
        ("0,125", "0.125"),
        ("1.2345", "1.2345"),
        (",5", "0.5"),
        (".5", "0.5"),
        ("5,", "5"),
        ("0", "0"),
        ("0,00", "0"),
        ("-0,00", "0"),
        ("00", "0"),
        ("007", "7"),
        ("100", "100"),
        ("100,00", "100"),
        ("12345678901234567890,12345678901", "12345678901234567890.12345678901"),
    ],
)
def test_grouping_and_decimals(cell: str, number: str) -> None:
    assert values(cell) == [number]


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("kr. 1.250,00", "1250"),
        ("kr.1.250,00", "1250"),
        ("KR 5", "5"),
        ("kr 5", "5"),
        ("1.250,00 kr", "1250"),
        ("1.250,00 kr.", "1250"),
        ("5kr", "5"),
        ("5 kroner", "5"),
        ("DKK 5", "5"),
        ("5 dkk", "5"),
        ("EUR 5", "5"),
        ("€5", "5"),
        ("5 €", "5"),
        ("$1,250.00", "1250"),
        ("395,-", "395"),
        ("395 ,-", "395"),
        ("395,–", "395"),
        ("395.-", "395"),
        ("1.250,-", "1250"),
        ("kr. 1 250,-", "1250"),
        ("1.250,- kr.", "1250"),
        ("12 %", "12"),
        ("12%", "12"),
        ("12,5 pct.", "12.5"),
        ("12 procent", "12"),
    ],
)
def test_units(cell: str, number: str) -> None:
    assert values(cell) == [number]


@pytest.mark.parametrize(
    "cell",
    ["-5", "- 5", "−5", "–5", "5-", "(5)", "( 5 )", "-5,-", "-kr. 5", "kr. -5", "kr -5", "(kr 5)", "(5) kr", "-5 %"],
)
def test_ways_to_write_a_minus(cell: str) -> None:
    assert values(cell) == ["-5"]


def test_plus_is_left_out() -> None:
    assert values("+5", "+ 5", "kr +5") == ["5", "5", "5"]


@pytest.mark.parametrize(
    "cell",
    [
        *(
            "abc",
            "-",
            "+",
            ",",
            ".",
            "%",
            "kr.",
            "()",
            "#I/T",
            "1,2,3",
            "1.2.3",
            "1.25.000",
            "12 34",
            "1 25",
            "1..5",
            "5 5",
        ),
        *(
            "--5",
            "395,--",
            "5--",
            "-5-",
            "(-5)",
            "(5-)",
            "+-5",
            "-kr. -5",
            "5 stk",
            "DKK 5 EUR",
            "EUR kr 5",
            "5 % kr",
            "2026-04-01",
            "12:30",
        ),
        *("1.250.000,00,00", "1'25", "٣", "５", "1e5", "NaN", "inf", "0x10", "1_000", "true"),
    ],
)
def test_what_is_no_number_keeps_its_text(cell: str) -> None:
    numbers = read(cell)
    assert list(numbers.values) == [cell]
    assert not numbers.good.any()
    assert not numbers.ambiguous.any()


def test_blank_is_good_and_stays_blank() -> None:
    assert values("", "5", "") == ["", "5", ""]
    assert values() == []


def test_scientific_notation_counts_only_with_all_its_digits() -> None:
    assert values("1,2345E+4", "1,5E-3") == ["12345", "0.0015"]
    assert values("1.2345e4") == ["12345"]
    assert not read("1,5E+3", "5,79E+12", "1E+400", "1E+999999999").good.any()


def test_scientific_notation_is_never_taken_for_grouping() -> None:
    numbers = read("1.2345E+1", "12,5")  # a decimal point, in a column of decimal commas
    assert "12345" not in list(numbers.values)


# -- the whole column decides ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1.234", "12,5"], ["1234", "12.5"]),
        (["1.234", "1,23"], ["1234", "1.23"]),
        (["1.234", "395,-"], ["1234", "395"]),
        (["1.234", "1.250.000"], ["1234", "1250000"]),
        (["1.234", "kr. 1.250,00", ""], ["1234", "1250", ""]),
        (["1,234", "12.5"], ["1234", "12.5"]),
        (["1.234", "1.2345"], ["1.234", "1.2345"]),
        (["1.234", "0.125"], ["1.234", "0.125"]),
        (["1.234", "1234.567"], ["1.234", "1234.567"]),
        (["1,234", "12,5"], ["1.234", "12.5"]),
    ],
)
def test_one_cell_that_fits_one_way_decides_for_all(cells: list[str], numbers: list[str]) -> None:
    assert values(*cells) == numbers


def test_a_column_that_fits_both_ways_is_refused_with_an_example() -> None:
    numbers = read("5", "1.234", "", "2.500", "abc")
    assert list(numbers.ambiguous) == [False, True, False, True, False]
    assert list(numbers.good) == [True, False, True, False, False]
    assert list(numbers.values) == ["5", "1.234", "", "2.500", "abc"]
    assert numbers.readings == ("1.234", "1234", "1.234")


def test_readings_are_those_of_the_cell_as_written() -> None:
    assert read("kr. -1,234").readings == ("kr. -1,234", "-1.234", "-1234")


def test_a_column_without_separators_needs_no_decision() -> None:
    assert values("1250", "5", "1 250") == ["1250", "5", "1250"]


def test_the_option_decides() -> None:
    assert values("1.234", decimal="comma") == ["1234"]
    assert values("1.234", decimal="point") == ["1.234"]
    refused = read("1.234", "12,5", decimal="point")
    assert list(refused.good) == [True, False]
    assert list(refused.values) == ["1.234", "12,5"]


def test_cells_that_contradict_each_other_are_not_guessed() -> None:
    numbers = read("12,5", "13,5", "1.5", "1.234", "7")
    assert list(numbers.ambiguous) == [False, False, True, True, False]
    assert list(numbers.values) == ["12.5", "13.5", "1.5", "1.234", "7"]
    assert numbers.readings == ("1.234", "1234", "1.234")


def test_where_neither_way_is_rarer_both_are_in_doubt() -> None:
    numbers = read("12,5", "1.5")
    assert list(numbers.ambiguous) == [True, True]
    assert numbers.readings == ("12,5", "12.5", "125")


def test_typed_cells_have_a_point_and_decide_nothing() -> None:
    assert values("1234.5", "1.234", "1e3", "-5", "1E-7", typed=[True] * 5) == [
        "1234.5",
        "1.234",
        "1000",
        "-5",
        "0.0000001",
    ]
    assert values("1234.5", "1.234,5", "1.234", typed=[True, False, False]) == ["1234.5", "1234.5", "1234"]
    assert list(read("1234.5", "1.234", typed=[True, False]).ambiguous) == [False, True]
    assert values("1.234", typed=[True], decimal="comma") == ["1.234"]


def test_typed_cells_that_are_no_numbers_are_refused() -> None:
    assert not read("true", "2026-04-01", "1e999", typed=[True] * 3).good.any()


def test_rows_keep_their_labels() -> None:
    column = pd.Series(["1,5", "x"], index=[7, 9], dtype="str")
    numbers = read_numbers(column, None, "auto")
    for series in (numbers.values, numbers.good, numbers.ambiguous):
        assert list(series.index) == [7, 9]


# -- any numbers -------------------------------------------------------------------------------------------------------

amounts = st.decimals(min_value=-10_000_000, max_value=10_000_000, allow_nan=False, places=3) | st.decimals(
    min_value=-9_999, max_value=9_999, allow_nan=False, places=2
)


def plain(amount: Decimal) -> str:
    text = f"{amount:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "0", "") else text


@st.composite
def written_columns(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """A column as one person writes it, all cells in the same style, and the numbers meant."""
    group, decimal = draw(
        st.sampled_from([("", ","), (".", ","), (" ", ","), ("'", ","), ("", "."), (",", "."), ("'", ".")])
    )
    front, behind = draw(
        st.sampled_from(
            [("", ""), ("kr. ", ""), ("", " kr."), ("DKK ", ""), ("", " %"), ("€", ""), ("", " pct."), ("", "kr")]
        )
    )
    minus = draw(st.sampled_from(["-{}", "{}-", "({})", "−{}"]))
    dash = draw(st.booleans()) and decimal == "," and minus != "{}-"
    fixed = draw(st.booleans())
    cells, meant = [], []
    for amount in draw(st.lists(amounts, min_size=1, max_size=8)):
        number = plain(amount)
        whole, _, decimals = number.removeprefix("-").partition(".")
        decimals = decimals.ljust(2, "0") if fixed else decimals
        text = f"{int(whole):,}".replace(",", group)
        text += decimal + decimals if decimals else ",-" if dash else ""
        text = front + text + behind
        cells.append(minus.format(text) if number.startswith("-") and (minus != "{}-" or not behind) else text)
        meant.append(number if cells[-1] != text else number.removeprefix("-"))
    return cells, meant


@given(written_columns())
def test_any_column_is_read_as_meant_or_refused_never_wrong(column: tuple[list[str], list[str]]) -> None:
    cells, meant = column
    numbers = read(*cells)
    assert (numbers.good ^ numbers.ambiguous).all()
    for value, number, good in zip(numbers.values, meant, numbers.good, strict=True):
        assert not good or value == number


@given(written_columns(), st.sampled_from(["comma", "point"]))
def test_with_the_option_nothing_is_ambiguous(column: tuple[list[str], list[str]], decimal: str) -> None:
    assert not read(*column[0], decimal=decimal).ambiguous.any()


@given(st.lists(amounts, min_size=1, max_size=8))
def test_plain_form_reads_back_as_itself(numbers: list[Decimal]) -> None:
    cells = [plain(number) for number in numbers]
    assert values(*cells, decimal="point") == cells
    assert values(*cells, typed=[True] * len(cells)) == cells


noise = st.text(
    st.sampled_from(list("0123456789,.-+()' kr%eE€$–\u00a0\n")) | st.characters(exclude_categories=["Cs"]), max_size=12
)


@given(st.lists(noise, max_size=6), st.data())
def test_anything_at_all_is_a_plain_number_or_kept(cells: list[str], data: st.DataObject) -> None:
    typed = data.draw(st.none() | st.lists(st.booleans(), min_size=len(cells), max_size=len(cells)))
    numbers = read(*cells, typed=typed)
    for cell, value, good in zip(cells, numbers.values, numbers.good, strict=True):
        if good and cell:
            assert plain(decimal_of(value)) == value
        else:
            assert value == cell


# -- plain form --------------------------------------------------------------------------------------------------------


def test_questions_about_plain_numbers() -> None:
    numbers = pd.Series(["5", "0.5", "0", "-5", "-0.5", ""], dtype="str")
    assert list(is_positive(numbers)) == [True, True, False, False, False, False]
    assert list(is_whole(numbers)) == [True, False, True, True, False, False]


def test_decimal_of_keeps_all_digits() -> None:
    assert decimal_of("-12345678901234567890.123456789") == Decimal("-12345678901234567890.123456789")
    with pytest.raises(InvalidOperation):
        decimal_of("")


# -- units -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "cells"),
    [
        ("", ["100", "-5", "1.250,00", "395,-", "1 250,00", "1\u00a0250", "(5)", "1,2345E+4", "", "x kr", "5 stk"]),
        ("percent", ["12 %", "12%", "12,5 pct.", "12 procent", "(5 %)", "−5 %"]),
        ("kr", ["kr. 1.250,00", "kr 5", "1.250,- kr.", "5kr", "5 Kroner", "-kr 5", "kr (5)", "kr.\u00a05"]),
        ("DKK", ["DKK 5", "5 dkk"]),
        ("EUR", ["€5", "5 €", "EUR 5", "5 euro"]),
        ("$", ["$1,250.00", "5 $"]),
        ("GBP", ["£5", "5 gbp"]),
        ("SEK", ["250,00 SEK"]),
    ],
)
def test_each_cell_tells_the_unit_it_had(unit: str, cells: list[str]) -> None:
    for cell in cells:
        numbers = read(cell, "1 NOK", "100")
        assert numbers.units is not None
        assert list(numbers.units) == [unit, "NOK", ""], cell


def test_a_column_without_units_has_none() -> None:
    assert read("100", "1 250", "(5)", "", "5 stk").units is None
    assert read("5", "1e3", typed=[True, True]).units is None
