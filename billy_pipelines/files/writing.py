"""Writing delimited files that open right in a Danish Excel and run nothing there."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

_NUMBER = re.compile(r"[+-]?[\d\s.,()-]*\d[\d\s.,()%-]*")


def safe_cell(value: object) -> str:
    """A cell as text; one that a spreadsheet would run as a formula gets an apostrophe, which reading takes off again.

    Numbers and telephone numbers stay as they are.
    """
    text = "" if value is None else str(value)
    if text[:1] in ("=", "@", "\t", "\r") or (text[:1] in ("+", "-") and not _NUMBER.fullmatch(text)):
        return f"'{text}"
    return text


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], *, delimiter: str = ";") -> None:
    """Write a file whole or not at all: UTF-8 with BOM, readable by its owner only (rule B25)."""
    temporary = path.with_name(f".{path.name}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(header)
        writer.writerows([safe_cell(cell) for cell in row] for row in rows)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all, readable by its owner only."""
    temporary = path.with_name(f".{path.name}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)
