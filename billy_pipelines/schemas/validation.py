"""A table of text judged as a whole: every wrong cell of every row is named at once, what is right passes cleaned.

The order: text as such (spreadsheet errors, wrong encodings, personal numbers) -> each column by its kind, checked by
pandera -> rules across columns -> duplicates within the file -> rows that belong together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from billy_pipelines.schemas import text_faults
from billy_pipelines.schemas.cleaning import CLEAR_MARKS, clean_text
from billy_pipelines.schemas.codes import HIDDEN, Problem, sentence
from billy_pipelines.schemas.grouping import group, inherit, origins
from billy_pipelines.schemas.kinds import KINDS, Judged
from billy_pipelines.schemas.money_units import check_money_units
from billy_pipelines.schemas.personal import personal_numbers
from billy_pipelines.schemas.row_schema import Context, Kind, Rows, RowSchema, UniqueKey, Validated

Flags = npt.NDArray[np.bool_]
MOST_COMPARED = 20
"""Rows of one name that a further one is compared with: a file of nothing but `Kunde` must not take for ever."""


Positions = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Unusable:
    """Why a row as a whole cannot be used (more cells than columns, an order that was voided)."""

    code: str
    column: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


class Findings:
    """What was found wrong, by row; and which cells nothing more may be said about."""

    def __init__(
        self, original: pd.DataFrame, context: Context, origins: Mapping[str, Positions] | None = None
    ) -> None:
        self._original = original
        self._context = context
        self._origins = origins or {}
        """By field: the row in which the value of a cell stands that it has inherited; errors are said there, once."""
        self._columns: dict[str, npt.NDArray[np.object_] | None] = {}
        self._said: set[tuple[int, str, str]] = set()
        self.problems: dict[int, list[Problem]] = {}
        self.rejected: Flags = np.zeros(len(original), dtype=bool)
        self.hidden: set[tuple[int, str]] = set()
        """Cells that may hold a personal number: repeated nowhere (rule B23)."""
        self._settled: set[tuple[int, str]] = set()
        """Cells whose text as such is wrong: what it would mean is no question any more."""

    def report(self, position: int, code: str, column: str, *, warning: bool = False, **details: object) -> None:
        """Put one problem on a row, under the column as named in the file; an error rejects the row."""
        position = self._origin(position, column)
        if (position, column) in self._settled or (position, code, column) in self._said:
            return
        if column in self._origins:
            self._said.add((position, code, column))
        value = HIDDEN if (position, column) in self.hidden else self._value(position, column)
        name = self._context.names.get(column, column)
        text = sentence(code, self._context.language, **{"column": name, "value": value, **details})
        self.problems.setdefault(position, []).append(Problem(code, name, value, text, warning, column))
        if not warning:
            self.rejected[position] = True

    def settle(self, position: int, code: str, column: str, **details: Any) -> None:
        """Report an error of a cell's text; nothing else is said about that cell."""
        self.report(position, code, column, **details)
        self._settled.add((self._origin(position, column), column))

    def _value(self, position: int, column: str) -> str:
        """The cell as it stood in the file. Columns with something wrong are taken out whole, once: one cell at a time
        takes pandas 50 µs, and a column of made-up CVR numbers has a million warnings."""
        if column not in self._columns:
            known = column in self._original.columns
            self._columns[column] = self._original[column].to_numpy(dtype=object) if known else None
        cells = self._columns[column]
        return "" if cells is None else str(cells[position])

    def _origin(self, position: int, column: str) -> int:
        return int(self._origins[column][position]) if column in self._origins else position

    def hide(self, position: int, column: str) -> None:
        """Report a possible personal number."""
        self.hidden.add((self._origin(position, column), column))
        self.settle(position, "possible_cpr", column)


def validate(
    schema: RowSchema, cells: pd.DataFrame, context: Context, unusable: Mapping[int, Unusable] | None = None
) -> Validated:
    """Clean and check a table of text by field name, all rows and all columns at once.

    Rows are told apart by their position; a problem carries the value as it stood in the file. `unusable` rows are
    known to be wrong before anybody looks at their cells.
    """
    original = cells.reset_index(drop=True)
    cleaned = pd.DataFrame({name: clean_text(original[name]) for name in original}, index=original.index)
    stand = origins(schema.grouping, cleaned) if schema.grouping is not None else None
    found = Findings(original, context, stand)
    for position, fault in (unusable or {}).items():
        found.report(position, fault.code, fault.column, **fault.details)
    if schema.grouping is not None:
        cleaned = inherit(schema.grouping, cleaned)
    _judge_text(cleaned, found, schema, context)
    marks = _clear_marks(cleaned, found, schema)
    judged = _judge_kinds(cleaned, schema, context)
    _check(cleaned, judged, found, schema, marks, context)
    context = replace(context, units={name: one.units for name, one in judged.items() if one.units is not None})
    check_money_units(cleaned, context, found.report)
    for rule in schema.rules:
        rule(cleaned, context, found.report)
    if context.operation == "import":
        _needs_one_of(cleaned, found, schema)
    if not context.duplicates_allowed:
        _duplicates(cleaned, found, schema, context)
    children = group(schema, cleaned, found.rejected, context, found.report) if schema.grouping is not None else None
    cleared = dict(marks)
    if context.blank_means == "clear":
        for name, column in schema.fields.items():
            if name in cleaned and column.may_clear:
                cleared[name] = (cleaned[name] == "").to_numpy(dtype=bool)
    lists = [column.name for column in schema.columns if column.kind is Kind.LIST]
    return Validated(Rows(cleaned, cleared, found.rejected, lists, children), found.rejected, found.problems)


def _judge_text(cleaned: pd.DataFrame, found: Findings, schema: RowSchema, context: Context) -> None:
    """What is wrong with a cell whatever it means; mended text is put back into `cleaned`."""
    for position, name in personal_numbers(cleaned, schema):
        found.hide(position, name)
    for name in cleaned.columns:
        for position in _positions(cleaned[name].str.startswith(HIDDEN)):
            found.settle(position, "hidden_value", name)
        faults = text_faults.find_faults(cleaned[name])
        for code, flags in (("excel_error", faults.excel_error), ("digits_lost", faults.digits_lost)):
            for position in _positions(flags):
                found.settle(position, code, name)
        mended = {}
        for position in _positions(faults.mojibake):
            if (position, name) in found.hidden:
                continue
            repaired = text_faults.repair(str(cleaned.at[position, name]))
            if repaired is None:
                found.settle(position, "text_damaged", name)
            elif context.repair_text:
                found.report(position, "text_repaired", name, warning=True, repaired=repaired)
                mended[position] = repaired
            else:
                found.settle(position, "mojibake", name, repaired=repaired)
        if mended:  # at once: each write to a column copies it
            cleaned[name] = pd.Series(mended, dtype="str").reindex(cleaned.index).fillna(cleaned[name])


def _clear_marks(cleaned: pd.DataFrame, found: Findings, schema: RowSchema) -> dict[str, Flags]:
    """Cells that say `#RYD` (rule B4), emptied; by field."""
    marks: dict[str, Flags] = {}
    for name in cleaned.columns:
        suspects = cleaned[name].str.startswith("#")
        if not suspects.any():
            continue
        marked = suspects & cleaned[name].str.upper().isin(CLEAR_MARKS)
        if not marked.any():
            continue
        cleaned[name] = cleaned[name].mask(marked, "")
        marks[str(name)] = marked.to_numpy(dtype=bool)
        if not schema.fields[str(name)].may_clear:
            for position in _positions(marked):
                found.settle(position, "clear_not_allowed", str(name))
    return marks


def _judge_kinds(cleaned: pd.DataFrame, schema: RowSchema, context: Context) -> dict[str, Judged]:
    """Every column cleaned in place by its kind."""
    judged = {}
    for name, column in schema.fields.items():
        if name in cleaned:
            judged[name] = KINDS[column.kind](cleaned[name], column, context)
            cleaned[name] = judged[name].values
    for verdict in judged.values():
        for name, values in verdict.beside.items():
            cleaned[name] = cleaned[name].str.cat(values, sep=";").str.strip(";") if name in cleaned else values
    return judged


def _check(
    cleaned: pd.DataFrame,
    judged: Mapping[str, Judged],
    found: Findings,
    schema: RowSchema,
    marks: Mapping[str, Flags],
    context: Context,
) -> None:
    """All checks of all columns in one pandera schema; its failure cases come back by position and error code."""
    columns = {}
    for name, verdict in judged.items():
        fine = dict(verdict.fine)
        if schema.fields[name].required and context.operation == "import":
            fine = {"required": (cleaned[name] != "") | pd.Series(marks.get(name, False), index=cleaned.index), **fine}
        if fine:
            columns[name] = pa.Column(str, [_prepared(code, flags) for code, flags in fine.items()])
    try:
        pa.DataFrameSchema(columns, strict=False, name=schema.name).validate(cleaned[list(columns)], lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        for position, code, column in zip(cases["index"], cases["check"], cases["column"], strict=True):
            found.report(int(position), str(code), str(column), **judged[column].details.get(code, {}))
    for name, verdict in judged.items():
        for code, flags in verdict.warned.items():
            for position in _positions(flags):
                found.report(position, code, name, warning=True)


def _prepared(code: str, flags: pd.Series[bool]) -> pa.Check:
    """A check known by its error code, whose answer the column's kind has already worked out."""
    return pa.Check(lambda _: flags, name=code, error=code)


def _needs_one_of(cleaned: pd.DataFrame, found: Findings, schema: RowSchema) -> None:
    for fields in schema.needs_one_of:
        present = [name for name in fields if name in cleaned]
        blank = pd.Series(True, index=cleaned.index)
        for name in present:
            blank &= cleaned[name] == ""
        for position in _positions(blank):
            found.report(position, "needs_one_of", (present or list(fields))[0], columns=", ".join(fields))


def _duplicates(cleaned: pd.DataFrame, found: Findings, schema: RowSchema, context: Context) -> None:
    """The second row that names the same record is wrong and names the line of the first (among rows that are fine)."""
    for key in schema.unique:
        if not all(name in cleaned for name in key.columns) or (
            context.match_on and key.match_key not in context.match_on
        ):
            continue
        values = key.comparable(cleaned)
        values = values[(values != "") & ~found.rejected]
        several = values[values.duplicated(keep=False)]
        for _, positions in several.groupby(several, sort=False).groups.items():
            kept: list[int] = []
            for position in map(int, positions):
                twin = next((other for other in kept if _same(cleaned, other, position, key)), None)
                if twin is None:
                    kept = [*kept, position][:MOST_COMPARED]
                else:
                    line = context.lines[twin] if context.lines else twin + 1
                    found.report(position, "duplicate_in_file", key.columns[0], line=line)


def _same(cleaned: pd.DataFrame, left: int, right: int, key: UniqueKey) -> bool:
    """Whether nothing tells two rows of one key apart."""
    for name, compare in key.contradicts.items():
        if name in cleaned:
            first, second = str(cleaned.at[left, name]), str(cleaned.at[right, name])
            if first and second and compare(first) != compare(second):
                return False
    return True


def _positions(flags: pd.Series[bool]) -> list[int]:
    return [int(position) for position in np.flatnonzero(flags.to_numpy(dtype=bool))]
