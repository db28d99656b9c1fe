"""The requests behind a contact: reading all or one with its persons, and writing changes.

Persons are read with the contact where `include` brings them, else by themselves; an e-mail is changed on its person
and nowhere else, since sending a contact's list of persons deletes those there are (documented).
"""

from __future__ import annotations

from typing import Any

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.errors import UnexpectedAnswer
from billy_pipelines.billy.models import Contact, ContactPerson
from billy_pipelines.schemas.contact_meaning import FURTHER_EMAILS, PERSONS, PRIMARY_PERSON, primaries_of, wire
from billy_pipelines.schemas.resource import Change
from billy_pipelines.schemas.telling import children_after

INCLUDE_PERSONS = "contact.contactPersons:embed"


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
    new = {change.field: change.new for change in changes}
    if keys := _keys_of(new):
        answer = await client.update("contacts", "contact", record.id, keys, permitted=permitted)
        # A list of persons that was sent has replaced those there were.
        record = _merged(record.with_persons([]) if PERSONS in keys else record, answer, wire(new))
        permitted = False
    if primary := {key: new[name] for name, key in PRIMARY_PERSON.items() if name in new}:
        record = await _write_primary(client, record, primary, permitted)
        permitted = False
    for email in filter(None, str(new.get(FURTHER_EMAILS) or "").split(";")):
        person = {"contactId": record.id, "name": record.name, "email": email, "isPrimary": False}
        answer = await client.create("contactPersons", "contactPerson", person, permitted=permitted)
        record = _merged(record, answer, person=person)
        permitted = False
    return record


def _keys_of(new: dict[str, Any]) -> dict[str, Any]:
    """The contact's own keys among new values. A list of persons that came as a list replaces all (documented)."""
    keys = wire(new)
    if PERSONS in new:
        keys[PERSONS] = new[PERSONS]
    return keys


async def _write_primary(client: BillyClient, record: Contact, keys: dict[str, Any], permitted: bool) -> Contact:
    primaries = primaries_of(record)
    if primaries:
        after = {"name": primaries[0].name, "email": primaries[0].email} | keys
        if not after["name"] and not after["email"]:
            keys = {**keys, "name": record.name}  # a person needs one of the two (observed)
        person_id = primaries[0].id
        answer = await client.update("contactPersons", "contactPerson", person_id, keys, permitted=permitted)
        return _merged(record, answer, person={"id": person_id, **keys})
    person = {"contactId": record.id, "name": record.name, "isPrimary": True} | keys
    answer = await client.create("contactPersons", "contactPerson", person, permitted=permitted)
    return _merged(record, answer, person=person)


def _merged(
    record: Contact, answer: dict[str, Any], sent: dict[str, Any] | None = None, person: dict[str, Any] | None = None
) -> Contact:
    """The record after a write: what we sent of it or of a person, then what Billy says; that answers are complete is
    unverified."""
    contact = dict(sent or {})
    for raw in answer.get("contacts") or []:
        if isinstance(raw, dict) and raw.get("id") == record.id:
            contact |= {key: value for key, value in raw.items() if key != "contactPersons"}
    known = {each.id: each.image() for each in record.contactPersons or []}
    persons = children_after(known, answer.get("contactPersons"), "contactId", record.id, person)
    return Contact.model_validate({**record.image(), **contact, "contactPersons": persons})
