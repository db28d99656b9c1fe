"""Saving and deleting: bodies are checked completely before anything is stored.

A parent and its embedded children are saved together or not at all (documented).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .answers import RefusedError
from .books import CONTACTS, PERSONS, Books, Changed
from .properties import CONTACT, PERSON, checked
from .switches import Switches

SINGULAR = {CONTACTS: "contact", PERSONS: "contactPerson"}

Problems = dict[str, Any]
"""`validationErrors`: the record's `_clientId` -> {"attributes": {key: text}}."""


@dataclass(frozen=True)
class Draft:
    """One record that has passed the checks."""

    plural: str
    id: str | None
    values: Mapping[str, Any]
    persons: Sequence[Mapping[str, Any]] | None
    echo: Mapping[str, Any]
    """{"_clientId": …} where one was sent: the saved record repeats it (observed)."""

    def commit(self, books: Books) -> Changed:
        record_id, changed = books.save(self.plural, self.id, self.values, self.persons)
        if self.echo:
            changed.client_ids[record_id] = self.echo["_clientId"]
        return changed


def save_one(books: Books, switches: Switches, plural: str, record_id: str | None, item: Mapping[str, Any]) -> Changed:
    """POST (`record_id` None) or PUT.

    Raises:
        RefusedError: 404 for an unknown id (our choice), 422 for anything wrong with the body.
    """
    if record_id is not None and record_id not in books.records(plural):
        raise RefusedError(404, f"`{SINGULAR[plural]}` `{record_id}` does not exist")
    draft = _draft(books, switches, plural, record_id, item, position=1)
    if isinstance(draft, Draft):
        return draft.commit(books)
    raise RefusedError(422, f"{SINGULAR[plural]} is not valid", validation=draft)


def save_many(books: Books, switches: Switches, plural: str, items: Sequence[Any]) -> Changed:
    """PATCH of many records, new and existing ones mixed (observed in Billy's client; the server's side is unknown).

    Raises:
        RefusedError: 422 with every bad item; with `bulk_save: partial` the good ones are stored all the same.
    """
    drafts: list[Draft] = []
    problems: Problems = {}
    for position, item in enumerate(items, start=1):
        if not isinstance(item, dict):
            problems[str(position)] = {"message": "sandbox: not an object"}
            continue
        record_id = item.get("id")
        if record_id is not None and not (isinstance(record_id, str) and record_id in books.records(plural)):
            problems[_key(item, position)] = {"attributes": {"id": "sandbox: no such record"}}
            continue
        draft = _draft(books, switches, plural, record_id, item, position)
        if isinstance(draft, Draft):
            drafts.append(draft)
        else:
            problems.update(draft)
    changed = Changed()
    if not problems or switches.bulk_save == "partial":
        for draft in drafts:
            _merge(changed, draft.commit(books))
    if problems:
        raise RefusedError(422, f"{len(problems)} of the records are not valid", validation=problems, changed=changed)
    return changed


def delete_one(books: Books, switches: Switches, plural: str, record_id: str) -> Changed:
    """DELETE by id; an unknown id succeeds and changes nothing (documented).

    Raises:
        RefusedError: 422 for a contact in use (status and text are our choice).
    """
    if _is_kept(books, switches, plural, record_id):
        raise _in_use([record_id])
    return books.delete(plural, record_id)


def delete_many(books: Books, switches: Switches, plural: str, ids: Sequence[str]) -> Changed:
    """DELETE ?ids[]=A&ids[]=B; unknown ids are skipped (our choice).

    Raises:
        RefusedError: 422 when one is in use; with `bulk_delete: partial` it is left out of `deletedRecords` instead.
    """
    kept = [record_id for record_id in ids if _is_kept(books, switches, plural, record_id)]
    if kept and switches.bulk_delete == "all-or-nothing":
        raise _in_use(kept)
    changed = Changed()
    for record_id in ids:
        if record_id not in kept:
            _merge(changed, books.delete(plural, record_id))
    return changed


def save_organization(books: Books, properties: Mapping[str, Any], switches: Switches, item: dict[str, Any]) -> Changed:
    """PUT /organizations/:id.

    Raises:
        RefusedError: 422 for anything wrong with the body.
    """
    values, wrong = checked(item, properties, switches, books.organization_id, books.organization.values)
    if wrong:
        raise RefusedError(422, "organization is not valid", validation={_key(item, 1): {"attributes": wrong}})
    return books.save_organization(values)


def _draft(
    books: Books, switches: Switches, plural: str, record_id: str | None, item: Mapping[str, Any], position: int
) -> Draft | Problems:
    key = _key(item, position)
    before = None if record_id is None else books.records(plural)[record_id].values
    properties = CONTACT if plural == CONTACTS else PERSON
    values, wrong = checked(item, properties, switches, books.organization_id, before)
    if record_id is not None and item.get("id", record_id) != record_id:
        wrong["id"] = "sandbox: must equal the id in the path"  # documented
    problems: Problems = {}
    persons: list[dict[str, Any]] | None = None
    if plural == PERSONS:
        wrong |= _wrong_person(values, before)
        if "contactId" in values and values["contactId"] not in books.contacts:
            wrong["contactId"] = "sandbox: no such contact"
    elif "contactPersons" in item:
        persons, problems = _embedded_persons(books, switches, item["contactPersons"], key)
    if wrong:
        problems = {key: {"attributes": wrong}, **problems}
    echo = {"_clientId": item["_clientId"]} if "_clientId" in item else {}
    return problems or Draft(plural, record_id, values, persons, echo)


def _embedded_persons(
    books: Books, switches: Switches, given: Any, parent_key: str
) -> tuple[list[dict[str, Any]], Problems]:
    """The persons in a contact's body; each has its own entry in `validationErrors` (observed)."""
    if not isinstance(given, list):
        return [], {parent_key: {"attributes": {"contactPersons": "sandbox: must be a list"}}}
    properties = {key: declared for key, declared in PERSON.items() if key != "contactId"}
    persons: list[dict[str, Any]] = []
    problems: Problems = {}
    for position, person in enumerate(given, start=1):
        key = f"{parent_key}.contactPersons.{position}"
        if not isinstance(person, dict):
            problems[key] = {"message": "sandbox: not an object"}
            continue
        person = {name: value for name, value in person.items() if name != "contactId"}
        values, wrong = checked(person, properties, switches, books.organization_id, None)
        wrong |= _wrong_person(values, None)
        if wrong:
            problems[str(person.get("_clientId", key))] = {"attributes": wrong}
        persons.append(values)
    return persons, problems


def _wrong_person(values: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, str]:
    after = {**(before or {}), **values}
    return {} if after.get("name") or after.get("email") else {"name": "sandbox: needs a value, or an email"}


def _key(item: Mapping[str, Any], position: int) -> str:
    """The record's key in `validationErrors`: its `_clientId` as text (observed), else its position (our choice)."""
    return str(item.get("_clientId", position))


def _is_kept(books: Books, switches: Switches, plural: str, record_id: str) -> bool:
    return plural == CONTACTS and switches.contact_in_use == "refused" and record_id in books.in_use


def _in_use(ids: Sequence[str]) -> RefusedError:
    return RefusedError(422, f"contact is in use and cannot be deleted: {', '.join(ids)}")


def _merge(into: Changed, more: Changed) -> None:
    for plural, records in more.saved.items():
        into.saved.setdefault(plural, {}).update(records)
    for plural, ids in more.deleted.items():
        into.deleted.setdefault(plural, []).extend(ids)
        for record_id in ids:
            into.saved.get(plural, {}).pop(record_id, None)
    into.client_ids |= more.client_ids
    into.events += more.events
