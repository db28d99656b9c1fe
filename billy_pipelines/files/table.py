"""A file as a table of text, whatever kind of file it was; and the error for one that cannot be used.

A cell is never interpreted here: everything stays text, so that leading zeros and `1.250,00` survive.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from billy_pipelines.schemas.codes import sentence

ERROR_COLUMNS = ("line", "column", "value", "code", "message")
"""What `rejected.csv` adds behind the original columns; ignored when such a file is dropped again."""


class UnreadableFile(Exception):
    """The file as a whole cannot be used. `code` is stable (`schemas/codes.py`), the text says what to do."""

    def __init__(self, code: str, **details: object) -> None:
        super().__init__(sentence(code, **details))
        self.code = code
        self._details = details

    def text(self, language: str) -> str:
        """The sentence in a language."""
        return sentence(self.code, language, **self._details)


@dataclass(frozen=True)
class Limits:
    """How large a file may be. Above that it is refused with a clear error, before it is unpacked or read."""

    max_bytes: int = 200_000_000
    """Of the file, and of what it unpacks to."""
    max_rows: int = 1_000_000
    max_columns: int = 2_000
    max_cell: int = 100_000
    """Characters in one cell."""


@dataclass(frozen=True)
class Hints:
    """What the reader of a file may know about its resource: names, never meanings."""

    headers: frozenset[str] = frozenset()
    """Every known header name, folded (`headers.folded`): they tell the header from title lines above it."""
    resource: str = "customers"
    """Root key under which a JSON file may keep its records."""
    children: str = ""
    """Nested list that becomes one row per element (`lines` of an invoice)."""


@dataclass(frozen=True)
class SetAside:
    """A line that is no row: a title above the header, a total or a remark below. Reported, never sent."""

    line: int
    what: str
    """`title`, `total` or `note` (a remark below the table)."""


@dataclass(frozen=True)
class Source:
    """How a file was understood; for reports, and for writing rows back in its form."""

    kind: str = "csv"
    """`csv` (any delimited text), `json`, `ndjson`, `xlsx`, `xls`, `ods`."""
    compressed: bool = False
    encoding: str = "utf-8"
    delimiter: str = ";"
    """Of the file itself; for other kinds, what rows to mend are written with."""
    sheet: str = ""
    header_line: int = 1

    def described(self) -> dict[str, Any]:
        """What is kept on the job."""
        return {
            "kind": self.kind,
            "compressed": self.compressed,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "sheet": self.sheet,
            "header_line": self.header_line,
        }


@dataclass(frozen=True)
class Table:
    """A file as text. `cells` has one row per record, columns in file order under their names in the file.

    Without the columns that `rejected.csv` adds; a row that says nothing at all is no row.
    """

    cells: pd.DataFrame
    """All columns of pandas' `str` type."""
    lines: list[int]
    """Per row: the line in the file, as an editor (or the spreadsheet) counts, on which the row begins."""
    header: list[str]
    source: Source = field(default_factory=Source)
    oversized: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Rows with more cells than the header has, by position: the cells beyond it, which no column holds."""
    typed: dict[str, npt.NDArray[np.bool_]] = field(default_factory=dict)
    """By column name: cells that were numbers, dates or booleans of their own in the file (Excel, JSON). As text they
    have a decimal point and no grouping (`1250.5`), `2026-04-01`, `true`; columns without such cells are absent."""
    set_aside: tuple[SetAside, ...] = ()

    @property
    def delimiter(self) -> str:
        """What rows to mend are written with."""
        return self.source.delimiter
