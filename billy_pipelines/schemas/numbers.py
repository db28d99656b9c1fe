"""Numbers as people write them: `1.250,00`, `kr. 1 250,-`, `1,250.00`, `12 pct.`, `(5)`, as text in one plain form.

Whether comma or point stands before the decimals is decided by the whole column, never by one cell and never by habit:
`1.355,90` read as 1.35 is the mistake this module exists for. No float anywhere, so long numbers keep all digits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from billy_pipelines.schemas.whole_column import (
    Mask,
    arrow,
    bool_series,
    changed,
    decide,
    mask_of,
    matches,
    text_series,
)


@dataclass(frozen=True)
class Numbers:
    """A column of numbers."""

    values: pd.Series[str]
    """`-1250.5`: a point, no grouping, no needless zeros or plus; '' for blank. Cells not read keep their text."""
    good: pd.Series[bool]
    """Where `values` is a number or blank."""
    ambiguous: pd.Series[bool]
    """Cells that cannot be read because the column does not say how."""
    readings: tuple[str, str, str] | None
    """One of them, with what it is with a decimal comma and what with a decimal point."""
    units: pd.Series[str] | None
    """The unit a good cell had: '', `percent`, a currency's ISO code, or `kr` and `$`, which several currencies have
    (`money_units.py`). None where no cell has one."""


PERCENT = "percent"
"""The unit of a cell with a per cent sign."""

# A group never begins with 0, so `0.125` is no 125; grouping is the same sign all through.
_GROUPED = r"[1-9][0-9]{{0,2}}(?:(?:\{group}[0-9]{{3}})+|(?: [0-9]{{3}})+|(?:'[0-9]{{3}})+)"
_NUMBER = rf"^[+-]?(?:(?:[0-9]+|{_GROUPED})(?:\{{decimal}}[0-9]*)?|\{{decimal}}[0-9]+)$"
_COMMA = _NUMBER.format(group=".", decimal=",")
_POINT = _NUMBER.format(group=",", decimal=".")
_UNDECORATED = r"^-?[0-9.,]*$"
_TYPED = r"^-?[0-9]+(?:\.[0-9]*)?$"
_SCIENTIFIC = r"^[+-]?[0-9]+(?:[.,][0-9]+)?[eE][+-]?[0-9]{1,2}$"

_BLANKS = "[\t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]"
_MINUSES = "[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]"
_APOSTROPHES = "[\u2018\u2019\u02bc\u2032´`]"
_CURRENCY = r"(?:kr\.?|kroner|dkk|euro?|usd|gbp|sek|nok|chf|[€$£])"
_UNIT = rf"(?:{_CURRENCY}|%|pct\.?|procent)"
# `395,-` keeps its comma, which tells how the column is written. `395,--` may be a minus, so it is not read.
_BODY = r"([0-9.,][0-9.,' ]*?)(?: ?(?:(,)|\.) ?-|(-))?"
_BRACKETS = rf"(?i)^((?:{_CURRENCY} *)?)\( *([^()+]*?) *\)((?: *{_UNIT})?)$"
_SIGNS_AND_BODY = rf"(?i)^([+-]?) *(?:{_CURRENCY})? *([+-]?) *{_BODY}$"
_DECORATED = rf"{_SIGNS_AND_BODY}|(?i)^[+-]? *{_BODY} *{_UNIT}$"  # a unit in front or behind, not both
_BARE = r"^[+-]?[0-9.,][0-9.,' ]*$"
_UNITS = {
    **dict.fromkeys(("%", "pct", "procent"), PERCENT),
    **dict.fromkeys(("kr", "kroner"), "kr"),
    **dict.fromkeys(("€", "eur", "euro"), "EUR"),
    **{code.casefold(): code for code in ("DKK", "USD", "GBP", "SEK", "NOK", "CHF")},
    "$": "$",
    "£": "GBP",
}
_AROUND_UNITS = "0123456789.,+-()' "
_UNIT_SIGNS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ€$£% "


def read_numbers(column: pd.Series[str], typed: pd.Series[bool] | None, decimal: str) -> Numbers:
    """Read a column of numbers.

    Args:
        column: trimmed text.
        typed: cells that came as numbers of their own (Excel, JSON): they have a decimal point and decide nothing.
        decimal: `comma`, `point`, or `auto` for what the column shows.
    """
    cells = arrow(column)
    own = np.zeros(len(column), dtype=np.bool_) if typed is None else typed.to_numpy(dtype=np.bool_)
    blank = mask_of(pc.equal(cells, ""))
    decorated = ~matches(cells, _UNDECORATED) & ~own
    bare = changed(cells, decorated, _without_decoration)
    bare = changed(bare, own, lambda some: _written_out(some, exact=True))
    own_good = own & matches(bare, _TYPED) if own.any() else own

    comma, point = (matches(bare, _COMMA) & ~own, matches(bare, _POINT) & ~own)
    if decimal == "auto":
        differ = comma & point & matches(bare, "[.,]")
        is_comma, doubt = decide(comma & ~point, point & ~comma, differ)
    else:
        is_comma, doubt = decimal == "comma", np.zeros_like(blank)
    good = ((comma if is_comma else point) & ~doubt) | own_good

    plain = changed(bare, good & ~own, lambda some: _canonical(some, comma=is_comma))
    plain = changed(plain, own_good, lambda some: _canonical(some, comma=False))
    return Numbers(
        values=text_series(plain if good.all() else pc.if_else(pa.array(good), plain, cells), column),
        good=bool_series(good | blank, column),
        ambiguous=bool_series(doubt, column),
        readings=_example(cells, bare, doubt, comma & point),
        units=_units(cells, decorated & good, column),
    )


def is_positive(values: pd.Series[str]) -> pd.Series[bool]:
    """Where a number in plain form is above 0; False for blanks."""
    return ~values.isin(["", "0"]) & ~values.str.startswith("-")


def is_whole(values: pd.Series[str]) -> pd.Series[bool]:
    """Where a number in plain form has no decimals; False for blanks."""
    return (values != "") & ~values.str.contains(".", regex=False)


def decimal_of(text: str) -> Decimal:
    """A number in plain form, for calculating.

    Raises:
        decimal.InvalidOperation: the text is no number, or blank.
    """
    return Decimal(text)


def _without_decoration(cells: Any) -> Any:
    """Sign, digits and separators of cells that have more than that; cells that are no number stay as they are."""
    cells = changed(cells, ~mask_of(pc.string_is_ascii(cells)), _usual_signs)
    cells = changed(cells, mask_of(pc.match_substring(cells, "(")), _brackets_as_minus)
    cells = changed(cells, matches(cells, _DECORATED), _bare)
    return _written_out(cells, exact=False)


def _units(cells: Any, where: Mask, like: pd.Series[str]) -> pd.Series[str] | None:
    """What is left of each cell without digits and signs: trimming takes 0.1 s for 1,000,000 cells."""
    if not where.any():
        return None
    mask = pa.array(where)
    usual = changed(some := cells.filter(mask), ~mask_of(pc.string_is_ascii(some)), _usual_signs)
    words = pc.utf8_trim(usual, _AROUND_UNITS).dictionary_encode()
    units = [_UNITS.get(word.casefold(), "") for word in words.dictionary.to_pylist()]
    if not any(units):
        return None
    found = pa.array(units, type=pa.large_string()).take(words.indices)
    return text_series(pc.replace_with_mask(pa.repeat(pa.scalar("", pa.large_string()), len(cells)), mask, found), like)


def _usual_signs(cells: Any) -> Any:
    for pattern, plain in ((_BLANKS, " "), (_MINUSES, "-"), (_APOSTROPHES, "'")):
        cells = pc.replace_substring_regex(cells, pattern, plain)
    return cells


def _brackets_as_minus(cells: Any) -> Any:
    return pc.replace_substring_regex(cells, _BRACKETS, r"-\1\2\3")


def _bare(cells: Any) -> Any:
    """Decorated numbers without the unit. Trimming takes 0.1 s for 1,000,000 cells, replacing by a pattern with groups
    1.4 s, so that is left to those that have signs around the unit as well."""
    cells = changed(cells, matches(cells, r"(?i)^kr\."), lambda some: pc.utf8_slice_codeunits(some, 3))
    cells = changed(cells, matches(cells, r"[A-Za-z]\.$"), lambda some: pc.utf8_slice_codeunits(some, 0, -1))
    cells = pc.utf8_trim(cells, _UNIT_SIGNS)
    # A sign in front and one behind become two in front, which fits no number.
    return changed(
        cells,
        ~matches(cells, _BARE),
        lambda some: pc.replace_substring_regex(some, _SIGNS_AND_BODY, r"\5\1\2\3\4"),
    )


def _written_out(cells: Any, *, exact: bool) -> Any:
    """Cells with an exponent without it; a program's own numbers are exact whatever they look like."""

    def change(some: Any) -> Any:
        return pa.array([_without_exponent(text, exact=exact) for text in some.to_pylist()], type=pa.large_string())

    return changed(cells, matches(cells, _SCIENTIFIC), change)


def _without_exponent(text: str, *, exact: bool) -> str:
    """`1,2345E+4` is 12345; `5,79E+12` stays: only three of its thirteen digits are there."""
    mantissa, _, exponent = text.upper().partition("E")
    sign = "," if "," in mantissa else "."
    whole, _, decimals = mantissa.partition(sign)
    if int(exponent) > len(decimals) and not exact:
        return text
    number = f"{Decimal(f'{whole}.{decimals}e{exponent}'):f}"
    # A zero in front, so that what is a decimal sign here cannot pass for one that groups.
    return re.sub(r"^([+-]?)", r"\g<1>0", number if "." in number else f"{number}.").replace(".", sign)


def _canonical(cells: Any, *, comma: bool) -> Any:
    """Plain form of numbers whose decimal sign is known."""
    for sign in ("+", " ", "'", "." if comma else ","):  # one at a time is five times faster than by a pattern
        cells = pc.replace_substring(cells, sign, "")
    if comma:
        cells = pc.replace_substring(cells, ",", ".")
    cells = changed(
        cells, mask_of(pc.match_substring(cells, ".")), lambda some: pc.ascii_rtrim(pc.ascii_rtrim(some, "0"), ".")
    )
    return changed(cells, matches(cells, r"^-?(?:0[0-9]|\.|$)|^-0"), _with_one_zero)


def _with_one_zero(cells: Any) -> Any:
    cells = pc.replace_substring_regex(cells, r"^(-?)0*([0-9]*)", r"\1\2")
    cells = pc.replace_substring_regex(cells, r"^(-?)\.", r"\10.")  # RE2 knows one-digit groups only: \1, then 0
    return pc.replace_substring_regex(cells, r"^-?$", "0")


def _example(cells: Any, bare: Any, doubt: Mask, both: Mask) -> tuple[str, str, str] | None:
    """A cell in doubt as each reading has it, one that really fits both if there is one."""
    if not doubt.any():
        return None
    place = int(np.argmax(doubt & both) if (doubt & both).any() else np.argmax(doubt))
    one = bare.slice(place, 1)
    return cells[place].as_py(), _canonical(one, comma=True)[0].as_py(), _canonical(one, comma=False)[0].as_py()
