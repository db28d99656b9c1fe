"""From the columns of a file to the fields of its rows: joined, split, filled from above, with constants; all text."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from billy_pipelines.files.compound import COMBINED, PERSON_FIELDS, joined
from billy_pipelines.files.headers import HeaderMap, is_price
from billy_pipelines.files.names import folded, says_including_vat
from billy_pipelines.files.table import Table
from billy_pipelines.schemas.reading_options import Blanks, ReadingOptions, Stated
from billy_pipelines.schemas.row_schema import Profile, RowSchema

Flags = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.intp]
_NO_DECIMALS = (",0", ",00", ".0", ".00")
"""Ways to write a whole number; `1.000` may be a thousand."""


@dataclass(frozen=True)
class Fields:
    """The rows of a file by field, and what is known of how they are written."""

    cells: pd.DataFrame
    """One column of text per field the file has or is given a constant for."""
    typed: dict[str, pd.Series[bool]]
    """By field: cells that were numbers, dates or booleans of their own in the file."""
    excluded: dict[int, tuple[str, str]]
    """Rows that must not be taken over, by position: the column that says so, and what it says."""
    not_taken: dict[int, tuple[str, str]]
    """Rows with an amount that no field takes, by position: its column, and the amount."""
    decimal: str
    """`auto`, `comma` or `point`."""
    decimal_fallback: str
    """What the profile says, for columns that do not show it; '' where it says nothing."""
    date_order: str
    """`auto`, `day_first` or `month_first`."""
    date_order_fallback: str
    prices_include_vat: str
    """`true`, `false`, `unknown`, or `ask`: somebody has to say it before a price is used (rule B14)."""


def apply_columns(
    table: Table, headers: HeaderMap, schema: RowSchema, profile: Profile | None, options: ReadingOptions
) -> Fields:
    """The table by field, as options and profile say."""
    columns = _Columns(table)
    _inherit(columns, headers, schema, profile, options)
    frame: dict[str, pd.Series[str]] = {}
    typed: dict[str, pd.Series[bool]] = {}
    for name, column in headers.fields.items():
        frame[name] = columns[column]
        if column in columns.typed:
            typed[name] = pd.Series(columns.typed[column], index=table.cells.index)
    for name, parts in headers.joined.items():
        frame[name] = joined([(folded(part), columns[part]) for part in parts])
    for column, what in headers.combined.items():
        frame |= zip(COMBINED[what].fields, COMBINED[what].split(columns[column]), strict=True)
    _let_persons_stand_in(frame, headers)
    for name, value in headers.constants.items():
        frame[name] = pd.Series(value, index=table.cells.index, dtype="str")
    key = _record_column(columns, headers, schema, profile)
    excluded = _excluded(columns, _starts(columns, key), schema, profile)
    return Fields(
        cells=pd.DataFrame(frame, index=table.cells.index),
        typed=typed,
        excluded=excluded,
        not_taken=_not_taken(columns, _starts(columns, key or None), profile, excluded),
        decimal=options.decimal.value,
        decimal_fallback=profile.decimal if profile else "",
        date_order=options.date_order.value,
        date_order_fallback=profile.date_order if profile else "",
        prices_include_vat=_price_basis(headers, schema, profile, options),
    )


def _price_basis(headers: HeaderMap, schema: RowSchema, profile: Profile | None, options: ReadingOptions) -> str:
    if options.prices_include_vat is not Stated.unknown:
        return options.prices_include_vat.value
    if any(is_price(schema, name) and says_including_vat(column) for name, column in headers.fields.items()):
        return "ask"
    return (profile.prices_include_vat if profile else "") or Stated.unknown.value


class _Columns:
    """The cells of a table by column, some of them taken from a row above."""

    def __init__(self, table: Table) -> None:
        self._cells = table.cells
        self._filled: dict[str, pd.Series[str]] = {}
        self.typed = dict(table.typed)
        self.header = table.header

    def __getitem__(self, column: str) -> pd.Series[str]:
        return self._filled[column] if column in self._filled else self._cells[column]

    def __len__(self) -> int:
        return len(self._cells)

    def named(self, name: str) -> list[str]:
        """The columns of that name, as names of columns are compared; none for ''."""
        return [column for column in self.header if name and folded(column) == folded(name)]

    def fill(self, column: str, starts: Positions) -> None:
        """Give blank cells the value of the nearest row above that has one, not above the row where theirs starts."""
        given = _given(self[column])
        if given.all():
            return
        source = np.maximum.accumulate(np.where(given, np.arange(len(given)), -1))
        source = np.where(source >= starts, source, np.arange(len(given)))
        self._filled[column] = self[column].take(source).set_axis(self._cells.index)
        if column in self.typed:
            self.typed[column] = self.typed[column][source]


def _given(column: pd.Series[str]) -> Flags:
    return (column.str.strip() != "").to_numpy(dtype=bool)


def _inherit(
    columns: _Columns, headers: HeaderMap, schema: RowSchema, profile: Profile | None, options: ReadingOptions
) -> None:
    """Fill blank cells from above: never across records, where a column tells records apart."""
    grouping = schema.grouping
    inheriting: Iterable[str] = profile.inherits if profile else ()
    if options.inherit_blanks is Blanks.inherit and grouping is not None:
        inheriting = {**dict.fromkeys(grouping.header), **dict.fromkeys(inheriting)}
    elif options.inherit_blanks is Blanks.keep:
        inheriting = ()
    names = [name for name in inheriting if headers.columns_of(name)]
    if not names:
        return
    key = _record_column(columns, headers, schema, profile)
    filled = list(dict.fromkeys(column for name in names for column in headers.columns_of(name)))
    if key in filled:
        columns.fill(key, np.zeros(len(columns), dtype=np.intp))
    starts = _starts(columns, key)
    for column in filled:
        if column != key:
            columns.fill(column, starts)


def _record_column(columns: _Columns, headers: HeaderMap, schema: RowSchema, profile: Profile | None) -> str | None:
    """The column that tells records apart; '' where there is none, None where the profile's is not in the file."""
    if schema.grouping is not None:
        return next((headers.fields[name] for name in schema.grouping.keys if name in headers.fields), "")
    if profile is None or not profile.record:
        return ""
    return next(iter(columns.named(profile.record)), None)


def _starts(columns: _Columns, key: str | None) -> Positions:
    """Per row: the position at which the rows of its record begin. Without a column that tells records apart that is
    0; where the profile's own column is missing, every row is a record of its own."""
    if key is None:
        return np.arange(len(columns), dtype=np.intp)
    if not key or not len(columns):
        return np.zeros(len(columns), dtype=np.intp)
    values = columns[key].str.strip()
    begins = ((values != values.shift()) | (values == "")).to_numpy(dtype=bool)
    return np.maximum.accumulate(np.where(begins, np.arange(len(columns)), 0)).astype(np.intp)


def _excluded(
    columns: _Columns, starts: Positions, schema: RowSchema, profile: Profile | None
) -> dict[int, tuple[str, str]]:
    """Rows the profile takes out. What is said of an order on its first line holds for its further lines."""
    found: dict[int, tuple[str, str]] = {}
    for name, values in (profile.excluded if profile else {}).items():
        for column in columns.named(name):
            if schema.grouping is not None:
                columns.fill(column, starts)
            _note(found, column, columns[column], _are_excluded(columns[column], values))
    return found


def _are_excluded(column: pd.Series[str], values: tuple[str, ...]) -> Flags:
    cells = column.str.strip().str.casefold()
    said = (cells != "").to_numpy(dtype=bool)
    if values == ("*",):
        return said
    written = [f"{value}{end}" for value in values if value.isdigit() for end in _NO_DECIMALS]
    among = cells.isin([*map(str.casefold, values), *written]).to_numpy(dtype=bool)
    return said & ~among if values[:1] == ("!",) else among


def _not_taken(
    columns: _Columns, starts: Positions, profile: Profile | None, excluded: Collection[int]
) -> dict[int, tuple[str, str]]:
    """Rows with an amount that no field takes, unless the total of their order tells whether it is missing."""
    found: dict[int, tuple[str, str]] = {}
    if profile is None or not profile.must_be_zero:
        return found
    stated = np.zeros(len(columns), dtype=bool)
    for column in columns.named(profile.stated_total):
        stated[starts[_given(columns[column])]] = True
    open_to_question = ~stated[starts]
    for name in profile.must_be_zero:
        for column in columns.named(name):
            amounts = columns[column].str.contains("[1-9]", regex=True).to_numpy(dtype=bool)
            _note(found, column, columns[column], amounts & open_to_question)
    return {position: said for position, said in found.items() if position not in excluded}


def _note(found: dict[int, tuple[str, str]], column: str, cells: pd.Series[str], which: Flags) -> None:
    positions = np.flatnonzero(which)
    for position, value in zip(positions.tolist(), cells.to_numpy(dtype=object)[positions], strict=True):
        found.setdefault(position, (column, str(value)))


def _let_persons_stand_in(frame: dict[str, pd.Series[str]], headers: HeaderMap) -> None:
    """A row whose name is blank is about the person of whom first and last name are given (a private customer)."""
    for name, contact in PERSON_FIELDS:
        if name not in frame or contact not in headers.joined:
            continue
        blank = pd.Series(~_given(frame[name]), index=frame[name].index)
        if blank.any():
            frame[name] = frame[name].mask(blank, frame[contact])
            frame[contact] = frame[contact].mask(blank, "")
