"""What changed between two snapshots: Billy has no change feed, this is one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from billy_pipelines.exports.forms import write_csv, write_parquet
from billy_pipelines.exports.tables import JSON, parent_column, schemas_of
from billy_pipelines.files.snapshots import ROWS, Snapshot
from billy_pipelines.files.writing import replacing
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.schemas.row_schema import Kind

COLUMNS = ("change", "table", "id", "record", "name", "field", "old", "new")
SCHEMA = pa.schema([pa.field(name, pa.string()) for name in COLUMNS])
ADDED, REMOVED, CHANGED = "added", "removed", "changed"
_NAMES = ("name", "invoiceNo")
"""Columns that tell people which record it is."""


@dataclass(frozen=True)
class Changes:
    """The differences of two snapshots of one resource.

    `table` has a row per record added or removed and per field changed: `change` (added, removed, changed), `table`
    (the resource's or its children's), `id`, `record` (the id of the record a child belongs to), `name`, `field`,
    `old`, `new`.
    """

    table: pa.Table
    added: int
    """Records, as the next two; children count for their record."""
    removed: int
    changed: int

    @property
    def counts(self) -> dict[str, int]:
        """`{"added": …, "removed": …, "changed": …}`."""
        return {ADDED: self.added, REMOVED: self.removed, CHANGED: self.changed}


def changes_between(old: Snapshot | None, new: Snapshot) -> Changes:
    """What is different in `new`; without an old one nothing is (there is nothing to compare with).

    Raises:
        SnapshotDamaged
    """
    if old is None:
        return Changes(SCHEMA.empty_table(), 0, 0, 0)
    resource = RESOURCES[new.manifest.resource]
    parts, records = [], {ADDED: pa.array([], pa.string()), REMOVED: pa.array([], pa.string())}
    names = _names(old, new)
    for name in schemas_of(resource):
        if name == ROWS:
            continue
        before, after = _comparable(old, name), _comparable(new, name)
        parent = parent_column(resource, name)
        found = _differences(before, after, name, parent)
        if name == resource.name:
            for kind in records:
                records[kind] = _where(found, "change", kind).column("id").combine_chunks()
        parts.append(found)
    table = pa.concat_tables(parts)
    places = pc.index_in(table.column("record"), value_set=names[0])
    table = table.set_column(COLUMNS.index("name"), "name", names[1].take(places))
    touched = pc.unique(table.column("record"))
    others = pc.invert(pc.is_in(touched, value_set=pa.concat_arrays(list(records.values()))))
    return Changes(table, len(records[ADDED]), len(records[REMOVED]), len(touched.filter(others)))


def write_changes(changes: Changes, snapshot: Snapshot) -> tuple[Path, Path]:
    """Write `changes.csv` and `changes.parquet` into the snapshot's folder.

    Raises:
        OSError
    """
    kinds = dict.fromkeys(COLUMNS, Kind.TEXT)
    csv, parquet = snapshot.folder / "changes.csv", snapshot.folder / "changes.parquet"
    with replacing(csv) as file:
        write_csv(file, kinds, changes.table.to_batches(), danish=True)
    with replacing(parquet) as file:
        write_parquet(file, kinds, changes.table.to_batches())
    return csv, parquet


def _comparable(snapshot: Snapshot, name: str) -> pa.Table:
    columns = [field.name for field in schemas_of(RESOURCES[snapshot.manifest.resource])[name] if field.name != JSON]
    return snapshot.table(name, columns)


def _names(old: Snapshot, new: Snapshot) -> tuple[pa.Array, pa.Array]:
    """Ids of all records, and what people call them; the newer name first."""
    resource = RESOURCES[new.manifest.resource].name
    known = schemas_of(RESOURCES[resource])[resource].names
    column = next((name for name in _NAMES if name in known), "id")
    tables = [snapshot.table(resource, list(dict.fromkeys(["id", column]))) for snapshot in (new, old)]
    ids, names = (pa.concat_tables(tables).column(name).combine_chunks() for name in ("id", column))
    return ids, names


def _differences(before: pa.Table, after: pa.Table, name: str, parent: str) -> pa.Table:
    """The rows that tell how one table became the other."""
    was = pc.index_in(after.column("id"), value_set=before.column("id").combine_chunks())
    gone = before.filter(pc.invert(pc.is_in(before.column("id"), value_set=after.column("id").combine_chunks())))
    stayed = after.filter(pc.is_valid(was))
    earlier = before.take(pc.drop_null(was))
    parts = [
        _told(after.filter(pc.is_null(was)), ADDED, name, parent),
        _told(gone, REMOVED, name, parent),
    ]
    for field in after.column_names:
        one, other = (_text(table.column(field)) for table in (earlier, stayed))
        differ = pc.not_equal(one, other)
        if pc.any(differ).as_py():
            parts.append(
                _told(stayed.filter(differ), CHANGED, name, parent, field, one.filter(differ), other.filter(differ))
            )
    return pa.concat_tables(parts)


def _text(column: Any) -> Any:
    """Values as text; nothing and '' are the same to Billy's users."""
    return pc.fill_null(column.cast(pa.string()), "")


def _told(
    rows: pa.Table, change: str, name: str, parent: str, field: str | None = None, old: Any = None, new: Any = None
) -> pa.Table:
    count = rows.num_rows
    nothing = pa.nulls(count, pa.string())
    columns = {
        "change": pa.repeat(change, count),
        "table": pa.repeat(name, count),
        "id": rows.column("id"),
        "record": rows.column(parent),
        "name": nothing,
        "field": nothing if field is None else pa.repeat(field, count),
        "old": nothing if old is None else old,
        "new": nothing if new is None else new,
    }
    return pa.table(columns, schema=SCHEMA)


def _where(table: pa.Table, column: str, value: str) -> pa.Table:
    return table.filter(pc.equal(table.column(column), value))
