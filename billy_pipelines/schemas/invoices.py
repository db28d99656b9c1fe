"""Invoices and credit notes: flat files with one row per line (rules B9-B16).

The invoice's own fields may stand on each of its rows or on one only.
"""

from __future__ import annotations

from dataclasses import replace

from billy_pipelines.billy.invoice_models import Invoice
from billy_pipelines.schemas import contact_columns, products
from billy_pipelines.schemas import invoice_meaning as meaning
from billy_pipelines.schemas import invoice_requests as requests
from billy_pipelines.schemas.invoice_amounts import created_problem
from billy_pipelines.schemas.invoice_export import INVOICES_EXPORT
from billy_pipelines.schemas.invoice_grouping import GROUPING, once_per_invoice
from billy_pipelines.schemas.invoice_header_columns import HEADER
from billy_pipelines.schemas.invoice_line_columns import LINE, TOTALS
from billy_pipelines.schemas.invoice_missing import MADE
from billy_pipelines.schemas.invoice_references import load_references
from billy_pipelines.schemas.invoice_resolving import resolve
from billy_pipelines.schemas.invoice_rules import (
    check_contact,
    check_credit_notes,
    check_discounts,
    check_lines,
    settle_terms,
    state_tax_mode,
)
from billy_pipelines.schemas.invoice_totals import check_totals
from billy_pipelines.schemas.invoice_undo import INVOICES_UNDO
from billy_pipelines.schemas.profiles import PROFILES
from billy_pipelines.schemas.resource import Resource
from billy_pipelines.schemas.row_schema import RowSchema

COLUMNS = tuple(replace(column, may_clear=False) for column in (*HEADER, *LINE, *TOTALS))
"""Nothing of an invoice is cleared: a blank header cell inherits, and lines are not accepted after creation."""

INVOICES_SCHEMA = RowSchema(
    name="invoices",
    singular="invoice",
    columns=COLUMNS,
    rules=(
        check_contact,
        check_lines,
        settle_terms,
        state_tax_mode,
        check_discounts,
        check_credit_notes,
        check_totals,
    ),
    unique=tuple(once_per_invoice(field) for field in ("id", "invoiceNo", "externalId")),
    profiles=PROFILES.get("invoices", ()),
    ignored=contact_columns.NEVER_USED | products.NEVER_USED,
    grouping=GROUPING,
)

INVOICES = Resource[Invoice](
    schema=INVOICES_SCHEMA,
    endpoint="invoices",
    endpoint_singular="invoice",
    family="invoices",
    operations=("import", "update", "delete"),
    match_keys=meaning.MATCH_KEYS,
    read_all=requests.read_all_invoices,
    read_one=requests.read_one_invoice,
    is_archived=lambda _record: False,
    contradictions=lambda _row, _record: [],
    differences=meaning.differences,
    is_complete=meaning.is_complete,
    update_obstacle=meaning.update_obstacle,
    create_body=meaning.create_body,
    as_record=meaning.row_as_invoice,
    created_record=requests.created_invoice,
    write_update=requests.write_invoice_update,
    label=meaning.label,
    load_references=load_references,
    resolve=resolve,
    archive=None,
    created_problem=created_problem,
    writable=meaning.WRITABLE,
    by_hand=(("orderNo",),),
    known_by=("invoiceNo", "externalId", "orderNo"),
    is_rounded=meaning.has_rounded_prices,
    delete_obstacle=meaning.delete_obstacle,
    export=INVOICES_EXPORT,
    undo=INVOICES_UNDO,
    makes=MADE,
)
