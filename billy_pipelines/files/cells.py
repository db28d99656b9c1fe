"""Cells of many records side by side in Arrow memory, before anybody knows which record is the header.

Nothing here makes a Python string per cell, except for single records that somebody asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cells:
    """Some records of a file in its order. Record i has `widths[i]` cells, from `values[starts[i]]` on."""

    values: Any
    """pyarrow.LargeStringArray, without nulls."""
    starts: Positions
    widths: Positions
    lines: Positions
    """Per record: the line in the file on which it begins."""

    def __len__(self) -> int:
        return len(self.lines)

    def record(self, position: int) -> list[str]:
        """One record as Python text."""
        start = int(self.starts[position])
        cells: list[str] = self.values[start : start + int(self.widths[position])].to_pylist()
        return cells

    def select(self, which: npt.NDArray[Any] | slice) -> Cells:
        """These records only, by positions or by a mask."""
        return Cells(self.values, self.starts[which], self.widths[which], self.lines[which])

    def from_cell(self, position: int) -> Cells:
        """Of each record the cells from a position on."""
        return Cells(self.values, self.starts + position, np.maximum(self.widths - position, 0), self.lines)

    def column(self, position: int) -> Any:
        """The cell at a position of every record as a LargeStringArray; '' where a record is too short."""
        if (self.widths > position).all():
            return self.values.take(pa.array(self.starts + position))
        taken = self.values.take(pa.array(self.starts + position, mask=self.widths <= position))
        return pc.fill_null(taken, "")

    def first_filled(self) -> Positions:
        """Per record: the position of its first cell that says something; -1 for a blank record."""
        found = np.full(len(self), -1, np.int64)
        undecided = np.arange(len(self))
        # Nearly every record is decided by its first cell, so this seldom looks at a second column.
        position = 0
        while len(undecided := undecided[self.widths[undecided] > position]):
            filled = is_filled(self.select(undecided).column(position))
            found[undecided[filled]] = position
            undecided = undecided[~filled]
            position += 1
        return found

    def line_of_longer(self, limit: int) -> int:
        """The line of the first record with a cell of more characters than that; 0 when there is none."""
        # No text has more characters than bytes, so nearly every file is done here.
        if (pc.max(pc.binary_length(self.values)).as_py() or 0) <= limit:
            return 0
        longer = np.flatnonzero(pc.greater(pc.utf8_length(self.values), limit).to_numpy(zero_copy_only=False))
        holders = [(self.starts <= cell) & (self.starts + self.widths > cell) for cell in longer]
        return int(min((self.lines[holder].min() for holder in holders if holder.any()), default=0))


def cells_of(records: Sequence[Sequence[str]], lines: Sequence[int] | Positions) -> Cells:
    """Records of Python text as `Cells`."""
    widths = np.fromiter(map(len, records), np.int64, len(records))
    values = pa.array(list(chain.from_iterable(records)), pa.large_string())
    return Cells(values, np.cumsum(widths) - widths, widths, np.asarray(lines, np.int64))


def joined(parts: Sequence[Cells]) -> Cells:
    """Several `Cells` as one, records in the order of their lines."""
    if len(parts) == 1:
        return parts[0]
    shifts = np.cumsum([0, *(len(part.values) for part in parts[:-1])])
    lines = np.concatenate([part.lines for part in parts])
    order = np.argsort(lines, kind="stable")
    return Cells(
        pa.concat_arrays([part.values for part in parts]),
        np.concatenate([part.starts + shift for part, shift in zip(parts, shifts, strict=True)])[order],
        np.concatenate([part.widths for part in parts])[order],
        lines[order],
    )


def is_filled(values: Any) -> npt.NDArray[np.bool_]:
    """Which cells of a LargeStringArray hold more than white space."""
    filled: npt.NDArray[np.bool_] = pc.greater(pc.binary_length(pc.utf8_trim_whitespace(values)), 0).to_numpy(
        zero_copy_only=False
    )
    return filled
