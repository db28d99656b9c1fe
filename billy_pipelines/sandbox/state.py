"""The sandbox behind its HTTP face: switches, books, ledger and counters; what tests use directly.

One lock guards it all, since a test's thread may look and seed while the server's thread answers.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from threading import RLock
from typing import Any, NotRequired, TypedDict

from .books import CONTACTS, Books, Changed, id_from
from .ledger import Ledger, RequestLog
from .switches import Switches
from .wire import Wire

DEFAULT_TOKEN = "sandbox-token"  # noqa: S105 - opens made-up books on this machine, nothing else
IN_PROCESS = "in-process"
"""Request id in the ledger of a change that came past the API: a person at work in Billy's web app."""


class OrganizationSeed(TypedDict):
    """One organization and the token that opens its books."""

    token: str
    id: NotRequired[str]
    name: NotRequired[str]
    registrationNo: NotRequired[str]


class Sandbox:
    """All state of one sandbox. `seed` drives faults, latency and reshuffling."""

    def __init__(
        self,
        switches: Switches | None = None,
        organizations: Sequence[OrganizationSeed] | None = None,
        seed: int = 0,
    ) -> None:
        if not organizations:
            organizations = [{"token": DEFAULT_TOKEN}]
        self.lock = RLock()
        self.switches = switches or Switches()
        self.seed = seed
        self.ledger = Ledger()
        self.requests = RequestLog()
        self.faults_fired: Counter[str] = Counter()
        """How often each kind of fault was committed."""
        self.wire: Wire | None = None
        """The running server's connections; None behind another ASGI server."""
        self.generator = random.Random(seed)
        self.authorised = 0
        """Requests let in since `revoked_after` was set."""
        self.fault_calls: Counter[int] = Counter()
        """Calls each fault could have hit, by its place in the switch."""
        self.fault_hits: Counter[int] = Counter()
        self.rate_windows: dict[str, deque[float]] = {}
        """Token -> times of the requests let through within the window."""
        self.books_by_token = {
            each["token"]: Books(_organization(each, number)) for number, each in enumerate(organizations, start=1)
        }
        if len(self.books_by_token) != len(organizations):
            raise ValueError("two organizations have the same token")

    # -- switches ------------------------------------------------------------------------------------------------

    def switch(self, **changes: Any) -> Switches:
        """Change switches by name; what `faults`, `rate_limit` and `revoked_after` have counted starts again when set.

        Raises:
            pydantic.ValidationError: a name or a value that does not exist.
        """
        with self.lock:
            self.switches = self.switches.with_changes(changes)
            if "revoked_after" in changes:
                self.authorised = 0
            if "rate_limit" in changes:
                self.rate_windows.clear()
            if "faults" in changes:
                self.fault_calls.clear()
                self.fault_hits.clear()
            return self.switches

    # -- records -------------------------------------------------------------------------------------------------

    @property
    def books(self) -> Books:
        """The books of the first organization."""
        return next(iter(self.books_by_token.values()))

    @property
    def contacts(self) -> list[dict[str, Any]]:
        """The first organization's contacts as they are stored, oldest first; not to be altered."""
        with self.lock:
            return [record.values for record in self.books.contacts.values()]

    @property
    def contact_persons(self) -> list[dict[str, Any]]:
        """The first organization's contact persons as they are stored; not to be altered."""
        with self.lock:
            return [record.values for record in self.books.persons.values()]

    def add_contacts(self, bodies: Iterable[Mapping[str, Any]], token: str | None = None) -> list[str]:
        """Put contacts into the books as if they had always been there: unchecked, and not in the ledger.

        A body may hold `contactPersons`, a `createdTime` and an `id` of its own. Returns the ids.
        """
        with self.lock:
            books = self._books(token)
            ids = []
            for body in bodies:
                values = {"countryId": "DK", **body}
                persons = values.pop("contactPersons", None)
                ids.append(books.save(CONTACTS, None, values, persons)[0])
            return ids

    def change_contact(self, contact_id: str, *, token: str | None = None, **changes: Any) -> dict[str, Any]:
        """Change a contact as a person in the web app would; the ledger says `in-process`. Returns the record."""
        with self.lock:
            books = self._books(token)
            persons = changes.pop("contactPersons", None)
            self.note(books, books.save(CONTACTS, contact_id, changes, persons)[1], IN_PROCESS)
            return books.contacts[contact_id].values

    def delete_contact(self, contact_id: str, *, token: str | None = None) -> None:
        """Delete a contact as a person in the web app would; the ledger says `in-process`."""
        with self.lock:
            books = self._books(token)
            self.note(books, books.delete(CONTACTS, contact_id), IN_PROCESS)

    def mark_in_use(self, *contact_ids: str, in_use: bool = True) -> None:
        """Mark contacts as having invoices or bills, so that a DELETE is refused.

        Raises:
            KeyError: no organization has such a contact.
        """
        with self.lock:
            for contact_id in contact_ids:
                books = next((b for b in self.books_by_token.values() if contact_id in b.contacts), None)
                if books is None:
                    raise KeyError(contact_id)
                (books.in_use.add if in_use else books.in_use.discard)(contact_id)

    def reset(self) -> None:
        """Empty the books, the ledger, the request log and the counters; switches stay as they are."""
        with self.lock:
            for books in self.books_by_token.values():
                books.clear()
            self.ledger.clear()
            self.requests.clear()
            self.faults_fired.clear()
            self.authorised = 0
            self.rate_windows.clear()
            self.fault_calls.clear()
            self.fault_hits.clear()
            self.generator.seed(self.seed)

    # -- for the routes ------------------------------------------------------------------------------------------

    def note(self, books: Books, changed: Changed, request_id: str) -> None:
        """Write a committed change into the ledger."""
        for operation, plural, record in changed.events:
            values = record.values
            self.ledger.add(
                operation,
                plural,
                values["id"],
                values.get("name") or values.get("email") or "",
                None if operation == "delete" else values,
                request_id,
                books.organization_id,
            )

    def knows(self, plural: str, record_id: str) -> bool:
        """Whether any organization has the record."""
        return any(record_id in books.records(plural) for books in self.books_by_token.values())

    def _books(self, token: str | None) -> Books:
        return self.books if token is None else self.books_by_token[token]


def _organization(seed: OrganizationSeed, number: int) -> dict[str, Any]:
    return {
        "id": seed.get("id") or id_from(seed["token"]),  # the same company when the sandbox is started again
        "name": seed.get("name") or f"Prøveselskab {number} ApS",
        "registrationNo": seed.get("registrationNo") or f"{number:08d}",
        "countryId": "DK",
        "baseCurrencyId": "DKK",
        "localeId": "da_DK",
        "paymentTermsMode": "net",
        "paymentTermsDays": 8,
        "isLocked": False,
        "isTrial": False,
    }
