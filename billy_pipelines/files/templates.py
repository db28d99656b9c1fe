"""Files to fill in: the columns of a resource and two example rows that are valid, as CSV, Excel sheet or JSON."""

from __future__ import annotations

import gettext
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pycountry

from billy_pipelines.files.writing import write_bytes, write_rows, write_text
from billy_pipelines.schemas.cleaning import country_code
from billy_pipelines.schemas.row_schema import NUMERIC, Column, Kind, RowSchema

FORMATS = ("csv", "xlsx", "json")
EXAMPLES = (0, 1)


def write_template(path: Path, schema: RowSchema, form: str, language: str) -> None:
    """Write the template of a resource.

    Args:
        form: one of `FORMATS`. CSV is for Excel as it is set up in Denmark: semicolons and a BOM.
        language: `en`, or `da` for Danish column names, words, dates and decimal commas.
    """
    if form == "json":
        write_text(path, json.dumps(_objects(schema, language), ensure_ascii=False, indent=2) + "\n")
    elif form == "xlsx":
        from billy_pipelines.files.template_workbook import template_workbook  # CSV is written without xlsxwriter

        write_bytes(path, template_workbook(schema, language))
    else:
        header = [column_name(column, language) for column in schema.columns]
        write_rows(path, header, [[example(c, row, language) for c in schema.columns] for row in EXAMPLES])


def column_name(column: Column, language: str) -> str:
    """What a column is called in a template."""
    return (column.danish if language == "da" else "") or column.name


def example(column: Column, row: int, language: str) -> str:
    """A cell of an example row as people of that language write it."""
    text = column.examples[row]
    if column.kind is Kind.COUNTRY and len(text) > 2:
        return countries(language).get(country_code(text) or "", text)
    if language != "da":
        return text
    if column.danish_examples:
        return column.danish_examples[row]
    if column.kind in NUMERIC:
        return text.replace(".", ",")
    if column.kind is Kind.DATE:
        return "-".join(reversed(text.split("-")))
    if column.kind is Kind.BOOLEAN:
        return {"true": "ja", "false": "nej"}.get(text, text)
    return text


def countries(language: str) -> Mapping[str, str]:
    """ISO code -> the country's usual name; Denmark first, then by name."""
    danish = gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=["da"], fallback=True)
    names = {one.alpha_2: getattr(one, "common_name", one.name) for one in pycountry.countries}
    if language == "da":
        names = {code: danish.gettext(name) for code, name in names.items()}
    return dict(sorted(names.items(), key=lambda entry: (entry[0] != "DK", entry[1])))


def _objects(schema: RowSchema, language: str) -> list[dict[str, Any]]:
    def made(row: int, *, header: bool) -> dict[str, Any]:
        return {
            column_name(column, language): _json_value(column, row, language)
            for column in schema.columns
            if schema.grouping is None or (column.name in schema.grouping.header) == header
        }

    if schema.grouping is None:
        return [made(row, header=True) for row in EXAMPLES]
    return [{**made(0, header=True), schema.grouping.children: [made(row, header=False) for row in EXAMPLES]}]


def _json_value(column: Column, row: int, language: str) -> Any:
    """Numbers and booleans as JSON has them, dates in ISO form, lists nested; null where the example is blank."""
    text = column.examples[row]
    if not text:
        return None
    if column.kind in NUMERIC:
        number = Decimal(text)
        return int(number) if number == int(number) else float(number)
    if column.kind is Kind.BOOLEAN:
        return text == "true"
    if column.kind is Kind.LIST:
        return json.loads(text)
    return text if column.kind is Kind.DATE else example(column, row, language)
