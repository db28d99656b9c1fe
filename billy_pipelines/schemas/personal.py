"""Cells that may hold a CPR number, in any column of any resource: refused, and masked everywhere (rule B23)."""

from __future__ import annotations

import pandas as pd

from billy_pipelines.schemas.cleaning import country_code, is_possible_cpr, is_possible_cpr_in_vat
from billy_pipelines.schemas.row_schema import Kind, RowSchema
from billy_pipelines.schemas.whole_column import arrow, matches


def personal_numbers(cells: pd.DataFrame, schema: RowSchema) -> list[tuple[int, str]]:
    """Positions and columns, in the order of the rows.

    The cells are trimmed text, judged without what cannot be seen, as they would be sent. In a CVR column ten digits
    count whatever stands around them; elsewhere the form dddddd-dddd. Digits of any script count: full-width ones are
    made plain later.
    """
    found = []
    for name in map(str, cells.columns):
        in_vat = schema.fields[name].kind is Kind.VAT
        likely = matches(arrow(cells[name]), r"(?:\p{Nd}\P{Nd}*){10}" if in_vat else r"\p{Nd}{6}\W\p{Nd}{4}")
        for position in cells.index[likely]:
            value = str(cells.at[position, name])
            country = _country(cells, position) if in_vat else ""
            if is_possible_cpr_in_vat(value, country) if in_vat else is_possible_cpr(value):
                found.append((int(position), name))
    return sorted(found)


def _country(cells: pd.DataFrame, position: int) -> str:
    return (country_code(str(cells.at[position, "country"])) or "") if "country" in cells else ""
