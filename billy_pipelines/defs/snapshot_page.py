"""What a snapshot's page shows: figures that make a plot over time, schema, ten rows, paths, and three checks.

The checks stop nothing: the files are what Billy had, good or bad. They are partitioned as the snapshots are, or the
last organization's would hide all others'.
"""

from __future__ import annotations

import warnings
from typing import Any

import dagster as dg

from billy_pipelines.defs.nights import NIGHTS
from billy_pipelines.exports.nightly import Nightly
from billy_pipelines.exports.summary import Summary
from billy_pipelines.files.snapshots import Snapshot

MOST_LOST = 0.2
"""Share of the rows of the night before that may be gone."""
CHECKS = {
    "row_count": "At most 20 % fewer rows than the snapshot before.",
    "unique_ids": "Every record is there once.",
    "names": "Every record has a name (an invoice: a contact).",
}


def check_specs(asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The checks of one resource's snapshot."""
    with warnings.catch_warnings():
        # Partitions on checks are a preview in 1.13, used on purpose (see defs/checks.py).
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(name, asset=asset, partitions_def=NIGHTS, description=text)
            for name, text in CHECKS.items()
        ]


def check_results(summary: Summary, before: Snapshot | None) -> list[dg.AssetCheckResult]:
    """The snapshot judged by its figures and by the one before, if there is one."""
    return [
        _row_count(summary.rows, before),
        dg.AssetCheckResult(
            check_name="unique_ids", passed=not summary.duplicates, metadata={"duplicates": summary.duplicates}
        ),
        dg.AssetCheckResult(
            check_name="names",
            passed=not summary.nameless,
            severity=dg.AssetCheckSeverity.WARN,  # that is how it stands in Billy, and only a person can put it right
            metadata={"empty": summary.nameless, "column": summary.named_by},
        ),
    ]


def _row_count(rows: int, before: Snapshot | None) -> dg.AssetCheckResult:
    then = before.manifest.records if before is not None else rows
    return dg.AssetCheckResult(
        check_name="row_count",
        passed=rows >= (1 - MOST_LOST) * then,
        severity=dg.AssetCheckSeverity.WARN,
        description=None if rows >= (1 - MOST_LOST) * then else f"{rows:,} rows; the snapshot before had {then:,}.",
        metadata={
            "rows": rows,
            "rows_before": then,
            "snapshot_before": before.manifest.day.isoformat() if before is not None else "none",
        },
    )


def metadata_of(nightly: Nightly, summary: Summary) -> dict[str, Any]:
    """Everything about a night: what it is, how it was read, what changed, where the files are."""
    about = nightly.snapshot.manifest
    found: dict[str, Any] = {
        "dagster/row_count": summary.rows,
        "dagster/column_schema": dg.TableSchema([dg.TableColumn(name, kind) for name, kind in summary.columns]),
        "preview": _preview(summary),
        "company": about.company_name,
        "taken_at": dg.MetadataValue.timestamp(about.taken_at),
        "seconds": about.seconds,
        "requests": about.requests,
        "readings_of_the_list": about.passes,
        "records_whose_children_are_unread": about.unread_children,
        "folder": dg.MetadataValue.path(str(nightly.snapshot.folder)),
        "changes_file": dg.MetadataValue.path(str(nightly.changes_file)),
        **{f"{name}_file": dg.MetadataValue.path(str(file.path)) for name, file in nightly.files.items()},
    }
    if nightly.before is not None:  # without one nothing is known to have changed, which is not 0
        found |= {"compared_with": nightly.before.manifest.day.isoformat(), **nightly.changes.counts}
    return found


def _preview(summary: Summary) -> dg.TableMetadataValue:
    records = [
        dg.TableRecord({name: "" if value is None else value for name, value in row.items()}) for row in summary.preview
    ]
    shown = list(summary.preview[0]) if summary.preview else ["id"]
    return dg.MetadataValue.table(records, dg.TableSchema([dg.TableColumn(name) for name in shown]))
