"""Where the header is, what columns are called, what is set aside, and what a table has no column for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from billy_pipelines.files.cells import cells_of
from billy_pipelines.files.grid import Grid, table_of, table_of_grid
from billy_pipelines.files.header_line import column_names
from billy_pipelines.files.names import folded
from billy_pipelines.files.reading import read_table
from billy_pipelines.files.table import ERROR_COLUMNS, Hints, Limits, SetAside, Source, Table, UnreadableFile
from billy_pipelines.schemas.reading_options import ReadingOptions

NAMES = ("Navn", "Adresse", "Postnr.", "By", "Land", "Tlf.", "E-mail", "CVR-nr.", "Varenr.", "Salgspris", "Faktura")
KNOWN = Hints(frozenset(map(folded, NAMES)))


def table(*lines: str, hints: Hints = KNOWN, limits: Limits | None = None, **said: object) -> Table:
    records = [(line.split(";"), number) for number, line in enumerate(lines, 1)]
    cells = cells_of([record for record, _ in records], [number for _, number in records])
    return table_of([cells], Source(), ReadingOptions.model_validate(said), hints, limits or Limits())


def refusal(*lines: str, hints: Hints = KNOWN, **said: object) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught:
        table(*lines, hints=hints, **said)
    return caught.value


def sheet(
    records: Sequence[Sequence[str]], typed: dict[int, list[int]] | None = None, lines: list[int] | None = None
) -> Table:
    grid = Grid([list(record) for record in records], lines or list(range(1, len(records) + 1)), typed or {})
    return table_of_grid(grid, Source(kind="xlsx"), ReadingOptions(), KNOWN, Limits())


def rows_of(read: Table) -> list[list[str]]:
    return [list(row) for row in read.cells.itertuples(index=False, name=None)]


# The header


@pytest.mark.parametrize(
    "titles",
    [
        ["Kundeliste"],
        ["Kundeliste;;", "Udskrevet 1. april 2026;;", "Firma:;Æblehaven ApS;"],
        ["Faktura"],
        ["Kunder;Side;1", "Periode;01-01-2026;31-03-2026"],
        ["Firma;CVR 12345678;", "post@aeblehaven.example;;"],
    ],
)
def test_title_lines_above_the_header_are_set_aside(titles: list[str]) -> None:
    read = table(*titles, "Navn;By;Tlf", "A;Ry;1")
    assert read.header == ["Navn", "By", "Tlf"]
    assert rows_of(read) == [["A", "Ry", "1"]]
    assert read.source.header_line == len(titles) + 1
    assert read.set_aside == tuple(SetAside(line, "title") for line in range(1, len(titles) + 1))


def test_a_blank_line_above_the_header_is_not_worth_a_word() -> None:
    assert table("", ";;", "Navn;By", "A;Ry").set_aside == ()


@pytest.mark.parametrize(
    "lines",
    [
        ["Navn;By", "A;Ry"],
        ["Hvem;Hvor", "A;Ry"],
        ["Hvem;Hvor;Hvad", "Land;Ry;x", "B;Ry;y"],  # a value that is also a header name
        ["Hvem;Hvor", "Navn", "B;Ry"],
        ["Navn;Hvor", "A;Ry", "By;Rom"],
        ["Navn", "A;B;C"],
        ["Hvem", "A"],
    ],
)
def test_a_file_whose_first_line_is_a_header_does_not_lose_it(lines: list[str]) -> None:
    assert table(*lines).header == lines[0].split(";")


@pytest.mark.parametrize(
    "lines", [["Hvem", "A;B;C;D"], ["Hvem;Hvor", "A;Ry"], ["Kundeliste", "Hvem;Hvor;Hvad", "A;B;C"]]
)
def test_where_no_name_is_known_to_anybody_the_first_line_is_the_header(lines: list[str]) -> None:
    assert table(*lines, hints=Hints()).header == lines[0].split(";")


def test_where_none_of_the_names_is_known_lone_cells_above_a_wide_table_are_its_title() -> None:
    read = table("Kundeliste", "Hvem;Hvor;Hvad", "A;B;C")
    assert (read.header, read.set_aside) == (["Hvem", "Hvor", "Hvad"], (SetAside(1, "title"),))


def test_a_name_in_the_option_mapping_is_a_known_one() -> None:
    lines = ["Medlemmer;i;dag", "Hvem;Hvor;x", "A;Ry;1"]
    assert table(*lines).header == ["Medlemmer", "i", "dag"]
    assert table(*lines, mapping={"hvem": "name", "HVOR": "city"}).header == ["Hvem", "Hvor", "x"]


def test_the_header_is_searched_in_the_first_twenty_records_only() -> None:
    titles = [f"Titel {number};x;y" for number in range(20)]
    assert table(*titles[:19], "Navn;By;Tlf", "A;Ry;1").header == ["Navn", "By", "Tlf"]
    assert table(*titles, "Navn;By;Tlf", "A;Ry;1").header == ["Titel 0", "x", "y"]


def test_the_header_can_be_said() -> None:
    lines = ["Navn;By;Tlf", "Navn på kunde;Sted;Nr.", "A;Ry;1"]
    read = table(*lines, header_line=2)
    assert (read.header, read.lines, read.source.header_line) == (["Navn på kunde", "Sted", "Nr."], [3], 2)
    assert read.set_aside == (SetAside(1, "title"),)


def test_the_header_can_be_said_however_far_down_it_is(tmp_path: Path) -> None:
    path = tmp_path / "langt.csv"
    path.write_text("x;y\n" * 300_000 + "Navn;By\nA;Ry\n" + "B;Rom\n" * 5)
    read = read_table(path, ReadingOptions(header_line=300_001), KNOWN)
    assert (read.header, read.lines[0], len(read.lines)) == (["Navn", "By"], 300_002, 6)


@pytest.mark.parametrize("line", [2, 4, 5, 900])
def test_a_line_that_is_said_to_be_the_header_and_holds_no_names_is_refused(line: int) -> None:
    error = refusal("Navn;Mail", ";", "A;a@a.example", "B;b@b.example", header_line=line)
    assert error.code == "bad_header_line"
    assert f"Line {line} " in str(error)
    assert "b.example" not in str(error)


@pytest.mark.parametrize(
    "first_line",
    [
        "Æblehaven;faktura@aeblehaven.example;Ry",
        "1001;12345678;2630",
        "Søren;010190-1234",
        "Søren;DK12345678",
        "Søren;+45 12 34 56 78",
        "123;Kabel 3G1,5;MTR;15,00",
        "5701234567890;Kabel",
    ],
)
@pytest.mark.parametrize("hints", [KNOWN, Hints()])
def test_without_a_header_the_first_line_is_not_quoted(first_line: str, hints: Hints) -> None:
    error = refusal(first_line, first_line, hints=hints)
    assert error.code == "no_header"
    assert not any(cell in str(error) for cell in first_line.split(";"))


def test_without_a_header_a_value_that_is_also_a_header_name_makes_none() -> None:
    assert refusal("Hansen;Vej 1;a@a.example", "Land;By;b@b.example", "Holm;Vej 3;c@c.example").code == "no_header"


@pytest.mark.parametrize("header", ["navn;2026", "navn;31-12-2026", "navn;Adresse 1", "navn;E-mail (@)"])
def test_numbers_and_signs_in_a_column_name_are_no_missing_header(header: str) -> None:
    assert table(header, "A;1").header == header.split(";")


# Names


def test_names_are_trimmed_and_otherwise_as_in_the_file() -> None:
    assert table("\ufeff Navn ;\u00a0Post/By;CVR-nr.\u2003", "A;B;C").header == ["Navn", "Post/By", "CVR-nr."]


def test_a_nameless_column_in_the_middle_is_kept_under_its_number() -> None:
    assert table("navn;;by", "A;x;Ry").header == ["navn", "(column 2)", "by"]


@pytest.mark.parametrize(
    ("header", "named"), [("navn;by;Navn", "'Navn'"), ("navn;(column 3);", ""), ("navn;;(Column 2)", "'(Column 2)'")]
)
def test_a_column_named_twice_is_refused(header: str, named: str) -> None:
    if not named:
        assert table(header, "A;B").header == ["navn", "(column 3)"]
        return
    error = refusal(header, "A;Ry;B")
    assert error.code == "duplicate_column"
    assert named in str(error)


def test_somebodys_data_named_twice_is_not_quoted() -> None:
    error = refusal("navn;by;tlf;Brev til a@a.example;Brev til a@a.example", "A;B;C;D;E")
    assert error.code == "duplicate_column"
    assert "a.example" not in str(error)


def test_a_name_that_goes_on_and_on_is_refused() -> None:
    error = refusal(f"navn;{'x' * 1001}", "A;B")
    assert (error.code, "Line 1" in str(error), len(str(error)) < 300) == ("cell_too_large", True, True)


def test_names_of_other_readers_get_the_same_treatment() -> None:
    assert column_names(["a", "", "b", *ERROR_COLUMNS], 1, 8) == ["a", "(column 2)", "b"]


# Totals


@pytest.mark.parametrize(
    "line",
    [
        "I alt;;1.250,00",
        "Ialt:;;-1250.50",
        "TOTAL;3;kr. 1.250,00",
        ";Totaler :;395,-",
        "Sum;;(1.250,00)",
        " subtotal ;12 %;1 250,00 DKK",
        "I alt;;",
        "\u00a0Total: ;;",
        "I alt 1 kunde;;",
        "I alt: 1.250 aktive kunder;;12",
        "Total 3;;12345678,50",
        "I alt;12345678;1250",
        ";;",
    ],
)
def test_totals_among_the_rows_are_set_aside(line: str) -> None:
    read = table("Navn;By;Beløb", "A;Ry;1,00", line, "B;Ry;2,00")
    assert [row[0] for row in rows_of(read)] == ["A", "B"]
    assert read.lines == [2, 4]
    assert read.set_aside == ((SetAside(3, "total"),) if line.strip(";") else ())


@pytest.mark.parametrize(
    "line",
    [
        "Total;;12345678",  # a customer and a telephone number
        "Total;;12 34 56 78",
        "Sum;+45 12345678;5790000000005",
        "Total 24 Service;;1,00",
        "Total 24 Service;;",
        "I alt;Ry;",
        "Total;Ry;1,00",  # a customer in Ry
        "Total Service ApS;;1,00",
        "A;Total;1,00",
        "I alt;;ca. 5",
        "Summen;;1,00",
    ],
)
def test_what_only_looks_like_a_total_stays_a_row(line: str) -> None:
    read = table("Navn;By;Beløb", line)
    assert rows_of(read) == [line.split(";")]
    assert read.set_aside == ()


def test_in_a_single_column_a_total_is_a_name() -> None:
    assert rows_of(table("Navn", "A", "Total")) == [["A"], ["Total"]]


# Notes


@pytest.mark.parametrize("between", [[""], [";;", ""], ["", "I alt 1 kunde;;"], ["I alt;;1", ""]])
def test_a_remark_below_the_table_is_set_aside(between: list[str]) -> None:
    read = table("Navn;By;Tlf", "A;Ry;1", "B;;", *between, "Udskrevet af Anna 01-04-2026;;")
    assert [row[0] for row in rows_of(read)] == ["A", "B"]
    assert read.lines == [2, 3]
    assert read.set_aside[-1] == SetAside(4 + len(between), "note")


@pytest.mark.parametrize(
    "lines",
    [
        ["Navn;By;Tlf", "A;Ry;1", "B;;"],  # no blank line
        ["Navn;By;Tlf", "A;Ry;1", "I alt;;1", "B;;"],
        ["Navn;By;Tlf", "A;Ry;1", "", "B;Ry;"],
        ["Navn;By;Tlf", "A;Ry;1", "", ";Ry;"],
        ["Navn;By;Tlf", "A;Ry;1", "", "B;;;x"],  # too many cells, which must be said
        ["Navn;By;Tlf", "", "B;;"],  # the only row
        ["Navn;By", "A;Ry", "", "B;"],
        ["Navn;By;Tlf", "A;;", "", "B;Ry;1"],
    ],
)
def test_what_only_looks_like_a_remark_stays_a_row(lines: list[str]) -> None:
    read = table(*lines)
    assert read.lines[-1] == len(lines)
    assert "note" not in {aside.what for aside in read.set_aside}


def test_line_breaks_inside_the_last_row_are_no_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "kunder.csv"
    path.write_text('Navn;By;Tlf\nA;"Ry\n\nved åen";1\nB;;\n')
    assert read_table(path, ReadingOptions(), KNOWN).lines == [2, 5]
    path.write_text('Navn;By;Tlf\nA;"Ry\n\nved åen";1\n\nUdskrevet 1/4;;\n')
    read = read_table(path, ReadingOptions(), KNOWN)
    assert (read.lines, read.set_aside) == ([2], (SetAside(6, "note"),))


def test_a_remark_below_a_sheet_is_set_aside_with_the_marks_of_its_cells() -> None:
    read = sheet([["Navn", "Pris", "By"], ["A", "1.5", ""], ["7"]], typed={1: [1], 0: [2]}, lines=[1, 2, 4])
    assert (rows_of(read), list(read.typed)) == ([["A", "1.5", ""]], ["Pris"])
    assert read.set_aside == (SetAside(4, "note"),)


def test_the_header_once_more_among_the_rows_is_set_aside() -> None:
    read = table("Navn;By;;", "A;Ry", "Navn; By", "Navn;Rom", "navn;by", "B;Ry")
    assert rows_of(read) == [["A", "Ry"], ["Navn", "Rom"], ["navn", "by"], ["B", "Ry"]]
    assert read.set_aside == (SetAside(3, "title"),)
    assert rows_of(table("Navn", "A", "Navn")) == [["A"], ["Navn"]]


def test_lines_set_aside_are_in_the_order_of_the_file() -> None:
    read = table(
        "Kunder;;", "Navn;By;Beløb", "A;Ry;1", "Navn;By;Beløb", "B;Ry;1", "I alt;;1", "Navn;By;Beløb", "Total;;2"
    )
    assert [(aside.line, aside.what) for aside in read.set_aside] == [
        (1, "title"),
        (4, "title"),
        (6, "total"),
        (7, "title"),
        (8, "total"),
    ]


# Sheets


def test_a_sheet_keeps_a_nameless_column_that_has_something_in_it() -> None:
    read = sheet([["Kunder", "", "", ""], ["Navn", "By", "", ""], ["A", "Ry", "x", ""], ["B", "Ry", "", " "]])
    assert read.header == ["Navn", "By", "(column 3)"]
    assert rows_of(read) == [["A", "Ry", "x"], ["B", "Ry", ""]]
    assert read.oversized == {}


def test_cells_with_a_type_are_marked_under_the_name_of_their_column() -> None:
    records = [
        ["Kunder"],
        ["Navn", "Pris", "Antal"],
        ["A", "1.5", "x"],
        ["I alt", "3", ""],
        ["B", "1.5", ""],
        ["C", "2"],
    ]
    read = sheet(records, typed={1: [2, 3, 5], 2: [], 0: [0]}, lines=[1, 3, 4, 5, 9, 10])
    assert read.lines == [4, 9, 10]
    assert list(read.typed) == ["Pris"]
    assert np.array_equal(read.typed["Pris"], [True, False, True])


def test_a_sheet_of_nothing_is_an_empty_file() -> None:
    for records in ([], [[]], [["", " "]]):
        with pytest.raises(UnreadableFile) as caught:
            sheet(records)
        assert caught.value.code == "empty_file"


def test_a_header_without_a_single_column_of_its_own_is_no_table() -> None:
    assert table(";".join(ERROR_COLUMNS), "2;a;b;c;d").header == list(ERROR_COLUMNS)
