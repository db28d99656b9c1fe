"""Rows of the journal as values: as validation, plan and sync write them, and as they are read again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class NewItem:
    """A row as validation left it: `item_data` is None when it was rejected.

    A row that is part of another's record has that row's index as `leader_index`; it is never sent by itself.
    """

    item_index: int
    line: int
    item_data: dict[str, Any] | None
    status: str
    natural_key: str | None = None
    error_code: str | None = None
    error: str | None = None
    details: dict[str, Any] | list[Any] | None = None
    leader_index: int | None = None


@dataclass(frozen=True)
class PlannedItem:
    """What the plan decided for a row: a verdict, or an action that is still to be carried out.

    `item_data`: the row with what the plan resolved in it (ids of accounts, contacts, products); None leaves it.
    """

    item_index: int
    status: str
    action: str | None
    billy_id: str | None = None
    changes: dict[str, Any] | None = None
    before_image: dict[str, Any] | None = None
    error_code: str | None = None
    error: str | None = None
    details: dict[str, Any] | list[Any] | None = None
    item_data: dict[str, Any] | None = None


@dataclass(frozen=True)
class Sending:
    """A request is about to leave for this row; `action`: what it does, where that is not what was planned."""

    item_index: int
    payload_hash: str
    action: str | None = None


@dataclass(frozen=True)
class Unsent:
    """Nothing was carried out for this row, and Billy or the wire said so: it is planned as before its mark, and that
    was no attempt."""

    item_index: int
    status: str = "planned"


@dataclass(frozen=True)
class Before:
    """A row's record as it was just before its write."""

    item_index: int
    before_image: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What became of a row. None leaves `billy_id`, `before_image`, `after_image` and `action` as they are."""

    item_index: int
    status: str
    billy_id: str | None = None
    before_image: dict[str, Any] | None = None
    after_image: dict[str, Any] | None = None
    error_code: str | None = None
    error: str | None = None
    action: str | None = None


@dataclass(frozen=True)
class Item:
    """One row of the journal. A row that is part of another's record has status, ids and errors of that one."""

    item_index: int
    line: int
    item_data: dict[str, Any] | None
    status: str
    action: str | None
    natural_key: str | None
    changes: dict[str, Any] | None
    before_image: dict[str, Any] | None
    billy_id: str | None
    attempts: int
    """How many requests of it have left and may have reached Billy."""
    error_code: str | None
    error: str | None
    details: dict[str, Any] | list[Any] | None
    leader_index: int | None = None
    begun: bool = False
    """Whether a part of its change is in Billy, or all of it: it has an after-image."""
