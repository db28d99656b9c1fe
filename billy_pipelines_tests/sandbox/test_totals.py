"""The arithmetic of invoices: billy-api.md section 7, observed in Billy's own library."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billy_pipelines.sandbox.totals import exact, line_amount, rounded, totals, wire

CENTS = st.integers(-(10**9), 10**9).map(lambda cents: cents / 100)
QUANTITIES = st.one_of(st.integers(-1000, 1000), st.integers(-(10**6), 10**6).map(lambda n: n / 1000))


@pytest.mark.parametrize(
    ("lines", "net"),
    [
        ([(3.42, 12.345, None, None)], "42.22"),
        ([(7.5, 19.99, "cash", 7.15)], "142.78"),
        ([(17.67, 8.99, None, None)] * 2, "317.70"),
    ],
)
def test_the_check_values(lines: list[tuple[float, float, str | None, float | None]], net: str) -> None:
    """Observed."""
    assert totals([(line_amount(*line), 0.25) for line in lines], "excl").net == Decimal(net)


def test_a_percentage_is_rounded_by_itself_as_the_librarys_code_does() -> None:
    """Observed: 0.50 less 1 % is 0.49 by the code, 0.50 by the written rule."""
    assert line_amount(1, 0.5, "percent", 1) == Decimal("0.49")
    assert line_amount(4, 125.5, "percent", 25) == Decimal("376.50")


def test_tax_is_rounded_once_for_all_lines() -> None:
    """Observed: tax per line is not rounded."""
    lines = [(Decimal("0.10"), 0.25)] * 3  # 0.025 each
    assert totals(lines, "excl") == totals([(Decimal("0.30"), 0.25)], "excl")
    assert totals(lines, "excl").tax == Decimal("0.08")


@pytest.mark.parametrize(
    ("mode", "net", "tax", "gross"), [("excl", "100", "25.00", "125.00"), ("incl", "80.00", "20.00", "100")]
)
def test_prices_hold_the_tax_or_not(mode: str, net: str, tax: str, gross: str) -> None:
    """Observed."""
    found = totals([(Decimal(100), 0.25)], mode)
    assert (found.net, found.tax, found.gross) == (Decimal(net), Decimal(tax), Decimal(gross))


@pytest.mark.parametrize(
    ("value", "cents"), [("0.005", "0.01"), ("-0.005", "-0.01"), ("2.675", "2.68"), ("1.004", "1.00")]
)
def test_halves_go_up(value: str, cents: str) -> None:
    """Observed: half-up; away from zero below it."""
    assert rounded(Decimal(value)) == Decimal(cents)


def by_hand(value: Fraction) -> Fraction:
    """Round a fraction to cents, halves away from zero."""
    cents = abs(value) * 100
    whole = cents.numerator // cents.denominator
    if cents - whole >= Fraction(1, 2):
        whole += 1
    return Fraction(whole if value >= 0 else -whole, 100)


@given(st.lists(st.tuples(QUANTITIES, CENTS, st.sampled_from([0, 0.25, 0.055])), min_size=1, max_size=6), st.booleans())
def test_totals_are_those_of_exact_fractions(lines: list[tuple[float, float, float]], incl: bool) -> None:
    amounts = [(line_amount(quantity, price, None, None), rate) for quantity, price, rate in lines]
    found = totals(amounts, "incl" if incl else "excl")
    expected = [by_hand(Fraction(str(quantity)) * Fraction(str(price))) for quantity, price, _ in lines]
    assert [Fraction(amount) for amount, _ in amounts] == expected
    shares = [Fraction(str(rate)) for *_, rate in lines]
    taxes = [a * r / (1 + r) if incl else a * r for a, r in zip(expected, shares, strict=True)]
    assert Fraction(found.tax) == by_hand(sum(taxes, Fraction(0)))
    assert Fraction(found.gross if incl else found.net) == sum(expected)
    assert found.net + found.tax == found.gross


@given(QUANTITIES, CENTS, st.sampled_from(["cash", "percent"]), st.integers(0, 10_000).map(lambda n: n / 100))
def test_discounts_are_those_of_exact_fractions(quantity: float, price: float, mode: str, discount: float) -> None:
    base = by_hand(Fraction(str(quantity)) * Fraction(str(price)))
    share = Fraction(str(discount))
    off = by_hand(base * share / 100 if mode == "percent" else share)
    assert Fraction(line_amount(quantity, price, mode, discount)) == base - off


def test_numbers_travel_whole_or_with_their_cents() -> None:
    """Observed: whole values bare."""
    assert [repr(wire(exact(number))) for number in (502, 125.5, 10.0, -3.10, 0)] == ["502", "125.5", "10", "-3.1", "0"]
