"""What the tests of the resources' files share: judging rows, and what every description of columns must be."""

from __future__ import annotations

from typing import Any

import pandas as pd

from billy_pipelines.files.headers import folded
from billy_pipelines.schemas.row_schema import Context, Kind, RowSchema, Validated
from billy_pipelines.schemas.validation import validate


def judge(schema: RowSchema, *rows: dict[str, str], **context: Any) -> Validated:
    """Validate rows as a file would bring them, from line 2 on: blank where a row lacks a column others have."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    table = pd.DataFrame([[row.get(name, "") for name in columns] for row in rows], columns=columns, dtype="str")
    return validate(schema, table, Context(lines=range(2, len(rows) + 2), **context))


def codes(found: Validated, position: int = 0) -> list[tuple[str, str]]:
    """Code and column of each problem of a row."""
    return [(problem.code, problem.column) for problem in found.problems.get(position, [])]


def fields_of_headers(schema: RowSchema) -> dict[str, str]:
    """Header, folded, -> field; fails where one means two."""
    known: dict[str, str] = {}
    for column in schema.columns:
        for name in (column.name, *column.aliases):
            assert known.setdefault(folded(name), column.name) == column.name, f"{name} means two fields"
    return known


def assert_well_described(schema: RowSchema) -> None:
    """Every header means one field or none, and a template in either language can be made."""
    known = fields_of_headers(schema)
    assert not {folded(name) for name in schema.ignored} & known.keys()
    assert all(reason for reason in schema.ignored.values())
    assert "" not in known
    for column in schema.columns:
        assert column.description
        assert column.description_da
        assert column.description.endswith(".")
        assert folded(column.danish) in {folded(alias) for alias in column.aliases}, column.name
        assert (column.kind is Kind.CHOICE) == bool(column.choices)
        spellings = [word.casefold() for name, words in column.choices.items() for word in (name, *words)]
        assert len(set(spellings)) == len(spellings), f"{column.name} has a word for two choices"


def examples(schema: RowSchema, *, danish: bool = False) -> list[dict[str, str]]:
    """The two example rows of a template."""
    return [
        {
            column.name: (column.danish_examples or column.examples)[number] if danish else column.examples[number]
            for column in schema.columns
        }
        for number in (0, 1)
    ]
