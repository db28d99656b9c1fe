"""The marks of an old Excel workbook (.xls, BIFF5 and BIFF8), from its records ([MS-XLS] 2.4)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import olefile

from billy_pipelines.files.workbook_marks import PERCENT, UNKNOWN_ERROR, Marks, Refused, is_percent_format

_BOF, _EOF, _FILEPASS, _BOUNDSHEET, _FORMAT, _XF = 0x0809, 0x000A, 0x002F, 0x0085, 0x041E, 0x00E0
_FORMULA, _NUMBER, _BOOLERR, _RK, _MULRK = 0x0006, 0x0203, 0x0205, 0x027E, 0x00BD
_ERRORS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
}


def open_marks(data: bytes) -> Callable[[int], Marks]:
    """As `workbook_marks.open_marks`. An .xlsx with a password is such a file too: it comes in the same container."""
    with olefile.OleFileIO(data) as container:
        if container.exists("EncryptedPackage"):
            raise Refused("encrypted_workbook")
        stream = container.openstream("Workbook" if container.exists("Workbook") else "Book").read()
    sheets: list[int] = []
    formats: dict[int, str] = {}
    used: list[int] = []
    for kind, body in _substream(stream, 0):
        if kind == _FILEPASS:
            raise Refused("encrypted_workbook")
        if kind == _BOUNDSHEET and len(body) >= 4:
            sheets.append(struct.unpack_from("<I", body)[0])
        elif kind == _FORMAT and len(body) >= 2:
            # Latin-1 finds the percent sign in one-byte and in two-byte texts.
            formats[struct.unpack_from("<H", body)[0]] = body[2:].replace(b"\x00", b"").decode("latin-1")
        elif kind == _XF and len(body) >= 4:
            used.append(struct.unpack_from("<H", body, 2)[0])
    percent = {place for place, number in enumerate(used) if is_percent_format(number, formats.get(number, ""))}
    return lambda sheet: _sheet(stream, sheets[sheet], percent)


def _substream(stream: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Records from one beginning to its end; those of charts within have beginnings and ends of their own."""
    depth = 0
    while at + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, at)
        yield kind, stream[at + 4 : at + 4 + size]
        depth += (kind == _BOF) - (kind == _EOF)
        if depth <= 0:
            return
        at += 4 + size


def _sheet(stream: bytes, at: int, percent: set[int]) -> Marks:
    found = Marks()
    for kind, body in _substream(stream, at):
        if kind not in (_FORMULA, _NUMBER, _BOOLERR, _RK, _MULRK) or len(body) < 8:
            continue
        row, column, style = struct.unpack_from("<HHH", body)
        if kind == _MULRK:
            for n, place in enumerate(range(4, len(body) - 7, 6)):
                if struct.unpack_from("<H", body, place)[0] in percent:
                    found.put(row, column + n, PERCENT)
        elif kind == _BOOLERR and body[7]:
            found.put(row, column, _ERRORS.get(body[6], UNKNOWN_ERROR))
        elif kind == _FORMULA and body[12:14] == b"\xff\xff":
            if body[6] == 2:
                found.put(row, column, _ERRORS.get(body[8], UNKNOWN_ERROR))
        elif kind != _BOOLERR and style in percent:
            found.put(row, column, PERCENT)
    return found
