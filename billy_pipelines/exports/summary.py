"""A snapshot in a few figures and ten rows: what its page shows and its checks judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from billy_pipelines.files.snapshots import Snapshot

PREVIEW_ROWS = 10
_NAMES = ("name",)
_PLAIN = (
    "id",
    "type",
    "invoiceNo",
    "productNo",
    "countryId",
    "currencyId",
    "entryDate",
    "dueDate",
    "state",
    "amount",
    "tax",
    "balance",
    "isPaid",
    "isCustomer",
    "isSupplier",
    "isArchived",
    "createdTime",
)
"""Columns a preview may show: a list of what is allowed, so that a new one of Billy's is not shown by itself."""
_NAMED_BY = ("name", "contactId")
"""What must not be empty: the record's name, or whose it is (an invoice)."""


@dataclass(frozen=True)
class Summary:
    """Figures of one snapshot."""

    rows: int
    duplicates: int
    """Rows whose id another row has too."""
    named_by: str
    nameless: int
    """Rows that say nothing in that column."""
    columns: tuple[tuple[str, str], ...]
    """Name and type of each column of the resource's table, from its schema."""
    preview: tuple[dict[str, Any], ...]
    """The first ten rows, without what is personal beyond names."""


def summarize(snapshot: Snapshot, *, names: bool = True) -> Summary:
    """Read what is needed of the resource's table: two columns whole, ten rows.

    Raises:
        SnapshotDamaged
    """
    resource = snapshot.manifest.resource
    schema = _schema(snapshot, resource)
    named_by = next(column for column in _NAMED_BY if column in schema.names)
    batches = list(snapshot.batches(resource, ["id", named_by]))
    table = pa.Table.from_batches(batches, pa.schema([schema.field("id"), schema.field(named_by)]))
    shown = [column for column in schema.names if column in _PLAIN or (names and column in _NAMES)]
    empty = pc.equal(pc.utf8_trim_whitespace(pc.fill_null(table[named_by], "")), "")
    return Summary(
        rows=table.num_rows,
        duplicates=table.num_rows - pc.count_distinct(table["id"], mode="all").as_py(),
        named_by=named_by,
        nameless=pc.sum(empty).as_py() or 0,
        columns=tuple((field.name, str(field.type)) for field in schema),
        preview=tuple(_first_rows(snapshot, resource, shown)),
    )


def _schema(snapshot: Snapshot, table: str) -> pa.Schema:
    return pq.read_schema(snapshot.path(table))


def _first_rows(snapshot: Snapshot, table: str, columns: list[str]) -> list[dict[str, Any]]:
    first = next(snapshot.batches(table, columns), None)
    rows: list[dict[str, Any]] = first.slice(0, PREVIEW_ROWS).to_pylist() if first is not None else []
    return rows
