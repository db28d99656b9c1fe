"""What kind of file it is: by its content and its name together. Where the two disagree, the error says both."""

from __future__ import annotations

import codecs
import re
from pathlib import PurePath

from billy_pipelines.files.table import UnreadableFile
from billy_pipelines.files.unpacking import DAMAGE, zip_archive

_TEXT = ("csv", "json")
_NAMED: dict[str, tuple[str, ...]] = {
    ".csv": ("csv",),
    ".tsv": ("csv",),
    ".tab": ("csv",),
    ".kom": ("csv",),
    ".txt": _TEXT,  # this one and the next say nothing but that it is text
    ".dat": _TEXT,
    ".json": ("json",),
    ".ndjson": ("json",),
    ".jsonl": ("json",),
    ".xlsx": ("xlsx",),
    ".xlsm": ("xlsx",),
    ".xls": ("xls",),
    ".ods": ("ods",),
}
"""What may be in a file of that name; the first is what the name promises."""
WORKBOOKS = ("xlsx", "xls", "ods")
_CALLED = {
    "csv": "CSV",
    "json": "JSON",
    "xlsx": "Excel (.xlsx)",
    "xls": "Excel (.xls)",
    "xlsb": "Excel (.xlsb)",
    "ods": "OpenDocument (.ods)",
    "html": "HTML",
    "xml": "XML",
    "ole": "Office 97",
    "binary": "binary",
}
"""How the content is called in messages, in words that are the same in Danish; others in capitals (PDF, ZIP, GZIP)."""
_MAGIC = (
    (b"%PDF-", "pdf"),
    (b"{\\rtf", "rtf"),
    (b"\x1f\x8b", "gzip"),
    (b"\x89PNG", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "gif"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"(\xb5/\xfd", "zstandard"),
    (b"SQLite format 3\x00", "sqlite"),
    (b"PAR1", "parquet"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ODS = b"application/vnd.oasis.opendocument.spreadsheet"
_EXTENSION = re.compile(r"\.[a-z0-9]{1,8}", re.I)
_HTML = re.compile(r"<!doctype html|<(?:html|head|body|table|meta|div|style)\b|mime-version:", re.I)
_JSON = re.compile(r'\{\s*["}]|\[\s*(?:\{|\]\s*\Z)')
_TWO_OBJECTS = re.compile(r"\s*\{[^\r\n]*\}[ \t]*[\r\n]\s*\{")
_CONTROL = re.compile(rb"[\x01-\x08\x0e-\x19\x1b-\x1f\x7f]")


def named(name: str) -> tuple[str, bool]:
    """The extension of a file's name in lower case, without `.gz`, and whether that was there.

    '' for a name without one, or with something behind its last point that is none: it can be anybody's name, and
    names stay out of messages (rule B23).
    """
    path = PurePath(name.strip())
    compressed = path.suffix.casefold() == ".gz"
    suffix = (PurePath(path.stem) if compressed else path).suffix.strip()
    return suffix.casefold() if _EXTENSION.fullmatch(suffix) else "", compressed


def binary_kind(data: bytes) -> str:
    """The kind of a file that is no text; '' when it may be one.

    Raises:
        UnreadableFile: encrypted_workbook.
    """
    if data.startswith(_OLE):
        if _stream("EncryptedPackage") in data:
            raise UnreadableFile("encrypted_workbook")  # an .xlsx with a password comes in the old format's container
        return "xls" if _stream("Workbook") in data or _stream("Book") in data else "ole"
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_kind(data)
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), "")


def text_kind(beginning: str, extension: str) -> str:
    """The kind of a text by how it begins: `csv`, `json`, `html`, `xml`."""
    beginning = beginning.lstrip()
    if beginning.startswith("<"):
        return "html" if _HTML.search(beginning) else "xml" if beginning.startswith("<?xml") else "csv"
    if _HTML.match(beginning):  # a web archive
        return "html"
    meant = _NAMED.get(extension, ("csv",))[0] != "csv"
    if _JSON.match(beginning) or (meant and beginning.startswith(("{", "["))):
        return "json"
    return "csv"


def json_kind(text: str) -> str:
    """`ndjson` for several objects, one a line; else `json`."""
    return "ndjson" if _TWO_OBJECTS.match(text) else "json"


def meant_workbook(extension: str) -> str:
    """The kind of workbook that a name promises; '' for other names."""
    kind = _NAMED.get(extension, ("",))[0]
    return kind if kind in WORKBOOKS else ""


def agreed(found: str, extension: str) -> str:
    """The kind to read a file as.

    Args:
        found: What `binary_kind` or `text_kind` says.
        extension: As `named` gives it.

    Raises:
        UnreadableFile: type_mismatch, unknown_type, html_workbook.
    """
    permitted = _NAMED.get(extension)
    if permitted is None:
        # `kunder.bak` and `exp.033` are as good as a file without an extension, as long as they hold clear text.
        if found in _TEXT or (found in WORKBOOKS and not extension):
            return found
        raise UnreadableFile("unknown_type", extension=extension or called(found))
    if found in permitted:
        return found
    if found == "html" and permitted[0] in WORKBOOKS:
        raise UnreadableFile("html_workbook", extension=extension)
    raise UnreadableFile("type_mismatch", extension=extension, content=called(found))


def called(kind: str) -> str:
    """A kind as messages call it."""
    return _CALLED.get(kind, kind.upper())


def looks_binary(data: bytes) -> bool:
    """Whether so much of the beginning is control characters that no text has that a program wrote it."""
    beginning = data[:8192]
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return False  # half the bytes of other alphabets are control characters there
    return len(_CONTROL.findall(beginning)) * 20 > len(beginning)


def _stream(name: str) -> bytes:
    """A name as the directory of an Office 97 file has it."""
    return name.encode("utf-16-le")


def _zip_kind(data: bytes) -> str:
    try:
        with zip_archive(data) as archive:
            names = set(archive.namelist())
            if "xl/workbook.xml" in names:
                return "xlsx"
            if "xl/workbook.bin" in names:
                return "xlsb"
            if "mimetype" in names:
                with archive.open("mimetype") as content:
                    return "ods" if content.read(len(_ODS)) == _ODS else "zip"
            return "zip"
    except DAMAGE:
        return "zip"
