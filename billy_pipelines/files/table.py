"""Reading a delimited text file into rows of text with line numbers, or saying why that is not possible.

A cell is never interpreted here: everything stays text, so that leading zeros and `1.250,00` survive.
"""

from __future__ import annotations

import csv
import io
import re
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
_ENCODINGS = {"cp1252": "Windows-1252", "cp865": "DOS (cp850 or cp865)", "mac_roman": "MacRoman"}
_VALUE = re.compile(r"[^@]+@[^@]+\.[^@]+|(?:DK)?[+\d][\d ]{7,}|\d{6}-\d{4}")
"""What no column is called: an e-mail address, a CVR, telephone or CPR number."""


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
    oversized: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Rows with more cells than the header has, by position: the cells beyond it, which no column holds."""


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
    names = _own_columns(header)
    width = len(header)
    oversized = {}
    for position, record in enumerate(records):
        if any(cell.strip() for cell in record[width:]):
            oversized[position] = tuple(record[width:])
        del record[len(names) :]
        record.extend([""] * (len(names) - len(record)))
    return Table(pd.DataFrame(records, columns=names, dtype="str"), lines, names, delimiter, oversized)


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableFile("not_utf8", "The file is UTF-16. In Excel, save it as 'CSV UTF-8' and drop it again.")
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise UnreadableFile(
            "not_csv", "The file is an Excel workbook. In Excel, save it as 'CSV UTF-8' and drop it again."
        )
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            "not_utf8",
            f"The file is not UTF-8: line {_line_at(data, error.start)} has a byte that does not belong."
            f"{_probable_encoding(data)} In Excel, save it as 'CSV UTF-8' and drop it again.",
        ) from error
    if "\x00" in text:
        line = _line_at(data, data.index(b"\x00"))
        raise UnreadableFile("nul_byte", f"Line {line} holds a NUL byte, so this is no text file. Export it again.")
    return text


def _line_at(data: bytes, position: int) -> int:
    """The line a byte stands on, as an editor counts."""
    return len(re.findall(rb"\r\n|\r|\n", data[:position])) + 1


def _probable_encoding(data: bytes) -> str:
    """By the Danish letters, whose bytes differ in each; charset_normalizer took cp1252 for cp1250 and DOS for Mac."""
    sample = data[:1_000_000]
    letters = {name: sum(sample.count(letter.encode(name)) for letter in "æøåÆØÅ") for name in _ENCODINGS}
    name = max(letters, key=lambda encoding: letters[encoding])
    if letters[name]:
        return f" It is probably {_ENCODINGS[name]}."
    guess = charset_normalizer.from_bytes(sample[:100_000]).best()
    return f" It is probably {guess.encoding}." if guess else ""


def _delimiter(text: str) -> str:
    """The delimiter that occurs in the header outside quotes; the one that occurs more often, semicolon on a tie."""
    # The first line that says something, cells with line breaks in them included.
    header = re.match(r'\s*(?:"[^"]*"|[^"\r\n])*', text)
    outside = re.sub(r'"[^"]*"', "", header.group()) if header else ""
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
        reason = f"a value has more than {MAX_CELL:,} characters" if "field limit" in str(error) else str(error)
        raise UnreadableFile(
            "broken_quotes",
            f"From line {begins} on the file cannot be read ({reason}). A quotation mark is probably not closed; "
            'inside a value it must be doubled ("").',
        ) from error
    return header, records, lines


def _checked_header(names: list[str]) -> list[str]:
    while names and not names[-1]:
        names.pop()
    # Whoever forgot the header shows people's data in the first line: it must not be quoted in a message (rule B23).
    if any(_VALUE.fullmatch(name) for name in names) or all(_is_number(name) for name in names if name):
        raise UnreadableFile(
            "no_header", "The first line holds values, not column names. Put a header line above them."
        )
    seen: set[str] = set()
    for position, name in enumerate(names[: len(_own_columns(names))]):
        if name and name.casefold() in seen:
            raise UnreadableFile(
                "duplicate_column", f"The header names the column {name!r} twice. Rename or remove one."
            )
        seen.add(name.casefold())
        if not name:
            names[position] = f"(column {position + 1})"
    return names


def _own_columns(header: list[str]) -> list[str]:
    """The header without what `rejected.csv` has added to it."""
    own = header[: -len(ERROR_COLUMNS)]
    return own if own and tuple(header[-len(ERROR_COLUMNS) :]) == ERROR_COLUMNS else header


def _is_number(name: str) -> bool:
    return name.replace(".", "").replace(",", "").isdigit()
