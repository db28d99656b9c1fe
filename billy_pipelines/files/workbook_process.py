"""The process of its own in which a workbook is opened: bytes come in on stdin, a sheet as text goes out on stdout.

A workbook of 5 kB can make calamine ask for 500 GB (a value in A1 and one in XFD1048576), and Rust answers a failed
allocation by ending the process. So that one is not Dagster's, and its memory is limited. Imports nothing heavy.
"""

from __future__ import annotations

import datetime as dt
import gc
import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import olefile
import python_calamine as calamine

from billy_pipelines.files import xls_records
from billy_pipelines.files.workbook_marks import PERCENT, Marks, Refused, open_marks

TEMPLATE_MARK = "Billy Pipelines: "
"""How the first cell of a template's own further sheets begins; they are no data."""
MEMORY = 3 << 30
"""Bytes of address space; 1,000,000 rows of 8 columns take about half of it."""
_BESIDE_ROWS = 50
"""Header, titles, totals: what the limit does not count; `grid.py` counts exactly."""
_SURE_DIGITS = 15
"""Digits that Excel keeps of a number; what stands behind them is noise of floating point (0.1 + 0.2)."""


@dataclass(frozen=True)
class Wanted:
    """What is asked of the process; named as in `Limits` and `ReadingOptions`."""

    kind: str
    sheet: str
    max_bytes: int
    max_rows: int
    max_columns: int
    max_cell: int


@dataclass(frozen=True)
class Sheet:
    """A sheet as text; fields as in `Grid`."""

    records: list[list[str]]
    lines: list[int]
    typed: dict[int, list[int]]


def read_workbook(data: bytes, wanted: Wanted) -> tuple[str, Sheet]:
    """The wanted sheet of a workbook: its name and its cells.

    Raises:
        Refused: it must not be read, or which sheet is meant cannot be told.
        Exception: whatever the libraries raise for a damaged file.
    """
    if data.startswith(olefile.MAGIC):
        marks_of = xls_records.open_marks(data)
    else:
        marks_of = open_marks(data, wanted.kind, wanted.max_bytes)
    workbook = calamine.load_workbook(io.BytesIO(data))
    sheets = {
        about.name: number
        for number, about in enumerate(workbook.sheets_metadata)
        if about.typ == calamine.SheetTypeEnum.WorkSheet
    }
    if wanted.sheet:
        name = _named(wanted.sheet, list(sheets))
        read = _read(workbook, name, marks_of(sheets[name]), wanted)
        if not read.records:
            raise Refused("empty_file")
        return name, read
    filled = {}
    for name, number in sheets.items():
        read = _read(workbook, name, marks_of(number), wanted)
        if read.records and not read.records[0][0].startswith(TEMPLATE_MARK):
            filled[name] = read
    if len(filled) > 1:
        raise Refused("several_sheets", names=", ".join(filled))
    if not filled:
        raise Refused("empty_file")
    return next(iter(filled.items()))


def _named(wanted: str, names: list[str]) -> str:
    for name in names:
        if name == wanted:
            return name
    for name in names:
        if name.strip().casefold() == wanted.strip().casefold():
            return name
    raise Refused("no_such_sheet", name=wanted, names=", ".join(names))


def _read(workbook: calamine.CalamineWorkbook, name: str, marks: Marks, wanted: Wanted) -> Sheet:
    sheet = workbook.get_sheet_by_name(name)
    left = sheet.start[1] if sheet.start else 0
    width = left + sheet.width
    if width > wanted.max_columns:
        raise Refused("too_many_columns", columns=width, limit=wanted.max_columns)
    if marks.uncalculated:
        raise Refused("formula_without_result", cell=marks.uncalculated, sheet=name)
    records: list[list[str]] = []
    lines: list[int] = []
    typed: dict[int, list[int]] = {}
    size = 0
    for row, values in enumerate(_rows(sheet, marks, left)):
        texts, numbers = _texts(values)
        said = "".join(texts)
        if not said or said.isspace():
            continue
        if len(said) > wanted.max_cell and max(map(len, texts)) > wanted.max_cell:
            raise Refused("cell_too_large", line=row + 1, limit=wanted.max_cell)
        if "\0" in said:
            raise Refused("nul_byte", line=row + 1)
        if len(records) >= wanted.max_rows + _BESIDE_ROWS:
            raise Refused("too_many_rows", limit=wanted.max_rows)
        size += len(said)
        if size > wanted.max_bytes:  # one shared text can stand in every cell
            raise Refused("unpacks_too_large", limit=wanted.max_bytes)
        for column in numbers:
            typed.setdefault(column, []).append(len(records))
        records.append(texts)
        lines.append(row + 1)
    return _without_empty_left(Sheet(records, lines, typed))


def _rows(sheet: calamine.CalamineSheet, marks: Marks, left: int) -> Iterator[list[Any]]:
    """All rows from the first of the sheet on, from its first column on, with what the marks know put in.

    Of merged cells only the first has the value: repeated, one amount over three rows would count three times.
    """
    padding: list[Any] = [""] * left
    number = -1
    for number, values in enumerate(sheet.iter_rows()):
        row = padding + values if left else values
        yield _marked(row, marks.cells[number]) if number in marks.cells else row
    for further in range(number + 1, max(marks.cells, default=-1) + 1):  # errors alone make no cell in calamine's .ods
        yield _marked([], marks.cells.get(further, {}))


def _marked(values: list[Any], marks: dict[int, str]) -> list[Any]:
    values = values + [""] * (max(marks, default=-1) + 1 - len(values))
    for column, mark in marks.items():
        value = values[column]
        if mark != PERCENT:
            values[column] = mark
        elif type(value) in (int, float):
            values[column] = _percentage(value)
    return values


def _texts(values: list[Any]) -> tuple[list[str], list[int]]:
    """A row as text, and which of its cells were no text."""
    texts: list[str] = []
    typed: list[int] = []
    for column, value in enumerate(values):
        if type(value) is str:
            texts.append(value)
        else:
            texts.append(_TEXTS[type(value)](value))
            typed.append(column)
    return texts, typed


def _number(value: float) -> str:
    """`1234`, `0.3`: no exponent, no `.0`. With more than 15 digits as Excel shows it, `1.23456789012346E+19`: the rest
    was lost when the number was typed, and must not be made up of zeros."""
    text = f"{value + 0.0:.{_SURE_DIGITS}G}"  # -0.0 loses its sign
    return f"{Decimal(text):f}" if "E-" in text else text


def _percentage(value: float) -> str:
    """`25%`. With three decimals it gets a fourth, or 12.125 could be read as twelve thousand."""
    text = f"{Decimal(f'{value:.{_SURE_DIGITS}g}').scaleb(2):f}"
    return f"{text}0%" if re.search(r"\.\d{3}$", text) else f"{text}%"


def _date_time(value: dt.datetime) -> str:
    # Excel counts in days, so half past nine comes as 09:29:59.999.
    return (value + dt.timedelta(milliseconds=500)).isoformat(timespec="seconds")


def _duration(value: dt.timedelta) -> str:
    seconds = round(value.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


_TEXTS: dict[type, Callable[[Any], str]] = {
    float: _number,
    int: _number,
    bool: lambda value: "true" if value else "false",
    dt.date: dt.date.isoformat,
    dt.datetime: _date_time,
    dt.time: lambda value: value.isoformat(timespec="seconds"),
    dt.timedelta: _duration,
}


def _without_empty_left(sheet: Sheet) -> Sheet:
    """A table that begins in column C is read as if it began in A."""
    empty = min(
        (next(place for place, text in enumerate(record) if text and not text.isspace()) for record in sheet.records),
        default=0,
    )
    if not empty:
        return sheet
    typed = {column - empty: positions for column, positions in sheet.typed.items()}
    return Sheet([record[empty:] for record in sheet.records], sheet.lines, typed)


def main() -> None:
    """Read the request (a line of JSON, then the file) from stdin, and write the answer to stdout."""
    gc.disable()  # hundreds of thousands of lists, and not one cycle among them
    wanted = Wanted(**json.loads(sys.stdin.buffer.readline()))
    with suppress(ImportError, OSError, ValueError):  # not every system can limit it
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        name, sheet = read_workbook(sys.stdin.buffer.read(), wanted)
        answer = {"sheet": name, "records": sheet.records, "lines": sheet.lines, "typed": sheet.typed}
    except Refused as refusal:
        answer = {"code": refusal.code, "details": refusal.details}
    except MemoryError:
        answer = {"code": "table_too_large", "details": {}}
    except BaseException as error:  # a panic in calamine is no Exception
        answer = {"code": "broken_file", "details": {"reason": str(error)}}
    sys.stdout.buffer.write(json.dumps(answer, ensure_ascii=False).encode())


if __name__ == "__main__":
    main()
