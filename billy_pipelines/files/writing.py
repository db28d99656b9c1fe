"""Writing delimited files that open right in a Danish Excel and run nothing there."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_NUMBER = re.compile(r"[+-]?[\d\s.,()-]*\d[\d\s.,()%-]*")


def safe_cell(value: object) -> str:
    """A cell as text; one that a spreadsheet would run as a formula gets an apostrophe, which reading takes off again.

    Numbers and telephone numbers stay as they are.
    """
    text = "" if value is None else str(value)
    runs = text[:1] in ("=", "@", "\t", "\r", "\n") or (text[:1] in ("+", "-") and not _NUMBER.fullmatch(text))
    shows = any(sign.isprintable() and not sign.isspace() for sign in text)
    return f"'{text}" if runs and shows else text


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], *, delimiter: str = ";") -> None:
    """Write a file whole or not at all: UTF-8 with BOM, readable by its owner only (rule B25)."""
    with _replacing(path, "utf-8-sig") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow([safe_cell(name) for name in header])
        writer.writerows([safe_cell(cell) for cell in row] for row in rows)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all, readable by its owner only."""
    with _replacing(path, "utf-8") as file:
        file.write(text)


@contextmanager
def _replacing(path: Path, encoding: str) -> Iterator[IO[str]]:
    temporary = path.with_name(f".{path.name}.part")
    temporary.unlink(missing_ok=True)  # what an earlier process left keeps its mode
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding=encoding, newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, for their owner only (rule B25); what is there stays."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
