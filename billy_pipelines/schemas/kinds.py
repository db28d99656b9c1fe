"""What each kind of column does with its cells: how they are cleaned, what is an error, what is worth a warning.

A cell that cannot be cleaned keeps its text, so that the error can show it. Everything works on whole columns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pandas as pd

from billy_pipelines.schemas import dates, emails, numbers, words
from billy_pipelines.schemas.cleaning import EMAIL_PATTERN, clean_vat_column, country_code, full_width_as_plain, is_ean
from billy_pipelines.schemas.row_schema import Column, Context, Kind

Read = TypeVar("Read", numbers.Numbers, dates.Dates)


@dataclass(frozen=True)
class Judged:
    """A column after its kind has seen it."""

    values: pd.Series[str]
    fine: Mapping[str, pd.Series[bool]] = field(default_factory=dict)
    """Error code -> True where the cell does not have that error; blanks count as fine."""
    warned: Mapping[str, pd.Series[bool]] = field(default_factory=dict)
    """Warning code -> True where it is to be said."""
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Error code -> what its sentence needs beside column and value."""
    beside: Mapping[str, pd.Series[str]] = field(default_factory=dict)
    """Further fields the cells fill (the second and third address of an e-mail cell)."""
    units: pd.Series[str] | None = None
    """The unit in each cell of a number column; None where no cell has one."""


OTHER_EMAILS = "otherEmails"
"""Field: the further addresses of e-mail cells, joined with a semicolon."""
SEVERAL_EMAILS = ("email", "invoiceEmail")
"""Columns whose further addresses become contact persons. In others a second address would be lost in silence."""
COUNTS = ("quantity",)
"""Numbers that are no amounts of money: `10 kr` is no quantity."""


def by_value(test: Callable[[str], Any], column: pd.Series[str]) -> pd.Series[Any]:
    """Judge each distinct value once: registers repeat countries and towns by the thousand."""
    return column.map({value: test(value) for value in column.unique()})


def _text(column: pd.Series[str], _: Column, __: Context) -> Judged:
    return Judged(column)


def _email(column: pd.Series[str], described: Column, _: Context) -> Judged:
    first, others = emails.split_emails(column)
    fine = (first == "") | first.str.fullmatch(EMAIL_PATTERN)
    if not (others != "").any():
        return Judged(first, {"email_form": fine})
    if described.name in SEVERAL_EMAILS:
        return Judged(first, {"email_form": fine}, beside={OTHER_EMAILS: others})
    return Judged(first.where(others == "", column), {"email_form": fine & (others == "")})


def _country(column: pd.Series[str], _: Column, __: Context) -> Judged:
    codes = by_value(lambda value: country_code(value) or "", column).astype("str")
    known = (column == "") | (codes != "")
    return Judged(codes.where(known, column), {"country_unknown": known})


def _vat(column: pd.Series[str], _: Column, __: Context) -> Judged:
    return Judged(clean_vat_column(column))  # its form depends on the row's country: rules in customers.py


def _postcode(column: pd.Series[str], _: Column, __: Context) -> Judged:
    return Judged(full_width_as_plain(column))


def _ean(column: pd.Series[str], _: Column, __: Context) -> Judged:
    digits = full_width_as_plain(column).str.replace(r"[\s\-.]", "", regex=True)
    fine = (digits == "") | by_value(is_ean, digits).astype(bool)
    return Judged(digits.where(fine, column), {"ean_form": fine})


def _settled(read: Read, fallback: str, again: Callable[[str], Read]) -> Read:
    """What a column leaves open, read as its program usually writes: only where no cell of the column contradicts."""
    if not fallback or not read.ambiguous.any():
        return read
    usual = again(fallback)
    return usual if bool(usual.good[read.good | read.ambiguous].all()) else read


def _number(column: pd.Series[str], described: Column, context: Context) -> Judged:
    typed = context.typed.get(described.name)
    read = _settled(
        numbers.read_numbers(column, typed, context.decimal),
        context.decimal_fallback,
        lambda decimal: numbers.read_numbers(column, typed, decimal),
    )
    # The column is refused as a whole: a cell that reads the same both ways would be booked while its neighbour is not.
    refused = (column != "") & bool(read.ambiguous.any())
    sure = read.good & ~refused & (read.values != "")
    fine = {"ambiguous_number": ~refused, "number_form": read.good | refused}
    if described.kind is Kind.PRICE:
        fine["not_positive"] = ~sure | numbers.is_positive(read.values.where(sure, "1"))
    if described.kind is Kind.INTEGER:
        fine["not_whole"] = ~sure | numbers.is_whole(read.values.where(sure, "1"))
    units = None if read.units is None else read.units.mask(refused, "")
    if units is not None:
        percent = units == numbers.PERCENT
        if described.kind is Kind.PERCENT:
            fine["unit_unexpected"] = (units == "") | percent
        elif described.kind is Kind.INTEGER or described.name in COUNTS:
            fine["unit_unexpected"] = units == ""
        else:
            fine["unit_unexpected"] = ~percent
    example, comma, point = read.readings or ("", "", "")
    return Judged(
        read.values.where(~refused, column),
        fine,
        details={"ambiguous_number": {"value": example, "comma": comma, "point": point}},
        units=None if units is None else units.where(fine["unit_unexpected"], ""),
    )


def _date(column: pd.Series[str], described: Column, context: Context) -> Judged:
    typed = context.typed.get(described.name)
    read = _settled(
        dates.read_dates(column, typed, context.date_order),
        context.date_order_fallback,
        lambda order: dates.read_dates(column, typed, order),
    )
    refused = (column != "") & bool(read.ambiguous.any())
    example, day_first, month_first = read.readings or ("", "", "")
    return Judged(
        read.values.where(~refused, column),
        {"ambiguous_date": ~refused, "date_form": read.good | refused},
        details={"ambiguous_date": {"value": example, "day_first": day_first, "month_first": month_first}},
    )


def _boolean(column: pd.Series[str], _: Column, __: Context) -> Judged:
    values, fine = words.read_booleans(column)
    return Judged(values, {"boolean_form": fine})


def _choice(column: pd.Series[str], described: Column, _: Context) -> Judged:
    values, fine = words.read_choices(column, described.choices)
    return Judged(
        values, {"choice_unknown": fine}, details={"choice_unknown": {"choices": ", ".join(described.choices)}}
    )


def _currency(column: pd.Series[str], _: Column, __: Context) -> Judged:
    values, fine = words.read_currencies(column)
    return Judged(values, {"currency_unknown": fine})


def _is_list(text: str) -> bool:
    try:
        value = json.loads(text) if text else []
    except (ValueError, RecursionError):
        return False
    return isinstance(value, list) and all(isinstance(element, dict) for element in value)


def _list(column: pd.Series[str], described: Column, _: Context) -> Judged:
    example = described.examples[0] or "[{…}]"
    return Judged(
        column, {"list_form": by_value(_is_list, column).astype(bool)}, details={"list_form": {"example": example}}
    )


KINDS: dict[Kind, Callable[[pd.Series[str], Column, Context], Judged]] = {
    Kind.TEXT: _text,
    Kind.EMAIL: _email,
    Kind.PHONE: _text,
    Kind.POSTCODE: _postcode,
    Kind.COUNTRY: _country,
    Kind.VAT: _vat,
    Kind.EAN: _ean,
    Kind.NUMBER: _number,
    Kind.PRICE: _number,
    Kind.INTEGER: _number,
    Kind.PERCENT: _number,
    Kind.DATE: _date,
    Kind.BOOLEAN: _boolean,
    Kind.CHOICE: _choice,
    Kind.CURRENCY: _currency,
    Kind.LIST: _list,
}
