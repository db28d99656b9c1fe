"""What a resource is: one object from which templates, choices, validation, matching and Billy bodies derive.

Adding a resource is one module beside `customers.py` and one line in `registry.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

import pandas as pd

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.models import Record
from billy_pipelines.schemas.codes import Problem

R = TypeVar("R", bound=Record)
Row = Mapping[str, Any]
"""A valid row: field name to cleaned value. An absent field says nothing, None says: clear it."""


@dataclass(frozen=True)
class Column:
    """One column of a resource's files."""

    name: str
    description: str
    aliases: tuple[str, ...] = ()
    required: bool = False
    may_clear: bool = True
    examples: tuple[str, str] = ("", "")


class KeyKind(StrEnum):
    """How far a match by this key can be trusted."""

    IDENTITY = "identity"
    """Names one record."""
    SHARED = "shared"
    """Names one record only as long as a single live one has it (a CVR number: rule B6)."""
    WEAK = "weak"
    """Fits only if nothing else contradicts (a name: rule B5)."""


@dataclass(frozen=True)
class MatchKey(Generic[R]):
    """One way to find a row's record. Both functions give comparable keys; None or nothing means: this one has none."""

    name: str
    kind: KeyKind
    of_row: Callable[[Row], str | None]
    of_record: Callable[[R], list[str]]
    must_exist: bool = False
    """A row that gives this key and finds nothing is wrong (an id)."""


@dataclass(frozen=True)
class Change:
    """One field that would change: what Billy has, what the row says."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Validated:
    """A table after validation. `rows` has one entry per table row: the cleaned fields, or None when rejected."""

    rows: list[dict[str, Any] | None]
    problems: dict[int, list[Problem]]
    """By position in the table; warnings among them do not reject."""


@dataclass(frozen=True)
class Resource(Generic[R]):
    """A kind of record people import, described once.

    The functions are the resource's meaning in Billy; none of them does I/O except `read_all`, `read_one` and
    `write_update`, which use the client they are given.
    """

    name: str
    singular: str
    endpoint: str
    endpoint_singular: str
    family: str
    """Resources of one family share the writer lock, because they write the same records."""
    operations: tuple[str, ...]
    columns: tuple[Column, ...]
    match_keys: tuple[MatchKey[R], ...]
    validate: Callable[[pd.DataFrame, str], Validated]
    """Table of text by field name, and `blank_means`."""
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
    lacks_role: Callable[[R], bool]
    """Whether the record is there but not as this kind (a supplier who is no customer yet: rule B7)."""
    role_change: Change
    """What an update adds to give it that role."""
    update_obstacle: Callable[[Row, R], Problem | None]
    """Why an update of this record by this row cannot be made."""
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

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)
