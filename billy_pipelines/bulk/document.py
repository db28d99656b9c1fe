"""The JSON of a job (design.md section 3): what the command prints, the MCP tools return and scripts rely on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from billy_pipelines.bulk.context import job_folder, upload_path
from billy_pipelines.bulk.verdicts import FINISHED, RESUMABLE, State, Verdict, tally
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.settings import Settings

FILES = {
    "plan": "plan.csv",
    "plan_summary": "plan.md",
    "results": "results.csv",
    "rejected": "rejected.csv",
    "failed": "failed.csv",
    "unprocessed": "unprocessed.csv",
    "report": "report.md",
}


def job_document(settings: Settings, row: JobRow, **more: Any) -> dict[str, Any]:
    """One job as a document. `more` is added (for example `repeated`)."""
    folder = job_folder(settings, row.job_id)
    files = {key: str(folder / name) for key, name in FILES.items() if (folder / name).exists()}
    upload = upload_path(settings, row.job_id, row.upload_name)
    document: dict[str, Any] = {
        "job_id": row.job_id,
        "organization": row.organization,
        "resource": row.resource_type,
        "operation": row.operation,
        "status": row.status,
        "dry_run": bool(row.options.get("dry_run")),
        "counts": {"total": row.total_items, **{verdict.value: row.counts.get(verdict, 0) for verdict in Verdict}}
        if row.counts
        else tally({}, row.total_items),
        "warnings": row.warnings,
        "seconds": _seconds(row),
        "files": {"folder": str(folder), **({"upload": str(upload)} if upload.exists() else {}), **files},
        "progress": row.progress,
        "run_id": row.dagster_run_id,
        "errors": row.errors,
    }
    if row.status == State.PLANNED or row.options.get("dry_run"):
        document["planned"] = row.planned
    if row.status == State.PLANNED and row.completed_at is not None and not row.options.get("dry_run"):
        document["message"] = row.message  # what the plan waits for
    return document | more


def _seconds(row: JobRow) -> float | None:
    if row.started_at is None:
        return None
    end = row.completed_at or datetime.now(UTC)
    return round((end - row.started_at).total_seconds(), 2)


def exit_code(row: JobRow) -> int:
    """0 all rows fine, 3 some rejected or failed, 1 the job failed, 130 cancelled (design.md section 3)."""
    if row.status == State.CANCELLED:
        return 130
    counts = row.counts
    if row.status in FINISHED or row.status == State.PLANNED:
        bad = counts.get(Verdict.REJECTED, 0) + counts.get(Verdict.FAILED, 0)
        if row.status in FINISHED:
            bad += counts.get(Verdict.UNPROCESSED, 0)
        return 3 if bad else 0
    return 1 if row.status in (*RESUMABLE, State.PENDING, State.VALIDATING, State.PROCESSING) else 0
