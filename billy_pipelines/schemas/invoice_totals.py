"""What the lines of an invoice come to, counted as Billy counts, and whether the file's own totals agree (B10, B16).

A column of totals (Beløb, Moms, I alt) is never a price. It holds for the line it stands on, or for the whole invoice,
repeated on each line or written on one only; which of the two, the whole column decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

import numpy as np
import numpy.typing as npt
import pandas as pd

from billy_pipelines.schemas.grouping import groups_of, line_of
from billy_pipelines.schemas.invoice_grouping import GROUPING
from billy_pipelines.schemas.row_schema import Context, Report

CENT = Decimal("0.01")
CONTROLS = {"amountControl": "netTotal", "taxControl": "taxTotal", "totalControl": "grossTotal"}
"""Column of the file -> field of the invoice, when what the column holds is the whole invoice's."""
CREDIT_NOTE = "creditNote"

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?")
"""A cell that was read as a number, in plain form; one that was refused has kept its text."""


def round2(amount: Decimal) -> Decimal:
    """Half up, away from zero, to two decimals, as Billy's own library does (observed: billy-api.md section 7)."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def line_amount(
    quantity: Decimal,
    unit_price: Decimal,
    percent: Decimal = Decimal(0),
    cash: Decimal = Decimal(0),
    *,
    as_written: bool = False,
) -> Decimal:
    """A line's amount less its discount: `percent` 25 means 25 %, `cash` is for the whole line.

    With VAT in it if there is VAT in the price. `as_written`: by the text of the rule in Billy's library, which rounds
    what is left, and not by its code, which rounds the discount (observed: they can differ by 0.01).
    """
    base = round2(quantity * unit_price)
    if as_written and percent:
        return round2(base * (1 - percent / 100))
    return base - (round2(base * percent / 100) if percent else round2(cash))


@dataclass(frozen=True)
class _Invoice:
    """One invoice, counted."""

    positions: list[int]
    lines: list[Decimal | None]
    """Per line; None where it cannot be known here (the price is Billy's, or a cell is wrong)."""
    tax_mode: str
    is_credit_note: bool

    @property
    def total(self) -> Decimal | None:
        """The sum of the lines, if all are known."""
        known = [amount for amount in self.lines if amount is not None]
        return sum(known, Decimal(0)) if len(known) == len(self.lines) else None

    def stated(self, column: list[str]) -> list[Decimal | None]:
        """What a column of totals says, line by line; without its sign on a credit note, which some files give one."""
        values = [_decimal(column[position]) for position in self.positions]
        return [abs(value) if value is not None and self.is_credit_note else value for value in values]


def check_totals(cleaned: pd.DataFrame, context: Context, report: Report) -> None:
    """Rule: an invoice does not come to less than 0, and to what the file's own totals say.

    Totals of whole invoices go on as netTotal, taxTotal and grossTotal, for Billy's own totals to be compared with.
    """
    controls = {name: cleaned[name].tolist() for name in CONTROLS if name in cleaned and (cleaned[name] != "").any()}
    invoices = _counted(cleaned, everything=bool(controls))
    for invoice in invoices:
        _report_negative(invoice, cleaned, context, report)
    whole = [name for name, column in controls.items() if _holds_for_invoices(name, column, invoices)]
    for name, column in controls.items():
        if name not in whole:
            _compare_lines(name, column, invoices, context, report)
    if whole:
        _compare_invoices({name: controls[name] for name in whole}, invoices, cleaned, context, report)


def _counted(cleaned: pd.DataFrame, everything: bool) -> list[_Invoice]:
    """The invoices, or only those that could be negative: a file without totals needs no more."""
    numbers = groups_of(GROUPING, cleaned).numbers
    asked = numbers >= 0
    if not everything:
        asked = asked & np.isin(numbers, numbers[_could_be_negative(cleaned)])
    rows = np.flatnonzero(asked)
    rows = rows[np.argsort(numbers[rows], kind="stable")]
    if not len(rows):
        return []
    names = ("quantity", "unitPrice", "discountPercent", "discountAmount", "taxMode", "type")
    cells = {name: cleaned[name].take(rows).tolist() if name in cleaned else [""] * len(rows) for name in names}
    amounts = list(map(amount_of, *(cells[name] for name in names[:4])))
    starts = np.flatnonzero(np.diff(numbers[rows], prepend=-1))
    ends = [*starts[1:], len(rows)]
    return [
        _Invoice(
            rows[start:end].tolist(), amounts[start:end], cells["taxMode"][start], cells["type"][start] == CREDIT_NOTE
        )
        for start, end in zip(starts, ends, strict=True)
    ]


def _could_be_negative(cleaned: pd.DataFrame) -> npt.NDArray[np.bool_]:
    flags = np.zeros(len(cleaned), dtype=bool)
    for name in ("quantity", "unitPrice"):
        if name in cleaned:
            flags |= cleaned[name].str.startswith("-").to_numpy(dtype=bool)
    if "discountAmount" in cleaned:
        flags |= ~cleaned["discountAmount"].isin(["", "0"]).to_numpy(dtype=bool)
    return flags


def amount_of(quantity: str, price: str, percent: str, cash: str) -> Decimal | None:
    """A line's amount from its cells, 1 where no quantity stands; None where it cannot be known from them."""
    numbers = [_decimal(text) for text in (quantity or "1", price, percent or "0", cash or "0")]
    try:
        return None if None in numbers else line_amount(*(number for number in numbers if number is not None))
    except InvalidOperation:  # more digits than can be counted with, 28
        return None


def _decimal(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _report_negative(invoice: _Invoice, cleaned: pd.DataFrame, context: Context, report: Report) -> None:
    total = invoice.total
    if total is None or total >= 0:
        return
    at = next(at for at, amount in enumerate(invoice.lines) if amount is not None and amount < 0)
    position = invoice.positions[at]
    negative_quantity = "quantity" in cleaned and str(cleaned.at[position, "quantity"]).startswith("-")
    report(position, "negative_total", "quantity" if negative_quantity else "unitPrice", total=_money(total, context))


def _is_comparable(name: str, invoice: _Invoice) -> bool:
    """Whether a column of totals is of the same kind as the lines' own amounts, so that no VAT rate is needed."""
    return {"amountControl": "excl", "totalControl": "incl"}.get(name) == invoice.tax_mode


def _close(left: Decimal | None, right: Decimal | None) -> bool:
    return left is not None and right is not None and abs(left - right) <= CENT


def _holds_for_invoices(name: str, column: list[str], invoices: list[_Invoice]) -> bool:
    """Whether a column's totals are those of whole invoices rather than of lines.

    Invoices of several lines decide: first those whose lines fit one reading only, else whether they repeat one value.
    """
    fits = shape = 0
    for invoice in invoices:
        stated = invoice.stated(column)
        given = [value for value in stated if value is not None]
        if len(stated) < 2 or not given:
            continue
        same = len(set(given)) == 1
        shape += 1 if same else -1
        if _is_comparable(name, invoice):
            as_lines = all(
                value is None or _close(value, line) for value, line in zip(stated, invoice.lines, strict=True)
            )
            fits += (same and _close(given[0], invoice.total)) - as_lines
    return fits > 0 or (fits == 0 and shape >= 0)


def _compare_lines(name: str, column: list[str], invoices: list[_Invoice], context: Context, report: Report) -> None:
    for invoice in invoices:
        if not _is_comparable(name, invoice):
            continue
        for position, value, line in zip(invoice.positions, invoice.stated(column), invoice.lines, strict=True):
            if value is not None and line is not None and not _close(value, line):
                _report_difference(position, name, value, line, context, report)


def _compare_invoices(
    columns: Mapping[str, list[str]], invoices: list[_Invoice], cleaned: pd.DataFrame, context: Context, report: Report
) -> None:
    """Compare what can be compared, and move the totals from the lines to the invoice."""
    fields = {name: np.full(len(cleaned), "", dtype=object) for name in columns}
    for invoice in invoices:
        totals: dict[str, Decimal] = {}
        places: dict[str, int] = {}
        for name, column in columns.items():
            for position, value in zip(invoice.positions, invoice.stated(column), strict=True):
                if value is None:
                    continue
                if totals.setdefault(name, value) != value:
                    line = line_of(context, places[name])
                    report(position, "differs_within_invoice", name, line=line)
                places.setdefault(name, position)
            if name in totals:
                fields[name][invoice.positions] = str(totals[name])
        _compare_invoice(invoice, totals, places, context, report)
    for name, values in fields.items():
        cleaned[CONTROLS[name]] = pd.Series(values, index=cleaned.index, dtype="str")
        cleaned[name] = ""


def _compare_invoice(
    invoice: _Invoice, totals: Mapping[str, Decimal], places: Mapping[str, int], context: Context, report: Report
) -> None:
    net, tax, gross = (totals.get(name) for name in CONTROLS)
    if invoice.tax_mode == "excl":
        stated = net if net is not None or gross is None or tax is None else gross - tax
        name = "amountControl" if net is not None else "totalControl"
    elif invoice.tax_mode == "incl":
        stated = gross if gross is not None or net is None or tax is None else net + tax
        name = "totalControl" if gross is not None else "amountControl"
    else:
        return
    if stated is not None and invoice.total is not None and not _close(stated, invoice.total):
        _report_difference(places[name], name, stated, invoice.total, context, report)


def _report_difference(
    position: int, name: str, stated: Decimal, computed: Decimal, context: Context, report: Report
) -> None:
    report(position, "total_differs", name, stated=_money(stated, context), computed=_money(computed, context))


def _money(amount: Decimal, context: Context) -> str:
    text = f"{amount:.2f}"
    return text.replace(".", ",") if context.language == "da" else text
