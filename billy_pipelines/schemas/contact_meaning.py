"""What a row of a contact register means in Billy: matching keys, differences, bodies (rules B1, B3, B5-B8).

Billy keeps customers and suppliers as one resource, `contacts`, told apart by two flags, and e-mail addresses on
`contactPersons` only (documented).
"""

from __future__ import annotations

from typing import Any

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.errors import UnexpectedAnswer
from billy_pipelines.billy.models import Contact, ContactPerson
from billy_pipelines.schemas.cleaning import (
    clean_vat,
    comparable,
    comparable_phone,
    comparable_postcode,
    vat_key,
)
from billy_pipelines.schemas.codes import Problem, sentence
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
}
"""Field of a row -> key of a contact. `email` is not among them: it belongs to a contact person."""

COMPARE = {"phone": comparable_phone, "zipcode": comparable_postcode, "vatNo": clean_vat}
INCLUDE_PERSONS = "contact.contactPersons:embed"
CUSTOMER_FLAG = "isCustomer"


def _same(field: str, left: Any, right: Any) -> bool:
    compare = COMPARE.get(field, comparable)
    return compare(left) == compare(right)


def _same_in(row: Row, field: str, record: Contact) -> bool:
    """As `_same`; and a foreign number that Billy has behind its country's prefix keeps it (rule B6)."""
    present = getattr(record, WIRE_KEYS[field])
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
    ),
    MatchKey(
        "name and email",
        KeyKind.IDENTITY,
        lambda row: _name_and_email(row.get("name"), row.get("email")),
        lambda record: [key for email in record.emails if (key := _name_and_email(record.name, email))],
    ),
    MatchKey("name", KeyKind.WEAK, lambda row: comparable(row.get("name")) or None, lambda r: [comparable(r.name)]),
)


def contradictions(row: Row, record: Contact) -> list[str]:
    """Fields that are given on both sides and differ, so that an equal name proves nothing (rule B5)."""
    found = []
    for field in ("zipcode", "phone", "vatNo", "ean"):
        present = getattr(record, WIRE_KEYS[field])
        if row.get(field) and present and not _same_in(row, field, record):
            found.append(field)
    if row.get("email") and record.emails and not any(_same("email", row["email"], e) for e in record.emails):
        found.append("email")
    return found


def _primaries(record: Contact) -> list[ContactPerson]:
    return [person for person in record.contactPersons or [] if person.isPrimary]


def _present_email(row: Row, record: Contact) -> str | None:
    primaries = _primaries(record)
    if len(primaries) == 1:
        return primaries[0].email
    wanted = comparable(row.get("email"))
    fitting = [email for email in record.emails if not wanted or comparable(email) == wanted]
    return fitting[0] if fitting else None


def differences(row: Row, record: Contact) -> list[Change]:
    """Fields of the row that mean something else than what Billy has; None in the row clears."""
    changes = []
    for field, key in WIRE_KEYS.items():
        if field in row and not _same_in(row, field, record):
            changes.append(Change(field, getattr(record, key), row[field]))
    if "email" in row and not _same("email", row["email"], _present_email(row, record)):
        changes.append(Change("email", _present_email(row, record), row["email"]))
    return changes


def update_obstacle(row: Row, record: Contact) -> Problem | None:
    """An e-mail changes the primary person, so there must be exactly one; a contact without persons gets one (B3)."""
    persons, primaries = record.contactPersons or [], _primaries(record)
    changes_email = any(change.field == "email" for change in differences(row, record))
    if not changes_email or not persons or len(primaries) == 1:
        return None
    text = sentence("primary_person_unclear", ids=record.id, count=len(primaries) or "no")
    return Problem("primary_person_unclear", "email", str(row.get("email") or ""), text)


def create_body(row: Row) -> dict[str, Any]:
    """The body for a new customer; the defaults country DK and type company hold for creates only (rule B1).

    `organizationId` is left out: it is needed with user-bound logins only, and reported as refused by some (section 1).
    Both flags are set, as billy-api.md section 7 asks.
    """
    body: dict[str, Any] = {"type": "company", "countryId": "DK", "isCustomer": True, "isSupplier": False}
    body |= {key: row[field] for field, key in WIRE_KEYS.items() if row.get(field)}
    if row.get("email"):
        body["contactPersons"] = [{"name": row["name"], "email": row["email"], "isPrimary": True}]
    return body


def row_as_contact(row: Row, made_up_id: str) -> Contact:
    """The contact a create of this row would make."""
    body = create_body(row)
    persons = [{"id": made_up_id, **person} for person in body.pop("contactPersons", [])]
    return Contact.model_validate({"id": made_up_id, **body, "contactPersons": persons})


def created_contact(answer: dict[str, Any]) -> Contact:
    """The new contact, with its persons, out of the plural arrays of a write's answer (documented)."""
    contact = Contact.model_validate(answer["contacts"][0])
    persons = answer.get("contactPersons")
    if isinstance(persons, list):
        models = [ContactPerson.model_validate(person) for person in persons if isinstance(person, dict)]
        return contact.with_persons([person for person in models if person.contactId in (contact.id, None)])
    return contact


async def read_all_contacts(client: BillyClient) -> list[Contact]:
    """Every contact, with persons, active and archived.

    Whether a list without `isArchived` holds archived records is unknown, and unknown parameters are ignored
    (observed): so archived ones are asked for when none came, and the answer is checked before it is believed.
    """
    query: dict[str, str | int] = {"include": INCLUDE_PERSONS}
    contacts = _with_side_loaded(*await client.list("contacts", query))
    if not any(contact.isArchived for contact in contacts.values()):
        archived_query: dict[str, str | int] = {**query, "isArchived": "true"}
        page = await client.first_page("contacts", archived_query)
        if page and all(record.get("isArchived") for record in page):
            contacts |= _with_side_loaded(*await client.list("contacts", archived_query))
    return list(contacts.values())


def _with_side_loaded(records: dict[str, dict[str, Any]], roots: list[dict[str, Any]]) -> dict[str, Contact]:
    persons: dict[str, dict[str, ContactPerson]] = {}
    for root in roots:
        side_loaded = root.get("contactPersons")
        for raw in side_loaded if isinstance(side_loaded, list) else []:
            person = ContactPerson.model_validate(raw)
            persons.setdefault(person.contactId or "", {})[person.id] = person
    contacts = {record_id: Contact.model_validate(raw) for record_id, raw in records.items()}
    for record_id, contact in contacts.items():
        if contact.contactPersons is None and persons:
            contacts[record_id] = contact.with_persons(list(persons.get(record_id, {}).values()))
    return contacts


async def read_one_contact(client: BillyClient, record_id: str) -> Contact:
    """One contact with all its persons; they are asked for by themselves when `include` did not bring them."""
    answer = await client.get("contacts", record_id, singular="contact", query={"include": INCLUDE_PERSONS})
    contact = Contact.model_validate(answer["contact"])
    if contact.id != record_id:
        raise UnexpectedAnswer(f"Billy was asked for contact {record_id} and answered with {contact.id}.")
    if contact.contactPersons is not None:
        return contact
    persons, _ = await client.list("contactPersons", {"contactId": record_id})
    models = [ContactPerson.model_validate(person) for person in persons.values()]
    return contact.with_persons([person for person in models if person.contactId == record_id])


async def write_contact_update(client: BillyClient, record: Contact, changes: list[Change], permitted: bool) -> Contact:
    """Carry out changes: the contact's own keys in one PUT, the e-mail on the primary person (never the whole list,
    which would delete the other persons: documented). Returns the record as the answers leave it."""
    keys = {WIRE_KEYS.get(change.field, change.field): change.new for change in changes if change.field != "email"}
    if keys:
        record = _merged(record, await client.update("contacts", "contact", record.id, keys, permitted=permitted), keys)
        permitted = False
    for change in changes:
        if change.field == "email":
            record = _merged(record, await _write_email(client, record, change.new, permitted), {})
    return record


async def _write_email(client: BillyClient, record: Contact, email: str | None, permitted: bool) -> dict[str, Any]:
    primaries = _primaries(record)
    if primaries:
        keys: dict[str, Any] = {"email": email}
        if not email and not primaries[0].name:
            keys["name"] = record.name  # a person needs one of the two (observed)
        return await client.update("contactPersons", "contactPerson", primaries[0].id, keys, permitted=permitted)
    person = {"contactId": record.id, "name": record.name, "email": email, "isPrimary": True}
    return await client.create("contactPersons", "contactPerson", person, permitted=permitted)


def _merged(record: Contact, answer: dict[str, Any], sent: dict[str, Any]) -> Contact:
    """The record after a write: what we sent, then what Billy says of it; that answers are complete is unverified."""
    contact = dict(sent)
    for raw in answer.get("contacts") or []:
        if isinstance(raw, dict) and raw.get("id") == record.id:
            contact |= {key: value for key, value in raw.items() if key != "contactPersons"}
    persons = {person.id: person.image() for person in record.contactPersons or []}
    for raw in answer.get("contactPersons") or []:
        if isinstance(raw, dict) and raw.get("id") and raw.get("contactId") in (record.id, None):
            persons[raw["id"]] = persons.get(raw["id"], {}) | raw
    return Contact.model_validate({**record.image(), **contact, "contactPersons": list(persons.values())})


def lacks_customer_role(record: Contact) -> bool:
    """Whether this is a supplier who is no customer yet (rule B7)."""
    return record.isCustomer is False


def is_complete(row: Row, record: Contact) -> bool:
    """Whether a listed record tells all that this row is compared with."""
    return record.contactPersons is not None or "email" not in row
