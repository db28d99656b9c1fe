"""Writing files whole or not at all; delimited ones open right in a Danish Excel and run nothing there."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from billy_pipelines.schemas.cleaning import as_kept

_SIGNS = frozenset("=@\t\r\n+-")
"""What a cell begins with that a spreadsheet may run."""
# The first part has no digits: with them, a cell of 100,000 digits and a letter would be tried in 10^10 ways.
_NUMBER = re.compile(r"[+-][\s.,()-]*\d[\d\s.,()%-]*")


def safe_cell(value: object) -> str:
    """A cell as text; one that a spreadsheet would run as a formula gets an apostrophe, which reading takes off again.

    Numbers and telephone numbers stay as they are, and so does `="0800"`, which runs nothing.
    """
    text = "" if value is None else str(value)
    if text[:1] not in _SIGNS or _NUMBER.fullmatch(text) or as_kept(text):
        return text
    shows = any(sign.isprintable() and not sign.isspace() for sign in text)
    return f"'{text}" if shows else text


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], *, delimiter: str = ";") -> None:
    """Write a file whole or not at all: UTF-8 with BOM, readable by its owner only (rule B25)."""
    with replacing(path) as file:
        text = io.TextIOWrapper(file, "utf-8-sig", newline="")
        writer = csv.writer(text, delimiter=delimiter)
        writer.writerow([safe_cell(name) for name in header])
        writer.writerows([safe_cell(cell) for cell in row] for row in rows)
        text.detach()  # flushes, and leaves the file open


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all, readable by its owner only."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that takes its place whole when the block ends, and not at all when it fails."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.unlink(missing_ok=True)  # what an earlier process left keeps its mode
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
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
