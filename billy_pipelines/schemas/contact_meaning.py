"""What a row of a contact register means in Billy: matching keys, differences, bodies (rules B1, B3, B5-B8).

Billy keeps customers and suppliers as one resource, `contacts`, told apart by two flags, and e-mail addresses on
`contactPersons` only (documented).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from billy_pipelines.billy.models import Contact, ContactPerson
from billy_pipelines.schemas.cleaning import (
    clean_vat,
    comparable,
    comparable_phone,
    comparable_postcode,
    vat_key,
)
from billy_pipelines.schemas.codes import Problem, sentence
from billy_pipelines.schemas.kinds import OTHER_EMAILS
from billy_pipelines.schemas.payment_terms import Terms, parse_terms
from billy_pipelines.schemas.resource import Change, KeyKind, MatchKey, Row

WIRE_KEYS = {
    "name": "name",
    "phone": "phone",
    "address": "street",
    "city": "cityText",
    "zipcode": "zipcodeText",
    "country": "countryId",
    "vatNo": "registrationNo",
    "contactNo": "contactNo",
    "ean": "ean",
    "type": "type",
    "language": "localeId",
    "isArchived": "isArchived",
    "isCustomer": "isCustomer",
    "isSupplier": "isSupplier",
    "expenseAccountId": "defaultExpenseAccountId",
    "expenseDescription": "defaultExpenseProductDescription",
}
"""Field of a row -> key of a contact. E-mails are not among them, they belong to contact persons; nor are payment
terms, which are two keys."""
FLAGS = frozenset({"isArchived", "isCustomer", "isSupplier"})
TERMS = "paymentTerms"
TERMS_KEYS = ("paymentTermsMode", "paymentTermsDays")
WRITABLE = (*WIRE_KEYS.values(), *TERMS_KEYS, "contactPersons")
BY_HAND = (("phone",), ("street",), ("zipcodeText", "cityText"), ("registrationNo",), ("ean",))
KNOWN_BY = ("contactNo", "ean", "vatNo", "email", "phone")

PRIMARY_PERSON = {"email": "email", "contactPerson": "name"}
"""Field of a row -> key of the contact's primary person."""
PERSONS = "contactPersons"
"""Field: the whole list of persons, from a JSON file."""
FURTHER_EMAILS = "furtherEmails"
"""What a change that adds contact persons is called in plan and journal."""

COMPARE = {"phone": comparable_phone, "zipcode": comparable_postcode, "vatNo": clean_vat}
CUSTOMER_FLAG = "isCustomer"


def _same(field: str, left: Any, right: Any) -> bool:
    compare = COMPARE.get(field, comparable)
    return compare(left) == compare(right)


def wire(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a row, or their new values, as keys of a contact's body; None clears."""
    body: dict[str, Any] = {}
    for name, value in fields.items():
        if name == TERMS:
            terms = parse_terms(value) if value else None
            body |= dict(zip(TERMS_KEYS, (terms.mode, terms.days) if terms else (None, None), strict=True))
        elif name in WIRE_KEYS:
            body[WIRE_KEYS[name]] = value if name not in FLAGS or value is None else str(value).lower() == "true"
    return body


def _present(record: Contact, field: str) -> Any:
    """What a contact has in a field, spelled as rows spell it."""
    if field == TERMS:
        mode, days = (getattr(record, key) for key in TERMS_KEYS)
        return Terms(mode, days or 0).text if mode else None
    value = getattr(record, WIRE_KEYS[field])
    return str(bool(value)).lower() if field in FLAGS else value


def _same_in(row: Row, field: str, record: Contact) -> bool:
    """As `_same`; and a foreign number that Billy has behind its country's prefix keeps it (rule B6)."""
    present = _present(record, field)
    if field == "vatNo" and row[field] and present:
        with_prefix = vat_key(row[field], row.get("country") or record.countryId)
        if with_prefix == clean_vat(present):
            return True
    return _same(field, row[field], present)


def _name_and_email(name: str | None, email: str | None) -> str | None:
    return f"{comparable(name)}\n{comparable(email)}" if comparable(name) and comparable(email) else None


MATCH_KEYS: tuple[MatchKey[Contact], ...] = (
    MatchKey("id", KeyKind.IDENTITY, lambda row: row.get("id"), lambda record: [record.id], must_exist=True),
    MatchKey(
        "contactNo",
        KeyKind.IDENTITY,
        lambda row: comparable(row.get("contactNo")) or None,
        lambda record: [comparable(record.contactNo)],
    ),
    MatchKey(
        "ean", KeyKind.IDENTITY, lambda row: comparable(row.get("ean")) or None, lambda record: [comparable(record.ean)]
    ),
    MatchKey(
        "vatNo",
        KeyKind.SHARED,
        lambda row: vat_key(row.get("vatNo"), row.get("country")),
        lambda record: [vat_key(record.registrationNo, record.countryId) or ""],
        apart=("contactNo", "ean"),
    ),
    MatchKey(
        "name and email",
        KeyKind.IDENTITY,
        lambda row: _name_and_email(row.get("name"), row.get("email")),
        lambda record: [key for email in record.emails if (key := _name_and_email(record.name, email))],
        apart=("contactNo",),
    ),
    MatchKey("name", KeyKind.WEAK, lambda row: comparable(row.get("name")) or None, lambda r: [comparable(r.name)]),
)


def contradictions(row: Row, record: Contact) -> list[str]:
    """Fields that are given on both sides and differ, so that an equal name proves nothing (rule B5); a customer number
    too, or an update by name would give a customer another one's."""
    found = []
    for field in ("contactNo", "zipcode", "phone", "vatNo", "ean"):
        present = getattr(record, WIRE_KEYS[field])
        if row.get(field) and present and not _same_in(row, field, record):
            found.append(field)
    if row.get("email") and record.emails and not any(_same("email", row["email"], e) for e in record.emails):
        found.append("email")
    return found


def primaries_of(record: Contact) -> list[ContactPerson]:
    return [person for person in record.contactPersons or [] if person.isPrimary]


def _present_email(row: Row, record: Contact) -> str | None:
    primaries = primaries_of(record)
    if len(primaries) == 1:
        return primaries[0].email
    wanted = comparable(row.get("email"))
    fitting = [email for email in record.emails if not wanted or comparable(email) == wanted]
    return fitting[0] if fitting else None


def differences(row: Row, record: Contact) -> list[Change]:
    """Fields of the row that mean something else than what Billy has; None in the row clears."""
    changes = []
    for field in (*WIRE_KEYS, TERMS):
        if field in row and not _same_in(row, field, record):
            changes.append(Change(field, _present(record, field), row[field]))
    if "email" in row and not _same("email", row["email"], _present_email(row, record)):
        changes.append(Change("email", _present_email(row, record), row["email"]))
    if "contactPerson" in row:
        primaries = primaries_of(record)
        present = primaries[0].name if len(primaries) == 1 else None
        if not _same("contactPerson", row["contactPerson"], present):
            changes.append(Change("contactPerson", present, row["contactPerson"]))
    if PERSONS in row and _persons_key(row[PERSONS]) != _persons_key(
        [person.image() for person in record.contactPersons or []]
    ):
        changes.append(Change(PERSONS, _listed(record), row[PERSONS]))
    known = {comparable(email) for email in record.emails}
    if missing := [email for email in further_emails(row) if comparable(email) not in known]:
        changes.append(Change(FURTHER_EMAILS, None, ";".join(missing)))
    return changes


def _persons_key(persons: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, bool]]:
    return sorted((comparable(p.get("name")), comparable(p.get("email")), bool(p.get("isPrimary"))) for p in persons)


def _listed(record: Contact) -> list[dict[str, Any]]:
    return [{"name": p.name, "email": p.email, "isPrimary": bool(p.isPrimary)} for p in record.contactPersons or []]


def further_emails(row: Row) -> list[str]:
    """Addresses beside the primary person's: each becomes a person of its own, none is ever removed (rule B3)."""
    found = [str(row.get("invoiceEmail") or ""), *str(row.get(OTHER_EMAILS) or "").split(";")]
    primary = comparable(row.get("email"))
    unique = {comparable(email): email for email in found if email and comparable(email) != primary}
    return list(unique.values())


def update_obstacle(row: Row, record: Contact, language: str) -> Problem | None:
    """An e-mail changes the primary person, so there must be exactly one; a contact without persons gets one (B3)."""
    persons, primaries = record.contactPersons or [], primaries_of(record)
    changed = [change.field for change in differences(row, record) if change.field in PRIMARY_PERSON]
    if not changed or not persons or len(primaries) == 1:
        return None
    text = sentence("primary_person_unclear", language, ids=record.id, count=len(primaries))
    return Problem("primary_person_unclear", changed[0], str(row.get(changed[0]) or ""), text)


def create_body(row: Row) -> dict[str, Any]:
    """The body for a new contact, a customer unless the row says otherwise; the defaults country DK and type company
    hold for creates only (rule B1).

    `organizationId` is left out: it is needed with user-bound logins only, and reported as refused by some (section 1).
    Both flags are set, as billy-api.md section 7 asks.
    """
    is_supplier = row.get("isSupplier") == "true"
    body: dict[str, Any] = {
        "type": "company",
        "countryId": "DK",
        "isCustomer": not is_supplier,
        "isSupplier": is_supplier,
        **wire({name: value for name, value in row.items() if value}),
    }
    persons = [_person(row, email) for email in further_emails(row)]
    persons += [dict(person) for person in row.get(PERSONS) or []]
    if row.get("email") or row.get("contactPerson"):
        primary = {"name": row.get("contactPerson") or row["name"], "isPrimary": True}
        persons.insert(0, primary | ({"email": row["email"]} if row.get("email") else {}))
    elif persons and not any(person.get("isPrimary") for person in persons):
        persons[0]["isPrimary"] = True
    if persons:
        body["contactPersons"] = persons
    return body


def _person(row: Row, email: str) -> dict[str, Any]:
    return {"name": row["name"], "email": email, "isPrimary": False}


def row_as_contact(row: Row, made_up_id: str) -> Contact:
    """The contact a create of this row would make."""
    body = create_body(row)
    persons = [{"id": made_up_id, **person} for person in body.pop("contactPersons", [])]
    return Contact.model_validate({"id": made_up_id, **body, "contactPersons": persons})


def lacks_customer_role(record: Contact) -> bool:
    """Whether this is a supplier who is no customer yet (rule B7)."""
    return record.isCustomer is False


def is_complete(row: Row, record: Contact) -> bool:
    """Whether a listed record tells all that this row is compared with."""
    needs_persons = not {*PRIMARY_PERSON, OTHER_EMAILS, "invoiceEmail", PERSONS}.isdisjoint(row)
    return record.contactPersons is not None or not needs_persons
