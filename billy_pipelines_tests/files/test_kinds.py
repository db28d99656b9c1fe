"""What kind of file it is: content and name together, and both are named where they disagree."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import openpyxl
import pytest
import xlwt
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table as OdfTable
from odf.table import TableCell, TableRow
from odf.text import P

from billy_pipelines.files.kinds import named
from billy_pipelines.files.reading import read_table
from billy_pipelines.files.table import Hints, Limits, Table, UnreadableFile
from billy_pipelines_tests.files.in_memory import gzipped

HINTS = Hints(frozenset({"navn", "by", "name", "city"}))
CSV = "navn;by\nSøren;Ry\n".encode()
JSON = '[{"navn": "Søren", "by": "Ry"}]'.encode()
NDJSON = '{"navn": "Søren", "by": "Ry"}\n{"navn": "Åse", "by": "Rom"}\n'.encode()
HTML = b'<html xmlns:o="urn:schemas-microsoft-com:office:office">\n<table><tr><td>navn</td></tr></table></html>'
XML = b'<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>\n<Workbook/>'


def xlsx(part: str = "") -> bytes:
    book = openpyxl.Workbook()
    for row in (["navn", "by"], ["Søren", "Ry"]):
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    if not part:
        return file.getvalue()
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr(part, "x")
    return other.getvalue()


def xls() -> bytes:
    book = xlwt.Workbook()
    page = book.add_sheet("Kunder")
    for row, cells in enumerate((["navn", "by"], ["Søren", "Ry"])):
        for column, cell in enumerate(cells):
            page.write(row, column, cell)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def ods() -> bytes:
    document = OpenDocumentSpreadsheet()
    page = OdfTable(name="Kunder")
    for cells in (["navn", "by"], ["Søren", "Ry"]):
        row = TableRow()
        for text in cells:
            cell = TableCell(valuetype="string")
            cell.addElement(P(text=text))
            row.addElement(cell)
        page.addElement(row)
    document.spreadsheet.addElement(page)
    file = io.BytesIO()
    document.write(file)
    return file.getvalue()


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 1000
ENCRYPTED = OLE + "EncryptionInfo".encode("utf-16-le") + "EncryptedPackage".encode("utf-16-le")


def read(folder: Path, name: str, content: bytes, limits: Limits | None = None) -> Table:
    path = folder / name
    path.write_bytes(content)
    return read_table(path, hints=HINTS, limits=limits or Limits())


def refusal(folder: Path, name: str, content: bytes, limits: Limits | None = None) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught:
        read(folder, name, content, limits)
    return caught.value


@pytest.mark.parametrize("packed", [False, True], ids=["as it is", "gzipped"])
@pytest.mark.parametrize(
    ("extension", "content", "kind"),
    [
        *((extension, CSV, "csv") for extension in (".csv", ".CSV", ".txt", ".tsv", ".tab", ".kom", ".dat", "")),
        *((extension, JSON, "json") for extension in (".json", ".JSON", ".txt", ".dat", "", ".ndjson")),
        *((extension, NDJSON, "ndjson") for extension in (".ndjson", ".jsonl", ".json", ".txt", "")),
        *((extension, xlsx(), "xlsx") for extension in (".xlsx", ".XLSX", ".xlsm", "")),
        (".xls", xls(), "xls"),
        ("", xls(), "xls"),
        (".ods", ods(), "ods"),
        ("", ods(), "ods"),
        *((extension, CSV, "csv") for extension in (".bak", ".033", ".kunder", ". 3 kunder", ".csv ", ".csv\n")),
    ],
)
def test_every_kind_is_read_under_its_names(
    tmp_path: Path, extension: str, content: bytes, kind: str, packed: bool
) -> None:
    found = read(tmp_path, f"kunder{extension}{'.gz' if packed else ''}", gzipped(content) if packed else content)
    assert found.header == ["navn", "by"]
    assert list(found.cells.iloc[0]) == ["Søren", "Ry"]
    assert (found.source.kind, found.source.compressed) == (kind, packed)


def test_the_sheet_that_was_read_is_told(tmp_path: Path) -> None:
    assert read(tmp_path, "kunder.xls", xls()).source.sheet == "Kunder"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig", "cp1252"])
def test_json_is_known_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    found = read(tmp_path, "kunder.json", JSON.decode().encode(encoding))
    assert found.source.encoding == {"utf-16": "utf-16-le", "utf-8-sig": "utf-8"}.get(encoding, encoding)
    assert list(found.cells.iloc[0]) == ["Søren", "Ry"]


def test_ndjson_is_known_by_its_first_two_objects_however_long_they_are(tmp_path: Path) -> None:
    long = '{"navn": "' + "x" * 50_000 + '", "by": "{}"}'
    assert read(tmp_path, "kunder.txt", f"\n{long}\n\n{long}".encode()).source.kind == "ndjson"
    assert read(tmp_path, "kunder.txt", b'\n{\n"navn": "A",\n"by": {}\n}\n').source.kind == "json"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("kunder.csv", xlsx(), [".csv", ".xlsx"]),
        ("kunder.csv", xls(), [".csv", "(.xls)"]),
        ("kunder.csv", ods(), [".csv", ".ods"]),
        ("kunder.csv", JSON, [".csv", "JSON"]),
        ("kunder.csv", NDJSON, [".csv", "JSON"]),
        ("kunder.csv", HTML, [".csv", "HTML"]),
        ("kunder.csv", XML, [".csv", "XML"]),
        ("kunder.csv", b"%PDF-1.7\nnavn;by\n", [".csv", "PDF"]),
        ("kunder.csv", b"{\\rtf1 navn;by\n", [".csv", "RTF"]),
        ("kunder.csv", b"\x89PNG\r\n\x1a\n", [".csv", "PNG"]),
        ("kunder.csv", gzipped(CSV), [".csv", "GZIP"]),
        ("kunder.csv", OLE, [".csv", "Office 97"]),
        ("kunder.csv", bytes(range(1, 256)) * 10, [".csv", "binary"]),
        ("kunder.csv.gz", CSV, [".gz", "CSV"]),
        ("kunder.csv.gz", xlsx(), [".gz", ".xlsx"]),
        ("kunder.csv.gz", gzipped(xlsx()), [".csv", ".xlsx"]),
        ("kunder.json", CSV, [".json", "CSV"]),
        ("kunder.json", xlsx(), [".json", ".xlsx"]),
        ("kunder.xlsx", CSV, [".xlsx", "CSV"]),
        ("kunder.xlsx", JSON, [".xlsx", "JSON"]),
        ("kunder.xlsx", xls(), ["named .xlsx", "(.xls)"]),
        ("kunder.xlsx", ods(), [".xlsx", ".ods"]),
        ("kunder.xlsx", xlsx("word/document.xml"), [".xlsx", "ZIP"]),
        ("kunder.xlsx", xlsx("xl/workbook.bin"), [".xlsx", ".xlsb"]),
        ("kunder.xls", xlsx(), ["named .xls ", "(.xlsx)"]),
        ("kunder.xls", CSV, [".xls", "CSV"]),
        ("kunder.xls", XML, [".xls", "XML"]),
        ("kunder.ods", xlsx(), [".ods", ".xlsx"]),
    ],
)
def test_where_name_and_content_disagree_both_are_said(
    tmp_path: Path, name: str, content: bytes, says: list[str]
) -> None:
    error = refusal(tmp_path, name, content)
    assert error.code == "type_mismatch"
    assert all(word in str(error) for word in says)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("liste.pdf", b"%PDF-1.7\n", ".pdf"),
        ("liste.docx", xlsx("word/document.xml"), ".docx"),
        ("liste.zip", xlsx("kunder.csv"), ".zip"),
        ("liste.xlsb", xlsx("xl/workbook.bin"), ".xlsb"),
        ("liste.htm", HTML, ".htm"),
        ("liste.doc", OLE, ".doc"),
        ("liste.bak", xlsx(), ".bak"),
        ("liste", b"%PDF-1.7\n", "PDF"),
        ("liste", HTML, "HTML"),
        ("liste.gz", gzipped(gzipped(CSV)), "GZIP"),
        ("liste.exe", b"MZ" + bytes(range(1, 32)) * 20, ".exe"),
    ],
)
def test_what_nobody_reads_is_named(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    error = refusal(tmp_path, name, content)
    assert error.code == "unknown_type"
    assert str(error).startswith(f"{says} ")


@pytest.mark.parametrize("name", ["kunder.xls", "kunder.xlsx"])
@pytest.mark.parametrize(
    "content",
    [
        HTML,
        b"\r\n <table border=1><tr><td>navn</td></tr></table>",
        HTML.decode().encode("utf-16"),
        b"MIME-Version: 1.0\n",
    ],
)
def test_a_web_page_that_excel_opens_has_a_message_of_its_own(tmp_path: Path, name: str, content: bytes) -> None:
    error = refusal(tmp_path, name, content)
    assert error.code == "html_workbook"
    assert f"{name[6:]} " in str(error)


@pytest.mark.parametrize("name", ["kunder.xlsx", "kunder.xls", "kunder", "kunder.csv"])
def test_a_workbook_with_a_password_has_a_message_of_its_own(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path, name, ENCRYPTED).code == "encrypted_workbook"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("kunder.xlsx", xlsx()[:2000]),
        ("kunder.ods", ods()[:-20]),
        ("kunder.xlsx", b"PK\x03\x04"),
        ("kunder.xlsx", b"\x00\x01\x02" * 100),
        ("kunder.xls", b"\x09\x08\x10\x00\x00\x06" * 100),
        ("kunder.csv.gz", gzipped(CSV)[:-6]),
    ],
)
def test_a_damaged_file_is_named_so(tmp_path: Path, name: str, content: bytes) -> None:
    assert refusal(tmp_path, name, content).code == "broken_file"


@pytest.mark.parametrize("name", ["kunder.xlsx", "kunder"])
def test_a_workbook_that_unpacks_to_too_much_is_refused_before_it_is_opened(tmp_path: Path, name: str) -> None:
    book = io.BytesIO(xlsx())
    with zipfile.ZipFile(book, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/image1.bmp", b"\0" * 300_000)
    error = refusal(tmp_path, name, book.getvalue(), Limits(max_bytes=200_000))
    assert error.code == "unpacks_too_large"


def test_broken_json_is_a_matter_for_its_reader(tmp_path: Path) -> None:
    assert refusal(tmp_path, "kunder.json", b"{navn: 1}").code == "broken_json"


def test_a_csv_whose_first_name_stands_in_brackets_is_no_json(tmp_path: Path) -> None:
    assert read(tmp_path, "kunder.csv", b"[navn];[by]\nA;Ry\n").header == ["[navn]", "[by]"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kunder.csv", (".csv", False)),
        ("Kunder.CSV.GZ", (".csv", True)),
        ("kunder.gz", ("", True)),
        ("../../etc/kunder.csv", (".csv", False)),
        ("kunder.csv\n.evil\n", (".evil", False)),
        (".csv", ("", False)),
        ("010190-1234.Hansen, Ry", ("", False)),
        ("kunder.010190-1234", ("", False)),
        ("kunder", ("", False)),
        ("", ("", False)),
    ],
)
def test_only_what_looks_like_an_extension_is_one(name: str, expected: tuple[str, bool]) -> None:
    assert named(name) == expected
