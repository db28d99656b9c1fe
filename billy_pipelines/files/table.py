"""Reading a delimited text file into rows of text with line numbers, or saying why that is not possible.

A cell is never interpreted here: everything stays text, so that leading zeros and `1.250,00` survive.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

import charset_normalizer
import pandas as pd

DELIMITERS = (";", ",")
MAX_BYTES = 200_000_000
MAX_ROWS = 1_000_000
MAX_CELL = 100_000
ERROR_COLUMNS = ("line", "column", "value", "code", "message")
"""What `rejected.csv` adds behind the original columns; ignored when such a file is dropped again."""


class UnreadableFile(Exception):
    """The file as a whole cannot be used. `code` is stable, the text says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Table:
    """A file as text. `cells` has one row per record, columns in file order under their names in the file."""

    cells: pd.DataFrame
    lines: list[int]
    """Per row: the line in the file, as an editor counts, on which the row begins."""
    header: list[str]
    delimiter: str
    oversized: dict[int, int] = field(default_factory=dict)
    """Rows with more cells than the header has, by position: how many cells they have. Their surplus is not kept."""


def read_table(path: Path) -> Table:
    """Read a CSV file: UTF-8 with or without BOM, comma or semicolon.

    Raises:
        UnreadableFile: empty, too large, not UTF-8, no header, broken quotes.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise UnreadableFile(
            "file_too_large",
            f"The file has {size:,} bytes; at most {MAX_BYTES:,} are read. Split it into smaller files.",
        )
    text = _decoded(path.read_bytes())
    if not text.strip():
        raise UnreadableFile(
            "empty_file", "The file is empty. Export it again; a header and at least one row are needed."
        )
    delimiter = _delimiter(text)
    header, records, lines = _records(text, delimiter)
    if not records:
        raise UnreadableFile("no_rows", "The file has a header but no rows under it.")
    width = len(header)
    oversized = {}
    for position, record in enumerate(records):
        surplus = len(record) - width
        if surplus > 0:
            if any(cell.strip() for cell in record[width:]):
                oversized[position] = len(record)
            del record[width:]
        elif surplus < 0:
            record.extend([""] * -surplus)
    cells = pd.DataFrame(records, columns=header, dtype="str")
    if tuple(header[-len(ERROR_COLUMNS) :]) == ERROR_COLUMNS and width > len(ERROR_COLUMNS):
        header = header[: -len(ERROR_COLUMNS)]
        cells = cells.iloc[:, : len(header)]
    return Table(cells, lines, header, delimiter, oversized)


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableFile("not_utf8", "The file is UTF-16. In Excel, save it as 'CSV UTF-8' and drop it again.")
    if data.startswith(b"PK\x03\x04"):
        raise UnreadableFile(
            "not_csv", "The file is an Excel workbook. In Excel, save it as 'CSV UTF-8' and drop it again."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        guess = charset_normalizer.from_bytes(data[:100_000]).best()
        probably = f" It is probably {guess.encoding}." if guess else ""
        raise UnreadableFile(
            "not_utf8",
            f"The file is not UTF-8: line {line} has a byte that does not belong.{probably} "
            "In Excel, save it as 'CSV UTF-8' and drop it again.",
        ) from error
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise UnreadableFile("nul_byte", f"Line {line} holds a NUL byte, so this is no text file. Export it again.")
    return text


def _delimiter(text: str) -> str:
    """The delimiter that occurs in the header outside quotes; the one that occurs more often, semicolon on a tie."""
    header = next(line for line in text.splitlines() if line.strip())
    outside = "".join(part for number, part in enumerate(header.split('"')) if number % 2 == 0)
    return max(DELIMITERS, key=lambda sign: (outside.count(sign), -DELIMITERS.index(sign)))


def _records(text: str, delimiter: str) -> tuple[list[str], list[list[str]], list[int]]:
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    records: list[list[str]] = []
    lines: list[int] = []
    begins = 1
    try:
        for record in reader:
            line, begins = begins, reader.line_num + 1
            if not any(cell.strip() for cell in record):
                continue
            if not header:
                header = _checked_header([cell.strip() for cell in record])
                continue
            if len(records) >= MAX_ROWS:
                raise UnreadableFile("too_many_rows", f"The file has more than {MAX_ROWS:,} rows. Split it.")
            records.append(record)
            lines.append(line)
    except csv.Error as error:
        raise UnreadableFile(
            "broken_quotes",
            f"From line {begins} on the file cannot be read ({error}). A quotation mark is probably not closed; "
            'inside a value it must be doubled ("").',
        ) from error
    return header, records, lines


def _checked_header(names: list[str]) -> list[str]:
    while names and not names[-1]:
        names.pop()
    if all(name.replace(".", "").replace(",", "").isdigit() or "@" in name for name in names if name):
        raise UnreadableFile(
            "no_header", "The first line holds values, not column names. Put a header line above them."
        )
    seen: set[str] = set()
    for position, name in enumerate(names):
        if name and name.casefold() in seen:
            raise UnreadableFile(
                "duplicate_column", f"The header names the column {name!r} twice. Rename or remove one."
            )
        seen.add(name.casefold())
        if not name:
            names[position] = f"(column {position + 1})"
    return names
