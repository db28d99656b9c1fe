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


def write_rows_to_mend(path: Path, table: Table, rows: Iterable[RowToMend]) -> None:
    """Write them, or remove a file an earlier run left when there are none."""
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
            _localized(cell) if typed and decimal_comma else cell
            for cell, typed in zip(cells[name], _typed(table, name, positions), strict=True)
        ]
        for name in columns
    ]
    written = []
    for row, original in zip(wanted, zip(*as_text, strict=True), strict=True):
        problems = [_with_surplus(problem, row, table) for problem in row.problems]
        hidden = personal | {problem["column"] for problem in problems if problem["code"] == "possible_cpr"}
        shown = [
            HIDDEN if cell and (name in hidden or is_possible_cpr(cell)) else cell
            for name, cell in zip(columns, original, strict=True)
        ]
        joined = [" | ".join(str(problem[key]) for problem in problems) for key in ERROR_COLUMNS[1:]]
        written.append([*shown, row.line, *joined])
    write_rows(path, [*columns, *ERROR_COLUMNS], written, delimiter=table.delimiter)


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


def _with_surplus(problem: Mapping[str, Any], row: RowToMend, table: Table) -> Mapping[str, Any]:
    """The cells no column holds stand in the file only; here is where they can be put back from."""
    if problem["code"] != "too_many_cells":
        return problem
    surplus = table.delimiter.join(table.oversized.get(row.position, ()))
    return {**problem, "value": HIDDEN if is_possible_cpr(surplus) else surplus}
