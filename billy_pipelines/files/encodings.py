"""Bytes of a text file into UTF-8, and what they were.

Nothing here makes one Python string of a file: a single sign outside Latin-1 would make it four times as large.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator

import charset_normalizer
import numpy as np
import numpy.typing as npt

from billy_pipelines.files.plausibility import plausibility
from billy_pipelines.files.table import UnreadableFile

_PIECE = 4_000_000
_SAMPLED_SIGNS = 2_000
"""Signs outside ASCII that are looked at, spread over the file: 10 MB of names have a million, and say no more."""
_REACH = 40
"""Bytes on either side that are looked at with one."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins like UTF-16, so it comes first
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SINGLE_BYTE = (("cp1252", 0.6), ("cp865", 0.1), ("cp850", 0.0), ("mac_roman", 0.0))
"""With what speaks for each before anything is read: nearly all such files are Windows-1252."""
_OTHERS = ["cp1250", "cp1251", "cp1253", "cp1255", "cp1256", "cp1257", "cp852", "cp866", "koi8_r"]
_OTHERS += ["cp932", "gb18030", "big5", "cp949"]
"""What a file that is not Western can be. Left to choose among all 90, the detector took Greek for Greek of the Mac."""
_NAMES = {"mac-roman": "mac_roman", "utf-8-sig": "utf-8", "ascii": "utf-8", "iso8859-1": "cp1252"}
"""Where Python's name is not the usual one, or the encoding is a part of another in practice."""
_NO_FILE = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "charmap", "utf-7"})
"""What Python can decode besides; as an option it would be a mistake, or a way to make a file say something else."""
_UTF8_SEQUENCE = re.compile(rb"[\xc3-\xf4][\x80-\xbf]+")


def utf8_of(data: bytes, wanted: str = "auto") -> tuple[bytes, str]:
    """The text in UTF-8, without a mark at its start or DOS's at its end, and the encoding it had.

    Raises:
        UnreadableFile: encoding_unknown, encoding_wrong, nul_byte.
    """
    marked = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "")
    if wanted != "auto":
        encoding = _known(wanted)
        if encoding in ("utf-16", "utf-32"):
            found = marked or _utf16_unmarked(data)
            encoding = found if found.startswith(encoding) else f"{encoding}-le"
    else:
        encoding = marked or _utf16_unmarked(data) or "utf-8"
    try:
        text = _converted(data, encoding)
    except UnreadableFile:
        if wanted != "auto" or marked or encoding != "utf-8":
            raise
        encoding = _guessed(data)
        text = _converted(data, encoding)
    text = text.removeprefix(codecs.BOM_UTF8).rstrip(b"\x1a")
    if (nul := text.find(b"\0")) >= 0:
        raise UnreadableFile("nul_byte", line=line_ends(text, 0, nul) + 1)
    return text, encoding


def line_ends(data: bytes, start: int = 0, end: int | None = None) -> int:
    """How many lines end between two offsets, as an editor counts: at \\r\\n, \\n and \\r."""
    return data.count(b"\n", start, end) + data.count(b"\r", start, end) - data.count(b"\r\n", start, end)


def _known(wanted: str) -> str:
    """The usual name of an encoding that files can have."""
    try:
        name = codecs.lookup(wanted.strip()).name
        "".encode(name)  # fails for codecs from bytes to bytes, such as zlib
    except (LookupError, ValueError) as error:
        raise UnreadableFile("encoding_unknown", encoding=wanted[:40]) from error
    if name in _NO_FILE:
        raise UnreadableFile("encoding_unknown", encoding=wanted[:40])
    return _NAMES.get(name, name)


def _utf16_unmarked(data: bytes) -> str:
    """UTF-16 without a mark: of the first bytes every second one is mostly zero, the others seldom."""
    first = np.frombuffer(data, np.uint8, min(len(data), 4096) // 2 * 2)
    even, odd = (first[0::2] == 0), (first[1::2] == 0)
    if len(first) and odd.mean() > 0.6 and even.mean() < 0.2:
        return "utf-16-le"
    if len(first) and even.mean() > 0.6 and odd.mean() < 0.2:
        return "utf-16-be"
    return ""


def _guessed(data: bytes) -> str:
    """What a text is that is not UTF-8."""
    scores = _scores(data)
    best = max(scores, key=lambda name: scores[name])
    if scores[best] > 0:
        return best
    sample = _sample(data)
    if len(b"".join(_UTF8_SEQUENCE.findall(sample))) * 2 > sum(byte > 127 for byte in sample):
        return "utf-8"  # with a wrong byte somewhere, whose line is then reported
    other = charset_normalizer.from_bytes(sample, cp_isolation=_OTHERS).best()
    return _known(other.encoding) if other else "utf-8"


def _scores(data: bytes) -> dict[str, float]:
    """How Danish the file looks in each encoding; above 0 where more speaks for it than against it."""
    every = np.frombuffer(data, np.uint8)
    signs = [np.flatnonzero(every[start : start + _PIECE] > 127) + start for start in range(0, len(data), _PIECE)]
    sampled = _thinned(np.concatenate([_thinned(some) for some in signs])).tolist()
    around = [(data[max(at - _REACH, 0) : at + _REACH + 1], min(at, _REACH)) for at in sampled]
    return {
        name: prior + sum(plausibility(piece.decode(name, "replace"), at) for piece, at in around)
        for name, prior in _SINGLE_BYTE
    }


def _thinned(positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    if len(positions) <= _SAMPLED_SIGNS:
        return positions
    return positions[np.linspace(0, len(positions) - 1, _SAMPLED_SIGNS).astype(np.int64)]


def _sample(data: bytes) -> bytes:
    """Some text around the first sign outside ASCII; the whole of a large file takes the detector minutes."""
    first = int(np.argmax(np.frombuffer(data, np.uint8) > 127))
    return data[max(first - 1000, 0) : first + 20_000]


def _converted(data: bytes, encoding: str) -> bytes:
    """The text in UTF-8: the same bytes where they are that already."""
    if encoding == "utf-8":
        _check_utf8(data)
        return data
    text = io.BytesIO()
    try:
        for piece in _pieces(data, encoding):
            text.write(piece.encode())
    except UnicodeError as error:
        if isinstance(error, UnicodeDecodeError):
            text.write(error.object[: error.start].decode(encoding, "replace").encode("utf-8", "replace"))
        raise UnreadableFile("encoding_wrong", encoding=encoding, line=line_ends(text.getvalue()) + 1) from error
    return text.getvalue()


def _check_utf8(data: bytes) -> None:
    if data.isascii():
        return
    try:
        for _ in _pieces(data, "utf-8"):
            pass
    except UnicodeDecodeError:
        try:
            data.decode()
        except UnicodeDecodeError as error:  # this one knows where
            line = line_ends(data, 0, error.start) + 1
            raise UnreadableFile("encoding_wrong", encoding="utf-8", line=line) from error


def _pieces(data: bytes, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    for start in range(0, len(data), _PIECE):
        yield decoder.decode(data[start : start + _PIECE], final=start + _PIECE >= len(data))
