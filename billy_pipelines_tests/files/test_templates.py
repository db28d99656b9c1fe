"""Templates: what they hold is valid as it stands, in every format and language, and typing into them loses nothing."""

from __future__ import annotations

import csv
import datetime as dt
import json
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from openpyxl.worksheet.worksheet import Worksheet

from billy_pipelines.bulk.reading import Upload, check_rows, read_upload
from billy_pipelines.cli import main
from billy_pipelines.files.table import Limits
from billy_pipelines.files.template_workbook import listed
from billy_pipelines.files.templates import FORMATS, column_name, countries, write_template
from billy_pipelines.files.workbook_process import TEMPLATE_MARK
from billy_pipelines.schemas.cleaning import country_code
from billy_pipelines.schemas.reading_options import ReadingOptions
from billy_pipelines.schemas.registry import SCHEMAS
from billy_pipelines.schemas.row_schema import Column, Grouping, Kind, RowSchema
from billy_pipelines.schemas.words import read_booleans, read_choices, read_currencies

LANGUAGES = ("en", "da")
THINGS = RowSchema(
    name="things",
    singular="thing",
    columns=(
        Column("name", "What it is called.", ("navn",), required=True, examples=("Æble", "=Pære"), danish="Navn"),
        Column("no", "Its number.", ("nr",), examples=("0042", "")),
        Column("price", "Its price.", ("pris",), examples=("1250.50", "3"), kind=Kind.PRICE, danish="Pris"),
        Column("share", "A share.", examples=("12.5", ""), kind=Kind.PERCENT),
        Column("made", "When.", ("dato",), examples=("2026-04-01", "2026-04-30"), kind=Kind.DATE, danish="Dato"),
        Column("good", "Whether.", ("god",), examples=("true", "false"), kind=Kind.BOOLEAN, danish="God"),
        Column("land", "Where.", examples=("DK", "Germany"), kind=Kind.COUNTRY),
        Column("currency", "In what.", ("valuta",), examples=("DKK", ""), kind=Kind.CURRENCY, danish="Valuta"),
        Column(
            "sort",
            "Which.",
            ("slags",),
            examples=("apple", ""),
            kind=Kind.CHOICE,
            danish="Slags",
            description_da="Hvilken slags.",
            choices={"apple": ("æble",), "pear": ("pære",)},
            danish_examples=("æble", ""),
        ),
        Column("parts", "Parts.", examples=('[{"n": 1}]', ""), kind=Kind.LIST),
    ),
    needs_one_of=(("no", "price"),),
)


def written(folder: Path, form: str, language: str, schema: RowSchema = THINGS) -> Path:
    path = folder / f"template.{form}"
    write_template(path, schema, form, language)
    return path


def cells(folder: Path, language: str) -> list[list[str]]:
    with written(folder, "csv", language).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file, delimiter=";"))


def upload_of(path: Path, schema: RowSchema) -> Upload:
    return read_upload(path, schema, ReadingOptions(), Limits())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("resource", list(SCHEMAS))
def test_every_template_is_valid_as_it_stands(tmp_path: Path, resource: str, form: str, language: str) -> None:
    schema = SCHEMAS[resource]
    upload = upload_of(written(tmp_path, form, language, schema), schema)
    checked = check_rows(upload, schema, ReadingOptions())
    assert (checked.rejected, dict(checked.errors)) == (0, {})
    assert len(upload.table.lines) == 2
    columns = {column_name(column, language) for column in schema.columns}
    assert set(upload.headers.unknown) <= ({schema.grouping.children} if schema.grouping else set())
    assert columns <= set(upload.table.header)


def meaning(path: Path, schema: RowSchema) -> list[Any]:
    rows = list(check_rows(upload_of(path, schema), schema, ReadingOptions()).validated.rows)
    for row in rows:
        for line in (row or {}).get("lines", []):
            del line["line"]  # where it stands in the file
    return rows


@pytest.mark.parametrize("resource", list(SCHEMAS))
def test_a_template_means_the_same_in_every_format_and_language(tmp_path: Path, resource: str) -> None:
    schema = SCHEMAS[resource]
    meanings = [
        meaning(written(tmp_path, form, language, schema), schema) for form in FORMATS for language in LANGUAGES
    ]
    assert all(rows == meanings[0] for rows in meanings)


def test_csv_is_for_a_danish_excel(tmp_path: Path) -> None:
    path = written(tmp_path, "csv", "en")
    assert path.read_bytes().startswith(b"\xef\xbb\xbfname;no;price;")
    assert cells(tmp_path, "en")[1:] == [
        ["Æble", "0042", "1250.50", "12.5", "2026-04-01", "true", "DK", "DKK", "apple", '[{"n": 1}]'],
        ["'=Pære", "", "3", "", "2026-04-30", "false", "Germany", "", "", ""],
    ]


def test_danish_files_are_danish(tmp_path: Path) -> None:
    assert cells(tmp_path, "da") == [
        ["Navn", "no", "Pris", "share", "Dato", "God", "land", "Valuta", "Slags", "parts"],
        ["Æble", "0042", "1250,50", "12,5", "01-04-2026", "ja", "DK", "DKK", "æble", '[{"n": 1}]'],
        ["'=Pære", "", "3", "", "30-04-2026", "nej", "Tyskland", "", "", ""],
    ]


def test_json_has_numbers_booleans_and_lists_of_its_own(tmp_path: Path) -> None:
    first, second = json.loads(written(tmp_path, "json", "da").read_text())
    assert first == {
        "Navn": "Æble",
        "no": "0042",
        "Pris": 1250.5,
        "share": 12.5,
        "Dato": "2026-04-01",
        "God": True,
        "land": "DK",
        "Valuta": "DKK",
        "Slags": "æble",
        "parts": [{"n": 1}],
    }
    assert (second["no"], second["God"], second["parts"]) == (None, False, None)


def test_json_nests_the_lines_of_a_record(tmp_path: Path) -> None:
    grouped = RowSchema("bills", "bill", THINGS.columns[:3], grouping=Grouping(("no",), ("no",), "lines"))
    assert json.loads(written(tmp_path, "json", "en", grouped).read_text()) == [
        {"no": "0042", "lines": [{"name": "Æble", "price": 1250.5}, {"name": "=Pære", "price": 3}]}
    ]


def sheets(folder: Path, language: str) -> tuple[Worksheet, Worksheet, Worksheet]:
    first, second, third = openpyxl.load_workbook(written(folder, "xlsx", language)).worksheets
    return first, second, third


def test_xlsx_has_typed_cells(tmp_path: Path) -> None:
    sheet, _, _ = sheets(tmp_path, "da")
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    moment = dt.datetime.fromisoformat("2026-04-01")
    assert rows[0] == ["Navn", "no", "Pris", "share", "Dato", "God", "land", "Valuta", "Slags", "parts"]
    assert rows[1] == ["Æble", "0042", 1250.5, 12.5, moment, "ja", "DK", "DKK", "æble", '[{"n": 1}]']
    assert rows[2][:3] == ["=Pære", None, 3]
    assert sheet["A3"].data_type == "s", "no formula"


def test_what_is_typed_into_xlsx_keeps_its_zeros(tmp_path: Path) -> None:
    sheet, _, _ = sheets(tmp_path, "da")
    formats = {sheet.cell(1, place).value: sheet.cell(2, place).number_format for place in range(1, 11)}
    assert {formats[name] for name in ("Navn", "no", "God", "land", "Valuta", "Slags", "parts")} == {"@"}
    assert (formats["Pris"], formats["share"], formats["Dato"]) == ("#,##0.00", "General", "dd-mm-yyyy")
    assert sheet.column_dimensions["B"].number_format == "@", "of the whole column, where people type"
    assert sheet["A1"].font.b
    assert sheet.freeze_panes == "A2"
    assert 10 <= sheet.column_dimensions["J"].width <= 42


def test_xlsx_offers_lists(tmp_path: Path) -> None:
    sheet, _, lists = sheets(tmp_path, "da")
    offered = {str(check.sqref): check for check in sheet.data_validations.dataValidation}
    assert {cells.split(":")[0] for cells in offered} == {"F2", "G2", "H2", "I2"}
    assert all(cells.endswith("1048576") for cells in offered)
    assert offered["F2:F1048576"].formula1 == '"ja,nej"'
    assert offered["I2:I1048576"].formula1 == '"æble,pear"'
    assert offered["G2:G1048576"].formula1 == f"'Lister'!$A$2:$A${len(countries('da')) + 1}"
    assert lists.sheet_state == "hidden"
    assert [lists["A2"].value, lists["B2"].value, lists["B3"].value] == ["Danmark", "DKK", "EUR"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_a_list_offers_is_understood(language: str) -> None:
    columns = [column for schema in (*SCHEMAS.values(), THINGS) for column in schema.columns]
    for column in columns:
        offered = pd.Series(listed(column, language), dtype="str")
        if column.kind is Kind.CHOICE:
            assert read_choices(offered, column.choices)[0].tolist() == list(column.choices)
        elif column.kind is Kind.BOOLEAN:
            assert read_booleans(offered)[0].tolist() == ["true", "false"]
        elif column.kind is Kind.CURRENCY:
            assert read_currencies(offered)[1].all()
        elif column.kind is Kind.COUNTRY:
            assert [country_code(name) for name in offered] == list(countries(language))
        else:
            assert offered.empty


def test_a_second_sheet_explains_the_columns(tmp_path: Path) -> None:
    _, explained, lists = sheets(tmp_path, "da")
    assert explained["A1"].value.startswith(TEMPLATE_MARK)
    assert lists["A1"].value.startswith(TEMPLATE_MARK)
    rows = {row[0]: row[1:] for row in explained.iter_rows(min_row=3, values_only=True)}
    assert list(rows) == ["Kolonne", *(column_name(column, "da") for column in THINGS.columns)]
    assert rows["Navn"] == ("ja", "What it is called.", "tekst")
    assert rows["no"] == ("en af no, Pris", "Its number.", "tekst")
    assert rows["Slags"] == ("", "Hvilken slags.", "æble, pear")
    assert rows["God"][2] == "ja, nej"


@pytest.mark.parametrize("resource", list(SCHEMAS))
def test_every_column_has_a_danish_name_and_description(resource: str) -> None:
    for column in SCHEMAS[resource].columns:
        assert column.danish, column.name
        assert column.description_da, column.name


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["template", *map(str, arguments)])


def test_the_command_writes_a_template_and_never_over_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("products").exit_code == 0
    assert (tmp_path / "products.csv").read_text(encoding="utf-8-sig").startswith("name;")
    again = run("products", "--json")
    assert again.exit_code == 1
    assert json.loads(again.stdout)["error"]["code"] == "exists"


def test_the_format_is_what_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "varer.XLSX"
    document = json.loads(run("products", "--language", "da", "--out", path, "--json").stdout)
    assert document["file"] == str(path)
    assert document["columns"][0] == {"name": "Varenavn", "required": True, "description": "Varens navn."}
    assert path.read_bytes().startswith(b"PK")
    assert path.stat().st_mode & 0o777 == 0o600
    contradiction = run("products", "--format", "csv", "--out", tmp_path / "x.json")
    assert (contradiction.exit_code, (tmp_path / "x.json").exists()) == (2, False)
    assert run("products", "--format", "json", "--out", tmp_path / "plain").exit_code == 0
    assert json.loads((tmp_path / "plain").read_text())
