"""An invoice's totals as in Billy's own library (observed): decimal, half-up, 2 decimals (billy-api.md section 7)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

_EXACT = Context(prec=80, rounding=ROUND_HALF_UP)
_CENT = Decimal("0.01")

Number = int | float


@dataclass(frozen=True)
class Totals:
    """Of a whole invoice: `net` + `tax` = `gross`."""

    net: Decimal
    tax: Decimal
    gross: Decimal


def line_amount(quantity: Number, unit_price: Number, mode: str | None, discount: Number | None) -> Decimal:
    """What a line comes to after its discount, rounded; with `incl` it holds the tax.

    `mode` is `percent` (25 is 25 %), `cash` or None. For a percentage the library's code, `base - round(base * p)`, is
    followed, not its written rule (0.01 apart at times).
    """
    with localcontext(_EXACT):
        base = rounded(exact(quantity) * exact(unit_price))
        if not discount or mode is None:
            return base
        return base - rounded(base * exact(discount) / 100 if mode == "percent" else exact(discount))


def line_tax(amount: Decimal, rate: Number, tax_mode: str) -> Decimal:
    """A line's tax, not rounded. `rate` is 0.25 for 25 %."""
    with localcontext(_EXACT):
        share = exact(rate)
        return amount * share / (1 + share) if tax_mode == "incl" else amount * share


def totals(lines: Iterable[tuple[Decimal, Number]], tax_mode: str) -> Totals:
    """The totals over (amount, rate) of all lines."""
    with localcontext(_EXACT):
        total, taxes = Decimal(0), Decimal(0)
        for amount, rate in lines:
            total += amount
            taxes += line_tax(amount, rate, tax_mode)
        tax = rounded(taxes)
        return Totals(total - tax, tax, total) if tax_mode == "incl" else Totals(total, tax, total + tax)


def exact(number: Number) -> Decimal:
    """A number as it was written."""
    return Decimal(str(number))


def rounded(value: Decimal) -> Decimal:
    """To 2 decimals, half up."""
    return value.quantize(_CENT, ROUND_HALF_UP, _EXACT)


def wire(value: Decimal) -> Number:
    """As it travels: a JSON number, whole values bare (observed)."""
    return int(value) if value == value.to_integral_value() else float(value)
