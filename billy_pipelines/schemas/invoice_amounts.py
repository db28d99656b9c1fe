"""Billy's totals of a new draft against ours and the file's (rule B10), before anything is approved.

Counted in decimals by Billy's own rounding (billy-api.md section 7). VAT is Billy's to choose; its amount is checked
with the rates that stand on the answered lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billy_pipelines.billy.invoice_models import Invoice
from billy_pipelines.schemas.codes import Problem, sentence
from billy_pipelines.schemas.invoice_meaning import discount_of, lines_of, number
from billy_pipelines.schemas.invoice_totals import CENT, CREDIT_NOTE, line_amount, round2
from billy_pipelines.schemas.resource import Row

CODE = "total_differs"
CONTROLS = ("netTotal", "taxTotal", "grossTotal")
"""Fields with the file's own totals, in the order of `Totals`."""


@dataclass(frozen=True)
class Totals:
    """Of a whole invoice; None where it is not known."""

    net: Decimal | None = None
    tax: Decimal | None = None
    gross: Decimal | None = None


def line_amounts(row: Row, *, as_written: bool = False) -> list[Decimal]:
    """What each line of a resolved row comes to, with VAT in it if the prices have it; `as_written`: `line_amount`."""
    amounts = []
    for line in row["lines"]:
        mode, value = discount_of(line)
        discount = {"percent": {"percent": value}, "cash": {"cash": value}}.get(mode, {})
        quantity, price = Decimal(line.get("quantity") or "1"), Decimal(line["unitPrice"])
        amounts.append(line_amount(quantity, price, **discount, as_written=as_written))
    return amounts


def planned_totals(row: Row) -> tuple[Decimal | None, Decimal | None]:
    """What a row's invoice comes to without and with VAT, before Billy has chosen the VAT: by its lines, whichever
    their prices are, and by the file's own totals."""
    total = sum(line_amounts(row), Decimal(0))
    net, gross = number(row.get("netTotal")), number(row.get("grossTotal"))
    return (net, total) if row.get("taxMode") == "incl" else (total, gross)


def expected(row: Row, record: Invoice, rates: Mapping[str, Decimal], *, as_written: bool = False) -> Totals:
    """What the lines of the row come to. `rates`: VAT rates by id, 0.25 for 25 %; `as_written`: `line_amount`."""
    amounts = line_amounts(row, as_written=as_written)
    total = sum(amounts, Decimal(0))
    includes_vat = row.get("taxMode") == "incl"
    shares = _rates_of_lines(row, record, rates)
    if shares is None:
        return Totals(gross=total) if includes_vat else Totals(net=total)
    if includes_vat:
        tax = round2(sum((a * rate / (1 + rate) for a, rate in zip(amounts, shares, strict=True)), Decimal(0)))
        return Totals(total - tax, tax, total)
    tax = round2(sum((a * rate for a, rate in zip(amounts, shares, strict=True)), Decimal(0)))
    return Totals(total, tax, total + tax)


def _rates_of_lines(row: Row, record: Invoice, rates: Mapping[str, Decimal]) -> list[Decimal] | None:
    """The VAT rate of each line as Billy chose it, if all are known and the lines are those that were sent."""
    present, wanted = lines_of(record), row["lines"]
    if [line.productId for line in present] != [line.get("productId") for line in wanted]:
        return None
    found = [rates.get(line.taxRateId or "") for line in present]
    known = [rate for rate in found if rate is not None]
    return known if len(known) == len(found) else None


def totals_of(record: Invoice) -> Totals:
    """Billy's own totals. A credit note's have no sign here: which one Billy gives them is unknown."""
    net, tax, gross = (number(each) for each in (record.amount, record.tax, record.grossAmount))
    if gross is None and net is not None and tax is not None:
        gross = net + tax
    if record.type != CREDIT_NOTE:
        return Totals(net, tax, gross)
    return Totals(*(None if each is None else abs(each) for each in (net, tax, gross)))


def created_problem(row: Row, record: Invoice, references: Any) -> Problem | None:
    """What is wrong with the totals of a draft as Billy made it; None also where the answer has no totals to compare.

    `references` has `tax_rates` and `language` (`invoice_references.InvoiceReferences`).
    """
    made, rates = totals_of(record), references.tax_rates
    ours = _difference(expected(row, record, rates), made)
    # By which of the two rules the server rounds a discount is not known: a cent on each line is no mistake.
    if ours and not _difference(expected(row, record, rates, as_written=True), made):
        ours = None
    differs = ours or _difference(Totals(*(number(row.get(field)) for field in CONTROLS)), made)
    return _problem(record, *differs, references.language) if differs else None


def _difference(wanted: Totals, made: Totals) -> tuple[Decimal, Decimal] | None:
    """The first of the totals that differ by more than a cent."""
    for each in ("net", "tax", "gross"):
        left, right = getattr(wanted, each), getattr(made, each)
        if left is not None and right is not None and abs(left - right) > CENT:
            return left, right
    return None


def _problem(record: Invoice, stated: Decimal, computed: Decimal, language: str) -> Problem:
    texts = [f"{amount:.2f}".replace(".", "," if language == "da" else ".") for amount in (stated, computed)]
    text = sentence("draft_total_differs", language, ids=record.id, stated=texts[0], computed=texts[1])
    return Problem(CODE, value=texts[0], message=text)
