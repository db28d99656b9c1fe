"""The template of a resource as an Excel workbook: typed cells, drop-down lists, a sheet that explains the columns."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import pycountry
import xlsxwriter
from xlsxwriter.utility import xl_range_abs
from xlsxwriter.worksheet import Worksheet

from billy_pipelines.files.templates import EXAMPLES, column_name, countries, example
from billy_pipelines.files.workbook_process import TEMPLATE_MARK
from billy_pipelines.schemas.row_schema import NUMERIC, Column, Kind, RowSchema
from billy_pipelines.schemas.words import read_choices

_LAST_ROW = 1_048_575
_MOST_IN_CELL = 255
"""Characters of a drop-down list that stands in the validation itself; longer ones stand on a sheet."""
_NO_CURRENCIES = ("XXX", "XTS")
_USUAL_CURRENCIES = ("DKK", "EUR", "SEK", "NOK", "GBP", "USD")
_NUMBER_FORMATS = {Kind.PRICE: "#,##0.00", Kind.INTEGER: "0"}
"""Others stay as Excel shows them by itself: only then a percentage that is typed as `25 %` is kept as one."""
_HEADS = {True: "#F4B183", False: "#D9E2F3"}
"""Colours of the header: required columns stand out."""


@dataclass(frozen=True)
class _Words:
    columns: str
    lists: str
    """Names of the two further sheets."""
    explained: str
    heads: tuple[str, str, str, str]
    yes: str
    one_of: str
    not_listed: str


_WORDS = {
    "en": _Words(
        columns="Columns",
        lists="Lists",
        explained="what the columns mean. This sheet is not read.",
        heads=("Column", "Required", "What it is", "Permitted values"),
        yes="yes",
        one_of="one of {names}",
        not_listed="This is none of the values in the list. Keep it all the same?",
    ),
    "da": _Words(
        columns="Kolonner",
        lists="Lister",
        explained="hvad kolonnerne betyder. Dette ark læses ikke.",
        heads=("Kolonne", "Påkrævet", "Hvad det er", "Tilladte værdier"),
        yes="ja",
        one_of="en af {names}",
        not_listed="Det er ingen af værdierne på listen. Behold den alligevel?",
    ),
}
_PERMITTED: dict[Kind, tuple[str, str]] = {
    Kind.TEXT: ("any text", "tekst"),
    Kind.EMAIL: ("name@company.dk", "navn@firma.dk"),
    Kind.PHONE: ("any text", "tekst"),
    Kind.POSTCODE: ("any text, such as 0800", "tekst, for eksempel 0800"),
    Kind.COUNTRY: ("a name of the list, or a two-letter code", "et navn fra listen, eller en kode på to bogstaver"),
    Kind.VAT: ("eight digits, or a foreign number with prefix", "otte cifre, eller et udenlandsk nummer med præfiks"),
    Kind.EAN: ("13 digits", "13 cifre"),
    Kind.NUMBER: ("a number", "et tal"),
    Kind.PRICE: ("a number above 0", "et tal over 0"),
    Kind.INTEGER: ("a whole number", "et helt tal"),
    Kind.PERCENT: ("a number: 25 for 25 %", "et tal: 25 for 25 %"),
    Kind.DATE: ("a date", "en dato"),
    Kind.CURRENCY: ("a code of the list", "en kode fra listen"),
    Kind.LIST: ("JSON: [{…}, {…}]", "JSON: [{…}, {…}]"),
}


def template_workbook(schema: RowSchema, language: str) -> bytes:
    """The workbook as a file. The sheet to fill in is the first; the others begin with `TEMPLATE_MARK`."""
    words = _WORDS[language]
    lists = {column.name: listed(column, language) for column in schema.columns}
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as workbook:
        sheet = workbook.add_worksheet(schema.name)
        _explain(workbook.add_worksheet(words.columns), workbook, schema, language)
        sources = _sources(workbook, lists, words)
        sheet.freeze_panes(1, 0)
        heads = {must: workbook.add_format({"bold": True, "bg_color": colour}) for must, colour in _HEADS.items()}
        for place, column in enumerate(schema.columns):
            name = column_name(column, language)
            shown = workbook.add_format({"num_format": _number_format(column, language)})
            longest = max(len(name) + 2, *(len(example(column, row, language)) for row in EXAMPLES))
            sheet.set_column(place, place, min(max(longest, 10), 40) + 1, shown)
            sheet.write_string(0, place, name, heads[column.required])
            for row in EXAMPLES:
                _write(sheet, row + 1, place, column, row, language, shown)
            if column.name in sources:
                check = {
                    "validate": "list",
                    "source": sources[column.name],
                    "error_type": "warning",  # there are more ways to write a value than the list has
                    "error_message": words.not_listed,
                    "show_error": column.kind is not Kind.COUNTRY,  # a code is as good as a name
                }
                sheet.data_validation(1, place, _LAST_ROW, place, check)
    return file.getvalue()


def listed(column: Column, language: str) -> list[str]:
    """What the drop-down list of a column offers; empty for one that has none."""
    if column.kind is Kind.BOOLEAN:
        return ["ja", "nej"] if language == "da" else ["true", "false"]
    if column.kind is Kind.COUNTRY:
        return list(countries(language).values())
    if column.kind is Kind.CURRENCY:
        others = sorted(one.alpha_3 for one in pycountry.currencies if one.alpha_3 not in _NO_CURRENCIES)
        return list(dict.fromkeys([*_USUAL_CURRENCIES, *others]))
    # A value that an example shows is offered in the example's words: `virksomhed`, not `company`.
    shown = pd.Series([example(column, row, language) for row in EXAMPLES], dtype="str")
    meant, _ = read_choices(shown, column.choices)
    words = dict(zip(meant, shown, strict=True))
    return [words.get(value, value) for value in column.choices]


def _number_format(column: Column, language: str) -> str:
    if column.kind is Kind.DATE:
        return "dd-mm-yyyy" if language == "da" else "yyyy-mm-dd"
    if column.kind in NUMERIC:
        return _NUMBER_FORMATS.get(column.kind, "General")
    return "@"  # numbers that are names (phone, postcode, CVR, product number) keep their zeros when they are typed


def _write(
    sheet: Worksheet, line: int, place: int, column: Column, row: int, language: str, shown: xlsxwriter.format.Format
) -> None:
    text = column.examples[row]
    if not text:
        return
    if column.kind is Kind.DATE:
        sheet.write_datetime(line, place, dt.date.fromisoformat(text), shown)
    elif column.kind in NUMERIC:
        sheet.write_number(line, place, float(text), shown)
    else:
        sheet.write_string(line, place, example(column, row, language), shown)


def _sources(
    workbook: xlsxwriter.Workbook, lists: Mapping[str, Sequence[str]], words: _Words
) -> dict[str, list[str] | str]:
    """What each drop-down list is taken from: its values, or cells of a hidden sheet when they are too many."""
    sources: dict[str, list[str] | str] = {}
    hidden = None
    for name, values in lists.items():
        if values and len(",".join(values)) <= _MOST_IN_CELL:
            sources[name] = list(values)
        elif values:
            if hidden is None:
                hidden = workbook.add_worksheet(words.lists)
                hidden.hide()
                hidden.write_string(0, 0, TEMPLATE_MARK + words.lists)
            place = len([source for source in sources.values() if isinstance(source, str)])
            hidden.write_column(1, place, values)
            cells = xl_range_abs(1, place, len(values), place)
            sources[name] = f"='{words.lists}'!{cells}"
    return sources


def _explain(sheet: Worksheet, workbook: xlsxwriter.Workbook, schema: RowSchema, language: str) -> None:
    words = _WORDS[language]
    bold = workbook.add_format({"bold": True})
    wrapped = workbook.add_format({"text_wrap": True, "valign": "top"})
    sheet.write_string(0, 0, TEMPLATE_MARK + words.explained, bold)
    sheet.write_row(2, 0, words.heads, bold)
    for line, column in enumerate(schema.columns, start=3):
        described = (column.description_da if language == "da" else "") or column.description
        said = (column_name(column, language), _required(schema, column, language))
        for place, text in enumerate((*said, described, _permitted(column, language))):
            sheet.write_string(line, place, text, wrapped)
    for place, width in enumerate((24, 14, 70, 50)):
        sheet.set_column(place, place, width)
    sheet.freeze_panes(3, 1)


def _required(schema: RowSchema, column: Column, language: str) -> str:
    words = _WORDS[language]
    if column.required:
        return words.yes
    group = next((group for group in schema.needs_one_of if column.name in group), ())
    names = [column_name(schema.column(name), language) for name in group]
    return words.one_of.format(names=", ".join(names)) if names else ""


def _permitted(column: Column, language: str) -> str:
    if column.kind in _PERMITTED:
        return _PERMITTED[column.kind][language == "da"]
    return ", ".join(listed(column, language))
