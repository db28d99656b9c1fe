"""From raw rows of cells to a table: which line is the header, which lines are titles and totals, which cells have no
column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from billy_pipelines.files.cells import Cells, Positions, cells_of
from billy_pipelines.files.header_line import (
    SEARCHED,
    column_names,
    header_position,
    holds_no_names,
    known_headers,
    named_cells,
    named_width,
)
from billy_pipelines.files.table import Hints, Limits, SetAside, Source, Table, UnreadableFile
from billy_pipelines.schemas.reading_options import ReadingOptions

_MOST_CELLS = 100_000_000
"""Of the whole table: even an empty one takes eight bytes."""
_TOTAL = r"^[\s\p{Z}]*(?i:i alt|ialt|total|totaler|sum|subtotal) ?:?(?: [0-9][0-9.,]*(?: \p{Ll}\S*){0,2})?[\s\p{Z}]*$"
"""`I alt`, `Total:`, and `I alt 12 kunder` with its words in small letters: `Total 24 Service` is a company."""
_LINE_END = re.compile(r"\r\n|\r|\n")
_NUMBER = re.compile(r"(?:(?:kr\.?|DKK|EUR|USD|€|\$)\s*)?[-+(]*\d[\d\s.,']*[-)]*\s*(?:kr\.?|DKK|EUR|USD|€|%|,-)?", re.I)
_AMOUNT = re.compile(r"[-+(]*(?:\d+[.,]\d+|\d{1,3}(?:[.,'\s]\d{3})+(?:[.,]\d+)?|\d{1,6})[-)]*")
"""A number that is no telephone, CVR or EAN number."""
_UNIT = re.compile(r"kr|DKK|EUR|USD|€|\$|%|,-", re.I)


@dataclass(frozen=True)
class Grid:
    """Raw rows of text as a file has them, blank rows left out, before anybody knows which one is the header."""

    records: list[list[str]]
    lines: list[int]
    """Per record: its line in the file, from 1."""
    typed: Mapping[int, Sequence[int]] = field(default_factory=dict)
    """Column position -> positions of records whose cell was a number, date or boolean of its own."""


def table_of_grid(grid: Grid, source: Source, options: ReadingOptions, hints: Hints, limits: Limits) -> Table:
    """The table in a sheet. A column without a name but with something in it is kept: no separator can be the reason.

    Raises:
        UnreadableFile: as `table_of`.
    """
    width = max((named_width(record) for record in grid.records), default=0)
    cells = cells_of(grid.records, grid.lines)
    table = table_of([cells], source, options, hints, limits, width=width)
    typed: dict[str, npt.NDArray[np.bool_]] = {}
    for position, name in enumerate(table.header):
        lines = [grid.lines[record] for record in grid.typed.get(position, ())]
        mask = np.isin(table.lines, lines)
        if mask.any():
            typed[name] = mask
    return replace(table, typed=typed)


def table_of(
    chunks: Iterable[Cells], source: Source, options: ReadingOptions, hints: Hints, limits: Limits, *, width: int = 0
) -> Table:
    """Find the header and make a table of what is below it.

    Args:
        chunks: All records of the file, some at a time.
        width: How many columns there are at least, named or not.

    Raises:
        UnreadableFile: empty_file, no_header, bad_header_line, no_rows, duplicate_column, too_many_rows,
            too_many_columns, cell_too_large.
    """
    filled = _filled_records(chunks, limits)
    top: list[Cells] = []
    for chunk in filled:
        top.append(chunk)
        if sum(map(len, top)) >= SEARCHED and chunk.lines[-1] >= options.header_line:
            break
    if not top:
        raise UnreadableFile("empty_file")
    header, line = _header(top, options.header_line, known_headers(options, hints))
    width = max(width, named_width(header))
    names = column_names(header, line, width)
    below = _Below(names, header, width, line, limits)
    for chunk in top:
        below.add(chunk)
    top.clear()
    for chunk in filled:
        below.add(chunk)
    return below.table(replace(source, header_line=line))


def _filled_records(chunks: Iterable[Cells], limits: Limits) -> Iterator[Cells]:
    """The records that say something, held to the limits."""
    records = 0
    for chunk in chunks:
        if not len(chunk):
            continue
        records += len(chunk)
        if records > 3 * limits.max_rows + 10_000:  # blank ones too, when there is no end of them
            raise UnreadableFile("too_many_rows", limit=limits.max_rows)
        widest = int(chunk.widths.max())
        if widest > limits.max_columns:
            raise UnreadableFile("too_many_columns", columns=widest, limit=limits.max_columns)
        if line := chunk.line_of_longer(limits.max_cell):
            raise UnreadableFile("cell_too_large", line=line, limit=limits.max_cell)
        filled = chunk.first_filled() >= 0
        if filled.any():
            yield chunk if filled.all() else chunk.select(filled)


def _header(top: Sequence[Cells], wanted: int, known: frozenset[str]) -> tuple[list[str], int]:
    """The header's cells and its line."""
    if wanted:
        for chunk in top:
            for position in np.flatnonzero(chunk.lines == wanted).tolist():
                record = chunk.record(position)
                if not holds_no_names(record, known):
                    return record, wanted
        raise UnreadableFile("bad_header_line", line=wanted)
    first = [(chunk, position) for chunk in top for position in range(min(len(chunk), SEARCHED))][:SEARCHED]
    records = [chunk.record(position) for chunk, position in first]
    found = header_position(records, known)
    if holds_no_names(records[found], known):
        raise UnreadableFile("no_header")  # the line is people's data, so none of it is quoted (rule B23)
    chunk, position = first[found]
    return records[found], int(chunk.lines[position])


class _Below:
    """Collects the rows under a header, chunk by chunk."""

    def __init__(self, names: list[str], header: list[str], width: int, header_line: int, limits: Limits) -> None:
        self._names = names
        self._header = header
        self._width = width
        self._header_line = header_line
        self._limits = limits
        self._columns: list[list[Any]] = [[] for _ in names]
        self._lines: list[Positions] = []
        self._rows = 0
        self._oversized: dict[int, tuple[str, ...]] = {}
        self._set_aside: list[SetAside] = []

    def add(self, chunk: Cells) -> None:
        above = chunk.lines < self._header_line
        self._set_aside += [SetAside(int(line), "title") for line in chunk.lines[above]]
        rows = chunk.select(chunk.lines > self._header_line)
        totals = _totals(rows) if self._width > 1 else np.zeros(len(rows), np.bool_)
        if totals.any():
            self._set_aside += [SetAside(int(line), "total") for line in rows.lines[totals]]
            rows = rows.select(~totals)
        again = _repeats(rows, self._header)
        if again.any():  # two exports one below the other, or a report with a header on each page
            self._set_aside += [SetAside(int(line), "title") for line in rows.lines[again]]
            rows = rows.select(~again)
        if not len(rows):
            return
        before = self._rows
        self._rows += len(rows)
        if self._rows > self._limits.max_rows:
            raise UnreadableFile("too_many_rows", limit=self._limits.max_rows)
        if self._rows * len(self._names) > _MOST_CELLS:
            raise UnreadableFile("table_too_large")
        beyond = rows.from_cell(self._width)
        for row in np.flatnonzero(beyond.first_filled() >= 0).tolist():
            self._oversized[before + row] = tuple(beyond.record(row))
        for position, column in enumerate(self._columns):
            column.append(rows.column(position))
        self._lines.append(rows.lines)

    def table(self, source: Source) -> Table:
        if not self._rows:
            raise UnreadableFile("no_rows")
        if self._ends_with_note():
            self._set_aside.append(SetAside(int(self._lines[-1][-1]), "note"))
            self._lines[-1] = self._lines[-1][:-1]
            for column in self._columns:
                column[-1] = column[-1][:-1]
        arrays = []
        for column in self._columns:
            arrays.append(pa.chunked_array(column, pa.large_string()).combine_chunks())
            column.clear()  # so that a large file is never held twice
        cells: pd.DataFrame = pa.table(arrays, names=self._names).to_pandas()
        return Table(
            cells.astype("str"),
            np.concatenate(self._lines).tolist(),
            self._names,
            source,
            self._oversized,
            set_aside=tuple(sorted(self._set_aside, key=lambda aside: aside.line)),
        )

    def _ends_with_note(self) -> bool:
        """Whether the last row is a remark below the table (`Udskrevet af Anna 01-04-2026`): there are three columns or
        more, only its first cell says something, and a line above it is blank."""
        if len(self._names) < 3 or self._rows < 2 or self._rows - 1 in self._oversized:
            return False
        last = [str(column[-1][-1]) for column in self._columns]
        if not last[0].strip() or any(cell.strip() for cell in last[1:]):
            return False
        lines = np.concatenate(self._lines[-2:])
        above, line = lines[-2:].tolist()
        chunk, place = (-1, -2) if len(self._lines[-1]) > 1 else (-2, -1)
        within = sum(len(_LINE_END.findall(str(column[chunk][place]))) for column in self._columns)
        aside = sum(above < each.line < line for each in self._set_aside)
        return bool(line - above - 1 - within - aside > 0)


def _totals(rows: Cells) -> npt.NDArray[np.bool_]:
    """Which rows are totals: the first filled cell says so, all others are numbers or blank, and if there are numbers,
    one is an amount: a customer called `Total` has a telephone number."""
    found = np.zeros(len(rows), np.bool_)
    if not len(rows):
        return found
    first = rows.values.take(pa.array(rows.starts + rows.first_filled()))
    short = np.flatnonzero(pc.less(pc.binary_length(first), 40).to_numpy(zero_copy_only=False))
    called = pc.match_substring_regex(first.take(pa.array(short)), _TOTAL)
    for position in short[called.to_numpy(zero_copy_only=False)]:
        others = [cell.strip() for cell in rows.record(int(position)) if cell.strip()][1:]
        numbers = all(_NUMBER.fullmatch(cell) for cell in others)
        found[position] = numbers and (not others or any(map(_is_amount, others)))
    return found


def _is_amount(number: str) -> bool:
    return _UNIT.search(number) is not None or _AMOUNT.fullmatch(number) is not None


def _repeats(rows: Cells, header: list[str]) -> npt.NDArray[np.bool_]:
    """Which rows are the header once more. A single name proves nothing: a customer may be called `Kunde`."""
    found = np.zeros(len(rows), np.bool_)
    named = [position for position, cell in enumerate(header) if cell.strip()]
    if len(rows) and len(named) > 1:
        same = pc.equal(rows.column(named[0]), pa.scalar(header[named[0]], pa.large_string()))
        for position in np.flatnonzero(same.to_numpy(zero_copy_only=False)).tolist():
            found[position] = named_cells(rows.record(position)) == named_cells(header)
    return found
