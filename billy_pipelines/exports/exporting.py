"""Files out of a snapshot: chosen columns, chosen rows, in the form a program or a Danish Excel opens right."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from billy_pipelines.exports import forms
from billy_pipelines.exports.tables import export_of
from billy_pipelines.exports.workbook import DoesNotFit, write_workbook
from billy_pipelines.files.snapshots import ROWS, Manifest, Snapshot
from billy_pipelines.files.writing import make_folder, replacing
from billy_pipelines.schemas.cleaning import comparable, comparable_column
from billy_pipelines.schemas.kinds import KINDS
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.schemas.resource import Resource
from billy_pipelines.schemas.row_schema import ORIGIN_ORGANIZATION, ORIGIN_SNAPSHOT, Context, Kind

E = TypeVar("E", bound=StrEnum)


class Format(StrEnum):
    """The forms of an exported file."""

    csv = "csv"
    xlsx = "xlsx"
    json = "json"
    ndjson = "ndjson"
    parquet = "parquet"


class Locale(StrEnum):
    """How numbers, dates and the CSV itself are written. Names of columns are the same in both."""

    da = "da"
    en = "en"


class ExportError(Exception):
    """What was asked for cannot be exported; the text says what is known."""


@dataclass(frozen=True)
class Exported:
    """A written file. `rows`: those in it (an invoice has one per line)."""

    path: Path
    rows: int
    seconds: float


def columns_of(resource: str) -> tuple[str, ...]:
    """Every column a resource can be exported with."""
    return export_of(_resource(resource)).columns


def default_columns(resource: str) -> tuple[str, ...]:
    """The columns of an export that names none."""
    export = export_of(_resource(resource))
    return export.default_columns or export.columns


def check_request(
    resource: str,
    *,
    format: Format | str,  # noqa: A002 - as the option is called
    filters: Sequence[str],
    columns: Sequence[str],
    locale: Locale | str,
) -> None:
    """Whether an export can be made at all, before a snapshot is taken for it.

    Raises:
        ExportError
    """
    _member(Format, format, "format")
    _member(Locale, locale, "locale")
    _chosen_columns(resource, columns)
    _conditions(_resource(resource), filters)


def export_file(
    snapshot: Snapshot,
    *,
    format: Format | str,  # noqa: A002 - as the option is called
    filters: Sequence[str] = (),
    columns: Sequence[str] = (),
    locale: Locale | str = Locale.da,
    out: Path,
) -> Exported:
    """Write the rows of a snapshot that fit all filters (`isArchived=false`) as one file, whole or not at all.

    No columns: the resource's default ones. Behind them stand `billyOrganization` and `billySnapshot` (rule B22).

    Raises:
        ExportError: an unknown format, column or filter, or more than a sheet of Excel holds.
        SnapshotDamaged
        OSError: the file cannot be written.
    """
    began = time.perf_counter()
    chosen, manner = _member(Format, format, "format"), _member(Locale, locale, "locale")
    resource = _resource(snapshot.manifest.resource)
    names = _chosen_columns(resource.name, columns)
    conditions = _conditions(resource, filters)
    kinds = {name: resource.schema.fields[name].kind for name in (*names, ORIGIN_ORGANIZATION, ORIGIN_SNAPSHOT)}
    make_folder(out.parent)
    try:
        with replacing(out) as file:
            rows = _write(file, chosen, manner, kinds, snapshot, names, conditions)
    except DoesNotFit as error:
        raise ExportError(f"{error} Filter the rows, or export CSV or Parquet.") from error
    return Exported(out, rows, time.perf_counter() - began)


def _write(
    file: BinaryIO,
    chosen: Format,
    manner: Locale,
    kinds: Mapping[str, Kind],
    snapshot: Snapshot,
    names: Sequence[str],
    conditions: Mapping[str, str],
) -> int:
    batches, danish = _batches(snapshot, names, conditions), manner is Locale.da
    if chosen is Format.csv:
        return forms.write_csv(file, kinds, batches, danish=danish)
    if chosen is Format.xlsx:
        return write_workbook(file, kinds, batches, _count(snapshot, conditions), danish=danish)
    plain = {Format.json: forms.write_json, Format.ndjson: forms.write_ndjson, Format.parquet: forms.write_parquet}
    return plain[chosen](file, kinds, batches)


def _count(snapshot: Snapshot, conditions: Mapping[str, str]) -> int:
    if not conditions:
        return snapshot.manifest.rows[ROWS]
    return sum(batch.num_rows for batch in _batches(snapshot, list(conditions), conditions))


def _batches(snapshot: Snapshot, names: Sequence[str], conditions: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    """The chosen rows and columns, with where they are from."""
    wanted = list(dict.fromkeys([*names, *conditions]))
    for batch in snapshot.batches(ROWS, wanted):
        for name, value in conditions.items():
            batch = batch.filter(_fits(batch.column(name), value))
        yield pa.record_batch(
            [*(batch.column(name) for name in names), *_origin(snapshot.manifest, batch.num_rows)],
            names=[*names, ORIGIN_ORGANIZATION, ORIGIN_SNAPSHOT],
        )


def _origin(manifest: Manifest, rows: int) -> list[Any]:
    return [pa.repeat(pa.scalar(value), rows) for value in (manifest.billy_organization_id, manifest.stamp)]


def _fits(column: Any, value: str) -> Any:
    """Whether each cell is that value, compared as names and keys are compared everywhere."""
    words = pc.fill_null(column, "").dictionary_encode()
    texts = pd.Series(words.dictionary.to_pylist(), dtype="str")
    fitting = pa.array((comparable_column(texts) == value).to_numpy(dtype=bool))
    return fitting.take(words.indices)


def _conditions(resource: Resource[Any], filters: Sequence[str]) -> dict[str, str]:
    """Field -> the value its cells must have, read as an import reads cells: `isArchived=nej` and
    `country=Danmark` are as good as `false` and `DK`."""
    known = columns_of(resource.name)
    found: dict[str, str] = {}
    for text in filters:
        name, sign, value = text.partition("=")
        name = name.strip()
        if not sign or name not in known:
            raise ExportError(
                f"The filter {text!r} names no column of {resource.name}. Write it as country=DK. "
                f"Known columns: {', '.join(known)}."
            )
        if name in found:
            raise ExportError(f"There are two filters for {name}; a row cannot fit both.")
        column = resource.schema.fields[name]
        judged = KINDS[column.kind](pd.Series([value.strip()], dtype="str"), column, Context(decimal="auto"))
        if not all(bool(fine.iloc[0]) for fine in judged.fine.values()):
            words = f" Known values: {', '.join(column.choices)}." if column.choices else ""
            raise ExportError(f"{value.strip()!r} is no value that {name} can have.{words}")
        found[name] = comparable(str(judged.values.iloc[0]))
    return found


def _chosen_columns(resource: str, columns: Sequence[str]) -> tuple[str, ...]:
    known = columns_of(resource)
    chosen = tuple(
        dict.fromkeys(
            name.strip() for name in columns if name.strip() not in ("", ORIGIN_ORGANIZATION, ORIGIN_SNAPSHOT)
        )
    )
    if unknown := [name for name in chosen if name not in known]:
        raise ExportError(f"{resource} has no column {', '.join(unknown)}. Known columns: {', '.join(known)}.")
    return chosen or default_columns(resource)


def _member(kind: type[E], value: E | str, what: str) -> E:
    try:
        return kind(value)
    except ValueError:
        raise ExportError(f"There is no {what} {str(value)!r}. Known: {', '.join(kind)}.") from None


def _resource(name: str) -> Resource[Any]:
    if name not in RESOURCES or RESOURCES[name].export is None:
        known = ", ".join(each for each, resource in RESOURCES.items() if resource.export is not None)
        raise ExportError(f"{name!r} cannot be exported. Known: {known}.")
    return RESOURCES[name]
