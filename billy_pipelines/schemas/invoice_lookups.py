"""Finding the contact and the products an invoice names, and whether a number of one's own fits (B5, B6, B7, B11)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar

from billy_pipelines.billy.invoice_models import Invoice
from billy_pipelines.billy.models import Contact, Product
from billy_pipelines.schemas.cleaning import comparable
from billy_pipelines.schemas.contact_meaning import MATCH_KEYS, contradictions
from billy_pipelines.schemas.nearest import NONE, Nearest
from billy_pipelines.schemas.resource import KeyKind, Row

T = TypeVar("T", Contact, Product)

CONTACT_FIELDS = {
    "contactId": "id",
    "contactNo": "contactNo",
    "ean": "ean",
    "vatNo": "vatNo",
    "contactEmail": "email",
    "contactName": "name",
}
"""Field of an invoice -> what that is of the contact's own row."""
NUMBERS = ("invoiceNo", "externalId")
CERTAIN = ("contactId", "contactNo", "ean", "vatNo")
"""What names a contact by itself."""


@dataclass(frozen=True)
class Found(Generic[T]):
    """`record`, or why there is none: a code, the field and value that were looked up, and what is near."""

    record: T | None = None
    code: str = ""
    field: str = ""
    value: str = ""
    ids: str = ""
    nearest: str = NONE


def _ids(records: Iterable[Contact | Product]) -> str:
    return ", ".join(sorted({record.id for record in records}))


def _called(record: Contact | Product, own_number: str | None) -> str:
    details = ", ".join(filter(None, (own_number, f"id {record.id}")))
    return f"{record.name or ''} ({details})".strip()


class Contacts:
    """The contacts of the books, found by the keys of rule B5 in their order."""

    def __init__(self, contacts: Iterable[Contact]) -> None:
        self.records = list(contacts)
        self.by_id = {contact.id: contact for contact in self.records}
        self._index: dict[str, dict[str, list[Contact]]] = {key.name: defaultdict(list) for key in MATCH_KEYS}
        for contact in self.records:
            for key in MATCH_KEYS:
                for value in filter(None, key.of_record(contact)):
                    self._index[key.name][value].append(contact)
        known = ((c, text) for c in self.records for text in (c.name, c.contactNo))
        self._nearest = Nearest((text, _called(c, c.contactNo)) for c, text in known)

    def find(self, row: Row, *, by_name: bool) -> Found[Contact]:
        """The contact a row names; by its name alone only if that was allowed, and nothing else contradicts."""
        named = {own: str(row[field]) for field, own in CONTACT_FIELDS.items() if row.get(field)}
        shared: list[Contact] = []
        for key in MATCH_KEYS:
            value = key.of_row(named)
            if not value or (key.kind is KeyKind.WEAK and not by_name):
                continue
            present = self._index[key.name].get(value, [])
            live = [contact for contact in present if not contact.isArchived] or present
            if key.kind is KeyKind.SHARED and not _names_one(named, live):
                shared += live
                continue
            if key.kind is KeyKind.IDENTITY and key.apart:
                live = [contact for contact in live if set(key.apart).isdisjoint(contradictions(named, contact))]
            if key.kind is KeyKind.WEAK:
                live = [contact for contact in live if not contradictions(named, contact)]
            if live:
                return self._one(row, live)
            if key.must_exist:
                break
        if len(shared) > 1:
            return self._missing(row, "contact_ambiguous", shared)
        return self._missing(row, "contact_unknown", shared)

    def _one(self, row: Row, live: Sequence[Contact]) -> Found[Contact]:
        if len({contact.id for contact in live}) > 1:
            return self._missing(row, "contact_ambiguous", live)
        return self._missing(row, "contact_archived", live) if live[0].isArchived else Found(live[0])

    def _missing(self, row: Row, code: str, records: Sequence[Contact]) -> Found[Contact]:
        field = next((name for name in CONTACT_FIELDS if row.get(name) and (name != "contactEmail")), "contactNo")
        nearest = NONE
        if code == "contact_unknown":
            likely = self._nearest.to(row.get("contactName"), row.get("contactNo"))
            nearest = _called(records[0], records[0].contactNo) if records else likely
        return Found(None, code, field, str(row.get(field) or ""), _ids(records), nearest)


def _names_one(named: Mapping[str, str], live: Sequence[Contact]) -> bool:
    """Rule B6: a CVR number is no key where several have it, or the EAN differs: one public body has many EANs; nor
    where both have a customer number of their own: two departments of one firm."""
    return not live or (len(live) == 1 and {"ean", "contactNo"}.isdisjoint(contradictions(named, live[0])))


class Products:
    """The products of the books, found by id, own number, exact name."""

    def __init__(self, products: Iterable[Product]) -> None:
        self.records = list(products)
        self._by_id = {product.id: product for product in self.records}
        self._by_number: dict[str, list[Product]] = defaultdict(list)
        self._by_name: dict[str, list[Product]] = defaultdict(list)
        for product in self.records:
            self._by_number[comparable(product.productNo)].append(product)
            self._by_name[comparable(product.name)].append(product)
        known = ((p, text) for p in self.records for text in (p.name, p.productNo))
        self._nearest = Nearest((text, _called(p, p.productNo)) for p, text in known)

    def find(self, line: Row) -> Found[Product]:
        """The product a line names. A name finds none that has another number than the line says."""
        if line.get("productId"):
            product = self._by_id.get(line["productId"])
            return self._one(line, "productId", [product] if product else [])
        wanted = comparable(line.get("productNo"))
        by_number = self._by_number.get(wanted, []) if wanted else []
        if by_number or not line.get("productName"):
            return self._one(line, "productNo", by_number)
        named = self._by_name.get(comparable(line["productName"]), [])
        fitting = [product for product in named if not wanted or not product.productNo]
        return self._one(line, "productNo" if wanted else "productName", fitting)

    def _one(self, line: Row, field: str, present: Sequence[Product]) -> Found[Product]:
        live = [product for product in present if not product.isArchived] or present
        value = str(line.get(field) or "")
        if not live:
            nearest = self._nearest.to(line.get("productName"), line.get("productNo"))
            return Found(None, "product_unknown", field, value, nearest=nearest)
        if len(live) > 1:
            return Found(None, "product_ambiguous", field, value, _ids(live))
        if live[0].isArchived:
            return Found(None, "product_archived", field, value, live[0].id)
        return Found(live[0])

    def price(self, product_id: str, currency: str) -> Decimal | None:
        """What a product costs in a currency, without VAT; None where it has no price in it."""
        product = self._by_id.get(product_id)
        prices = (product.prices or []) if product else []
        found = [each.unitPrice for each in prices if each.currencyId == currency and each.unitPrice is not None]
        return Decimal(str(found[0])) if found else None


class Invoices:
    """The invoices of the books by what names them."""

    def __init__(self, invoices: Iterable[Invoice]) -> None:
        self._by: dict[str, dict[str, list[Invoice]]] = {name: defaultdict(list) for name in ("id", *NUMBERS)}
        for invoice in invoices:
            self._by["id"][invoice.id].append(invoice)
            for name in NUMBERS:
                if wanted := comparable(getattr(invoice, name)):
                    self._by[name][wanted].append(invoice)

    @property
    def numbers(self) -> list[str]:
        """All invoice numbers there are."""
        return list(self._by["invoiceNo"])

    def numbered(self, number: str) -> list[Invoice]:
        """Those of that invoice number."""
        return list(self._by["invoiceNo"].get(comparable(number), []))

    def meant_by(self, row: Row) -> Invoice | None:
        """The one a row names by id or number, if it is one."""
        for name in ("id", *NUMBERS):
            if row.get(name):
                found = self._by[name].get(row[name] if name == "id" else comparable(row[name]), [])
                if len(found) == 1:
                    return found[0]
        return None


class NumberSeries:
    """The series of invoice numbers, as a file's own numbers carry it on (rule B11)."""

    def __init__(self, counter: Any, present: Iterable[str | None]) -> None:
        """`counter`: the number Billy would give next, if it says."""
        numbers = [int(text) for text in present if text and text.isascii() and text.isdigit()]
        said = str(counter) if counter is not None else ""
        self._next = int(said) if said.isascii() and said.isdigit() else max(numbers) + 1 if numbers else None
        self._first = self._next

    def fits(self, text: str) -> bool:
        """Whether a free number is the next one, or fills a hole below; what is no number of the series does not."""
        if not (text.isascii() and text.isdigit()):
            return False
        return self._next is None or int(text) <= self._next

    def afresh(self) -> NumberSeries:
        """The series as it was before any row took a number."""
        return NumberSeries(self._first, ())

    def take(self, text: str) -> None:
        """A row has that number: the next one follows it."""
        if text.isascii() and text.isdigit() and (self._next is None or int(text) >= self._next):
            self._next = int(text) + 1

    @property
    def expected(self) -> str:
        """The next number, `–` if nothing is known of the series."""
        return NONE if self._next is None else str(self._next)
