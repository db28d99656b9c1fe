"""Rows to mend: the original columns in their order, then what is wrong; mended, the file is dropped again as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from billy_pipelines.files.headers import folded
from billy_pipelines.files.table import ERROR_COLUMNS, Table
from billy_pipelines.files.writing import write_rows
from billy_pipelines.schemas.cleaning import is_possible_cpr
from billy_pipelines.schemas.codes import HIDDEN


@dataclass(frozen=True)
class RowToMend:
    """One row of the table, and what is wrong with it: `column`, `value`, `code`, `message` of each problem."""

    position: int
    line: int
    problems: Sequence[Mapping[str, Any]]


def write_rows_to_mend(
    path: Path,
    table: Table,
    rows: Iterable[RowToMend],
    *,
    numeric: Iterable[str] = (),
    constants: Mapping[str, str] | None = None,
) -> None:
    """Write them, or remove a file an earlier run left when there are none.

    `numeric`: columns that hold numbers, which a Danish Excel wants with a comma. `constants`: fields the file had no
    column for and got a value by an option; they become columns, so that they hold when the file is dropped again.
    """
    numbers, added = set(numeric), dict(constants or {})
    wanted = list(rows)
    if not wanted:
        path.unlink(missing_ok=True)
        return
    columns = list(table.header)
    personal = {name for name in columns if "cpr" in folded(name)}
    positions = [row.position for row in wanted]
    cells = table.cells.iloc[positions]
    decimal_comma = table.delimiter == ";"
    as_text = [
        [
            _localized(cell) if typed and decimal_comma and name in numbers else cell
            for cell, typed in zip(cells[name], _typed(table, name, positions), strict=True)
        ]
        for name in columns
    ]
    written = []
    for row, original in zip(wanted, zip(*as_text, strict=True), strict=True):
        problems = row.problems
        hidden = personal | {problem["column"] for problem in problems if problem["code"] == "possible_cpr"}
        shown = [
            HIDDEN if cell and (name in hidden or is_possible_cpr(cell)) else cell
            for name, cell in zip(columns, original, strict=True)
        ]
        if row.position in table.oversized:
            shown[-1] = _with_surplus(shown[-1], table.oversized[row.position], table.delimiter)
        joined = [" | ".join(str(problem[key]) for problem in problems) for key in ERROR_COLUMNS[1:]]
        written.append([*shown, *added.values(), row.line, *joined])
    write_rows(path, [*columns, *added, *ERROR_COLUMNS], written, delimiter=table.delimiter)


def _typed(table: Table, name: str, positions: Sequence[int]) -> Sequence[bool]:
    flags = table.typed.get(name)
    return [False] * len(positions) if flags is None else [bool(flags[position]) for position in positions]


def _localized(cell: str) -> str:
    """A number that was a cell of its own in a workbook, as text for a Danish Excel. Three decimals get a fourth:
    `1,234` could be read as one thousand two hundred and thirty-four."""
    if not re.fullmatch(r"-?\d+\.\d+", cell):
        return cell
    whole, _, decimals = cell.partition(".")
    return f"{whole},{decimals}{'0' if len(decimals) == 3 else ''}"


def _with_surplus(cell: str, surplus: Sequence[str], delimiter: str) -> str:
    """The last cell with those that no column holds. The sign in front is refused until somebody has put the row right:
    dropped again as it is, the row would otherwise pass, with its values shifted."""
    text = delimiter.join((cell, *surplus))
    return HIDDEN if is_possible_cpr(text) else f"{HIDDEN} {text}"
