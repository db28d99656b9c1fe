"""An exported file as an Excel workbook: real numbers, dates and booleans, all else text that nothing rewrites or runs.

XlsxWriter makes the workbook around the rows (styles, header, filters); the rows themselves are put together by Arrow.
XlsxWriter writes 7,000 rows of a register a second, this way it is 35,000, and memory does not grow with them.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

from billy_pipelines.schemas.row_schema import NUMERIC, Kind
from billy_pipelines.schemas.whole_column import changed, mask_of, matches

MOST_ROWS = 1_048_575
"""Rows of a sheet beside its header."""
MOST_IN_CELL = 32_767
"""Characters."""
_SHEET = "xl/worksheets/sheet1.xml"
_AT_ONCE = 10_000
_EPOCH = np.datetime64("1899-12-30", "D")
_DAY = r"^\d{4}-\d{2}-\d{2}$"
_LONG_NUMBER = r"[0-9.]{16}"
"""Floating point keeps fifteen digits; a longer number stays text."""
_UNUSUAL = "[\x00-\x08\x0b-\x1f\ufffe\uffff]|_x[0-9A-Fa-f]{4}_"
"""What XML or Excel would not give back."""
_WIDTHS = {Kind.DATE: 12, Kind.BOOLEAN: 10, Kind.POSTCODE: 9, Kind.COUNTRY: 9, Kind.CURRENCY: 9}
_WIDTH, _NUMBER_WIDTH = 22, 12


class DoesNotFit(Exception):
    """More rows than a sheet holds, or more text than a cell."""


def write_workbook(
    file: BinaryIO, kinds: Mapping[str, Kind], batches: Iterable[pa.RecordBatch], rows: int, *, danish: bool
) -> int:
    """One sheet with a frozen header and filters. `rows`: how many the batches have.

    Raises:
        DoesNotFit
    """
    if rows > MOST_ROWS:
        raise DoesNotFit(f"An Excel sheet holds {MOST_ROWS:,} rows, and these are {rows:,}.")
    with zipfile.ZipFile(_around(kinds, rows, danish)) as around, zipfile.ZipFile(file, "w") as workbook:
        for entry in around.infolist():
            content = around.read(entry)
            with workbook.open(_deflated(entry), "w", force_zip64=True) as part:
                if entry.filename != _SHEET:
                    part.write(content)
                    continue
                before, styles, after = _split(content.decode(), len(kinds), rows)
                part.write(before.encode())
                for lines in _rows(kinds, batches, styles):
                    part.write(lines)
                part.write(after.encode())
    return rows


def _deflated(entry: zipfile.ZipInfo) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(entry.filename, entry.date_time)
    made.compress_type = zipfile.ZIP_DEFLATED
    return made


def _around(kinds: Mapping[str, Kind], rows: int, danish: bool) -> io.BytesIO:
    """The workbook with its header, and one row of blanks that shows each column's style."""
    made = io.BytesIO()
    with xlsxwriter.Workbook(made, {"in_memory": True}) as workbook:
        sheet = workbook.add_worksheet("data")
        dates = workbook.add_format({"num_format": "dd-mm-yyyy" if danish else "yyyy-mm-dd"})
        texts = workbook.add_format({"num_format": "@"})
        plain = workbook.add_format({"num_format": 0})
        head = workbook.add_format({"bold": True, "num_format": "@"})
        sheet.freeze_panes(1, 0)
        for place, (name, kind) in enumerate(kinds.items()):
            style = dates if kind is Kind.DATE else plain if kind in NUMERIC or kind is Kind.BOOLEAN else texts
            width = _NUMBER_WIDTH if kind in NUMERIC else _WIDTHS.get(kind, _WIDTH)
            sheet.set_column(place, place, width, style)
            sheet.write_string(0, place, name, head)
            sheet.write_blank(1, place, None, texts)
            sheet.write_blank(2, place, None, style)
        sheet.autofilter(0, 0, rows, len(kinds) - 1)
        sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{MOST_ROWS + 1}"})  # a postcode is meant as text
    made.seek(0)
    return made


def _split(xml: str, columns: int, rows: int) -> tuple[str, tuple[str, list[str]], str]:
    """The sheet's XML up to its rows, the styles of text and of each column, the XML behind the rows."""
    last = f"{xl_col_to_name(columns - 1)}{rows + 1}"
    xml = re.sub(r'<dimension ref="[^"]*"/>', f'<dimension ref="A1:{last}"/>', xml, count=1)
    start, end = xml.index('<row r="2"'), xml.index("</sheetData>")
    styles = re.findall(r'<c r="[A-Z]+\d+"(?: s="(\d+)")?/>', xml[start:end])
    return xml[:start], (styles[0], styles[columns:] or [""] * columns), xml[end:]


def _rows(
    kinds: Mapping[str, Kind], batches: Iterable[pa.RecordBatch], styles: tuple[str, list[str]]
) -> Iterator[bytes]:
    line = 2
    text_style, column_styles = styles
    for batch in batches:
        for start in range(0, batch.num_rows, _AT_ONCE):
            part = batch.slice(start, _AT_ONCE)
            numbers = pa.array(np.arange(line, line + part.num_rows)).cast(pa.large_string())
            cells = [
                _cells(
                    part.column(name).cast(pa.large_string()),
                    kind,
                    _joined(f'<c r="{xl_col_to_name(place)}', numbers, '"'),
                    text_style,
                    column_styles[place],
                )
                for place, (name, kind) in enumerate(kinds.items())
            ]
            lines = _joined('<row r="', numbers, '">', *cells, "</row>")
            yield "".join(lines.to_pylist()).encode()
            line += part.num_rows


def _cells(column: Any, kind: Kind, opening: Any, text_style: str, style: str) -> Any:
    """A column as the XML of its cells; '' where there is none."""
    told = mask_of(pc.is_valid(column))
    values = pc.fill_null(column, "")
    typed = np.zeros(len(column), dtype=np.bool_)
    if kind in NUMERIC:
        typed = told & ~matches(values, _LONG_NUMBER)
    elif kind is Kind.DATE:
        typed = told & matches(values, _DAY)
        values = changed(values, typed, _serials)
    elif kind is Kind.BOOLEAN:
        typed = told & mask_of(pc.is_in(values, pa.array(["true", "false"], pa.large_string())))
        values = changed(values, typed, lambda some: pc.if_else(pc.equal(some, "true"), _large("1"), _large("0")))
    made = _nothing(len(column))
    if typed.any():
        mark = ' t="b"' if kind is Kind.BOOLEAN else ""
        values_in = _joined(opening, f"{_style(style)}{mark}><v>", values, "</v></c>")
        made = pc.if_else(pa.array(typed), values_in, made)
    if (texts := told & ~typed).any():
        longest = pc.max(pc.utf8_length(values)).as_py() or 0
        if longest > MOST_IN_CELL:
            raise DoesNotFit(f"A cell of Excel holds {MOST_IN_CELL:,} characters, and one has {longest:,}.")
        inside = _joined(
            opening,
            f'{_style(text_style)} t="inlineStr"><is><t xml:space="preserve">',
            _escaped(values),
            "</t></is></c>",
        )
        made = pc.if_else(pa.array(texts), inside, made)
    return made


def _style(number: str) -> str:
    return f' s="{number}"' if number else ""


def _serials(cells: Any) -> Any:
    """Dates as the days Excel counts. They are dates of Billy's, so there is none before 1900."""
    days = np.array(cells.to_pylist(), dtype="datetime64[D]") - _EPOCH
    return pa.array(days.astype(np.int64)).cast(pa.large_string())


def _escaped(cells: Any) -> Any:
    for sign, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        cells = pc.replace_substring(cells, sign, name)
    return changed(cells, matches(cells, _UNUSUAL), _spelled)


def _spelled(cells: Any) -> Any:
    return pa.array([re.sub(_UNUSUAL, _code, text) for text in cells.to_pylist()], pa.large_string())


def _code(found: re.Match[str]) -> str:
    text = found[0]
    return f"_x005F{text}" if len(text) > 1 else f"_x{ord(text):04X}_"


def _joined(*parts: Any) -> Any:
    return pc.binary_join_element_wise(*(_large(part) if isinstance(part, str) else part for part in parts), _large(""))


def _large(text: str) -> Any:
    return pa.scalar(text, pa.large_string())


def _nothing(count: int) -> Any:
    return pa.repeat(_large(""), count)
