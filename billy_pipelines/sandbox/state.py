"""The sandbox behind its HTTP face: switches, books, ledger and counters; what tests use directly.

One lock guards it all, since a test's thread may look and seed while the server's thread answers.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from datetime import date
from threading import RLock
from typing import Any, NotRequired, TypedDict

from .books import Books
from .fault import Fault
from .ledger import Ledger, RequestLog, utc_now
from .names import CONTACTS, PERSONS
from .poison import is_called
from .record import Changed, Values, id_from, to_json
from .resource import Resource
from .resources import RESOURCES
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
    vat_settled_until: NotRequired[date]
    """VAT periods that end on this day or before are settled; none without it."""


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
        self.rate_buckets: dict[str, float] = {}
        """Token -> when its bucket will be full again (`rate_burst`)."""
        self.books_by_token = {
            each["token"]: Books(_organization(each, number), each.get("vat_settled_until"))
            for number, each in enumerate(organizations, start=1)
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
                self.rate_buckets.clear()
            if "faults" in changes:
                self.fault_calls.clear()
                self.fault_hits.clear()
            return self.switches

    # -- records -------------------------------------------------------------------------------------------------

    @property
    def books(self) -> Books:
        """The books of the first organization."""
        return next(iter(self.books_by_token.values()))

    def records(self, plural: str, token: str | None = None) -> list[dict[str, Any]]:
        """An organization's records as they are stored, oldest first; not to be altered. First of all if no token."""
        with self.lock:
            return [record.values for record in self._books(token).records(plural).values()]

    def add(self, plural: str, bodies: Iterable[Values], token: str | None = None) -> list[str]:
        """Put records into the books as if they had always been there: unchecked, and not in the ledger.

        A body may hold its children (`contactPersons`, `prices`, `lines`), a `createdTime` and an `id` of its own, and
        an invoice a `state`. What follows from a record (totals, numbers, balances) follows here too. Returns the ids.
        """
        with self.lock:
            books, resource = self._books(token), RESOURCES[plural]
            ids = []
            for body in bodies:
                values = {**_ADDED.get(plural, {}), **body}
                children = _children(resource, values)
                ids.append(books.save(plural, None, values, children, self.switches)[0])
            return ids

    def change(self, plural: str, record_id: str, *, token: str | None = None, **changes: Any) -> dict[str, Any]:
        """Change a record as a person in the web app would, unchecked; the ledger says `in-process`. Returns it."""
        with self.lock:
            books = self._books(token)
            children = _children(RESOURCES[plural], changes)
            self.note(books, books.save(plural, record_id, changes, children, self.switches)[1], IN_PROCESS)
            return books.records(plural)[record_id].values

    def delete(self, plural: str, record_id: str, *, token: str | None = None) -> None:
        """Delete a record as a person in the web app would, unchecked; the ledger says `in-process`."""
        with self.lock:
            books = self._books(token)
            self.note(books, books.delete(plural, record_id, self.switches), IN_PROCESS)

    @property
    def contacts(self) -> list[dict[str, Any]]:
        """The first organization's contacts."""
        return self.records(CONTACTS)

    @property
    def contact_persons(self) -> list[dict[str, Any]]:
        """The first organization's contact persons."""
        return self.records(PERSONS)

    def add_contacts(self, bodies: Iterable[Values], token: str | None = None) -> list[str]:
        """`add` for contacts."""
        return self.add(CONTACTS, bodies, token)

    def change_contact(self, contact_id: str, *, token: str | None = None, **changes: Any) -> dict[str, Any]:
        """`change` for a contact."""
        return self.change(CONTACTS, contact_id, token=token, **changes)

    def delete_contact(self, contact_id: str, *, token: str | None = None) -> None:
        """`delete` for a contact."""
        self.delete(CONTACTS, contact_id, token=token)

    def mark_in_use(self, *record_ids: str, in_use: bool = True) -> None:
        """Mark contacts or products as needed by something the sandbox does not hold, so that a DELETE is refused.

        Raises:
            KeyError: no organization has such a record.
        """
        with self.lock:
            for record_id in record_ids:
                books = next((b for b in self.books_by_token.values() if _can_be_in_use(b, record_id)), None)
                if books is None:
                    raise KeyError(record_id)
                (books.in_use.add if in_use else books.in_use.discard)(record_id)

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
            self.rate_buckets.clear()
            self.fault_calls.clear()
            self.fault_hits.clear()
            self.generator.seed(self.seed)

    # -- for the routes ------------------------------------------------------------------------------------------

    def note(self, books: Books, changed: Changed, request_id: str) -> None:
        """Write a committed change into the ledger."""
        time = utc_now()
        for operation, plural, record in changed.events:
            values = record.values
            self.ledger.add(
                operation,
                plural,
                values["id"],
                RESOURCES[plural].called(values),
                None if operation == "delete" else values,
                request_id,
                books.organization_id,
                time,
            )

    def fires(self, place: int, fault: Fault) -> bool:
        """Count a call that a fault could hit, and say whether it does. `place` is its place in the switch."""
        self.fault_calls[place] += 1
        if fault.limit is not None and self.fault_hits[place] >= fault.limit:
            return False
        by_turn = fault.every is not None and self.fault_calls[place] % fault.every == 0
        by_chance = fault.share is not None and self.generator.random() < fault.share
        if not (by_turn or by_chance or (fault.every is None and fault.share is None)):
            return False
        self.fault_hits[place] += 1
        self.faults_fired[fault.kind] += 1
        return True

    def poisoned(self, method: str, resource: Resource, forms: Sequence[Values]) -> bool:
        """Whether a fault of kind 422 hits a record, given as it is sent and as it is stored."""
        for place, fault in enumerate(self.switches.faults):
            if fault.kind != "422" or method not in fault.methods or fault.resource not in (None, resource.plural):
                continue
            if fault.record is not None and not any(is_called(fault.record, resource, form) for form in forms):
                continue
            if fault.body_contains is not None and fault.body_contains not in to_json(forms[0]):
                continue
            if self.fires(place, fault):
                return True
        return False

    def knows(self, plural: str, record_id: str) -> bool:
        """Whether any organization has the record."""
        return any(record_id in books.records(plural) for books in self.books_by_token.values())

    def _books(self, token: str | None) -> Books:
        return self.books if token is None else self.books_by_token[token]


_ADDED: dict[str, dict[str, Any]] = {
    CONTACTS: {"countryId": "DK"},
    "invoices": {"entryDate": "2026-02-03"},
    "bankPayments": {"entryDate": "2026-02-03", "cashSide": "debit"},
}
"""What `add` fills in, so that tests say only what they are about."""


def _children(resource: Resource, values: dict[str, Any]) -> dict[str, Sequence[Values]]:
    """Take the children out of a body."""
    return {each.name: values.pop(each.name) for each in resource.children if each.name in values}


def _can_be_in_use(books: Books, record_id: str) -> bool:
    return any(record_id in books.records(each.plural) for each in RESOURCES.values() if each.use_switch is not None)


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
