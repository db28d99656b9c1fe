"""What a history is made of: books, files with their rows, and turns in which processes run and things happen to them.

Plain values only. `generate.py` draws them from a seed, `play.py` carries them out, `check.py` holds the outcome to
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Plural = Literal["contacts", "products", "invoices"]
Values = dict[str, Any]

PLURALS: dict[str, Plural] = {
    "customers": "contacts",
    "contacts": "contacts",
    "products": "products",
    "invoices": "invoices",
}
"""Resource of a file -> the records it makes in Billy."""
LIKENESS: dict[Plural, tuple[str, ...]] = {
    "contacts": ("name", "contactNo", "cityText", "street"),
    "products": ("name", "productNo", "description"),
    "invoices": ("orderNo", "contactMessage"),
}
"""Keys by which a created record is told to be that of a row. Rows that are equal on purpose are alike in them."""


@dataclass(frozen=True)
class Row:
    """One row of a file, and what the checker needs to know of it beside its cells."""

    cells: Mapping[str, str]
    likeness: tuple[Any, ...] | None = None
    """What a record made of it would have under LIKENESS; None where the row can make none (update, delete)."""
    target: str | None = None
    """The id of the record in the books that it changes or deletes."""
    wanted: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    """(plural, key) -> value that no other row, record or person has: seen in the ledger, it is this row's doing."""
    expected: frozenset[str] = frozenset()
    """Verdicts it may have when all is over and nobody has disturbed it; empty: any."""
    part_of: int | None = None
    """The row that stands for the record this one is a part of (further lines of an invoice)."""


@dataclass(frozen=True)
class File:
    """One file to drop, with the options it is dropped with."""

    name: str
    resource: str
    operation: str
    options: Mapping[str, Any]
    rows: tuple[Row, ...]

    @property
    def plural(self) -> Plural:
        return PLURALS[self.resource]


@dataclass(frozen=True)
class Moment:
    """When something happens in a turn, counted from its start.

    `requests` and `changes`: when Billy has seen so many. `seconds`: then. `marks` (kills only): at the nth write to
    the journal, before it, within its transaction, or after its commit.
    """

    what: Literal["requests", "changes", "seconds", "marks"]
    number: float
    where: Literal["before", "within", "after"] = "before"


@dataclass(frozen=True)
class Edit:
    """What a person does in Billy meanwhile."""

    what: Literal["change", "delete", "add", "delete_made", "change_made", "use_made", "change_child"]
    plural: Plural
    record_id: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0
    """`…_made`: which of the records that jobs have made so far; `use_made` is an invoice to it, or with it.
    `change_child`: which of the persons, prices or lines of the record."""


@dataclass(frozen=True)
class Event:
    """Something that happens in a turn.

    `kill` and `stop` (SIGTERM) hit one process of the turn; `postgres` kills the server and starts it again `seconds`
    later; `revoke`, `outage` (nothing but 503) and `storm` (nothing but a few requests a second, the rest 429) last so
    many seconds.
    """

    kind: Literal["kill", "stop", "postgres", "revoke", "outage", "storm", "person"]
    moment: Moment
    seconds: float = 0.0
    process: int = 0
    edit: Edit | None = None
    retry_after: str = "none"
    """`storm`: the form of Retry-After."""
    whole: bool = False
    """`postgres`: all its processes, not only the first."""


@dataclass(frozen=True)
class Turn:
    """Processes that start together, and what happens until the last of them has ended.

    `drop` hands each file in once more, as a command or a sensor would; `retry` goes on with its job by id; `twice`
    hands one file in by two processes at once. In an undo `drop` asks for it, `twice` by two processes at once.
    """

    how: Literal["drop", "retry", "twice"]
    files: tuple[int, ...]
    events: tuple[Event, ...] = ()
    swept: bool = True
    """Whether the sweep has put the state of a killed job right before (R5), or its run is simply started again."""


@dataclass(frozen=True)
class Undo:
    """One file's job taken back, with turns and troubles of its own.

    `early`: as the turns have left the job, killed or stopped; otherwise at its end, when all its claims were checked.
    `lines`, and `only` the created or updated rows, are asked for first, then everything; `dry`: as a dry run before
    that. `edits` are a person's between the job and the undo.
    """

    file: int
    early: bool
    turns: tuple[Turn, ...]
    faults: tuple[Mapping[str, Any], ...] = ()
    edits: tuple[Edit, ...] = ()
    lines: str = ""
    only: str = ""
    dry: bool = False

    @property
    def some(self) -> bool:
        """Whether not all rows are asked for at first."""
        return bool(self.lines or self.only)


@dataclass(frozen=True)
class History:
    """Everything that follows from a seed."""

    seed: int
    books: Mapping[Plural, tuple[Values, ...]]
    switches: Mapping[str, Any]
    faults: tuple[Mapping[str, Any], ...]
    files: tuple[File, ...]
    turns: tuple[Turn, ...]
    kills_postgres: bool = False
    undo: Undo | None = None

    @property
    def rows(self) -> int:
        return sum(len(file.rows) for file in self.files)
