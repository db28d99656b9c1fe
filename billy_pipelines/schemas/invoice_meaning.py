"""What an invoice row means in Billy: match keys, differences, bodies, obstacles (rules B8, B9, B11, B14-B16).

Rows are resolved (`invoice_resolving`): ids of contact and products stand in them, a new invoice states its currency,
type, quantities and prices. `invoiceNo` and `externalId` are keys and never changed; a draft may have no number, so a
missing one is no difference. Entry date and lines are not accepted after creation (documented).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from operator import eq
from typing import Any

from billy_pipelines.billy.invoice_models import Invoice, InvoiceLine
from billy_pipelines.schemas.cleaning import comparable
from billy_pipelines.schemas.codes import Problem, sentence
from billy_pipelines.schemas.payment_terms import parse_terms
from billy_pipelines.schemas.product_prices import is_rounded
from billy_pipelines.schemas.resource import Change, KeyKind, MatchKey, Row

INVOICE = "invoice"
LINES = "lines"
TERMS = "paymentTerms"
PRESET_TERMS = "presetTerms"
"""Field that resolving adds: terms of the contact or the company, for a new invoice whose row says nothing of them."""
ATTENTION = "attention"
PERSON = "attContactPersonId"

WIRE_KEYS = {
    "contactId": "contactId",
    "entryDate": "entryDate",
    "type": "type",
    "currency": "currencyId",
    "taxMode": "taxMode",
    "exchangeRate": "exchangeRate",
    "creditedInvoiceId": "creditedInvoiceId",
    "invoiceNo": "invoiceNo",
    "externalId": "externalId",
    "orderNo": "orderNo",
    "contactMessage": "contactMessage",
    PERSON: PERSON,
}
"""Field of a resolved row -> key of an invoice. Payment terms are two keys, lines a list."""
CHANGEABLE = frozenset({TERMS, ATTENTION, "orderNo", "contactMessage"})
"""What an update of a draft may change."""
NO_DIFFERENCE_WHEN_MISSING = frozenset({"type", "currency", "taxMode", "exchangeRate", "invoiceNo", "externalId"})
"""Fields of which a record without a value does not contradict a row: Billy may not have kept, or not sent, them."""
WRITABLE = (
    *("contactId", "entryDate", "state", "sentState", "invoiceNo", "taxMode", "currencyId", "amount", "grossAmount"),
    *("lineDescription", "paymentTermsMode", "paymentTermsDays", "orderNo", "contactMessage", PERSON),
)
"""`amount` and `lineDescription` stand for the lines, which a list may leave out."""
IDS = ("contactId", "creditedInvoiceId", PERSON)
RATE_PRECISION = Decimal("0.0001")

LINE_FIELDS = ("productId", "description", "quantity", "unitPrice", "discountPercent", "discountAmount")
"""Fields of a line that are sent and compared."""


def number(value: object) -> Decimal | None:
    """A number of a row (text) or a record (float), exactly as it is written."""
    return None if value is None or value == "" else Decimal(str(value))


def wire_number(text: str) -> int | float:
    """As it travels: a JSON number, whole values bare (observed)."""
    value = Decimal(text)
    return int(value) if value == value.to_integral_value() else float(value)


# -- keys ----------------------------------------------------------------------------------------------------------


def _content(contact: str | None, entry_date: str | None, kind: str | None) -> str | None:
    return f"{contact}\n{entry_date[:10]}\n{kind or INVOICE}" if contact and entry_date else None


MATCH_KEYS: tuple[MatchKey[Invoice], ...] = (
    MatchKey("id", KeyKind.IDENTITY, lambda row: row.get("id"), lambda record: [record.id], must_exist=True),
    MatchKey(
        "invoiceNo",
        KeyKind.IDENTITY,
        lambda row: comparable(row.get("invoiceNo")) or None,
        lambda record: [comparable(record.invoiceNo)],
    ),
    MatchKey(
        "externalId",
        KeyKind.IDENTITY,
        lambda row: comparable(row.get("externalId")) or None,
        lambda record: [comparable(record.externalId)],
    ),
    # An unclear create is looked for by this. Currency and amounts are left to `differences`: the fewer a record must
    # share to be looked at, the less is sent twice.
    MatchKey(
        "contact and date",
        KeyKind.CONTENT,
        lambda row: _content(row.get("contactId"), row.get("entryDate"), row.get("type")),
        lambda record: [_content(record.contactId, record.entryDate, record.type) or ""],
    ),
)


def label(row: Row) -> str:
    """What a person calls an invoice: its own number, or what ties its rows together, and whose it is."""
    keys = ("invoiceNo", "externalId", "orderNo", "invoice", "id")
    name = next((str(row[key]) for key in keys if row.get(key)), "")
    whose = next((str(row[key]) for key in ("contactName", "contactNo") if row.get(key)), "")
    return ", ".join(filter(None, (name, whose)))


# -- terms ---------------------------------------------------------------------------------------------------------


def wire_terms(text: str, entry_date: str) -> dict[str, Any]:
    """Terms in the one spelling as Billy's two keys. A due date becomes days after the entry date: `dueDate` itself is
    readonly (documented), days may be negative (documented), and what the mode `date` counts from is unknown."""
    terms = parse_terms(text)
    if terms is None:
        return {}
    if terms.mode == "date":
        days = (date.fromisoformat(terms.date) - date.fromisoformat(entry_date[:10])).days
        return {"paymentTermsMode": "net", "paymentTermsDays": days}
    return {"paymentTermsMode": terms.mode, "paymentTermsDays": terms.days}


def _same_terms(text: str, record: Invoice) -> bool:
    terms = parse_terms(text)
    if terms is None:
        return True
    if terms.mode == "date" and record.dueDate:
        return record.dueDate[:10] == terms.date
    if terms.mode == "date" and not record.entryDate:
        return False
    return wire_terms(text, record.entryDate or "") == {
        "paymentTermsMode": record.paymentTermsMode,
        "paymentTermsDays": record.paymentTermsDays or 0,
    }


def _present_terms(record: Invoice) -> str | None:
    return f"{record.paymentTermsMode} {record.paymentTermsDays or 0}" if record.paymentTermsMode else None


# -- differences ---------------------------------------------------------------------------------------------------


def differences(row: Row, record: Invoice) -> list[Change]:
    """Fields of the row that mean something else than what Billy has, lines one by one in their order."""
    changes = []
    for field, key in WIRE_KEYS.items():
        if row.get(field) is None or _same(field, row[field], getattr(record, key)):
            continue
        changes.append(Change(ATTENTION if field == PERSON else field, getattr(record, key), row[field]))
    if row.get(TERMS) and not _same_terms(row[TERMS], record):
        changes.append(Change(TERMS, _present_terms(record), row[TERMS]))
    if says_lines(row) and not _same_lines(row[LINES], record):
        old = None if record.lines is None else "; ".join(map(_text_of_record, lines_of(record)))
        changes.append(Change(LINES, old, "; ".join(map(_text_of_row, row[LINES]))))
    return changes


def _same(field: str, wanted: str, present: Any) -> bool:
    if present in (None, ""):
        return field in NO_DIFFERENCE_WHEN_MISSING
    if field == "entryDate":
        return wanted == str(present)[:10]
    if field == "exchangeRate":
        return abs(Decimal(wanted) - Decimal(str(present))) <= RATE_PRECISION
    same = wanted == present if field in IDS else comparable(wanted) == comparable(present)
    return bool(same)


def says_lines(row: Row) -> bool:
    """Whether a row says anything of its lines; in a file of header fields they are empty."""
    return any(not set(LINE_FIELDS).isdisjoint(line) for line in row.get(LINES) or [])


def lines_of(record: Invoice) -> list[InvoiceLine]:
    """A record's lines in their order."""
    return record.with_lines(record.lines or []).lines or []


def has_rounded_prices(row: Row, record: Invoice, change: Change) -> bool:
    """Whether a difference is only that Billy keeps unit prices with fewer decimals than were sent."""
    return change.field == LINES and _same_lines(row[LINES], record, is_rounded)


def _same_lines(
    wanted: Iterable[Mapping[str, Any]], record: Invoice, is_same: Callable[[Decimal, Decimal], bool] = eq
) -> bool:
    """`is_same`: what makes other prices of lines, sent and present, the same as equal ones."""
    wanted, present = list(wanted), lines_of(record)
    return (
        record.lines is not None
        and len(wanted) == len(present)
        and all(_same_line(line, other, is_same) for line, other in zip(wanted, present, strict=True))
    )


def _same_line(line: Mapping[str, Any], record: InvoiceLine, is_same: Callable[[Decimal, Decimal], bool]) -> bool:
    """What the line says, and no more: a blank text may have been filled in with the product's."""
    if "productId" in line and line["productId"] != record.productId:
        return False
    if "description" in line and comparable(line["description"]) != comparable(record.description):
        return False
    quantity = Decimal(1) if record.quantity is None else number(record.quantity)
    if "quantity" in line and number(line["quantity"]) != quantity:
        return False
    if "unitPrice" in line:
        sent, present = number(line["unitPrice"]), number(record.unitPrice)
        if sent != present and not (sent is not None and present is not None and is_same(sent, present)):
            return False
    discounts = [number(line[field]) for field in ("discountPercent", "discountAmount") if field in line]
    return not discounts or discount_of(line) == _discount_of_record(record)


def discount_of(line: Mapping[str, Any]) -> tuple[str, Decimal]:
    """Mode and value of a row's line; mode '' for no discount."""
    for mode, field in (("percent", "discountPercent"), ("cash", "discountAmount")):
        value = number(line.get(field))
        if value:
            return mode, value
    return "", Decimal(0)


def _discount_of_record(record: InvoiceLine) -> tuple[str, Decimal]:
    value = number(record.discountValue)
    return (record.discountMode, value) if record.discountMode and value else ("", Decimal(0))


def _text_of_row(line: Mapping[str, Any]) -> str:
    return _text(line.get("quantity"), line.get("unitPrice"), line.get("description") or line.get("productId"))


def _text_of_record(line: InvoiceLine) -> str:
    return _text(number(line.quantity), number(line.unitPrice), line.description or line.productId)


def _text(quantity: Any, price: Any, what: str | None) -> str:
    amounts = " x ".join(f"{Decimal(str(each)).normalize():f}" for each in (quantity, price) if each is not None)
    return " ".join(filter(None, (amounts, what)))


def is_complete(row: Row, record: Invoice) -> bool:
    """Whether a record as listed or answered tells all that this row is compared with, its totals too (rule B10)."""
    return not says_lines(row) or (record.lines is not None and record.amount is not None)


# -- obstacles -----------------------------------------------------------------------------------------------------


def update_obstacle(row: Row, record: Invoice, language: str) -> Problem | None:
    """Only drafts are changed, and of them only what Billy accepts after creation."""
    changed = [change.field for change in differences(row, record)]
    if not record.is_draft:
        return _problem("invoice_approved", changed[0] if changed else "", record, language)
    fixed = [field for field in changed if field not in CHANGEABLE]
    if fixed:
        return _problem("invoice_fixed", fixed[0], record, language, fields=", ".join(fixed))
    return None


def delete_obstacle(record: Invoice, _references: Any, language: str) -> Problem | None:
    """Only drafts that nobody has been sent are deleted. A number alone is no obstacle: Billy may give every draft one
    at once (documented), and deleting a draft is the way to correct it."""
    if not record.is_draft:
        return _problem("invoice_approved", "", record, language)
    if record.sentState not in (None, "", "unsent"):
        return _problem("invoice_sent", "", record, language)
    return None


def _problem(code: str, field: str, record: Invoice, language: str, **details: str) -> Problem:
    ids = f"{record.invoiceNo} ({record.id})" if record.invoiceNo else record.id
    return Problem(code, field, message=sentence(code, language, ids=ids, **details))


# -- bodies --------------------------------------------------------------------------------------------------------


def create_body(row: Row) -> dict[str, Any]:
    """The body of a new draft with its lines. The tax mode is always stated (rule B14), approval never is (rule B9)."""
    body: dict[str, Any] = {"type": INVOICE, "state": "draft", "taxMode": "excl"}
    for field, key in WIRE_KEYS.items():
        if row.get(field):
            body[key] = wire_number(row[field]) if field == "exchangeRate" else row[field]
    if terms := row.get(TERMS) or row.get(PRESET_TERMS):
        body |= wire_terms(terms, row["entryDate"])
    body["lines"] = [_line_body(line, place) for place, line in enumerate(row[LINES])]
    return body


def _line_body(line: Mapping[str, Any], place: int) -> dict[str, Any]:
    """One line; its place is stated, since that Billy keeps the order of the list is unverified."""
    body: dict[str, Any] = {
        "productId": line.get("productId"),
        "quantity": wire_number(line.get("quantity") or "1"),
        "unitPrice": wire_number(line["unitPrice"]),
        "priority": place,
    }
    if line.get("description"):
        body["description"] = line["description"]
    mode, value = discount_of(line)
    if mode:
        body |= {"discountMode": mode, "discountValue": wire_number(str(value))}
    return body


def update_keys(new: Mapping[str, Any], record: Invoice) -> dict[str, Any]:
    """New values of changeable fields as keys of an invoice's body."""
    keys = {WIRE_KEYS[field]: value for field, value in new.items() if field in CHANGEABLE and field in WIRE_KEYS}
    if ATTENTION in new:
        keys[PERSON] = new[ATTENTION]
    if new.get(TERMS):
        keys |= wire_terms(new[TERMS], record.entryDate or "")
    return keys


def row_as_invoice(row: Row, made_up_id: str) -> Invoice:
    """The invoice a create of this row would make."""
    body = create_body(row)
    lines = [{"id": made_up_id, **line} for line in body.pop("lines")]
    return Invoice.model_validate({"id": made_up_id, **body, "lines": lines})


def approval_order(rows: Iterable[tuple[int, Row]]) -> list[int]:
    """Positions of rows in the order in which their invoices are approved: by date, then as in the file (rule B10)."""
    return [position for position, _ in sorted(rows, key=lambda each: (each[1].get("entryDate") or "", each[0]))]
