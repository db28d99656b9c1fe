"""One organization's records in memory, and the only code that changes them.

A record is never altered in place: a change replaces it, so the ledger and the answers can share it without copying.
Checking is not done here, see `writes`.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .ledger import Operation
from .properties import CONTACT, ORGANIZATION, PERSON, defaults

CONTACTS, PERSONS, ORGANIZATIONS = "contacts", "contactPersons", "organizations"

_CONTACT_DEFAULTS = defaults(CONTACT)
_PERSON_DEFAULTS = defaults(PERSON)


class Record:
    """One stored record: its `values`, and its JSON `text`, made once, at the first answer that needs it."""

    __slots__ = ("_text", "values")

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self._text: str | None = None

    @property
    def text(self) -> str:
        if self._text is None:
            self._text = to_json(self.values)
        return self._text

    def text_with(self, extra: Mapping[str, Any]) -> str:
        """The JSON text with more keys at its end."""
        return f"{self.text[:-1]},{to_json(extra)[1:]}" if extra else self.text


def to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def new_id() -> str:
    """22 characters of the URL-safe base64 alphabet (observed), 128 random bits."""
    return urlsafe_b64encode(secrets.token_bytes(16)).decode("ascii").rstrip("=")


def id_from(text: str) -> str:
    """The same id for the same text, in the form of `new_id`."""
    return urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:16]).decode("ascii").rstrip("=")


def billy_time() -> str:
    """Now as Billy writes it: UTC without a zone (observed)."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")


@dataclass
class Changed:
    """What one request changed: the answer shows `saved` and `deleted`, the ledger gets `events`."""

    saved: dict[str, dict[str, Record]] = field(default_factory=dict)
    """Plural name -> id -> the record after the change, in the order of the changes."""
    deleted: dict[str, list[str]] = field(default_factory=dict)
    client_ids: dict[str, Any] = field(default_factory=dict)
    """Id -> the `_clientId` it was sent with."""
    events: list[tuple[Operation, str, Record]] = field(default_factory=list)

    def save(self, operation: Operation, plural: str, record: Record) -> None:
        self.saved.setdefault(plural, {})[record.values["id"]] = record
        self.events.append((operation, plural, record))

    def delete(self, plural: str, record: Record) -> None:
        self.deleted.setdefault(plural, []).append(record.values["id"])
        self.saved.get(plural, {}).pop(record.values["id"], None)
        self.events.append(("delete", plural, record))


class Books:
    """The records of one organization."""

    def __init__(self, organization: Mapping[str, Any]) -> None:
        self._seed = dict(organization)
        self.clear()

    def clear(self) -> None:
        """Back to an organization without contacts."""
        self.organization = Record(
            {"id": self._seed["id"], **defaults(ORGANIZATION), "createdTime": billy_time(), **self._seed}
        )
        self.contacts: dict[str, Record] = {}
        self.persons: dict[str, Record] = {}
        self.in_use: set[str] = set()
        self.version = 0
        """Goes up with every change; what was worked out from the records before it is stale."""
        self._persons_of: dict[str, list[str]] = {}
        self._by_number: dict[str, dict[str, None]] = {}

    @property
    def organization_id(self) -> str:
        return str(self.organization.values["id"])

    def records(self, plural: str) -> dict[str, Record]:
        return self.contacts if plural == CONTACTS else self.persons

    def persons_of(self, contact_id: str) -> list[Record]:
        return [self.persons[person_id] for person_id in self._persons_of.get(contact_id, ())]

    def with_number(self, contact_no: str) -> list[Record]:
        """The contacts with exactly this `contactNo`, oldest first."""
        return [self.contacts[contact_id] for contact_id in self._by_number.get(contact_no, ())]

    def save(
        self, plural: str, record_id: str | None, values: Mapping[str, Any], persons: Sequence[Mapping[str, Any]] | None
    ) -> tuple[str, Changed]:
        """Create (`record_id` None) or change a record; `persons` replace all that a contact has (documented)."""
        changed = Changed()
        if plural == PERSONS:
            record_id = self._save_person(record_id, values, changed)
        else:
            record_id = self._save_contact(record_id, values, changed)
            if persons is not None:
                for person in self.persons_of(record_id):
                    self._delete_person(person, changed)
                for person_values in persons:
                    self._save_person(None, {**person_values, "contactId": record_id}, changed)
        self.version += 1
        return record_id, changed

    def delete(self, plural: str, record_id: str) -> Changed:
        """Delete a record and what hangs on it; nothing happens for an unknown id."""
        changed = Changed()
        record = self.records(plural).get(record_id)
        if record is not None:
            if plural == PERSONS:
                self._delete_person(record, changed)
            else:
                self._delete_contact(record, changed)
            self.version += 1
        return changed

    def save_organization(self, values: Mapping[str, Any]) -> Changed:
        changed = Changed()
        self.organization = Record({**self.organization.values, **values})
        changed.save("update", ORGANIZATIONS, self.organization)
        return changed

    def _save_contact(self, contact_id: str | None, values: Mapping[str, Any], changed: Changed) -> str:
        operation: Operation = "create" if contact_id is None else "update"
        if contact_id is None:
            contact_id = values.get("id") or new_id()  # only a seed brings its own
            before = {
                "id": contact_id,
                "type": None,
                "organizationId": self.organization_id,
                "createdTime": billy_time(),
                **_CONTACT_DEFAULTS,
                "accessCode": secrets.token_hex(8),  # set by Billy if absent (unverified)
            }
        else:
            before = self.contacts[contact_id].values
            self._by_number.get(before["contactNo"] or "", {}).pop(contact_id, None)
        record = self.contacts[contact_id] = Record({**before, **values})
        if number := record.values["contactNo"]:
            self._by_number.setdefault(number, {})[contact_id] = None
        changed.save(operation, CONTACTS, record)
        return contact_id

    def _save_person(self, person_id: str | None, values: Mapping[str, Any], changed: Changed) -> str:
        operation: Operation = "create" if person_id is None else "update"
        if person_id is None:
            person_id = new_id()
            before = {"id": person_id, **_PERSON_DEFAULTS}
            self._persons_of.setdefault(values["contactId"], []).append(person_id)
        else:
            before = self.persons[person_id].values
        record = self.persons[person_id] = Record({**before, **values})
        changed.save(operation, PERSONS, record)
        return person_id

    def _delete_contact(self, record: Record, changed: Changed) -> None:
        contact_id = record.values["id"]
        for person in self.persons_of(contact_id):
            self._delete_person(person, changed)
        self._persons_of.pop(contact_id, None)
        self._by_number.get(record.values["contactNo"] or "", {}).pop(contact_id, None)
        self.in_use.discard(contact_id)
        del self.contacts[contact_id]
        changed.delete(CONTACTS, record)

    def _delete_person(self, record: Record, changed: Changed) -> None:
        person_id = record.values["id"]
        self._persons_of[record.values["contactId"]].remove(person_id)
        del self.persons[person_id]
        changed.delete(PERSONS, record)
