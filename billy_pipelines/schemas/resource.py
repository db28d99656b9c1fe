"""What a resource is: one object from which templates, choices, validation, matching and Billy bodies derive.

Adding a resource is one module beside `customers.py` and one line in `registry.py`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar
from zoneinfo import ZoneInfo

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.models import Record
from billy_pipelines.schemas.codes import Problem
from billy_pipelines.schemas.export import Export
from billy_pipelines.schemas.row_schema import Column, RowSchema
from billy_pipelines.schemas.undoing import NOTHING_OF_ITS_OWN, Undoing, own_keys
from billy_pipelines.settings import Organization

R = TypeVar("R", bound=Record)
COPENHAGEN = ZoneInfo("Europe/Copenhagen")
Row = Mapping[str, Any]
"""A valid row: field name to cleaned value. An absent field says nothing, None says: clear it."""


class KeyKind(StrEnum):
    """How far a match by this key can be trusted."""

    IDENTITY = "identity"
    """Names one record."""
    SHARED = "shared"
    """Names one record only as long as a single live one has it (a CVR number: rule B6)."""
    WEAK = "weak"
    """Fits only if nothing else contradicts (a name: rule B5)."""
    CONTENT = "content"
    """Tells whether a create in doubt was made (contact and date of an invoice); never used to find a row's record."""


@dataclass(frozen=True)
class MatchKey(Generic[R]):
    """One way to find a row's record. Both functions give comparable keys; None or nothing means: this one has none."""

    name: str
    kind: KeyKind
    of_row: Callable[[Row], str | None]
    of_record: Callable[[R], list[str]]
    must_exist: bool = False
    """A row that gives this key and finds nothing is wrong (an id)."""
    apart: tuple[str, ...] = ()
    """Other keys that, given on both sides and different, tell that an equal one of these proves nothing (the customer
    numbers of two departments with one CVR number)."""

    @property
    def is_strong(self) -> bool:
        """Whether it names one record by itself, whatever else is said."""
        return self.kind is KeyKind.IDENTITY and not self.apart


@dataclass(frozen=True)
class Change:
    """One field that would change: what Billy has, what the row says."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True)
class PlanTerms:
    """What a row's meaning depends on beside row and books: the operation, and what the job's owner has allowed."""

    organization: Organization
    operation: str = "import"
    language: str = "en"
    contact_by_name: bool = False
    """An invoice's contact may be found by its name alone (rule B5)."""
    own_numbers: bool = False
    """Own invoice numbers above the counter, or with a hole (rule B11)."""
    create_missing: bool = False
    """Contacts and products that an invoice names and that are not in the books are made before it."""
    approve: bool = False
    """New invoices are to be approved, those excepted that the file holds back (rule B9)."""
    today: date = field(default_factory=lambda: datetime.now(COPENHAGEN).date())


@dataclass(frozen=True)
class Missing:
    """A record that a row refers to and that is not in the books, but could be made before the row is carried out."""

    resource: str
    row: dict[str, Any]
    """What the row says of it, as a row of that resource."""
    problem: Problem
    """What rejects the row unless the record is made."""
    line: int = 0
    """The line of the file that names it; 0 for the row's own."""
    nearest: str = ""
    """What in the books is called nearly so."""


@dataclass(frozen=True)
class Resolved:
    """A row whose references were looked up: the ids stand in it under their wire keys. Errors reject the row."""

    row: dict[str, Any]
    problems: tuple[Problem, ...] = ()
    for_creates: tuple[Problem, ...] = ()
    """Errors that reject the row only if it makes a new record (a default that these books leave open: rule B1)."""
    missing: tuple[Missing, ...] = ()
    """What has to be made before the row can be carried out."""


@dataclass(frozen=True)
class Made:
    """Records of another resource that rows may have made on their way (`create_missing`)."""

    resource: str
    loose: tuple[tuple[str, ...], ...] = ()
    """Fields in which rows that mean the same record may differ; then nothing is said of them. In any other field they
    must agree."""


class WithMade(Protocol):
    """References of a resource that makes others on the way."""

    def listed(self, resource: str) -> Sequence[Any]:
        """The records of that resource as they were read."""

    def with_made(self, made: Mapping[str, Sequence[Any]]) -> WithMade:
        """The references as they are with these records too, by resource, and as if no row had been resolved yet."""


async def _no_references(
    _client: BillyClient, _terms: PlanTerms, _fields: frozenset[str], _records: Sequence[Any]
) -> None:
    return None


@dataclass(frozen=True)
class Resource(Generic[R]):
    """A kind of record people import, described once.

    The functions are the resource's meaning in Billy; none of them does I/O except `read_all`, `read_one` and
    `write_update`, which use the client they are given.
    """

    schema: RowSchema
    """What a valid row of its files is."""
    endpoint: str
    endpoint_singular: str
    family: str
    """Resources of one family share the writer lock, because they write the same records."""
    operations: tuple[str, ...]
    match_keys: tuple[MatchKey[R], ...]
    read_all: Callable[[BillyClient], Any]
    """-> awaitable of list[R]: every present record, archived ones too, with what matching needs."""
    read_one: Callable[[BillyClient, str], Any]
    """-> awaitable of R: one record with every writable field (rule R7)."""
    is_archived: Callable[[R], bool]
    contradictions: Callable[[Row, R], list[str]]
    """Fields in which a row and a record of the same name cannot be the same (rule B5)."""
    differences: Callable[[Row, R], list[Change]]
    """Fields of the row, cleaned, that differ from the record; equal in meaning is no difference."""
    is_complete: Callable[[Row, R], bool]
    """Whether a listed record holds all the row is compared with; if not, it is read by itself."""
    update_obstacle: Callable[[Row, R, str], Problem | None]
    """Why an update of this record by this row cannot be made, in a language (`en`, `da`)."""
    create_body: Callable[[Row], dict[str, Any]]
    """The body of a create, with the defaults that hold for creates only (rule B1)."""
    as_record: Callable[[Row, str], R]
    """The record a create of this row would make, under a made-up id: rows of one file are compared through it."""
    created_record: Callable[[dict[str, Any]], R]
    """The new record out of the answer to a create."""
    write_update: Callable[[BillyClient, R, list[Change], bool], Any]
    """-> awaitable of R: carry out changes on the record as read, with a permit in hand or not; returns it after."""
    label: Callable[[Row], str]
    """What a person calls this row: its natural key in plan and results."""
    lacks_role: Callable[[R], bool] = lambda _record: False
    """Whether the record is there but not as this kind (a supplier who is no customer yet: rule B7)."""
    role_change: Change | None = None
    """What an update adds to give it that role."""
    load_references: Callable[[BillyClient, PlanTerms, frozenset[str], Sequence[R]], Awaitable[Any]] = _no_references
    """What rows refer to and deletes depend on, read once before planning (accounts, VAT rulesets, what is in use); the
    fields are those that some row says something about, so that nothing is read for nobody, and the records are the
    resource's own, as `read_all` has just read them."""
    resolve: Callable[[Row, Any, PlanTerms], Resolved] = lambda row, _references, _terms: Resolved(dict(row))
    """The row with its references resolved against what `load_references` brought."""
    archive: Change | None = Change("isArchived", False, True)
    """What archives a record; None where Billy has no such thing (invoices)."""
    in_use: Callable[[R, Any], bool] = lambda _record, _references: False
    """Whether a record cannot be deleted because others refer to it."""
    created_problem: Callable[[Row, R, Any], Problem | None] = lambda _row, _record, _references: None
    """What is wrong with a record as Billy made it (totals that differ: rule B10); it stays, and the row has failed."""
    writable: tuple[str, ...] = ()
    """Wire keys of a record that people write; the rest changes by itself."""
    by_hand: tuple[tuple[str, ...], ...] = ()
    """Those of them that Billy never fills by itself: what stands there and we have not sent, a person has written. Of
    keys in one group, one may follow from another (a town from its postcode): something was sent when one was."""
    known_by: tuple[str, ...] = ()
    """Fields that tell whose a new record is, where it holds what was sent but for texts that Billy has kept otherwise:
    numbers, addresses, nothing that many share."""
    is_rounded: Callable[[Row, R, Change], bool] = lambda _row, _record, _change: False
    """Whether a difference is only that Billy keeps fewer decimals than were sent (how many is unknown)."""
    delete_obstacle: Callable[[R, Any, str], Problem | None] = lambda _record, _references, _language: None
    """Why a record must not be deleted at all, in a language (an approved invoice)."""
    export: Export[R] | None = None
    """How it is exported; None: it is not."""
    makes: tuple[Made, ...] = ()
    """What its rows may have made on the way, in this order; its references are `WithMade` then."""
    undo: Undoing = NOTHING_OF_ITS_OWN
    """What taking a change back means beside what the description says anyway."""

    def moved(self, before: Mapping[str, Any], record: R) -> list[str]:
        """Writable fields in which a record is no more what its image says."""
        now = record.image()
        return [key for key in self.writable if key in before and not _alike(before[key], now.get(key))]

    def as_left(self, before: Mapping[str, Any], changes: Mapping[str, Any] | None, record: R) -> dict[str, Any]:
        """The record as a change has left it, for its image: what people wrote into other fields meanwhile is not the
        change's doing, and an undo must not take it back."""
        if not changes:
            return record.image()
        fields = {key: self.undo.names.get(key, key) for key in own_keys(self.undo, self.writable)}
        theirs = [key for key, field in fields.items() if field not in changes and key not in self.undo.computed]
        if set(changes) <= set(fields.values()):  # then nothing that hangs on it was changed
            theirs += [each.field for each in self.undo.children if before.get(each.field) is not None]
        return record.image() | {key: before[key] for key in theirs if key in before}

    @property
    def name(self) -> str:
        """`customers`, as in folders, commands and tables."""
        return self.schema.name

    @property
    def singular(self) -> str:
        """`customer`, as in sentences."""
        return self.schema.singular

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of its files."""
        return self.schema.columns


def _alike(before: Any, now: Any) -> bool:
    """Whether a value is still the same. Children that were not listed, then or now, say nothing, and their order
    neither."""
    if (before is None and isinstance(now, list)) or (now is None and isinstance(before, list)):
        return True
    if isinstance(before, list) and isinstance(now, list):
        return sorted(before, key=_in_order) == sorted(now, key=_in_order)
    return bool(before == now)


def _in_order(child: Any) -> str:
    """A child as text: the journal keeps the keys of an object in an order of its own."""
    return json.dumps(child, sort_keys=True)
