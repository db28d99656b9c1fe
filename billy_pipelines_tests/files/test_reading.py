"""Delimited text: it ends as a table of text with true line numbers, or with one sentence that says what to do."""

from __future__ import annotations

import csv
import io
import os
import threading
from pathlib import Path

import pytest

from billy_pipelines.files.reading import read_table
from billy_pipelines.files.table import ERROR_COLUMNS, Hints, Limits, SetAside, Table, UnreadableFile
from billy_pipelines.schemas.reading_options import ReadingOptions
from billy_pipelines_tests.files.in_memory import gzipped

BOM = b"\xef\xbb\xbf"
HINTS = Hints(
    frozenset({"navn", "adresse", "adresse1", "postnr", "by", "tlf", "mail", "email", "cvrnr", "land", "note", "pris"})
)


def read(
    folder: Path,
    content: str | bytes,
    options: ReadingOptions | None = None,
    hints: Hints = HINTS,
    limits: Limits | None = None,
    name: str = "upload.csv",
) -> Table:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(path, options or ReadingOptions(), hints, limits or Limits())


def refusal(
    folder: Path, content: str | bytes, options: ReadingOptions | None = None, limits: Limits | None = None
) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught:
        read(folder, content, options, limits=limits)
    return caught.value


def rows_of(table: Table) -> list[list[str]]:
    return [list(row) for row in table.cells.itertuples(index=False, name=None)]


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", [b"", BOM])
@pytest.mark.parametrize("hints", [HINTS, Hints()], ids=["known names", "no names"])
def test_delimiter_line_ends_and_bom_make_no_difference(
    tmp_path: Path, delimiter: str, line_end: str, bom: bytes, hints: Hints
) -> None:
    lines = ["navn{0}by", "Æblehaven{0}Århus", '"Sø{0}n ""A/S"""{0}Ry']
    table = read(tmp_path, bom + line_end.join(lines).format(delimiter).encode(), hints=hints)
    assert table.header == ["navn", "by"]
    assert table.delimiter == delimiter
    assert rows_of(table) == [["Æblehaven", "Århus"], [f'Sø{delimiter}n "A/S"', "Ry"]]
    assert table.lines == [2, 3]


def test_the_columns_are_text_without_gaps(tmp_path: Path) -> None:
    table = read(tmp_path, "navn;by;tlf\nA\n;Ry;\n")
    assert {str(dtype) for dtype in table.cells.dtypes} == {"str"}
    assert not table.cells.isna().to_numpy().any()


def test_how_a_file_was_understood_is_told(tmp_path: Path) -> None:
    content = gzipped("Kundeliste\n\nnavn\tby\nSøren\tRy\n".encode("cp1252"))
    assert read(tmp_path, content, name="kunder.txt.gz").source.described() == {
        "kind": "csv",
        "compressed": True,
        "encoding": "cp1252",
        "delimiter": "\t",
        "sheet": "",
        "header_line": 3,
    }


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        ('"a;b;c",d\n1,2\n', ","),
        ("navn;note\nA;1,2,3,4\n", ";"),
        ("navn;pris\nA;1,50\nB;2,50\nC;3,50\n", ";"),
        ("varenr;pris,stk\n1;1,50\n2;2,50\n", ";"),
        ("navn,pris\nA,1;2;3\nB,4;5;6\n", ","),
        ("navn\tadresse, postnr, by\ttlf\tmail\nA\tVej 1, 8680, Ry\t1\t\n", "\t"),
        ("Kunder, alle, pr. 1. april, 2026\nnavn|by\nA|Ry\n", "|"),
        ("navn\nHansen, Jens\nOlsen, Bo\n", ";"),
        ("navn\nA\nB\n", ";"),
        ("navn;by;tlf\nA\nB;Ry;1;2;3\n", ";"),
        ('"Navn\npå kunden",by\nA,B\n', ","),
        ('navn;note\nA;"1,2\n3,4\n5,6"\n', ";"),
        ("a;b,c\n1;2,3\n", ";"),
    ],
)
def test_the_delimiter_is_the_one_that_explains_header_and_rows(tmp_path: Path, content: str, delimiter: str) -> None:
    assert read(tmp_path, content).delimiter == delimiter


def test_the_delimiter_is_found_in_a_file_whose_first_line_is_longer_than_the_sample(tmp_path: Path) -> None:
    names = [f"kolonne nummer {number} {'x' * 180}" for number in range(1_500)]
    assert read(tmp_path, f"{','.join(names)}\n{','.join('1' for _ in names)}\n").header == names


@pytest.mark.parametrize(
    ("first_line", "delimiter"), [("sep=;", ";"), ("SEP=,", ","), ("sep=\t", "\t"), ('"sep=|"', "|"), ("sep=^", "^")]
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_the_line_with_which_excel_names_the_separator_is_obeyed_and_no_row(
    tmp_path: Path, first_line: str, delimiter: str, line_end: str
) -> None:
    table = read(tmp_path, line_end.join([first_line, f"navn{delimiter}note", f"A{delimiter}1;2,3", ""]))
    assert (table.delimiter, table.header, table.lines) == (delimiter, ["navn", "note"], [3])
    assert table.set_aside == ()


@pytest.mark.parametrize(("option", "sign"), [("tab", "\t"), ("Tab", "\t"), ("\t", "\t"), ("#", "#"), (";", ";")])
def test_the_delimiter_can_be_said(tmp_path: Path, option: str, sign: str) -> None:
    table = read(tmp_path, f"sep=,\nnavn{sign}by,land\nA{sign}Ry,DK\n", ReadingOptions(delimiter=option))
    assert (table.header, table.delimiter) == (["navn", "by,land"], sign)


@pytest.mark.parametrize("option", ["", ";;", "a", "1", '"', "\n", "comma", "\x00"])
def test_what_cannot_separate_is_refused(tmp_path: Path, option: str) -> None:
    assert refusal(tmp_path, "navn;by\nA;Ry\n", ReadingOptions(delimiter=option)).code == "bad_delimiter"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_numbers_are_those_of_an_editor_after_cells_with_line_breaks_and_blank_lines(
    tmp_path: Path, line_end: str
) -> None:
    content = line_end.join(["", "navn;note", "A;x", '"B', 'b";"1', "2", '3"', "", ";", "C;y", ""])
    table = read(tmp_path, content)
    assert [name for name, _ in rows_of(table)] == ["A", f"B{line_end}b", "C"]
    assert table.lines == [3, 4, 10]


def test_line_ends_of_several_kinds_in_one_file_each_count(tmp_path: Path) -> None:
    table = read(tmp_path, 'navn;by\r\nA;1\rB;2\n\r\rC;"3\r\n4"\n\nD;5')
    assert rows_of(table) == [["A", "1"], ["B", "2"], ["C", "3\r\n4"], ["D", "5"]]
    assert table.lines == [2, 3, 6, 9]


def test_other_separators_of_unicode_end_no_line(tmp_path: Path) -> None:
    table = read(tmp_path, "navn;by\nA\u2028B\x0b\x0c\x1c;Ry\x85\nC;Ry\n")
    assert rows_of(table) == [["A\u2028B\x0b\x0c\x1c", "Ry\x85"], ["C", "Ry"]]
    assert table.lines == [2, 3]


def test_a_short_row_is_padded_and_a_long_one_is_named_alone(tmp_path: Path) -> None:
    table = read(tmp_path, "navn;by;tlf\nA\nB;Ry;1;2;3\nC;Ry;2;;\nD;Ry;3\n")
    assert rows_of(table) == [["A", "", ""], ["B", "Ry", "1"], ["C", "Ry", "2"], ["D", "Ry", "3"]]
    assert table.oversized == {1: ("2", "3")}


def test_a_row_with_an_unquoted_separator_is_never_shifted_into_a_column_without_a_name(tmp_path: Path) -> None:
    table = read(tmp_path, "navn;by;\nA;Ry;\nB; og C;Ry;\n")
    assert table.header == ["navn", "by"]
    assert table.oversized == {1: ("Ry", "")}


def test_trailing_empty_columns_are_left_out(tmp_path: Path) -> None:
    table = read(tmp_path, "navn;by;;\nA;Ry;;\n")
    assert table.header == ["navn", "by"]
    assert table.oversized == {}


def test_rows_of_blanks_are_no_rows(tmp_path: Path) -> None:
    table = read(tmp_path, 'navn;by\nA;Ry\n;\n \t;\u00a0\n"";" "\n;;;;\nB;Ry\n')
    assert (rows_of(table), table.lines) == ([["A", "Ry"], ["B", "Ry"]], [2, 7])


def test_a_million_blank_rows_below_the_table_cost_nothing(tmp_path: Path) -> None:
    table = read(tmp_path, "navn;by\nA;Ry\n" + ";\n" * 1_200_000 + "\n" * 1_200_000 + "B;Ry\n")
    assert table.lines == [2, 2_400_003]


def test_an_unclosed_quote_is_told_with_the_line_where_it_begins(tmp_path: Path) -> None:
    error = refusal(tmp_path, 'navn;by\nA;Ry\n"B\nb";Ry\n"C;Ry\nD;Ry\n')
    assert error.code == "broken_quotes"
    assert "line 5 " in str(error)


def test_a_quote_inside_a_quoted_value_is_told_with_its_line(tmp_path: Path) -> None:
    error = refusal(tmp_path, 'navn;by\nA;Ry\n"Kun "bedste" vin";Ry\n')
    assert error.code == "broken_quotes"
    assert "line 3 " in str(error)


@pytest.mark.parametrize("value", ['5" rør', 'a"b"c', 'Rør 5"', '\' "x"'])
def test_a_quote_in_the_middle_of_a_plain_value_is_text(tmp_path: Path, value: str) -> None:
    assert rows_of(read(tmp_path, f"navn;by\n{value};Ry\n{value}\n")) == [[value, "Ry"], [value, ""]]


def test_a_nul_byte_is_told_with_its_line(tmp_path: Path) -> None:
    error = refusal(tmp_path, BOM + b"navn;by\nA;Ry\nB\x00;Ry\n")
    assert error.code == "nul_byte"
    assert "Line 3" in str(error)


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_huge_cell_is_told_with_its_line(tmp_path: Path, quote: str) -> None:
    error = refusal(tmp_path, f'navn;by\n"A\nb";Ry\n{quote}{"x" * 100_001}{quote};Ry\n')
    assert error.code == "cell_too_large"
    assert "Line 4" in str(error)
    assert "100,000 characters" in str(error)
    assert read(tmp_path, f"navn\n{quote}{'å' * 100_000}{quote}\n").cells.iloc[0, 0] == "å" * 100_000


def test_an_unclosed_quote_in_a_large_file_ends_with_the_line_it_stands_on(tmp_path: Path) -> None:
    error = refusal(tmp_path, 'navn;by\nA;Ry\n"B;Ry\n' + "C;Ry\n" * 1_000_000)
    assert error.code == "cell_too_large"
    assert "Line 3" in str(error)


def test_too_many_rows_columns_and_bytes_are_refused(tmp_path: Path) -> None:
    few = Limits(max_bytes=50, max_rows=2, max_columns=3)
    assert refusal(tmp_path, "navn\nA\nB\nC\n", limits=few).code == "too_many_rows"
    assert refusal(tmp_path, "a;b;c;d\n1;2;3;4\n", limits=few).code == "too_many_columns"
    assert refusal(tmp_path, "navn\n" + "A" * 46, limits=few).code == "file_too_large"
    assert len(read(tmp_path, "navn;b;c\nA\nB\n\n;\n", limits=few).lines) == 2


@pytest.mark.parametrize("line", ["header", "row"])
def test_a_hundred_thousand_columns_are_refused(tmp_path: Path, line: str) -> None:
    many = ";".join(f"k{number}" for number in range(100_000))
    error = refusal(tmp_path, f"{many}\n1\n" if line == "header" else f"navn;by\nA;Ry\n{many}\n")
    assert error.code == "too_many_columns"
    assert "100,000 columns" in str(error)


def test_a_table_that_is_nearly_empty_but_very_large_is_refused(tmp_path: Path) -> None:
    header = ";".join(f"k{number}" for number in range(2_000))
    assert refusal(tmp_path, f"{header}\n" + "x\n" * 60_000).code == "table_too_large"


def test_nothing_is_interpreted(tmp_path: Path) -> None:
    values = ["007", "1.250,00", "1e5", "NA", "null", "TRUE", "2026-01-01", " x ", "#I/T", "5,79E+12", "'0800", "NaN"]
    header = [f"felt {number}" for number in range(len(values))]
    assert rows_of(read(tmp_path, f"{';'.join(header)}\n{';'.join(values)}\n")) == [values]


@pytest.mark.parametrize("content", [b"", BOM, b"\n\n", b"  \r\n ", b"\xff\xfe", b"\x1a", ";;\n;\n".encode("utf-16")])
def test_an_empty_file_is_named_so(tmp_path: Path, content: bytes) -> None:
    assert refusal(tmp_path, content).code == "empty_file"


@pytest.mark.parametrize("content", ["navn;by\n;\n\n", "navn;by", "Kunder\nnavn;by\nI alt;5\n", "sep=;\nnavn;by\n"])
def test_a_header_alone_is_named_so(tmp_path: Path, content: str) -> None:
    assert refusal(tmp_path, content).code == "no_rows"


def test_the_mark_with_which_dos_ends_a_file_is_no_row(tmp_path: Path) -> None:
    assert rows_of(read(tmp_path, b"navn;by\r\nA;Ry\r\n\x1a", name="exp00033.kom")) == [["A", "Ry"]]


def test_the_error_columns_of_rejected_csv_are_ignored_when_it_is_dropped_again(tmp_path: Path) -> None:
    table = read(tmp_path, f"navn;by;{';'.join(ERROR_COLUMNS)}\nA;Ry;2;by;x;code;text\nB;Ry\nC;Ry;3;by;x;code;text;z\n")
    assert table.header == ["navn", "by"]
    assert rows_of(table) == [["A", "Ry"], ["B", "Ry"], ["C", "Ry"]]
    assert table.oversized == {2: ("z",)}


@pytest.mark.parametrize("delimiter", [";", "\t", "|", ","])
@pytest.mark.parametrize("hints", [HINTS, Hints()], ids=["known names", "no names"])
def test_messages_full_of_commas_change_neither_delimiter_nor_header_of_rejected_csv(
    tmp_path: Path, delimiter: str, hints: Hints
) -> None:
    message = "navn, adresse, postnr, by, tlf, mail: Skriv det, som det er, eller lad det stå; så er det godt"
    rows = [["hvem", "sted", *ERROR_COLUMNS]]
    rows += [["Prøve ApS", "Ry", str(line), "sted, by", "x, y", "a_code", message] for line in range(2, 30)]
    path = tmp_path / "rejected.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    table = read(tmp_path, path.read_bytes(), hints=hints)
    assert (table.source.delimiter, table.header, len(table.lines)) == (delimiter, ["hvem", "sted"], 28)


def test_a_row_of_known_words_is_not_taken_for_the_header_of_rejected_csv(tmp_path: Path) -> None:
    content = f"hvem;sted;hvad;{';'.join(ERROR_COLUMNS)};;\nnavn;adresse;by;2;by;x;code;text\n"
    assert read(tmp_path, content).header == ["hvem", "sted", "hvad"]


def test_the_error_columns_may_repeat_names_of_the_file(tmp_path: Path) -> None:
    table = read(tmp_path, f"navn;message;value;{';'.join(ERROR_COLUMNS)}\nA;hej;1;2;by;x;code;text\n")
    assert table.header == ["navn", "message", "value"]
    assert rows_of(table) == [["A", "hej", "1"]]


def test_a_file_that_comes_through_a_pipe_is_read_and_held_to_the_limit(tmp_path: Path) -> None:
    pipe = tmp_path / "kunder.csv"
    os.mkfifo(pipe)
    for content, rows in ((b"navn;by\nA;Ry\n", 1), (b"navn;by\n" + b"A;Ry\n" * 100, 0)):
        writer = threading.Thread(target=pipe.write_bytes, args=(content,))
        writer.start()
        if rows:
            assert len(read_table(pipe, limits=Limits(max_bytes=100)).lines) == rows
        else:
            with pytest.raises(UnreadableFile) as caught:
                read_table(pipe, limits=Limits(max_bytes=100))
            assert caught.value.code == "file_too_large"
        writer.join()


def test_rows_read_equal_whether_or_not_a_block_ends_among_them(tmp_path: Path) -> None:
    rows = [
        [f"{number}", 'Æble "x"; y\r\nz' if number % 7 == 0 else f"Firma {number}", "" if number % 5 else "Ry\n"]
        for number in range(250_000)
    ]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";")
    writer.writerows([["navn", "adresse", "by"], *rows])
    data = text.getvalue().encode()
    assert len(data) > 4_000_000
    table = read(tmp_path, data)
    assert rows_of(table) == rows
    reader = csv.reader(io.StringIO(text.getvalue(), newline=""), delimiter=";")
    assert table.lines == [line for line, _ in zip(_line_begins(reader), range(250_001), strict=False)][1:]


def _line_begins(reader: "csv._reader") -> "list[int]":  # noqa: UP037 - the type exists for checkers only
    begins = [1]
    begins.extend(reader.line_num + 1 for _ in reader)
    return begins


def test_title_lines_and_totals_are_told(tmp_path: Path) -> None:
    table = read(tmp_path, "Kunder 2026\n\nnavn;by;pris\nA;Ry;1\nI alt;;1,00\n")
    assert table.set_aside == (SetAside(1, "title"), SetAside(5, "total"))
    assert (table.lines, table.source.header_line) == ([4], 3)
