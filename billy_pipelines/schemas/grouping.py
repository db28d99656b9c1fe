"""Rows that make one record: the lines of an invoice, wherever in the file they stand.

What the header fields say may stand on one line only; the others inherit it. A line that contradicts it, or is wrong in
itself, rejects the whole record: half an invoice is a wrong invoice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from billy_pipelines.schemas.cleaning import comparable_column
from billy_pipelines.schemas.row_schema import Context, Grouping, Report, RowSchema

Positions = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]

ID = "id"
"""A row without a value in the key column may still name its record by Billy's id: drafts have no number yet."""
CODES = {"currency": "mixed_currencies"}
"""Header field -> code when lines differ in it, where that is not `differs_within_invoice`."""
BLOCK = 1000
"""Records made at a time while rows are gone through: 100,000 of them never exist together."""


@dataclass(frozen=True)
class Groups:
    """Which rows belong together. Records are numbered in the order of their first rows."""

    key: str
    """The column that ties the rows together, '' when none of the keys has any value."""
    numbers: Positions
    """Per row: its record, -1 when the row names none."""
    heads: Positions
    """Per record: the position of its first row."""

    @property
    def is_head(self) -> Flags:
        """Per row: whether it speaks for its record (a row that belongs to no record speaks for itself)."""
        flags = self.numbers < 0
        flags[self.heads] = True
        return flags


def groups_of(grouping: Grouping, cells: pd.DataFrame) -> Groups:
    """The rows of a table by the first key the file has any value of; keys are compared without regard to case."""
    key = next((name for name in grouping.keys if name in cells and (cells[name] != "").any()), "")
    if not key:
        return Groups("", np.full(len(cells), -1, dtype=np.intp), np.empty(0, dtype=np.intp))
    keys = cells[key]
    if key != ID and ID in cells and ID in grouping.keys:
        keys = keys.where((keys != "") | (cells[ID] == ""), "\0" + cells[ID])
    spellings, distinct = pd.factorize(keys.mask(keys == ""))
    alike, _ = pd.factorize(comparable_column(pd.Series(distinct, dtype="str")))
    numbers = np.append(alike, -1)[spellings].astype(np.intp)
    return Groups(key, numbers, _first(numbers, numbers >= 0))


def _first(numbers: Positions, among: Flags) -> Positions:
    """Per record: the first position that is `among` those asked for; -1 where a record has none."""
    positions = np.flatnonzero(among)
    found = np.full(int(numbers.max(initial=-1)) + 1, -1, dtype=np.intp)
    present, first = np.unique(numbers[positions], return_index=True)
    found[present] = positions[first]
    return found


def origins(grouping: Grouping, cells: pd.DataFrame) -> dict[str, Positions]:
    """Header field -> per row: the row in which its value stands.

    That is the row itself where the cell is filled, else the first of the record that has a value, else the record's
    first row. So what is wrong with the value can be said where it stands, and once.
    """
    groups = groups_of(grouping, cells)
    inside = groups.numbers >= 0
    found = {}
    for name in grouping.header if groups.key else ():
        if name not in cells or name == groups.key:
            continue
        given = (cells[name] != "").to_numpy(dtype=bool)
        first = _first(groups.numbers, given & inside)
        first = np.where(first >= 0, first, groups.heads)
        found[name] = np.where(given | ~inside, np.arange(len(cells)), first[groups.numbers])
    return found


def inherit(grouping: Grouping, cells: pd.DataFrame) -> pd.DataFrame:
    """The table with blank header cells filled from the first row of the same record that has a value."""
    own = np.arange(len(cells))
    filled = {
        name: cells[name].take(rows).set_axis(cells.index)
        for name, rows in origins(grouping, cells).items()
        if (rows != own).any()
    }
    return cells.assign(**filled) if filled else cells


def group(
    schema: RowSchema, cleaned: pd.DataFrame, rejected: Flags, context: Context, report: Report
) -> Mapping[int, dict[str, Any]]:
    """Put the rows of each record together, and report those that do not fit.

    The result has a good record's first row as the whole of it (header fields, and `lines` or what the grouping calls
    them, each with its `line` in the file), its other rows as `{"part_of": position of the first}`; rejected rows are
    not in it.
    """
    grouping = schema.grouping
    if grouping is None:
        return {}
    groups = groups_of(grouping, cleaned)
    bad = rejected.copy()
    _report_keyless(grouping, groups, bad, report)
    if not groups.key:
        return {}
    _report_differences(grouping, groups, cleaned, bad, context, report)
    _report_companions(groups, bad, context, report)
    header = [name for name in grouping.header if name in cleaned]
    return Records(cleaned, header, grouping.children, groups, ~bad, context.lines)


def line_of(context: Context, position: int) -> int:
    """The line of a row in its file."""
    return context.lines[position] if len(context.lines) else position + 1


def _report_keyless(grouping: Grouping, groups: Groups, bad: Flags, report: Report) -> None:
    for position in np.flatnonzero(groups.numbers < 0):
        bad[position] = True
        if groups.key:
            report(int(position), "required", groups.key)
        else:
            report(int(position), "needs_one_of", grouping.keys[0], columns=", ".join(grouping.keys))


def _report_differences(
    grouping: Grouping, groups: Groups, cleaned: pd.DataFrame, bad: Flags, context: Context, report: Report
) -> None:
    inside = groups.numbers >= 0
    for name in grouping.header:
        if name not in cleaned or name == groups.key:
            continue
        values = cleaned[name]
        given = inside & (values != "").to_numpy(dtype=bool)
        source = np.where(given, _first(groups.numbers, given)[groups.numbers], -1)
        first = values.take(source).set_axis(values.index)
        suspects = np.flatnonzero(given & (values != first).to_numpy(dtype=bool))
        differ = comparable_column(values.iloc[suspects]) != comparable_column(first.iloc[suspects])
        for position in suspects[differ.to_numpy(dtype=bool)]:
            bad[position] = True
            line = line_of(context, int(source[position]))
            report(int(position), CODES.get(name, "differs_within_invoice"), name, line=line)


def _report_companions(groups: Groups, bad: Flags, context: Context, report: Report) -> None:
    """Every row of a record of which another row is wrong is rejected with it, and names that row's line."""
    inside = groups.numbers >= 0
    guilty = _first(groups.numbers, inside & bad)
    source = np.where(inside, guilty[groups.numbers], -1)
    for position in np.flatnonzero((source >= 0) & ~bad):
        bad[position] = True
        report(int(position), "invoice_rejected", groups.key, line=line_of(context, int(source[position])))


class Records(Mapping[int, dict[str, Any]]):
    """What the good rows of a grouped table stand for, by position; made some hundreds at a time."""

    def __init__(
        self,
        cleaned: pd.DataFrame,
        header: Sequence[str],
        children: str,
        groups: Groups,
        good: Flags,
        lines: Sequence[int],
    ) -> None:
        self._cleaned = cleaned
        self._header = header
        self._fields = [str(name) for name in cleaned if name not in header]
        self._children = children
        self._groups = groups
        self._good = good
        self._lines = lines
        self._rows = np.argsort(groups.numbers, kind="stable")
        """All positions, record by record."""
        self._ends = np.searchsorted(groups.numbers[self._rows], np.arange(len(groups.heads)), side="right")
        self._starts = np.searchsorted(groups.numbers[self._rows], np.arange(len(groups.heads)), side="left")
        self._made: dict[int, dict[str, Any]] = {}

    def __contains__(self, position: object) -> bool:
        return isinstance(position, int) and 0 <= position < len(self._good) and bool(self._good[position])

    def __iter__(self) -> Iterator[int]:
        return map(int, np.flatnonzero(self._good))

    def __len__(self) -> int:
        return int(self._good.sum())

    def __getitem__(self, position: int) -> dict[str, Any]:
        if position not in self:
            raise KeyError(position)
        number = int(self._groups.numbers[position])
        head = int(self._groups.heads[number])
        if head != position:
            return {"part_of": head}
        if number not in self._made:
            self._made = self._make(number, min(number + BLOCK, len(self._groups.heads)))
        return self._made[number]

    def _make(self, first: int, end: int) -> dict[int, dict[str, Any]]:
        """The good ones among some consecutive records."""
        start = int(self._starts[first])
        rows = self._rows[start : int(self._ends[end - 1])]
        block = self._cleaned.take(rows)
        columns = {str(name): block[name].tolist() for name in block}
        fields = [(name, columns[name]) for name in self._fields]
        header = [(name, columns[name]) for name in self._header]
        lines = [self._lines[row] for row in rows] if len(self._lines) else [int(row) + 1 for row in rows]
        made = {}
        for number in range(first, end):
            low, high = int(self._starts[number]) - start, int(self._ends[number]) - start
            if not self._good[rows[low]]:
                continue
            record: dict[str, Any] = {name: values[low] for name, values in header if values[low]}
            record[self._children] = [
                {"line": lines[at]} | {name: values[at] for name, values in fields if values[at]}
                for at in range(low, high)
            ]
            made[number] = record
        return made
