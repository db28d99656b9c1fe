"""What a resource's files look like: columns with kinds and aliases, profiles of other programs' exports, rules.

Nothing here is about Billy's API; `resource.py` adds what a row means there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pandas as pd

from billy_pipelines.schemas.codes import Problem


class Kind(StrEnum):
    """What stands in a column. Each kind has its cleaning and its checks, in `kinds.py`."""

    TEXT = "text"
    EMAIL = "email"
    PHONE = "phone"
    POSTCODE = "postcode"
    COUNTRY = "country"
    VAT = "vat"
    EAN = "ean"
    NUMBER = "number"
    """Any decimal number; cleaned to text such as `-1250.5`: a point, no grouping, no unit, no needless zeros."""
    PRICE = "price"
    """A number above 0."""
    INTEGER = "integer"
    PERCENT = "percent"
    DATE = "date"
    """Cleaned to YYYY-MM-DD."""
    BOOLEAN = "boolean"
    """Cleaned to `true` or `false`."""
    CHOICE = "choice"
    """Cleaned to one of the column's choices."""
    CURRENCY = "currency"
    """ISO 4217 code."""
    LIST = "list"
    """JSON text of a list of objects (contact persons, prices), as a JSON file nests them."""


NUMERIC = (Kind.NUMBER, Kind.PRICE, Kind.INTEGER, Kind.PERCENT)


@dataclass(frozen=True)
class Column:
    """One column of a resource's files."""

    name: str
    """The field: key of a row, and the column's English name."""
    description: str
    aliases: tuple[str, ...] = ()
    required: bool = False
    """Needed when records are created."""
    may_clear: bool = True
    examples: tuple[str, str] = ("", "")
    kind: Kind = Kind.TEXT
    danish: str = ""
    """The column's name in a Danish template; must be one of the aliases."""
    description_da: str = ""
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For `Kind.CHOICE`: permitted value -> other ways to write it."""
    danish_examples: tuple[str, str] | None = None
    """Where they differ from `examples` (country names, decimal signs are made Danish by the template itself)."""


ORIGIN_ORGANIZATION = "billyOrganization"
ORIGIN_SNAPSHOT = "billySnapshot"
ORIGIN = (
    Column(
        ORIGIN_ORGANIZATION,
        "Billy's id of the company the row was exported from; another company's is refused. Written by exports.",
        may_clear=False,
        danish=ORIGIN_ORGANIZATION,
        description_da="Billys id for den virksomhed, rækken er eksporteret fra; en andens afvises. Skrives af "
        "eksport.",
    ),
    Column(
        ORIGIN_SNAPSHOT,
        "When the row was read from Billy: only cells that were changed since are changes. Written by exports.",
        may_clear=False,
        danish=ORIGIN_SNAPSHOT,
        description_da="Hvornår rækken blev læst i Billy: kun celler, der er ændret siden, er ændringer. Skrives af "
        "eksport.",
    ),
)
"""What exports put behind the columns of any resource (rule B22); read back, and in no template."""


@dataclass(frozen=True)
class Profile:
    """A known program's export: recognised by its headers, which may mean something else there (domain.md section 1).

    Header names are compared without regard to case, blanks, signs and accents.
    """

    name: str
    title: str
    """What people call it, for reports: `Shopify orders`."""
    signature: tuple[str, ...]
    """Headers that all must be there for the profile to be recognised."""
    meaning: Mapping[str, str] = field(default_factory=dict)
    """Header -> field, before the resource's own aliases; '' means: not used here."""
    joined: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Field -> headers whose cells, joined with a blank, make its value (First Name + Last Name)."""
    inherits: tuple[str, ...] = ()
    """Fields whose blank cells take the value of the row above (order fields on further lines of an order)."""
    record: str = ""
    """Header whose value tells one record's rows from the next one's, where the resource groups no rows (a product and
    its variants): nothing is inherited from a row with another value."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """Field -> value for what the program never states (currency, decimal sign is not among them)."""
    decimal: str = ""
    """`comma` or `point`, as the program writes; it counts only where a column does not show it itself."""
    date_order: str = ""
    """`day_first` or `month_first`; as `decimal`."""
    prices_include_vat: str = ""
    """`ask` where only the user can know (a shop): `price_basis_unknown` until the option says it."""
    excluded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Header -> cell values of rows that must not be booked (refunded or voided orders): `excluded_by_profile`.

    `("*",)` is any value, `("!", "0", "1")` any value but 0 and 1; a blank cell is meant by '' alone.
    """
    must_be_zero: tuple[str, ...] = ()
    """Headers of amounts that belong to the record and are taken nowhere (freight, a fee): a row with one that is not
    zero is `amount_not_taken`."""
    stated_total: str = ""
    """Header of what the whole record comes to. Where it is filled, it decides in place of `must_be_zero`: a record
    that lacks an amount is `total_differs`."""


@dataclass(frozen=True)
class Context:
    """What the cleaning of a table has to know beside its cells."""

    operation: str = "import"
    blank_means: str = "keep"
    decimal: str = "auto"
    date_order: str = "auto"
    decimal_fallback: str = ""
    """What the program of the file usually writes: counts for a column that does not show its decimal sign."""
    date_order_fallback: str = ""
    prices_include_vat: str = "unknown"
    """`true`, `false`, `unknown`; or `ask` when header or profile make it necessary to know."""
    language: str = "en"
    repair_text: bool = False
    duplicates_allowed: bool = False
    """With `on_existing: create` the same record twice is meant."""
    typed: Mapping[str, pd.Series[bool]] = field(default_factory=dict)
    """By field: cells that came as numbers, dates or booleans of their own (Excel, JSON), not as text: decimal point,
    no grouping, ISO dates."""
    units: Mapping[str, pd.Series[str]] = field(default_factory=dict)
    """By field, for rules: the unit that stood in the cells of a number column (`numbers.Numbers.units`)."""
    match_on: Sequence[str] = ()
    """The match keys that count; empty: all."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Field -> column as named in the file, for messages."""
    lines: Sequence[int] = ()
    """By position: the line in the file, for messages that name another row."""


Report = Callable[..., None]
"""report(position, code, column, *, warning=False, **details): puts one problem on a row."""

Rule = Callable[[pd.DataFrame, Context, Report], None]
"""A check across columns or rows, over the cleaned table; may change cleaned columns in place (conversions)."""


@dataclass(frozen=True)
class UniqueKey:
    """Columns that together name one record within a file: the second row with the same is `duplicate_in_file`."""

    columns: tuple[str, ...]
    comparable: Callable[[pd.DataFrame], pd.Series[str]]
    """Cleaned columns -> comparable keys, '' where the row has none."""
    name: str = ""
    """As in `match_on`, where that is not the column."""
    contradicts: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    """Fields that, given in both rows and different when compared so, tell that they are not the same (rule B5)."""

    @property
    def match_key(self) -> str:
        """What `match_on` calls it."""
        return self.name or self.columns[0]


@dataclass(frozen=True)
class Grouping:
    """How several rows make one record (the lines of an invoice)."""

    keys: tuple[str, ...]
    """Fields of which the first that the file has tells which rows belong together."""
    header: tuple[str, ...]
    """Fields of the record; the rest are fields of its lines."""
    children: str
    """Where the lines go in the record: `lines`."""

    def __post_init__(self) -> None:
        """Where a row was exported from holds for the whole record."""
        names = (column.name for column in ORIGIN)
        object.__setattr__(self, "header", tuple(dict.fromkeys((*self.header, *names))))


@dataclass(frozen=True)
class RowSchema:
    """What a valid row of a resource's file is."""

    name: str
    singular: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()
    unique: tuple[UniqueKey, ...] = ()
    profiles: tuple[Profile, ...] = ()
    ignored: Mapping[str, str] = field(default_factory=dict)
    """Header names that look useful and are never used -> why (Kostpris is no sales price)."""
    grouping: Grouping | None = None
    needs_one_of: tuple[tuple[str, ...], ...] = ()
    """Groups of fields of which every row of an import must give at least one (an invoice's contact)."""

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)

    @property
    def fields(self) -> dict[str, Column]:
        """The columns by name, those that exports add among them."""
        return {column.name: column for column in (*self.columns, *ORIGIN)}


class Rows(Sequence[dict[str, Any] | None]):
    """Valid rows as dictionaries, made one at a time: a million of them never exist together.

    A row has the fields it says something about: cleaned text, None for a field to clear, a list for `Kind.LIST`.
    Rejected rows are None.
    """

    def __init__(
        self,
        cleaned: pd.DataFrame,
        cleared: Mapping[str, npt.NDArray[np.bool_]],
        rejected: npt.NDArray[np.bool_],
        lists: Sequence[str] = (),
        children: Mapping[int, dict[str, Any] | None] | None = None,
    ) -> None:
        self._cleaned = cleaned
        self._cleared = dict(cleared)
        self._rejected = rejected
        self._lists = [name for name in lists if name in cleaned]
        self._made = children or {}

    def __len__(self) -> int:
        return len(self._rejected)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any] | None: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any] | None]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return list(self._between(*index.indices(len(self))[:2]))[:: index.step or 1]
        position = range(len(self))[index]
        return next(self._between(position, position + 1))

    def cells(self, position: int) -> dict[str, Any]:
        """The cleaned cells of a row that is not blank, whether it was rejected or not: to tell people which it is."""
        return {str(name): value for name, value in self._cleaned.iloc[position].items() if value}

    def __iter__(self) -> Iterator[dict[str, Any] | None]:
        for start in range(0, len(self), 5000):
            yield from self._between(start, min(start + 5000, len(self)))

    def _between(self, start: int, end: int) -> Iterator[dict[str, Any] | None]:
        names = list(self._cleaned.columns)
        columns = [self._cleaned[name].iloc[start:end].tolist() for name in names]
        cleared = {name: mask[start:end] for name, mask in self._cleared.items() if mask[start:end].any()}
        for offset in range(end - start):
            position = start + offset
            if position in self._made:
                yield self._made[position]
                continue
            if self._rejected[position]:
                yield None
                continue
            row: dict[str, Any] = {}
            for name, values in zip(names, columns, strict=True):
                if name in cleared and cleared[name][offset]:
                    row[name] = None
                elif values[offset]:
                    row[name] = json.loads(values[offset]) if name in self._lists else values[offset]
            yield row


@dataclass(frozen=True)
class Validated:
    """A table after validation, row by row in the order of the file."""

    rows: Rows
    """The cleaned fields of each row, or None when it is rejected."""
    rejected: npt.NDArray[np.bool_]
    problems: dict[int, list[Problem]]
    """By position; warnings among them do not reject."""
