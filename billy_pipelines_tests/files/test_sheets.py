"""Sheets: what a person sees in a cell is what is read, and no file takes the reader down."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest
import xlsxwriter
import xlwt
from hypothesis import given, settings
from hypothesis import strategies as st
from msoffcrypto.format.ooxml import OOXMLFile
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P

from billy_pipelines.files.grid import Grid
from billy_pipelines.files.sheets import read_sheet
from billy_pipelines.files.table import Limits, UnreadableFile
from billy_pipelines.files.workbook_process import TEMPLATE_MARK
from billy_pipelines.schemas.reading_options import ReadingOptions

MOMENT = dt.datetime.fromisoformat("2026-04-01T09:30:00")
Fill = Callable[[xlsxwriter.Workbook], object]


def xlsx(fill: Fill, **options: Any) -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True, **options}) as workbook:
        fill(workbook)
    return file.getvalue()


def xlsx_of(*rows: list[Any], at: tuple[int, int] = (0, 0)) -> bytes:
    def fill(workbook: xlsxwriter.Workbook) -> None:
        sheet = workbook.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(at[0] + number, at[1], row)

    return xlsx(fill)


def xls(fill: Callable[[xlwt.Worksheet], object]) -> bytes:
    file = io.BytesIO()
    workbook = xlwt.Workbook()
    fill(workbook.add_sheet("Ark1"))
    workbook.add_sheet("Ark2")
    workbook.save(file)
    return file.getvalue()


def ods(*cells: tuple[str, dict[str, str], str]) -> bytes:
    """One sheet with a header in row 3 and the cells (type, attributes, text shown) in row 4, from column B on."""
    document = OpenDocumentSpreadsheet()
    table = Table(name="Ark1")
    blank = TableRow(numberrowsrepeated=2)
    blank.addElement(TableCell(numbercolumnsrepeated=3))
    table.addElement(blank)
    for row in ([("string", {}, f"c{n}") for n in range(len(cells))], cells):
        made = TableRow()
        made.addElement(TableCell())
        for kind, attributes, text in row:
            cell = TableCell(valuetype=kind, **attributes)
            cell.addElement(P(text=text))
            made.addElement(cell)
        table.addElement(made)
    document.spreadsheet.addElement(table)
    file = io.BytesIO()
    document.write(file)
    return file.getvalue()


def with_part(data: bytes, name: str, change: Callable[[str], str]) -> bytes:
    """The same archive with one part changed."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            text = old.read(part)
            new.writestr(part, change(text.decode()) if part == name else text)
    return file.getvalue()


def read(data: bytes, kind: str = "xlsx", *, limits: Limits | None = None, **options: Any) -> Grid:
    return read_sheet(data, kind, ReadingOptions(**options), limits or Limits())[0]


def refused(data: bytes, kind: str = "xlsx", *, limits: Limits | None = None, **options: Any) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught:
        read(data, kind, limits=limits, **options)
    return caught.value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234, "1234"),
        (1250.5, "1250.5"),
        (5790000000005, "5790000000005"),
        (-12, "-12"),
        (0.0000001, "0.0000001"),
        (100000, "100000"),
        (999_999_999_999_999, "999999999999999"),
        (12_345_678_901_234_567_890, "1.23456789012346E+19"),
        (True, "true"),
        (False, "false"),
    ],
)
def test_numbers_and_booleans_come_out_as_typed(value: float, text: str) -> None:
    grid = read(xlsx_of(["a", "b"], ["x", value]))
    assert grid.records == [["a", "b"], ["x", text]]
    assert grid.typed == {1: [1]}


def test_noise_of_floating_point_is_not_read() -> None:
    noisy = with_part(
        xlsx_of(["a"], [0.5]), "xl/worksheets/sheet1.xml", lambda xml: xml.replace("0.5<", "0.30000000000000004<")
    )
    assert read(noisy).records[1] == ["0.3"]


@pytest.mark.parametrize("text", ["0800", "12345678", "1.250,00", " kr. 5 ", "=SUM(A1)", "a\nb", "Æblegård", "_x000D_"])
def test_text_stays_as_it_is_even_where_it_looks_like_a_number(text: str) -> None:
    def fill(workbook: xlsxwriter.Workbook) -> None:
        workbook.add_worksheet().write_string(0, 0, text, workbook.add_format({"num_format": "@"}))

    assert read(xlsx(fill)) == Grid([[text]], [1], {})


@pytest.mark.parametrize("system", [False, True])
def test_dates_of_both_date_systems(system: bool) -> None:
    def fill(workbook: xlsxwriter.Workbook) -> None:
        sheet = workbook.add_worksheet()
        moment = workbook.add_format({"num_format": "dd-mm-yyyy hh:mm"})
        sheet.write_datetime(0, 0, dt.date(2026, 4, 1), workbook.add_format({"num_format": "dd-mm-yyyy"}))
        sheet.write_datetime(0, 1, MOMENT, moment)
        sheet.write_number(0, 2, 0.5, workbook.add_format({"num_format": "hh:mm:ss"}))
        sheet.write_number(0, 3, 1.75, workbook.add_format({"num_format": "[h]:mm"}))

    grid = read(xlsx(fill, date_1904=system))
    assert grid.records == [["2026-04-01", "2026-04-01T09:30:00", "12:00:00", "42:00:00"]]
    assert list(grid.typed) == [0, 1, 2, 3]


def test_a_moment_is_the_nearest_second() -> None:
    def fill(workbook: xlsxwriter.Workbook) -> None:
        moment = workbook.add_format({"num_format": "dd-mm-yyyy hh:mm"})
        workbook.add_worksheet().write_number(0, 0, 46113.3958333217, moment)

    assert read(xlsx(fill)).records == [["2026-04-01T09:30:00"]]


ERRORS = ["#N/A", "#REF!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#VALUE!"]


def test_errors_come_out_as_the_text_that_is_shown_never_as_an_empty_cell() -> None:
    def fill(workbook: xlsxwriter.Workbook) -> None:
        sheet = workbook.add_worksheet()
        for column, error in enumerate(ERRORS):
            sheet.write_formula(2, 1 + column, "=NA()", None, error)

    grid = read(xlsx(fill))
    assert grid.records == [ERRORS]
    assert (grid.lines, grid.typed) == ([3], {})


def test_percentages_are_what_is_shown_not_a_hundredth_of_it() -> None:
    def fill(workbook: xlsxwriter.Workbook) -> None:
        sheet = workbook.add_worksheet()
        formats = ["0%", "0.00%", "0.0 %;-0.0 %", '0"%"']
        for column, (value, format_) in enumerate(zip([0.25, 0.125, 0.12125, 25], formats, strict=True)):
            sheet.write_number(0, column, value, workbook.add_format({"num_format": format_}))

    grid = read(xlsx(fill))
    assert grid.records == [["25%", "12.5%", "12.1250%", "25"]]
    assert grid.typed == {3: [0]}, "a percentage is text: it has a sign behind it"


def test_the_results_of_formulas_are_read() -> None:
    def fill(workbook: xlsxwriter.Workbook) -> None:
        sheet = workbook.add_worksheet()
        sheet.write_formula(0, 0, "=1+1", None, 2)
        sheet.write_formula(0, 1, '="a"', None, "a")
        sheet.write_formula(0, 2, '=""', None, "x")

    empty = with_part(xlsx(fill), "xl/worksheets/sheet1.xml", lambda xml: xml.replace("<v>x</v>", "<v></v>"))
    assert read(empty).records == [["2", "a", ""]]


def test_a_formula_whose_result_was_never_saved_is_not_read_as_an_empty_cell() -> None:
    workbook = openpyxl.Workbook()
    workbook.active.append(["antal", "pris", "=A1*B1"])
    file = io.BytesIO()
    workbook.save(file)
    error = refused(file.getvalue())
    assert error.code == "formula_without_result"
    assert "C1" in str(error)


def test_lines_are_the_numbers_of_the_sheet_wherever_the_table_begins() -> None:
    grid = read(xlsx_of(["navn", "pris"], ["A", 1], [], ["B", 2], at=(4, 2)))
    assert grid == Grid([["navn", "pris"], ["A", "1"], ["B", "2"]], [5, 6, 8], {1: [1, 2]})


def test_a_title_to_the_left_of_the_table_keeps_the_columns_apart() -> None:
    assert read(xlsx_of(["Kunder"], ["", "navn"], ["", "A"])).records == [["Kunder", ""], ["", "navn"], ["", "A"]]


def test_of_merged_cells_the_first_has_the_value() -> None:
    def fill(workbook: xlsxwriter.Workbook) -> None:
        sheet = workbook.add_worksheet()
        sheet.merge_range(0, 0, 0, 2, "Kunder")
        sheet.merge_range(1, 0, 2, 0, "A")
        sheet.write_column(1, 1, [1, 2])

    assert read(xlsx(fill)).records == [["Kunder", ""], ["A", "1"], ["", "2"]]


def test_the_only_sheet_with_something_in_it_is_read() -> None:
    def fill(workbook: xlsxwriter.Workbook) -> None:
        workbook.add_worksheet("Ark1")
        workbook.add_worksheet("Kunder").write(0, 0, "navn")
        workbook.add_worksheet("Hjælp").write(0, 0, f"{TEMPLATE_MARK}kolonnerne")
        workbook.add_chartsheet("Diagram")
        workbook.add_worksheet("Ark3").write(5, 5, "  ")

    assert read_sheet(xlsx(fill), "xlsx", ReadingOptions(), Limits()) == (Grid([["navn"]], [1], {}), "Kunder")


def two_sheets(workbook: xlsxwriter.Workbook) -> None:
    workbook.add_worksheet("Kunder").write(0, 0, "navn")
    second = workbook.add_worksheet("Skjult")
    second.write(0, 0, "varenr")
    second.hide()


def test_a_second_sheet_is_never_left_out_in_silence() -> None:
    error = refused(xlsx(two_sheets))
    assert error.code == "several_sheets"
    assert "Kunder, Skjult" in str(error)


def test_a_sheet_is_chosen_by_its_name() -> None:
    assert read(xlsx(two_sheets), sheet=" skjult").records == [["varenr"]]
    error = refused(xlsx(two_sheets), sheet="Varer")
    assert error.code == "no_such_sheet"
    assert "Kunder, Skjult" in str(error)


def test_an_empty_workbook_is_an_empty_file() -> None:
    assert refused(xlsx_of()).code == "empty_file"
    assert refused(xlsx_of(), sheet="Sheet1").code == "empty_file"


def test_old_excel_sheets() -> None:
    def fill(sheet: xlwt.Worksheet) -> None:
        sheet.write(3, 2, 1234)
        sheet.write(3, 3, 5790000000005)
        sheet.write(3, 4, "0800")
        sheet.write(3, 5, dt.date(2026, 4, 1), xlwt.easyxf(num_format_str="DD-MM-YYYY"))
        sheet.write(3, 6, True)
        sheet.row(3).set_cell_error(7, 0x2A)
        sheet.write(3, 8, 0.125, xlwt.easyxf(num_format_str="0.00%"))
        sheet.write(3, 9, 0.1 + 0.2)
        sheet.write(3, 10, MOMENT, xlwt.easyxf(num_format_str="DD-MM-YYYY HH:MM"))
        sheet.write(3, 11, 1.0, xlwt.easyxf(num_format_str='0.00 "%"'))
        sheet.row(4).set_cell_number(2, 2, xlwt.easyxf(num_format_str="0%"))
        sheet.row(4).set_cell_number(3, 3, xlwt.easyxf(num_format_str="0%"))

    grid = read(xls(fill), "xls")
    assert grid.records[0] == [
        *("1234", "5790000000005", "0800", "2026-04-01", "true", "#N/A", "12.5%", "0.3", "2026-04-01T09:30:00", "1")
    ]
    assert grid.records[1][:2] == ["200%", "300%"]
    assert grid.lines == [4, 5]
    assert sorted(grid.typed) == [0, 1, 3, 4, 7, 8, 9]


def test_libreoffice_sheets() -> None:
    data = ods(
        ("float", {"value": "1234"}, "1.234,00"),
        ("string", {}, "0800"),
        ("date", {"datevalue": "2026-04-01"}, "01-04-2026"),
        ("date", {"datevalue": "2026-04-01T09:30:00"}, "01-04-2026 09:30"),
        ("boolean", {"booleanvalue": "true"}, "SAND"),
        ("currency", {"value": "1250.5", "currency": "DKK"}, "1.250,50 kr"),
        ("percentage", {"value": "0.25"}, "25 %"),
        ("float", {"value": "0.30000000000000004"}, "0,3"),
        ("string", {"stringvalue": "", "formula": "of:=NA()"}, "#N/A"),
    )
    # As LibreOffice writes an error; odfpy does not know the attribute.
    space = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"
    error = f'office:string-value="" xmlns:calcext="{space}" calcext:value-type="error"'
    shown = with_part(data, "content.xml", lambda xml: xml.replace('office:string-value=""', error))
    grid = read(shown, "ods")
    assert grid.records[1] == [
        *("1234", "0800", "2026-04-01", "2026-04-01T09:30:00", "true", "1250.5", "25%", "0.3", "#N/A")
    ]
    assert grid.lines == [3, 4]
    assert sorted(grid.typed) == [0, 2, 3, 4, 5, 7]


def test_a_comment_on_an_error_is_no_part_of_it() -> None:
    data = ods(("string", {"stringvalue": ""}, "#N/A"))
    comment = "<office:annotation><text:p>spørg Bo</text:p></office:annotation><text:p>#N/A"
    error = with_part(
        data,
        "content.xml",
        lambda xml: xml.replace('office:string-value=""', 'calcext:value-type="error"').replace(
            "<text:p>#N/A", comment
        ),
    )
    assert read(error, "ods").records[1] == ["#N/A"]


def test_repeated_cells_of_a_libreoffice_sheet_are_all_percentages() -> None:
    data = ods(("percentage", {"value": "0.25", "numbercolumnsrepeated": "3"}, "25 %"))
    assert read(data, "ods").records[1] == ["25%", "25%", "25%"]


def test_a_workbook_with_a_password_says_so() -> None:
    file = io.BytesIO()
    OOXMLFile(io.BytesIO(xlsx_of(["a"]))).encrypt("hemmelig", file)
    assert refused(file.getvalue()).code == "encrypted_workbook"
    assert refused(file.getvalue(), "xls").code == "encrypted_workbook"
    old = xls(lambda sheet: sheet.write(0, 0, "a"))
    record = b"\xe1\x00\x02\x00"  # INTERFACEHDR, the first after the beginning, becomes FILEPASS
    assert refused(old.replace(record, b"\x2f\x00\x02\x00", 1), "xls").code == "encrypted_workbook"
    free = ods(("string", {}, "a"))
    manifest = with_part(
        free,
        "META-INF/manifest.xml",
        lambda xml: xml.replace("</manifest:manifest>", "<manifest:encryption-data/></manifest:manifest>"),
    )
    assert refused(manifest, "ods").code == "encrypted_workbook"


@pytest.mark.parametrize("kind", ["xlsx", "xls", "ods"])
@pytest.mark.parametrize("length", [0, 7, 100, 3000])
def test_a_damaged_workbook_says_so(kind: str, length: int) -> None:
    whole = {
        "xlsx": xlsx_of(["a"]),
        "xls": xls(lambda sheet: sheet.write(0, 0, "a")),
        "ods": ods(("string", {}, "a")),
    }[kind]
    assert refused(whole[: min(length, len(whole) - 100)], kind).code == "broken_file"


def test_too_large_is_refused() -> None:
    assert refused(xlsx_of(["a"] * 6), limits=Limits(max_columns=5)).code == "too_many_columns"
    assert refused(xlsx_of(*[["a"]] * 200), limits=Limits(max_rows=100)).code == "too_many_rows"
    assert refused(xlsx_of(["a"], ["b" * 51]), limits=Limits(max_cell=50)).code == "cell_too_large"
    assert refused(xlsx_of(["a"]), limits=Limits(max_bytes=1000)).code == "unpacks_too_large"


def test_one_text_in_many_cells_is_counted_as_often_as_it_stands_there() -> None:
    rows = [["b" * 1000]] * 100
    assert refused(xlsx_of(*rows), limits=Limits(max_bytes=50_000)).code == "unpacks_too_large"


def test_a_small_file_that_asks_for_500_gb_takes_nobody_down() -> None:
    def fill(workbook: xlsxwriter.Workbook) -> None:
        sheet = workbook.add_worksheet()
        sheet.write(0, 0, "a")
        sheet.write(1_048_575, 16_383, "b")

    assert refused(xlsx(fill), limits=Limits(max_columns=20_000)).code == "table_too_large"


def test_entities_that_multiply_are_refused() -> None:
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(10))
    bomb = with_part(
        xlsx_of(["a"]),
        "xl/workbook.xml",
        lambda xml: xml.replace("<workbook ", f'<!DOCTYPE w [<!ENTITY e0 "x">{entities}]><workbook ', 1).replace(
            "Sheet1", "&e10;"
        ),
    )
    assert refused(bomb).code in ("broken_file", "table_too_large")


CELLS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20),
    st.integers(-(10**14), 10**14),
    st.decimals(-10_000, 10_000, places=2).map(float),
    st.booleans(),
    st.dates(dt.date(1901, 1, 1), dt.date(2100, 1, 1)),
)


def shown(cell: object) -> str:
    if isinstance(cell, bool):
        return str(cell).lower()
    return f"{cell + 0:.15g}" if isinstance(cell, float) else str(cell)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=6))
def test_any_table_reads_back_equal(rows: list[list[Any]]) -> None:
    def fill(workbook: xlsxwriter.Workbook) -> None:
        sheet = workbook.add_worksheet()
        date = workbook.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(0, 0, ["a", "b", "c"])
        for number, row in enumerate(rows, start=1):
            for column, cell in enumerate(row):
                if isinstance(cell, str):
                    sheet.write_string(number, column, cell)
                elif isinstance(cell, dt.date):
                    sheet.write_datetime(number, column, cell, date)
                else:
                    sheet.write(number, column, cell)

    grid = read(xlsx(fill))
    texts = [["a", "b", "c"], *([shown(cell) for cell in row] for row in rows)]
    kept = [number for number, row in enumerate(texts) if any(cell.strip() for cell in row)]
    assert grid.records == [texts[number] for number in kept]
    assert grid.lines == [number + 1 for number in kept]


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_bytes_changed_at_random_are_read_or_refused(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["xlsx", "xls", "ods"]))
    whole = bytearray(
        {
            "xlsx": xlsx_of(["a", 1], ["b", 2]),
            "xls": xls(lambda sheet: [sheet.write(row, column, "a") for row in range(3) for column in range(3)]),
            "ods": ods(("string", {}, "a")),
        }[kind]
    )
    for place, byte in data.draw(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=20)):
        whole[place % len(whole)] = byte
    try:
        assert read(bytes(whole), kind).records
    except UnreadableFile as error:
        assert str(error)


def test_ten_thousand_rows_are_all_read() -> None:
    rows = [[f"Navn {n}", n * 1.1, "0800", f"a{n}@b.example", True, n, "Prøvevej 1", "DK"] for n in range(10_000)]
    data = xlsx_of([f"c{n}" for n in range(8)], *rows)
    grid = read(data)
    assert len(grid.records) == 10_001
