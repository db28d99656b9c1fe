"""Yes and no, choices, currencies: what clearly means one of them is read as it, all else is kept and refused."""

from __future__ import annotations

import pandas as pd
import pycountry
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billy_pipelines.schemas.words import read_booleans, read_choices, read_currencies

VAT = {"vat25": ("25 %", "25", "moms", "U25"), "vat0": ("0 %", "0", "momsfri"), "abroad": ("udland", "på rejse")}


def column(*cells: str) -> pd.Series[str]:
    return pd.Series(list(cells), dtype="str")


def booleans(*cells: str) -> tuple[list[str], list[bool]]:
    values, good = read_booleans(column(*cells))
    return list(values), list(good)


@pytest.mark.parametrize("cell", ["ja", "JA", "j", "yes", "y", "true", "TRUE", "SAND", "1", "x", "X"])
def test_words_for_yes(cell: str) -> None:
    assert booleans(cell) == (["true"], [True])


@pytest.mark.parametrize("cell", ["nej", "Nej", "n", "no", "false", "FALSE", "FALSK", "0"])
def test_words_for_no(cell: str) -> None:
    assert booleans(cell) == (["false"], [True])


@pytest.mark.parametrize("cell", ["-1", "2", "01", "måske", "aktiv", "spærret", "ja nej", "?", "#I/T"])
def test_what_is_neither_keeps_its_text(cell: str) -> None:
    assert booleans(cell) == ([cell], [False])


def test_blank_is_good_and_stays_blank() -> None:
    assert booleans("ja", "", "nej") == (["true", "", "false"], [True, True, True])
    assert booleans() == ([], [])


def test_choices_are_compared_without_case_blanks_accents_and_signs() -> None:
    values, good = read_choices(
        column("VAT25", "vat-25", "25%", " 0 % ", "Moms.", "u25", "PÅ REJSE", "pa rejse", ""), VAT
    )
    assert list(values) == ["vat25", "vat25", "vat25", "vat0", "vat25", "vat25", "abroad", "abroad", ""]
    assert good.all()


def test_unknown_choices_keep_their_text() -> None:
    values, good = read_choices(column("vat12", "%", "2 5", "vat0"), VAT)
    assert list(values) == ["vat12", "%", "vat25", "vat0"]
    assert list(good) == [False, False, True, True]


def test_a_choice_may_be_a_sign() -> None:
    values, good = read_choices(column("+", "-", "*"), {"plus": ("+",), "minus": ("-",)})
    assert list(values) == ["plus", "minus", "*"]
    assert list(good) == [True, True, False]


def test_choices_that_can_be_confused_are_an_error_of_the_description() -> None:
    with pytest.raises(ValueError, match="means both"):
        read_choices(column("a"), {"first": ("A 1",), "second": ("a1",)})


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        *(
            ("DKK", "DKK"),
            ("dkk", "DKK"),
            ("Eur", "EUR"),
            ("SEK", "SEK"),
            ("kr", "DKK"),
            ("kr.", "DKK"),
            ("Kr.", "DKK"),
        ),
        *(
            ("kroner", "DKK"),
            ("Danske kroner", "DKK"),
            ("d.kr.", "DKK"),
            ("€", "EUR"),
            ("$", "USD"),
            ("£", "GBP"),
            ("", ""),
        ),
    ],
)
def test_currencies(cell: str, code: str) -> None:
    values, good = read_currencies(column(cell))
    assert (list(values), list(good)) == ([code], [True])


@pytest.mark.parametrize("cell", ["DK", "DKKK", "XXX", "XTS", "ABC", "5", "¥€"])
def test_what_is_no_currency_keeps_its_text(cell: str) -> None:
    values, good = read_currencies(column(cell))
    assert (list(values), list(good)) == ([cell], [False])


def test_every_currency_in_use_is_known() -> None:
    codes = [currency.alpha_3 for currency in pycountry.currencies if currency.alpha_3 not in ("XXX", "XTS")]
    values, good = read_currencies(column(*(code.lower() for code in codes)))
    assert list(values) == codes
    assert good.all()


@given(st.lists(st.text(max_size=6)))
def test_anything_at_all_is_a_known_value_or_kept(cells: list[str]) -> None:
    for (values, good), known in (
        (read_booleans(column(*cells)), {"true", "false"}),
        (read_choices(column(*cells), VAT), set(VAT)),
        (read_currencies(column(*cells)), {currency.alpha_3 for currency in pycountry.currencies}),
    ):
        for cell, value, fine in zip(cells, values, good, strict=True):
            assert value in known if fine and cell else value == cell


def test_rows_keep_their_labels() -> None:
    values, good = read_booleans(pd.Series(["ja", "?"], index=[7, 9], dtype="str"))
    assert list(values.index) == list(good.index) == [7, 9]


def test_a_number_among_the_choices_is_that_number_and_no_other() -> None:
    rates = {"vat25": ("25", "25 %", "U25"), "vat0": ("0",)}
    column = pd.Series(["25%", "25,0", "25.00 %", "2,5 %", "2.5", "-25", "\u221225", "0,0", "u-25"], dtype="str")
    values, fine = read_choices(column, rates)
    assert list(values) == ["vat25", "vat25", "vat25", "2,5 %", "2.5", "-25", "\u221225", "vat0", "vat25"]
    assert list(fine) == [True, True, True, False, False, False, False, True, True]
