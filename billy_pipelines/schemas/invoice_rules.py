"""Rules across the columns of an invoice's lines (B12-B16); what the lines come to is `invoice_totals.py`.

Header fields are filled on every line by now, so what is wrong with one is said once, on the invoice's first line.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from billy_pipelines.schemas.contact_rules import check_vat, mend_se_numbers
from billy_pipelines.schemas.invoice_grouping import CONTACT, first_lines
from billy_pipelines.schemas.invoice_line_columns import UNCLEAR_DISCOUNTS
from billy_pipelines.schemas.invoice_totals import amount_of
from billy_pipelines.schemas.payment_terms import clean_terms, parse_terms
from billy_pipelines.schemas.price_basis import stated_tax_mode, tax_modes
from billy_pipelines.schemas.row_schema import Context, Report
from billy_pipelines.schemas.whole_column import by_word

PRODUCT = ("productNo", "productId", "productName")


def _blank(cells: pd.DataFrame, fields: tuple[str, ...]) -> pd.Series[bool]:
    """Rows that say nothing in any of the fields."""
    blank = pd.Series(True, index=cells.index)
    for name in fields:
        if name in cells:
            blank &= cells[name] == ""
    return blank


def _needs(cells: pd.DataFrame, fields: tuple[str, ...], report: Report) -> None:
    column = next((name for name in fields if name in cells), fields[0])
    for position in cells.index[_blank(cells, fields)]:
        report(int(position), "needs_one_of", column, columns=", ".join(fields))


def check_contact(cleaned: pd.DataFrame, context: Context, report: Report) -> None:
    """Rule: a new invoice names its contact; a CVR number has the form of one."""
    mend_se_numbers(cleaned)
    cells = first_lines(cleaned)
    check_vat(cells, context, report)
    if context.operation == "import":
        _needs(cells, CONTACT, report)


def check_lines(cleaned: pd.DataFrame, context: Context, report: Report) -> None:
    """Rule: a new line says what is sold, and its price or the product whose price in Billy it takes."""
    if context.operation == "import":
        _needs(cleaned, (*PRODUCT, "description"), report)
        _needs(cleaned, ("unitPrice", *PRODUCT), report)


def settle_terms(cleaned: pd.DataFrame, context: Context, report: Report) -> None:
    """Rule: payment terms in the one spelling (B15). A due date counts for more than terms that contradict it.

    Afterwards `paymentTerms` holds all there is to know, a due date too.
    """
    terms = _column(cleaned, "paymentTerms")
    heads = first_lines(cleaned).index
    terms, known = clean_terms(terms, dates=True)
    for position in heads[~known[heads]]:
        report(int(position), "unknown_terms", "paymentTerms")
    if "dueDate" in cleaned:
        entry, due = _column(cleaned, "entryDate"), cleaned["dueDate"]
        is_due = due.str.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
        settled, _ = by_word((terms + "\n" + entry + "\n" + due).where(is_due, ""), _settled)
        overruled = is_due & known & (terms != "") & (settled != terms)
        for position in heads[overruled[heads]]:
            computed = _due(str(terms.at[position]), str(entry.at[position]))
            report(int(position), "due_date_differs", "dueDate", warning=True, computed=computed, due=due.at[position])
        terms = terms.mask(is_due, settled)
    if (terms != "").any():
        cleaned["paymentTerms"] = terms


def _settled(text: str) -> str:
    """Terms, entry date and due date, a line each -> the terms that hold."""
    terms, entry, due = text.rsplit("\n", 2)
    if not terms:
        return f"date {due}"
    computed = _due(terms, entry)
    return f"date {due}" if computed not in ("", due) else terms


def _due(terms: str, entry: str) -> str:
    """The due date that terms give; '' when they, or the date they count from, are not known."""
    parsed = parse_terms(terms)
    try:
        return parsed.due(entry) if parsed else ""
    except (ValueError, OverflowError):
        return ""


def state_tax_mode(cleaned: pd.DataFrame, context: Context, report: Report) -> None:
    """Rule: every new invoice states its tax mode; excl unless column or option say otherwise (B14)."""
    if context.operation != "import":
        return
    stated, modes = stated_tax_mode(context), tax_modes(cleaned)
    if stated == "ask":
        heads = first_lines(cleaned).index
        for position in heads[modes[heads] == ""]:
            report(int(position), "price_basis_unknown", "unitPrice")
    else:
        cleaned["taxMode"] = modes.mask(modes == "", stated or "excl")


def check_discounts(cleaned: pd.DataFrame, context: Context, report: Report) -> None:
    """Rule: one discount per line, in percent or as an amount; an amount that repeats the percentage is dropped.

    Under a header that does not say which of them it is, a cell with a per cent sign says so itself.
    """
    percent, cash = _numbers(cleaned, "discountPercent"), _numbers(cleaned, "discountAmount")
    if _letters(context.names.get("discountPercent", "")) in map(_letters, UNCLEAR_DISCOUNTS):
        units = context.units.get("discountPercent")
        unclear = (percent.fillna(0) != 0) & (True if units is None else units == "")
        for position in percent.index[unclear]:
            report(int(position), "discount_unclear", "discountPercent")
        percent = percent.mask(unclear)
    for name, numbers, most in (("discountPercent", percent, 100), ("discountAmount", cash, float("inf"))):
        for position in numbers.index[(numbers < 0) | (numbers > most)]:
            report(int(position), "discount_form", name)
    both = np.flatnonzero(percent.between(0, 100, inclusive="right") & (cash > 0))
    names = ("quantity", "unitPrice", "discountPercent", "discountAmount")
    repeated = np.zeros(len(cleaned), dtype=bool)
    for position, *cells in zip(both, *(_column(cleaned, name).take(both) for name in names), strict=True):
        quantity, price, of_percent, of_cash = cells
        amount = amount_of(quantity, price, of_percent, "")
        repeated[position] = amount is not None and amount == amount_of(quantity, price, "", of_cash)
        if not repeated[position]:
            report(int(position), "two_discounts", "discountAmount", percent=of_percent, amount=of_cash)
    if repeated.any():
        cleaned["discountAmount"] = cleaned["discountAmount"].mask(repeated, "")


def check_credit_notes(cleaned: pd.DataFrame, context: Context, report: Report) -> None:
    """Rule: a credit note says which invoice it credits, and nothing else does (B16)."""
    cells = first_lines(cleaned)
    types, credited = _column(cells, "type"), _column(cells, "creditedInvoiceNo")
    if context.operation == "import":
        for position in cells.index[(types == "creditNote") & (credited == "")]:
            report(int(position), "required", "creditedInvoiceNo")
    for position in cells.index[types.isin(["", "invoice"]) & (credited != "")]:
        report(int(position), "not_a_credit_note", "creditedInvoiceNo")


def _column(cells: pd.DataFrame, name: str) -> pd.Series[str]:
    """A column, blank where the file has none."""
    return cells[name] if name in cells else pd.Series("", index=cells.index, dtype="str")


def _letters(header: str) -> str:
    """A header as `files/names.py` compares it; a per cent sign counts, since `Rabat %` says what it is."""
    return re.sub(r"[^a-zæøå%]", "", header.casefold())


def _numbers(cells: pd.DataFrame, name: str) -> pd.Series[float]:
    """A column as numbers for comparing with limits; NaN for blanks and what is no number."""
    return pd.to_numeric(_column(cells, name), errors="coerce")
