"""How invoices are exported: one row per line, the invoice's own fields on each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.invoice_models import Invoice, InvoiceLine
from billy_pipelines.billy.listing import RawRecord
from billy_pipelines.schemas.contact_export import terms_text
from billy_pipelines.schemas.contact_requests import INCLUDE_PERSONS
from billy_pipelines.schemas.export import Children, Export, FileRow, number_text, picked_list
from billy_pipelines.schemas.invoice_meaning import lines_of
from billy_pipelines.schemas.invoice_requests import INCLUDE_LINES, SORTED
from billy_pipelines.settings import Organization

_HEADER = (
    *("id", "invoiceNo", "type", "creditedInvoiceNo", "contactId", "contactNo", "contactName", "attention"),
    *("entryDate", "currency", "exchangeRate", "taxMode", "paymentTerms", "dueDate", "orderNo", "contactMessage"),
    "externalId",
)
_LINE = (
    *("productId", "productNo", "productName", "description", "quantity", "unitPrice", "discountPercent"),
    "discountAmount",
)


@dataclass(frozen=True)
class _Books:
    contacts: Mapping[str, tuple[str, str]]
    """Id -> number and name, as for products."""
    persons: Mapping[str, str]
    products: Mapping[str, tuple[str, str]]
    numbers: Mapping[str, str]
    """Id -> number of every invoice."""


async def _books(client: BillyClient, _organization: Organization) -> _Books:
    persons: dict[str, str] = {}

    def contact(raw: RawRecord) -> tuple[str, str]:
        for person in raw.get("contactPersons") or []:
            persons[str(person.get("id"))] = str(person.get("name") or "")
        return str(raw.get("contactNo") or ""), str(raw.get("name") or "")

    def product(raw: RawRecord) -> tuple[str, str]:
        return str(raw.get("productNo") or ""), str(raw.get("name") or "")

    def number(raw: RawRecord) -> str:
        return str(raw.get("invoiceNo") or "")

    return _Books(
        await picked_list(client, "contacts", contact, {"include": INCLUDE_PERSONS}, archived=True),
        persons,
        await picked_list(client, "products", product, {}, archived=True),
        await picked_list(client, "invoices", number, SORTED, archived=False),
    )


def _rows(record: Invoice, books: _Books) -> list[FileRow]:
    contact_no, contact_name = books.contacts.get(record.contactId or "", ("", ""))
    header = {
        "id": record.id,
        "invoiceNo": record.invoiceNo,
        "type": record.type,
        "creditedInvoiceNo": books.numbers.get(record.creditedInvoiceId or ""),
        "contactId": record.contactId,
        "contactNo": contact_no,
        "contactName": contact_name,
        "attention": books.persons.get(record.attContactPersonId or ""),
        "entryDate": (record.entryDate or "")[:10],
        "currency": record.currencyId,
        "exchangeRate": number_text(record.exchangeRate),
        "taxMode": record.taxMode,
        "paymentTerms": terms_text(record.paymentTermsMode, record.paymentTermsDays),
        "dueDate": (record.dueDate or "")[:10],
        "orderNo": record.orderNo,
        "contactMessage": record.contactMessage,
        "externalId": record.externalId,
    }
    return [header | _line(line, books) for line in lines_of(record)] or [header]


def _line(line: InvoiceLine, books: _Books) -> dict[str, str | None]:
    number, name = books.products.get(line.productId or "", ("", ""))
    discount = number_text(line.discountValue) if line.discountValue else None
    return {
        "productId": line.productId,
        "productNo": number,
        "productName": name,
        "description": line.description,
        "quantity": number_text(line.quantity),
        "unitPrice": number_text(line.unitPrice),
        "discountPercent": discount if line.discountMode == "percent" else None,
        "discountAmount": discount if line.discountMode == "cash" else None,
    }


INVOICES_EXPORT = Export[Invoice](
    model=Invoice,
    columns=(*_HEADER, *_LINE),
    rows=_rows,
    query={**SORTED, "include": INCLUDE_LINES},
    # Without the due date, which would count for more than payment terms that somebody edits.
    default_columns=tuple(name for name in (*_HEADER, *_LINE) if name != "dueDate"),
    children=Children("lines", "invoiceLines", "invoiceId", InvoiceLine),
    references=_books,
)
