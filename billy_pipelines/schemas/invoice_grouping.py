"""How the rows of an invoice file belong together: what ties them, and which fields are the invoice's."""

from __future__ import annotations

import pandas as pd

from billy_pipelines.schemas.cleaning import comparable_column
from billy_pipelines.schemas.grouping import groups_of
from billy_pipelines.schemas.row_schema import Grouping, UniqueKey

CONTACT = ("contactNo", "contactId", "ean", "vatNo", "contactName")
"""What says whose invoice it is; whether a name alone is enough is decided when contacts are looked up (rule B5)."""

GROUPING = Grouping(
    keys=("invoice", "invoiceNo", "orderNo", "externalId", "id"),
    header=(
        "invoice",
        "invoiceNo",
        "type",
        "creditedInvoiceNo",
        *CONTACT,
        "contactEmail",
        "contactType",
        "attention",
        "entryDate",
        "currency",
        "exchangeRate",
        "taxMode",
        "paymentTerms",
        "dueDate",
        "orderNo",
        "contactMessage",
        "externalId",
        "id",
        "approve",
        "netTotal",
        "taxTotal",
        "grossTotal",
    ),
    children="lines",
)
"""The last three are no columns of a file: `invoice_totals.check_totals` puts an invoice's control totals there."""


def first_lines(cleaned: pd.DataFrame) -> pd.DataFrame:
    """The rows that speak for their invoices."""
    return cleaned[groups_of(GROUPING, cleaned).is_head]


def once_per_invoice(field: str) -> UniqueKey:
    """A field that no two invoices of a file share (rule B11)."""

    def keys(cleaned: pd.DataFrame) -> pd.Series[str]:
        return comparable_column(cleaned[field]).where(groups_of(GROUPING, cleaned).is_head, "")

    return UniqueKey((field,), keys)
