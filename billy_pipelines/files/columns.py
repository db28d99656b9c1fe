"""From the columns of a file to the fields of its rows: joined, split, filled from above, with constants; all text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from billy_pipelines.files.compound import COMBINED, PERSON_FIELDS, joined
from billy_pipelines.files.headers import HeaderMap, is_price
from billy_pipelines.files.names import folded, says_including_vat
from billy_pipelines.files.table import Table
from billy_pipelines.schemas.reading_options import Blanks, DateOrder, Decimal, ReadingOptions, Stated
from billy_pipelines.schemas.row_schema import Profile, RowSchema

Flags = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Fields:
    """The rows of a file by field, and what is known of how they are written."""

    cells: pd.DataFrame
    """One column of text per field the file has or is given a constant for."""
    typed: dict[str, pd.Series[bool]]
    """By field: cells that were numbers, dates or booleans of their own in the file."""
    excluded: dict[int, tuple[str, str]]
    """Rows that must not be taken over, by position: the column that says so, and what it says."""
    decimal: str
    """`auto`, `comma` or `point`."""
    date_order: str
    """`auto`, `day_first` or `month_first`."""
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
    return Fields(
        cells=pd.DataFrame(frame, index=table.cells.index),
        typed=typed,
        excluded=_excluded(columns, headers, schema, profile),
        decimal=_either(options.decimal, Decimal.auto, profile.decimal if profile else ""),
        date_order=_either(options.date_order, DateOrder.auto, profile.date_order if profile else ""),
        prices_include_vat=_price_basis(headers, schema, profile, options),
    )


def _either(option: str, unsaid: str, profiled: str) -> str:
    """What the option says, else the profile."""
    return str(option) if option != unsaid else profiled or str(unsaid)


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
    key = next((name for name in grouping.keys if name in headers.fields), "") if grouping else ""
    if key in names:
        columns.fill(headers.fields[key], np.zeros(len(columns), dtype=np.intp))
    starts = _starts(columns, headers, key)
    for column in dict.fromkeys(column for name in names if name != key for column in headers.columns_of(name)):
        columns.fill(column, starts)


def _starts(columns: _Columns, headers: HeaderMap, key: str) -> Positions:
    """Per row: the position at which the rows of its record begin; 0 where no column tells records apart."""
    if not key or not len(columns):
        return np.zeros(len(columns), dtype=np.intp)
    values = columns[headers.fields[key]].str.strip()
    begins = ((values != values.shift()) | (values == "")).to_numpy(dtype=bool)
    return np.maximum.accumulate(np.where(begins, np.arange(len(columns)), 0)).astype(np.intp)


def _excluded(
    columns: _Columns, headers: HeaderMap, schema: RowSchema, profile: Profile | None
) -> dict[int, tuple[str, str]]:
    """Rows the profile takes out. What is said of an order on its first line holds for its further lines."""
    found: dict[int, tuple[str, str]] = {}
    grouping = schema.grouping
    key = next((name for name in grouping.keys if name in headers.fields), "") if grouping else ""
    for name, values in (profile.excluded if profile else {}).items():
        for column in (column for column in columns.header if folded(column) == folded(name)):
            if grouping is not None:
                columns.fill(column, _starts(columns, headers, key))
            cells = columns[column]
            out = cells.str.strip().str.casefold().isin([value.casefold() for value in values])
            for position in np.flatnonzero(out.to_numpy(dtype=bool)):
                found.setdefault(int(position), (column, str(cells.iloc[position])))
    return found


def _let_persons_stand_in(frame: dict[str, pd.Series[str]], headers: HeaderMap) -> None:
    """A row whose name is blank is about the person of whom first and last name are given (a private customer)."""
    for name, contact in PERSON_FIELDS:
        if name not in frame or contact not in headers.joined:
            continue
        blank = pd.Series(~_given(frame[name]), index=frame[name].index)
        if blank.any():
            frame[name] = frame[name].mask(blank, frame[contact])
            frame[contact] = frame[contact].mask(blank, "")
