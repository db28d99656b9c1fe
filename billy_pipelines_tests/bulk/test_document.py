"""A job's JSON document and exit code: what scripts rely on (design.md section 3, runtime.md section 2)."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from billy_pipelines.bulk.document import exit_code, job_document
from billy_pipelines.bulk.verdicts import State, Verdict
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, numbered, run_job, take_in

KEYS = ["job_id", "organization", "resource", "operation", "status", "dry_run", "counts", "warnings", "seconds"]
KEYS += ["files", "progress", "run_id", "errors"]
COUNTS = ["total", "created", "updated", "archived", "deleted", "unchanged", "skipped", "rejected", "failed"]
COUNTS += ["unprocessed"]
BEGUN = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


def job_row(status: State, counts: dict[str, int] | None = None, **more: Any) -> JobRow:
    """A job as it stands in the table. `counts` are those that are not 0; None before any were written."""
    full = {verdict.value: 0 for verdict in Verdict} | (counts or {})
    values: dict[str, Any] = {
        "job_id": "2026-11-22-default-customers-import-3f9a2c1b",
        "organization": "default",
        "resource_type": "customers",
        "operation": "import",
        "status": status,
        "progress": 100.0,
        "total_items": 0 if counts is None else sum(full.values()),
        "counts": {} if counts is None else {"total": sum(full.values()), **full},
        "planned": {"create": 4, "update": 0, "archive": 0, "delete": 0},
        "warnings": {},
        "errors": [],
        "options": {},
        "source": {},
        "upload_name": "customers.csv",
        "upload_sha256": "0" * 64,
        "dagster_run_id": None,
        "launches": 1,
        "launch_wanted": False,
        "message": None,
        "created_at": BEGUN,
        "started_at": BEGUN,
        "completed_at": BEGUN + timedelta(seconds=12, milliseconds=350),
        "updated_at": BEGUN,
    }
    return JobRow.model_validate(values | more)


@pytest.fixture
def folder_only(tmp_path: Path) -> Settings:
    """Settings for what only asks where files are."""
    return Settings(data_dir=tmp_path, environ={})


def test_a_document_has_the_keys_scripts_rely_on_in_their_order(folder_only: Settings) -> None:
    document = job_document(folder_only, job_row(State.COMPLETED, {"created": 3}))
    assert list(document) == KEYS
    assert list(document["counts"]) == COUNTS
    assert json.loads(json.dumps(document)) == document


def test_the_counts_name_every_verdict_and_add_up(folder_only: Settings) -> None:
    given = {verdict.value: number for number, verdict in enumerate(Verdict, start=1)}
    counts = job_document(folder_only, job_row(State.COMPLETED_WITH_ERRORS, given))["counts"]
    assert counts == {"total": 45, **given}


def test_before_a_verdict_is_written_every_row_is_unprocessed(folder_only: Settings) -> None:
    counts = job_document(folder_only, job_row(State.PROCESSING, total_items=7))["counts"]
    assert list(counts) == COUNTS
    assert {name: number for name, number in counts.items() if number} == {"total": 7, "unprocessed": 7}


def test_seconds_run_from_the_start_to_the_end(folder_only: Settings) -> None:
    assert job_document(folder_only, job_row(State.COMPLETED))["seconds"] == 12.35
    assert job_document(folder_only, job_row(State.PENDING, started_at=None, completed_at=None))["seconds"] is None


@pytest.mark.parametrize(
    ("status", "options", "shown"),
    [
        (State.PLANNED, {"dry_run": True}, True),
        (State.PLANNED, {}, True),
        (State.FAILED, {"dry_run": True}, True),
        (State.COMPLETED, {"dry_run": False}, False),
        (State.FAILED, {}, False),
    ],
)
def test_a_plan_stands_beside_the_counts_while_it_is_not_carried_out(
    status: State, options: dict[str, Any], shown: bool, folder_only: Settings
) -> None:
    document = job_document(folder_only, job_row(status, {"unprocessed": 4}, options=options))
    assert document.get("planned") == ({"create": 4, "update": 0, "archive": 0, "delete": 0} if shown else None)
    assert document["dry_run"] is bool(options.get("dry_run"))


def test_only_files_that_are_there_are_named(folder_only: Settings) -> None:
    row = job_row(State.COMPLETED)
    folder = folder_only.jobs_dir / row.job_id
    assert job_document(folder_only, row)["files"] == {"folder": str(folder)}
    folder.mkdir(parents=True)
    for name in ("customers.csv", "results.csv", "report.md", "stray.csv"):
        (folder / name).touch()
    files = {"upload": "customers.csv", "results": "results.csv", "report": "report.md"}
    named = {key: str(folder / name) for key, name in files.items()}
    assert job_document(folder_only, row)["files"] == {"folder": str(folder), **named}


def test_a_command_can_add_to_the_document(folder_only: Settings) -> None:
    document = job_document(folder_only, job_row(State.COMPLETED), repeated=True)
    assert list(document) == [*KEYS, "repeated"]
    assert document["repeated"] is True


FINE = {"created": 5, "updated": 4, "unchanged": 3, "skipped": 2, "archived": 1, "deleted": 1}


@pytest.mark.parametrize(
    ("status", "counts", "code"),
    [
        (State.COMPLETED, FINE, 0),
        (State.COMPLETED, {}, 0),
        (State.COMPLETED_WITH_ERRORS, {**FINE, "rejected": 1}, 3),
        (State.COMPLETED_WITH_ERRORS, {**FINE, "failed": 1}, 3),
        (State.COMPLETED_WITH_ERRORS, {**FINE, "failed": 1, "unprocessed": 9}, 3),
        (State.COMPLETED_WITH_ERRORS, {**FINE, "unprocessed": 9}, 3),
        (State.FAILED, {"unprocessed": 9}, 1),
        (State.FAILED, {**FINE, "unprocessed": 9}, 1),
        (State.CANCELLED, {**FINE, "unprocessed": 9}, 130),
        (State.CANCELLED, {**FINE, "rejected": 1}, 130),
        (State.PLANNED, {"unprocessed": 9, "skipped": 2, "unchanged": 1}, 0),
        (State.PLANNED, {"unprocessed": 9, "rejected": 1}, 3),
        (State.INTERRUPTED, {**FINE, "unprocessed": 9}, 1),
    ],
)
def test_the_exit_code_tells_how_a_job_ended(status: State, counts: dict[str, int], code: int) -> None:
    assert exit_code(job_row(status, counts)) == code


def test_a_job_that_has_not_ended_is_no_success() -> None:
    running = [State.PENDING, State.VALIDATING, State.PROCESSING]
    assert [exit_code(job_row(state, {"created": 1})) for state in running] == [1, 1, 1]


# -- documents of real jobs --------------------------------------------------------------------------------------------


def _take_in(settings: Settings, engine: Engine, folder: Path, rows: list[dict[str, str]], **options: Any) -> str:
    return take_in(settings, engine, customers_csv(folder / "customers.csv", rows), **options).job.job_id


def _told(settings: Settings, row: JobRow) -> tuple[dict[str, Any], int]:
    """The document, whose counts add up to the rows of the file, and the exit code."""
    document = job_document(settings, row)
    verdicts = {name: number for name, number in document["counts"].items() if name != "total"}
    assert sum(verdicts.values()) == document["counts"]["total"] == row.total_items
    return document, exit_code(row)


def test_a_job_with_some_wrong_rows_ends_with_3_and_files_that_are_there(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.sandbox.add_contacts([{"name": "Kunde 00000 ApS"}])
    rows = [*numbered(4), {"name": "", "email": "x@"}, {"name": "Vagt ApS", "vatNo": "00000000"}]
    document, code = _told(settings, run_job(settings, engine, _take_in(settings, engine, tmp_path, rows)))
    assert (document["status"], code) == ("completed_with_errors", 3)
    assert document["counts"] == {**document["counts"], "total": 6, "created": 4, "skipped": 1, "rejected": 1}
    assert document["warnings"] == {"vat_placeholder": 1}
    assert set(document["files"]) == {"folder", "upload", "plan", "plan_summary", "results", "rejected", "report"}
    assert all(Path(path).exists() for path in document["files"].values())


@pytest.mark.parametrize(("dry_run", "status"), [(False, "completed"), (True, "planned")])
def test_a_job_with_all_rows_fine_ends_with_0(
    dry_run: bool, status: str, settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    job_id = _take_in(settings, engine, tmp_path, numbered(3), dry_run=dry_run)
    document, code = _told(settings, run_job(settings, engine, job_id))
    assert (document["status"], document["dry_run"], code) == (status, dry_run, 0)
    assert document["counts"]["unprocessed" if dry_run else "created"] == 3


def test_a_refused_token_ends_with_1_and_every_row_unprocessed(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.sandbox.switch(revoked_after=0)
    job_id = _take_in(settings, engine, tmp_path, numbered(3))
    document, code = _told(settings, run_job(settings, engine, job_id))
    assert (document["status"], document["counts"]["unprocessed"], code) == ("failed", 3, 1)
    assert [error["code"] for error in document["errors"]] == ["token_refused"]


def test_a_cancelled_job_ends_with_130_and_the_rest_unprocessed(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    stop = asyncio.Event()
    stop.set()
    job_id = _take_in(settings, engine, tmp_path, numbered(3))
    document, code = _told(settings, run_job(settings, engine, job_id, stop=stop))
    assert (document["status"], document["counts"]["unprocessed"], code) == ("cancelled", 3, 130)
    assert not sandbox.sandbox.ledger
