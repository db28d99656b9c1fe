"""What calamine does not tell about a workbook: its password, error values, percentages, formulas without a result.

calamine 0.9 gives an error cell (`#N/A`) as an empty one, and 25 % as 0.25. Read so, a failed look-up would pass for
"not said", and a discount would shrink to a hundredth. Here for .xlsx and .ods, in `xls_records.py` for .xls. Standard
library only: this runs in the small process that `sheets.py` starts.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from posixpath import join, normpath
from xml.etree import ElementTree
from xml.parsers import expat

PERCENT = "%"
"""The mark of a number that is shown as a percentage; other marks are the text of an error, such as `#N/A`."""
UNKNOWN_ERROR = "#UNKNOWN!"
"""Excel's own text for an error that has no other."""
_PERCENT_FORMATS = (9, 10)
"""Built-in number formats of Excel: 0% and 0.00%."""
_REFERENCE = re.compile(r"([A-Za-z]+)(\d+)")


class Refused(Exception):
    """The workbook cannot be used: a code of `schemas/codes.py` and what its sentence needs."""

    def __init__(self, code: str, **details: object) -> None:
        super().__init__(code)
        self.code = code
        self.details = details


@dataclass
class Marks:
    """What is to be known about cells of one sheet; rows and columns count from 0."""

    cells: dict[int, dict[int, str]] = field(default_factory=dict)
    """By row and column: `PERCENT`, or the text the spreadsheet shows for an error."""
    uncalculated: str = ""
    """The first formula whose result was never saved (`C5`): a program wrote the file, no spreadsheet has opened it."""

    def put(self, row: int, column: int, mark: str) -> None:
        """Mark a cell."""
        self.cells.setdefault(row, {})[column] = mark


def open_marks(data: bytes, kind: str, max_bytes: int) -> Callable[[int], Marks]:
    """A function from the number of a sheet, in the order of an .xlsx or .ods workbook, to its marks.

    Raises (the function as well):
        Refused: a password, a size beyond `max_bytes` unpacked.
        Exception: whatever the libraries raise for a damaged file.
    """
    parts = zipfile.ZipFile(io.BytesIO(data))
    if sum(part.file_size for part in parts.infolist()) > max_bytes:
        raise Refused("unpacks_too_large", limit=max_bytes)
    return _ods(parts) if kind == "ods" else _xlsx(parts)


def is_percent_format(number: int, code: str) -> bool:
    """Whether a number format shows a hundred times the value and a percent sign."""
    return number in _PERCENT_FORMATS or "%" in re.sub(r'"[^"]*"|\\.', "", code)


def _xlsx(parts: zipfile.ZipFile) -> Callable[[int], Marks]:
    names = {name.replace("\\", "/").lower(): name for name in parts.namelist()}

    def read(name: str) -> bytes:
        return parts.read(names[name.lower()])

    def tree(name: str) -> ElementTree.Element:
        return ElementTree.fromstring(read(name))  # noqa: S314 - expat 2.4+ limits entities, the process its memory

    targets = {link.get("Id"): link.get("Target", "") for link in tree("xl/_rels/workbook.xml.rels")}
    sheets = [
        next(value for name, value in sheet.items() if name.endswith("}id"))
        for sheet in tree("xl/workbook.xml").iterfind("{*}sheets/{*}sheet")
    ]
    percent = _percent_styles(tree("xl/styles.xml")) if "xl/styles.xml" in names else set()
    return lambda sheet: _xlsx_sheet(read(normpath(join("/xl", targets[sheets[sheet]])).lstrip("/")), percent)


def _percent_styles(styles: ElementTree.Element) -> set[str]:
    codes = {entry.get("numFmtId"): entry.get("formatCode", "") for entry in styles.iterfind("{*}numFmts/{*}numFmt")}
    used = [style.get("numFmtId", "0") for style in styles.iterfind("{*}cellXfs/{*}xf")]
    return {str(place) for place, number in enumerate(used) if is_percent_format(int(number), codes.get(number, ""))}


def _xlsx_sheet(document: bytes, percent: set[str]) -> Marks:
    found = Marks()
    signs = ['t="e"', "<f>", "<f ", ":f>", ":f ", *(f's="{style}"' for style in percent)]
    if not any(sign.encode() in document or sign.replace('"', "'").encode() in document for sign in signs):
        return found  # the usual sheet, not parsed twice
    row, column, cell_type = -1, -1, ""
    formula, in_value, value = False, False, ""

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal row, column, cell_type, formula, in_value, value
        name = tag.rpartition(":")[2]
        if name == "c":
            place = _REFERENCE.fullmatch(attributes.get("r", ""))
            row, column = (int(place[2]) - 1, _column_number(place[1])) if place else (row, column + 1)
            cell_type, formula, value = attributes.get("t", ""), False, ""
            if attributes.get("s") in percent:
                found.put(row, column, PERCENT)
        elif name == "row":
            row, column = int(attributes.get("r", row + 2)) - 1, -1
        elif name == "f":
            formula = True
        elif name == "v":
            in_value = True

    def text(data: str) -> None:
        nonlocal value
        if in_value:
            value += data

    def end(tag: str) -> None:
        nonlocal in_value
        name = tag.rpartition(":")[2]
        if name == "v":
            in_value = False
        elif name == "c":
            if cell_type == "e":
                found.put(row, column, value or UNKNOWN_ERROR)
            elif formula and not value and cell_type != "str" and not found.uncalculated:
                found.uncalculated = _cell_name(row, column)

    _parse(document, start, text, end)
    return found


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number - 1


def _cell_name(row: int, column: int) -> str:
    number, letters = column + 1, ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"


def _ods(parts: zipfile.ZipFile) -> Callable[[int], Marks]:
    if b"encryption-data" in parts.read("META-INF/manifest.xml"):
        raise Refused("encrypted_workbook")
    document = parts.read("content.xml")
    return lambda sheet: _ods_sheet(document, sheet)


def _ods_sheet(document: bytes, wanted: int) -> Marks:
    found = Marks()
    if not any(sign in document for sign in (b'="error"', b'="percentage"', b"table:formula=")):
        return found
    path: list[str] = []
    sheet, row, column, rows, columns = -1, 0, 0, 1, 1
    kind, value = "", ""

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal sheet, row, column, rows, columns, kind, value
        if tag == "table:table" and path[-1:] == ["office:spreadsheet"]:
            sheet, row = sheet + 1, 0
        elif tag == "table:table-row":
            rows, column = int(attributes.get("table:number-rows-repeated", 1)), 0
        elif tag in _ODS_CELLS:
            columns = int(attributes.get("table:number-columns-repeated", 1))
            kind, value = attributes.get("calcext:value-type") or attributes.get("office:value-type", ""), ""
            if "table:formula" in attributes and not kind and sheet == wanted and not found.uncalculated:
                found.uncalculated = _cell_name(row, column)
        path.append(tag)

    def text(data: str) -> None:
        nonlocal value
        if kind == "error" and "office:annotation" not in path:  # somebody's comment on the cell
            value += data

    def end(tag: str) -> None:
        nonlocal row, column, kind
        path.pop()
        if tag in _ODS_CELLS:
            if sheet == wanted and kind in ("error", "percentage"):
                mark = PERCENT if kind == "percentage" else value or UNKNOWN_ERROR
                for at in range(row, row + rows):
                    for place in range(column, column + columns):
                        found.put(at, place, mark)
            column, kind = column + columns, ""
        elif tag == "table:table-row":
            row += rows

    _parse(document, start, text, end)
    return found


_ODS_CELLS = ("table:table-cell", "table:covered-table-cell")


def _parse(
    document: bytes,
    start: Callable[[str, dict[str, str]], None],
    text: Callable[[str], None],
    end: Callable[[str], None],
) -> None:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.CharacterDataHandler, parser.EndElementHandler = start, text, end
    parser.Parse(document, True)
