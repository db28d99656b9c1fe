"""What a step leaves on its asset: counts, paths, a Markdown summary, the first rejects as a table (values masked)."""

from __future__ import annotations

from typing import Any

import dagster as dg

from billy_pipelines.bulk import reports
from billy_pipelines.bulk.approval_report import approval_metadata
from billy_pipelines.bulk.context import JobContext
from billy_pipelines.bulk.document import job_document
from billy_pipelines.bulk.reading import Checked, Upload

MOST_COLUMNS_NAMED = 50

Metadata = dict[str, Any]


def of_rows(job: JobContext, upload: Upload) -> Metadata:
    """The file as it was read."""
    described = upload.described()
    unknown = described["unknown_columns"]
    aside = described.pop("set_aside")
    for shown_elsewhere in ("columns", "unknown_columns", "ignored_columns", "remembered_mapping"):
        described.pop(shown_elsewhere)
    return {
        "dagster/row_count": len(upload.table.lines),
        "file": dg.MetadataValue.path(str(job.upload)),
        "read_as": dg.MetadataValue.md("\n".join(reports.understanding(upload.described()))),
        **{name: value for name, value in described.items() if value not in ("", None)},
        "columns": dg.MetadataValue.json(upload.headers.fields),
        "columns_not_used": dg.MetadataValue.json(dict(list(unknown.items())[:MOST_COLUMNS_NAMED])),
        "lines_set_aside": len(aside),
    }


def of_valid_rows(job: JobContext, checked: Checked) -> Metadata:
    """How the rows passed validation."""
    return {
        "dagster/row_count": len(checked.upload.table.lines) - checked.rejected,
        "rejected": checked.rejected,
        "errors_by_code": dg.MetadataValue.json(dict(checked.errors)),
        "warnings_by_code": dg.MetadataValue.json(dict(checked.warnings)),
        "first_rejects": rejects_table(job),
    }


def of_completed(job: JobContext) -> Metadata:
    """A run of a job that was completed before it."""
    return {"status": job.row.status, "told": "The job was completed before this run, which did nothing in it."}


def of_plan(job: JobContext) -> Metadata:
    """What is going to happen."""
    return {
        "books_of": job.row.message or "",
        **{f"planned_{action}": number for action, number in job.row.planned.items()},
        "plan": dg.MetadataValue.path(str(job.folder / "plan.csv")),
        "summary": dg.MetadataValue.md((job.folder / "plan.md").read_text(encoding="utf-8")),
        "first_rejects": rejects_table(job),
    }


def of_sync(job: JobContext) -> Metadata:
    """How it ended."""
    document = job_document(job.settings, job.row)
    counts = document["counts"]
    return {
        "dagster/row_count": counts["total"],
        "status": job.row.status,
        **{verdict: number for verdict, number in counts.items() if verdict != "total"},
        **approval_metadata(job),
        "seconds": document["seconds"] or 0.0,
        "summary": dg.MetadataValue.md(reports.report_text(job, document)),
        "first_rejects": rejects_table(job),
        # "rejected" and "failed" are counts above and files here: a name of their own, or one hides the other.
        **{f"{name}_file": dg.MetadataValue.path(path) for name, path in document["files"].items() if name != "folder"},
        "folder": dg.MetadataValue.path(document["files"]["folder"]),
    }


def rejects_table(job: JobContext) -> dg.TableMetadataValue:
    """The first 50 rejects; the full list is rejected.csv."""
    columns = [dg.TableColumn("line", "int"), *(dg.TableColumn(n) for n in ("column", "value", "code", "message"))]
    records = [dg.TableRecord(row) for row in reports.reject_rows(job)]
    return dg.MetadataValue.table(records, dg.TableSchema(columns))
