"""Reading: every file ends as a table of text with true line numbers, or with one sentence that says what to do."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billy_pipelines.files import table as table_module
from billy_pipelines.files.table import ERROR_COLUMNS, Table, UnreadableFile, read_table

BOM = b"\xef\xbb\xbf"


def read(folder: Path, content: str | bytes) -> Table:
    path = folder / "upload.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(path)


def refusal(folder: Path, content: str | bytes) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught:
        read(folder, content)
    return caught.value


def rows_of(table: Table) -> list[list[str]]:
    return [list(row) for row in table.cells.itertuples(index=False, name=None)]


@pytest.mark.parametrize("delimiter", [";", ","])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", [b"", BOM])
def test_delimiter_line_ends_and_bom_make_no_difference(
    tmp_path: Path, delimiter: str, line_end: str, bom: bytes
) -> None:
    lines = ["navn{0}by", "Æblehaven{0}Århus", '"Sø{0}n ""A/S"""{0}Ry']
    table = read(tmp_path, bom + line_end.join(lines).format(delimiter).encode())
    assert table.header == ["navn", "by"]
    assert table.delimiter == delimiter
    assert rows_of(table) == [["Æblehaven", "Århus"], [f'Sø{delimiter}n "A/S"', "Ry"]]
    assert table.lines == [2, 3]


def test_the_delimiter_is_that_of_the_header_outside_quotes(tmp_path: Path) -> None:
    assert read(tmp_path, '"a;b;c",d\n1,2\n').delimiter == ","
    assert read(tmp_path, "navn;note\nA;1,2,3,4\n").delimiter == ";"


def test_the_delimiter_is_found_behind_a_header_cell_with_a_line_break(tmp_path: Path) -> None:
    table = read(tmp_path, '"Navn\npå kunden",by\nA,B\n')
    assert (table.delimiter, table.lines) == (",", [3])


def test_one_column_needs_no_delimiter(tmp_path: Path) -> None:
    assert rows_of(read(tmp_path, "navn\nA\nB\n")) == [["A"], ["B"]]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_numbers_are_those_of_an_editor_after_cells_with_line_breaks_and_blank_lines(
    tmp_path: Path, line_end: str
) -> None:
    content = line_end.join(["", "navn;note", "A;x", '"B', 'b";"1', "2", '3"', "", ";", "C;y", ""])
    table = read(tmp_path, content)
    assert [name for name, _ in rows_of(table)] == ["A", f"B{line_end}b", "C"]
    assert table.lines == [3, 4, 10]


def test_a_short_row_is_padded_and_a_long_one_is_named_alone(tmp_path: Path) -> None:
    table = read(tmp_path, "navn;by;tlf\nA\nB;Ry;1;2;3\nC;Ry;2;;\nD;Ry;3\n")
    assert rows_of(table) == [["A", "", ""], ["B", "Ry", "1"], ["C", "Ry", "2"], ["D", "Ry", "3"]]
    assert table.oversized == {1: ("2", "3")}


def test_trailing_empty_columns_are_left_out(tmp_path: Path) -> None:
    table = read(tmp_path, "navn;by;;\nA;Ry;;\n")
    assert table.header == ["navn", "by"]
    assert table.oversized == {}


def test_a_nameless_column_in_the_middle_is_kept_under_its_number(tmp_path: Path) -> None:
    assert read(tmp_path, "navn;;by\nA;x;Ry\n").header == ["navn", "(column 2)", "by"]


def test_a_column_named_twice_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, "navn;by;Navn\nA;Ry;B\n")
    assert error.code == "duplicate_column"
    assert "'Navn'" in str(error)


@pytest.mark.parametrize(
    "first_line",
    [
        "Æblehaven;faktura@aeblehaven.example;Ry",
        "1001;12345678;2630",
        "Søren;010190-1234",
        "Søren;DK12345678",
        "Søren;+45 12 34 56 78",
    ],
)
def test_without_a_header_the_first_line_is_not_quoted(tmp_path: Path, first_line: str) -> None:
    error = refusal(tmp_path, f"{first_line}\n{first_line}\n")
    assert error.code == "no_header"
    assert not any(cell in str(error) for cell in first_line.split(";"))


@pytest.mark.parametrize("header", ["navn;2026", "navn;31-12-2026", "navn;Adresse 1", "navn;E-mail (@)"])
def test_numbers_and_signs_in_a_column_name_are_no_missing_header(tmp_path: Path, header: str) -> None:
    assert read(tmp_path, f"{header}\nA;1\n").header == header.split(";")


@pytest.mark.parametrize("content", [b"", BOM, b"\n\n", b"  \r\n "])
def test_an_empty_file_is_named_so(tmp_path: Path, content: bytes) -> None:
    assert refusal(tmp_path, content).code == "empty_file"


def test_a_header_alone_is_named_so(tmp_path: Path) -> None:
    assert refusal(tmp_path, "navn;by\n;\n\n").code == "no_rows"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_refused(tmp_path: Path, encoding: str) -> None:
    marks = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
    error = refusal(tmp_path, marks.get(encoding, b"") + "navn\nÅse\n".encode(encoding))
    assert error.code == "not_utf8"
    assert "UTF-16" in str(error)


@pytest.mark.parametrize(
    ("encoding", "named"), [("cp1252", "Windows-1252"), ("cp850", "DOS"), ("cp865", "DOS"), ("mac_roman", "MacRoman")]
)
@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_another_encoding_is_named_with_the_line(tmp_path: Path, encoding: str, named: str, line_end: str) -> None:
    error = refusal(tmp_path, line_end.join(["navn;by", "Anna;Ry", "Søren Gård;Ribe", ""]).encode(encoding))
    assert error.code == "not_utf8"
    assert "line 3" in str(error)
    assert named in str(error)
    assert "CSV UTF-8" in str(error)


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0"])
def test_a_workbook_named_csv_is_refused(tmp_path: Path, start: bytes) -> None:
    error = refusal(tmp_path, start + b"\x00" * 100)
    assert error.code == "not_csv"
    assert "CSV UTF-8" in str(error)


def test_an_unclosed_quote_is_told_with_the_line_where_it_begins(tmp_path: Path) -> None:
    error = refusal(tmp_path, 'navn;by\nA;Ry\n"B\nb";Ry\n"C;Ry\nD;Ry\n')
    assert error.code == "broken_quotes"
    assert "line 5 " in str(error)


def test_a_quote_inside_a_quoted_value_is_told_with_its_line(tmp_path: Path) -> None:
    assert "line 3 " in str(refusal(tmp_path, 'navn;by\nA;Ry\n"Kun "bedste" vin";Ry\n'))


def test_a_quote_in_the_middle_of_a_plain_value_is_text(tmp_path: Path) -> None:
    assert rows_of(read(tmp_path, 'navn;by\n5" rør;Ry\n')) == [['5" rør', "Ry"]]


def test_a_nul_byte_is_told_with_its_line(tmp_path: Path) -> None:
    error = refusal(tmp_path, BOM + b"navn;by\nA;Ry\nB\x00;Ry\n")
    assert error.code == "nul_byte"
    assert "Line 3" in str(error)


def test_a_huge_cell_is_told_with_its_line(tmp_path: Path) -> None:
    error = refusal(tmp_path, f"navn;by\nA;Ry\n{'x' * 100_001};Ry\n")
    assert error.code == "broken_quotes"
    assert "line 3" in str(error)
    assert "100,000 characters" in str(error)
    assert read(tmp_path, f"navn\n{'x' * 100_000}\n").cells.iloc[0, 0] == "x" * 100_000


def test_too_many_rows_and_too_many_bytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "MAX_ROWS", 2)
    assert refusal(tmp_path, "navn\nA\nB\nC\n").code == "too_many_rows"
    monkeypatch.setattr(table_module, "MAX_BYTES", 5)
    assert refusal(tmp_path, "navn\nA\n").code == "file_too_large"


def test_nothing_is_interpreted(tmp_path: Path) -> None:
    values = ["007", "1.250,00", "1e5", "NA", "null", "TRUE", "2026-01-01", " x "]
    assert rows_of(read(tmp_path, f"{';'.join('abcdefgh')}\n{';'.join(values)}\n")) == [values]


def test_the_error_columns_of_rejected_csv_are_ignored_when_it_is_dropped_again(tmp_path: Path) -> None:
    table = read(tmp_path, f"navn;by;{';'.join(ERROR_COLUMNS)}\nA;Ry;2;by;x;code;text\nB;Ry\n")
    assert table.header == ["navn", "by"]
    assert rows_of(table) == [["A", "Ry"], ["B", "Ry"]]
    assert table.oversized == {}


def test_the_error_columns_may_repeat_names_of_the_file(tmp_path: Path) -> None:
    table = read(tmp_path, f"navn;message;value;{';'.join(ERROR_COLUMNS)}\nA;hej;1;2;by;x;code;text\n")
    assert table.header == ["navn", "message", "value"]
    assert rows_of(table) == [["A", "hej", "1"]]


_cell = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)


@given(
    rows=st.lists(st.tuples(_cell, _cell, _cell).filter(lambda row: any(c.strip() for c in row)), min_size=1),
    delimiter=st.sampled_from([";", ","]),
    line_end=st.sampled_from(["\r\n", "\n"]),
)
def test_any_table_that_csv_writes_reads_back_equal(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], delimiter: str, line_end: str
) -> None:
    path = tmp_path_factory.mktemp("property") / "upload.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
        writer.writerow(["navn", "by", "note"])
        writer.writerows(rows)
    table = read_table(path)
    assert table.delimiter == delimiter
    assert rows_of(table) == [list(row) for row in rows]
    assert table.lines == sorted(table.lines)
