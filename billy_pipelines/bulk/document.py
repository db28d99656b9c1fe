"""The JSON of a job (design.md section 3): what the command prints, the MCP tools return and scripts rely on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from billy_pipelines.bulk.context import job_folder, upload_path
from billy_pipelines.bulk.verdicts import FINISHED, RESUMABLE, State, UndoVerdict, Verdict, tally, verdicts_of
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.settings import Settings

FILES = {
    "plan": "plan.csv",
    "plan_summary": "plan.md",
    "plan_missing": "plan_missing.csv",
    "results": "results.csv",
    "rejected": "rejected.csv",
    "failed": "failed.csv",
    "unprocessed": "unprocessed.csv",
    "undo": "undo.csv",
    "credit_notes": "credit_notes.csv",
    "report": "report.md",
}


def job_document(settings: Settings, row: JobRow, **more: Any) -> dict[str, Any]:
    """One job as a document. `more` is added (for example `repeated`)."""
    folder = job_folder(settings, row.job_id)
    files = {key: str(folder / name) for key, name in FILES.items() if (folder / name).exists()}
    upload = upload_path(settings, row.job_id, row.upload_name)
    verdicts = [str(verdict) for verdict in verdicts_of(row.operation)]
    document: dict[str, Any] = {
        "job_id": row.job_id,
        "organization": row.organization,
        "resource": row.resource_type,
        "operation": row.operation,
        "status": row.status,
        "dry_run": bool(row.options.get("dry_run")),
        "counts": {"total": row.total_items, **{verdict: row.counts.get(verdict, 0) for verdict in verdicts}}
        if row.counts
        else tally({}, row.total_items, verdicts),
        "warnings": row.warnings,
        "seconds": _seconds(row),
        "files": {"folder": str(folder), **({"upload": str(upload)} if upload.exists() else {}), **files},
        "progress": row.progress,
        "run_id": row.dagster_run_id,
        "errors": row.errors,
    }
    if row.status == State.PLANNED or row.options.get("dry_run"):
        document["planned"] = row.planned
    if row.undoes:
        document["undoes"] = row.undoes
    if row.status in (State.UNDOING, State.UNDONE, State.UNDONE_PARTLY):
        document["undone_by"] = row.source.get("undone_by")
    if row.part_of:
        document["part_of"] = row.part_of
    if row.options.get("create_missing"):
        made = row.source.get("on_the_way") or {}
        document["made_on_the_way"] = {name: each["made"] for name, each in made.items()}
        if row.status == State.PLANNED:
            document["planned_on_the_way"] = {name: each["planned"] for name, each in made.items()}
    if row.status == State.PLANNED and row.completed_at is not None and not row.options.get("dry_run"):
        document["message"] = row.message  # what the plan waits for
    return document | more


def _seconds(row: JobRow) -> float | None:
    if row.started_at is None:
        return None
    end = row.completed_at or datetime.now(UTC)
    return round((end - row.started_at).total_seconds(), 2)


def exit_code(row: JobRow) -> int:
    """0 all rows fine, 3 some rejected, failed or kept by an undo, 1 the job failed, 130 cancelled."""
    if row.status == State.CANCELLED:
        return 130
    counts = row.counts
    if row.status in FINISHED or row.status == State.PLANNED:
        bad = sum(counts.get(verdict, 0) for verdict in (Verdict.REJECTED, Verdict.FAILED, UndoVerdict.KEPT))
        if row.status in FINISHED:
            bad += counts.get(Verdict.UNPROCESSED, 0)
        return 3 if bad else 0
    return 1 if row.status in (*RESUMABLE, State.PENDING, State.VALIDATING, State.PROCESSING) else 0
