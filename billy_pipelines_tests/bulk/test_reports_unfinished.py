"""Rows that did not get through: failed.csv and unprocessed.csv, and rejects that only the plan could see (B23)."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from sqlalchemy import Engine

from billy_pipelines.bulk import reports
from billy_pipelines.bulk.context import JobContext, load_job
from billy_pipelines.files.table import ERROR_COLUMNS
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.sandbox.reference import countries
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import run_job, take_in


def _run(settings: Settings, engine: Engine, file: Path, content: str | None = None) -> JobContext:
    if content is not None:
        file.write_text(content, encoding="utf-8")
    job_id = take_in(settings, engine, file).job.job_id
    run_job(settings, engine, job_id)
    return load_job(settings, engine, job_id)


def _rows(job: JobContext, name: str) -> list[dict[str, str]]:
    with (job.folder / name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=";", strict=True))


def test_rows_billy_refuses_stand_in_failed_with_their_own_cells_and_billys_reason(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(countries(), "TV")  # known to us and not to the sandbox, as any rule of Billy's could be
    job = _run(settings, engine, tmp_path / "k.csv", "Note;Navn;Land\n007;A ApS;TV\n;B ApS;\n")
    [failed] = _rows(job, "failed.csv")
    assert list(failed) == ["Note", "Navn", "Land", *ERROR_COLUMNS]
    assert [failed[name] for name in ("Note", "Navn", "Land", "line", "code")] == [
        *("007", "A ApS", "TV", "2", "billy_refused")
    ]
    assert "countryId" in failed["message"]
    assert f"`billy retry {job.job_id}`" in (job.folder / "report.md").read_text(encoding="utf-8")
    monkeypatch.undo()
    assert run_job(settings, engine, job.job_id).counts["created"] == 2
    assert not (job.folder / "failed.csv").exists()


def test_a_job_that_ended_before_it_read_its_rows_still_answers_for_each_of_them(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    job = _run(settings, engine, tmp_path / "k.csv", "city;email\nÅrhus;a@kunde.example\nRy;b@kunde.example\n")
    assert (job.row.status, job.row.counts["unprocessed"], job.row.counts["total"]) == ("failed", 2, 2)
    results = [(row["line"], row["verdict"]) for row in _rows(job, "results.csv")]
    assert results == [("2", "unprocessed"), ("3", "unprocessed")]
    assert [row["city"] for row in _rows(job, "unprocessed.csv")] == ["Århus", "Ry"]


def test_rows_the_gate_kept_back_can_be_dropped_again_as_they_are(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    job = _run(settings, engine, tmp_path / "k.csv", "name;email\n" + "Fejl ApS;x@\n" * 6 + "God ApS;\n")
    assert job.row.errors[-1]["code"] == "too_many_rejected"
    assert not sandbox.sandbox.ledger
    assert [row["name"] for row in _rows(job, "unprocessed.csv")] == ["God ApS"]
    again = _run(settings, engine, job.folder / "unprocessed.csv")
    assert (again.row.status, again.row.counts["created"]) == ("completed", 1)


def test_b23_a_reject_of_the_plan_is_masked_for_dagster_and_named_as_in_the_file(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.sandbox.add_contacts([{"name": "Fælles ApS", "contactNo": str(number)} for number in (1, 2)])
    job = _run(settings, engine, tmp_path / "k.csv", "Navn;Kundenr\nFælles ApS;\n")
    [shown] = reports.reject_rows(job)
    assert (shown["line"], shown["column"], shown["code"]) == (2, "Navn", "ambiguous_match")
    assert shown["value"] == "F•••••••"
    assert "Fælles" not in str(shown)
