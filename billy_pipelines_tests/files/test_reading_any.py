"""Any table in any form reads back equal; any bytes at all end as a table or as a reason, and soon."""

from __future__ import annotations

import csv
import io
import random
import time
import zipfile
from pathlib import Path

import openpyxl
import pytest
import xlwt
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from billy_pipelines.files import delimited
from billy_pipelines.files.delimited import delimited_cells
from billy_pipelines.files.reading import read_table
from billy_pipelines.files.table import Hints, Limits, Table, UnreadableFile
from billy_pipelines.schemas.reading_options import ReadingOptions
from billy_pipelines_tests.files.in_memory import gzipped

HINTS = Hints(frozenset({"navn", "by", "note"}))
HEADER = ("Navn", "By", "Note")
SECONDS = 60
"""No file of these sizes takes a second; the machine may be busy."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any")


# One reading, two ways


def by_csv_reader(text: str, delimiter: str) -> list[tuple[int, list[str]]] | int:
    """Every record that says something with its line; or the line of the record that cannot be read."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records = []
    line = 1
    try:
        for record in reader:
            if any(cell.strip() for cell in record):
                records.append((line, record))
            line = reader.line_num + 1
    except csv.Error:
        return line
    return records


def by_blocks(text: str, delimiter: str) -> list[tuple[int, list[str]]] | int:
    _, chunks = delimited_cells(text.encode(), delimiter, frozenset(), Limits())
    records = []
    try:
        for chunk in chunks:
            records += [(int(line), chunk.record(position)) for position, line in enumerate(chunk.lines)]
    except UnreadableFile as error:
        assert error.code == "broken_quotes"
        return int(str(error).split()[2])
    return [(line, record) for line, record in records if any(cell.strip() for cell in record)]


@example('a;"\n', ";", 3)
@example('"a\n";"\r\nb";c\r\r\nd', ";", 1)
@example("₂", "€", 40)
@example('"";\n""\n"\n";x', ";", 4)
@given(
    st.text(st.sampled_from('"";,\n\r \tabå¤€₂😀\x0b\u2028'), max_size=60),
    st.sampled_from([";", ",", "\t", "|", "¤", "€", "]", "^", "\\"]),
    st.integers(1, 40),
)
@settings(max_examples=250)
def test_blocks_give_what_csv_reader_gives_whatever_their_size(text: str, delimiter: str, block: int) -> None:
    assume(not text.lower().startswith(("sep=", '"sep=')))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "_BLOCK", block)
        assert by_blocks(text, delimiter) == by_csv_reader(text, delimiter)


# Round trips


def written(rows: list[tuple[str, ...]], delimiter: str, line_end: str, *, quote_all: bool) -> tuple[str, list[int]]:
    """A file, and on which line each row begins."""
    lines = [
        delimiter.join(
            '"' + cell.replace('"', '""') + '"'
            if quote_all or any(sign in cell for sign in ('"', delimiter, "\n", "\r"))
            else cell
            for cell in row
        )
        + line_end
        for row in (HEADER, *rows)
    ]
    text = "".join(lines)
    begins, at = [], 0
    for line in lines:
        above = text[:at].replace("\r\n", "\n").replace("\r", "\n")
        begins.append(above.count("\n") + 1)
        at += len(line)
    return text, begins[1:]


def signs(encoding: str) -> st.SearchStrategy[str]:
    """Any character a file in that encoding can hold, the ones that mean something to a reader more often."""
    usual = st.sampled_from("\"';,\t|\r\n =åØ-1")
    every = st.characters(codec=encoding, exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff")
    return usual | every


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[tuple[str, ...]]]:
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252", "cp865", "mac_roman"]))
    cell = st.text(signs(encoding.removesuffix("-sig")), max_size=8)
    return encoding, draw(st.lists(st.tuples(cell, cell, cell), min_size=1, max_size=8))


@given(
    tables(),
    st.sampled_from([";", ",", "\t", "|", "#"]),
    st.sampled_from(["\r\n", "\n", "\r"]),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=100)
def test_any_table_in_any_form_reads_back_equal(
    folder: Path,
    table: tuple[str, list[tuple[str, ...]]],
    delimiter: str,
    line_end: str,
    quote_all: bool,
    packed: bool,
) -> None:
    encoding, rows = table
    text, begins = written(rows, delimiter, line_end, quote_all=quote_all)
    data = text.encode(encoding)
    # Eight characters seldom say in which of the old encodings they are, or UTF-16 without a mark.
    options = ReadingOptions(
        encoding=encoding if encoding in ("cp1252", "cp865", "mac_roman", "utf-16-be") else "auto",
        delimiter=delimiter if delimiter == "#" else "auto",
    )
    path = folder / ("any.csv.gz" if packed else "any.csv")
    path.write_bytes(gzipped(data) if packed else data)
    filled = [(line, row) for line, row in zip(begins, rows, strict=True) if any(cell.strip() for cell in row)]
    if not filled:
        with pytest.raises(UnreadableFile) as caught:
            read_table(path, options, HINTS)
        assert caught.value.code == "no_rows"
        return
    read = read_table(path, options, HINTS)
    assert read.header == list(HEADER)
    assert list(read.cells.itertuples(index=False, name=None)) == [row for _, row in filled]
    assert read.lines == [line for line, _ in filled]
    assert read.delimiter == delimiter
    expected = {"utf-8-sig": ["utf-8"], "utf-16": ["utf-16-le", "utf-16-be"]}.get(encoding, [encoding])
    assert read.source.encoding in expected
    assert (read.oversized, read.set_aside) == ({}, ())


@given(
    st.lists(
        st.lists(st.sampled_from(["A", "", " ", "Søren", "1,5"]), min_size=1, max_size=6), min_size=1, max_size=20
    ),
    st.sampled_from([";", ",", "\t", "|"]),
)
def test_rows_of_any_length_keep_every_cell(folder: Path, rows: list[list[str]], delimiter: str) -> None:
    rows = [[cell.replace(",", "." if delimiter == "," else ",") for cell in row] for row in rows]
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    assume(filled)
    path = folder / "ragged.csv"
    path.write_text("\n".join(delimiter.join(row) for row in (HEADER, *rows)), encoding="utf-8")
    read = read_table(path, hints=HINTS)
    for position, row in enumerate(filled):
        beyond = read.oversized.get(position, ())
        held = [*read.cells.iloc[position], *beyond]
        assert held[: len(row)] == row if beyond else [c for c in held if c.strip()] == [c for c in row if c.strip()]
        assert bool(beyond) == any(cell.strip() for cell in row[3:])


# Any bytes at all


def outcome(path: Path, options: ReadingOptions | None = None) -> Table | UnreadableFile:
    """What becomes of a file, in the time it may take."""
    began = time.monotonic()
    try:
        result: Table | UnreadableFile = read_table(path, options or ReadingOptions(), HINTS)
    except UnreadableFile as error:
        result = error
    assert time.monotonic() - began < SECONDS
    return result


def assert_well_formed(result: Table | UnreadableFile) -> None:
    if isinstance(result, UnreadableFile):
        assert result.code
        assert 10 < len(str(result)) < 1_000
        assert result.text("da")
        return
    assert len(result.lines) == len(result.cells) > 0
    assert result.lines == sorted(result.lines)
    assert list(result.cells.columns) == result.header
    assert not result.cells.isna().to_numpy().any()
    assert {str(dtype) for dtype in result.cells.dtypes} == {"str"}


EXTENSIONS = ["", ".csv", ".tsv", ".txt", ".json", ".ndjson", ".xlsx", ".xls", ".ods", ".csv.gz", ".gz", ".pdf"]


@given(
    st.binary(max_size=2_000) | st.text('[]{}":;,\n\r\t ab1å<>!-', max_size=500).map(str.encode),
    st.sampled_from(EXTENSIONS),
    st.sampled_from(["auto", "utf-8", "utf-16", "cp1252", "cp932", "utf-32"]),
    st.sampled_from([0, 0, 1, 2, 7]),
)
@settings(max_examples=250)
def test_random_bytes_become_a_table_or_a_reason(
    folder: Path, data: bytes, extension: str, encoding: str, header_line: int
) -> None:
    path = folder / f"random{extension}"
    path.write_bytes(data)
    assert_well_formed(outcome(path, ReadingOptions(encoding=encoding, header_line=header_line)))


def csv_file() -> bytes:
    return 'Navn;By;Note\r\nSøren;Ærø;"a;b\r\n""c"""\r\n;;\r\nÅse;Ry;5\r\n'.encode("cp1252") * 20


def xlsx_file() -> bytes:
    book = openpyxl.Workbook()
    for row in (HEADER, *[("Søren", 12.5, "x")] * 20):
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def xls_file() -> bytes:
    book = xlwt.Workbook()
    page = book.add_sheet("Kunder")
    for number, row in enumerate((HEADER, *[("Søren", 12.5, "x")] * 20)):
        for column, cell in enumerate(row):
            page.write(number, column, cell)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def ods_file() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr("content.xml", "<office:document-content/>")
    return file.getvalue()


JSON_FILE = '[{"navn": "Søren", "by": {"x": [1, 2.50, null]}}, {"navn": "\\u00e5", "by": true}]'.encode()
TEXTS = {
    "a.csv": csv_file(),
    "b.csv": csv_file().decode("cp1252").encode("utf-16"),
    "c.csv": csv_file().decode("cp1252").encode(),
    "d.json": JSON_FILE,
    "e.ndjson": b'{"navn": "A", "by": 1}\n{"navn": "B"}\n' * 10,
    "f.csv.gz": gzipped(csv_file()),
    "g.json.gz": gzipped(JSON_FILE),
}
WORKBOOKS = {"a.xlsx": xlsx_file(), "b.xls": xls_file(), "c.ods": ods_file(), "d.xlsx.gz": gzipped(xlsx_file())}


def mutated(data: bytes, seed: int) -> bytes:
    """A valid file after an accident: bits turned, pieces lost, doubled or swapped, the end cut off."""
    chance = random.Random(seed)
    changed = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(changed) + 1)
        piece = changed[at : at + chance.randint(1, 40)]
        match chance.randrange(6):
            case 0:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del changed[at : at + len(piece)]
            case 2:
                changed[at:at] = piece * chance.randint(1, 50)
            case 3:
                del changed[at:]
            case 4:
                changed[at:at] = chance.randbytes(chance.randint(1, 20))
            case 5:
                changed[at : at + 4] = b"\xff\xff\xff\x7f"
    return bytes(changed)


@given(st.sampled_from(sorted(TEXTS)), st.integers(0, 2**32))
@settings(max_examples=150)
def test_a_text_after_an_accident_becomes_a_table_or_a_reason(folder: Path, name: str, seed: int) -> None:
    path = folder / name
    path.write_bytes(mutated(TEXTS[name], seed))
    assert_well_formed(outcome(path))


@given(st.sampled_from(sorted(WORKBOOKS)), st.integers(0, 2**32))
@settings(max_examples=40)  # most are refused at once; what remains takes a process of its own to read
def test_a_workbook_after_an_accident_becomes_a_table_or_a_reason(folder: Path, name: str, seed: int) -> None:
    path = folder / name
    path.write_bytes(mutated(WORKBOOKS[name], seed))
    assert_well_formed(outcome(path))


def test_the_files_that_accidents_happen_to_can_be_read(folder: Path) -> None:
    for name, data in (TEXTS | WORKBOOKS).items():
        if name != "c.ods":  # has no sheet
            path = folder / f"whole-{name}"
            path.write_bytes(data)
            assert isinstance(outcome(path), Table)
