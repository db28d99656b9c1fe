"""Which record of a file holds the column names, and what its columns are called."""

from __future__ import annotations

import re
from collections.abc import Sequence

from billy_pipelines.files.names import folded, quoted
from billy_pipelines.files.table import ERROR_COLUMNS, Hints, UnreadableFile
from billy_pipelines.schemas.reading_options import ReadingOptions

SEARCHED = 20
"""Records at the top among which the header is looked for: reports have two to five title lines."""
LONGEST_NAME = 1_000
"""Characters in a column name. Longer ones come from a quotation mark that is not closed."""
_VALUE = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|(?:DK)?[+\d][\d ]{7,}|\d{6}-\d{4}|-?[\d.]*\d,\d\d")
"""What no column is called: an e-mail address, a CVR, EAN, telephone or CPR number, an amount."""


def known_headers(options: ReadingOptions, hints: Hints) -> frozenset[str]:
    """Every header name that means something for this file, folded."""
    return hints.headers | {folded(name) for name in options.mapping}


def known_names(record: Sequence[str], known: frozenset[str]) -> int:
    """How many different known header names (folded) a record holds; none where it holds a value too."""
    found = {folded(cell) for cell in record if cell} & known if known else set()
    return 0 if found and _holds_values(record) else len(found)


def header_position(records: Sequence[Sequence[str]], known: frozenset[str]) -> int:
    """Which of the first records of a file is its header: the one with the most known names (folded).

    A header without any known name is still one, so the first record keeps that office unless another has two, or
    stands below nothing but narrower lines. The columns that `rejected.csv` adds leave no doubt.
    """
    to_mend = next((position for position, record in enumerate(records[:SEARCHED]) if is_of_rejected(record)), None)
    if to_mend is not None:
        return to_mend
    counts = [known_names(record, known) for record in records]
    best = counts.index(max(counts))
    above = [_filled(record) for record in records[:best]]
    if counts[best] >= 2 or (counts[best] == 1 and all(cells < _filled(records[best]) for cells in above)):
        return best
    titles = next((position for position, record in enumerate(records) if _filled(record) > 1), 0)
    # Without a known name anywhere, lone cells above a table three columns wide are its title: the message about
    # missing columns then shows the names under it.
    return titles if known and any(_filled(record) > 2 for record in records) else 0


def is_of_rejected(record: Sequence[str]) -> bool:
    """Whether a record is the header of a `rejected.csv` that is dropped again. Our own messages have commas and colons
    in them, so that its rows alone would tell of another delimiter, and of another header."""
    cells = named_cells(record)
    return len(cells) > len(ERROR_COLUMNS) and tuple(cells[-len(ERROR_COLUMNS) :]) == ERROR_COLUMNS


def holds_no_names(record: Sequence[str], known: frozenset[str]) -> bool:
    """Whether a record that should be the header is a row of values: somebody forgot the header."""
    if known_names(record, known) >= 2 or is_of_rejected(record):
        return False
    return _holds_values(record) or all(_is_number(cell.strip()) for cell in record if cell.strip())


def column_names(record: Sequence[str], line: int, width: int) -> list[str]:
    """The names of the first `width` columns: as they stand in the file, without those that `rejected.csv` adds.

    Raises:
        UnreadableFile: duplicate_column, cell_too_large.
    """
    cells = [cell.strip().strip("\ufeff").strip() for cell in record[:width]]
    cells += [""] * (width - len(cells))
    if any(len(cell) > LONGEST_NAME for cell in cells):
        raise UnreadableFile("cell_too_large", line=line, limit=LONGEST_NAME)
    if width > len(ERROR_COLUMNS) and tuple(cells[-len(ERROR_COLUMNS) :]) == ERROR_COLUMNS:
        del cells[-len(ERROR_COLUMNS) :]
    names = [cell or f"(column {position})" for position, cell in enumerate(cells, 1)]
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise UnreadableFile("duplicate_column", name=quoted(name))
        seen.add(name.casefold())
    return names


def named_cells(record: Sequence[str]) -> list[str]:
    """The cells of a header up to the last that holds a name."""
    return [cell.strip() for cell in record[: named_width(record)]]


def named_width(record: Sequence[str]) -> int:
    """Cells of a header up to the last that holds a name."""
    return max((position for position, cell in enumerate(record, 1) if cell.strip()), default=0)


def _holds_values(record: Sequence[str]) -> bool:
    return any(_VALUE.fullmatch(cell.strip()) for cell in record)


def _is_number(name: str) -> bool:
    return name.replace(".", "").replace(",", "").isdigit()


def _filled(record: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in record)
