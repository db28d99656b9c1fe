"""A mapping that has brought a job to its end is what such files mean from then on, for that organization only."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from billy_pipelines.bulk.context import load_job
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import run_job, take_in

MAPPING = {"Medlem": "name", "Mrk.": "contactNo"}


def hand_in(settings: Settings, engine: Engine, folder: Path, name: str, number: int, **options: object) -> JobRow:
    file = folder / "medlemmer.csv"
    file.write_text(f"Medlem;Mrk.\n{name};{number}\n", encoding="utf-8")
    return run_job(settings, engine, take_in(settings, engine, file, **options).job.job_id)


def test_it_is_remembered_after_a_job_that_went_well_and_said_in_the_report(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    refused = hand_in(settings, engine, tmp_path, "Anna", 1)
    assert (refused.status, refused.errors[-1]["code"]) == ("failed", "missing_column")
    assert hand_in(settings, engine, tmp_path, "Bo", 2, mapping=MAPPING).status == "completed"
    again = hand_in(settings, engine, tmp_path, "Carl", 3)
    assert again.status == "completed"
    assert again.source["remembered_mapping"] == MAPPING
    report = (load_job(settings, engine, again.job_id).folder / "report.md").read_text(encoding="utf-8")
    assert "As confirmed for such files before: `Mrk.` is contactNo, `Medlem` is name." in report
    assert sorted((str(c["name"]), str(c["contactNo"])) for c in sandbox.sandbox.contacts) == [
        ("Bo", "2"),
        ("Carl", "3"),
    ]


def test_a_dry_run_confirms_nothing(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> None:
    assert hand_in(settings, engine, tmp_path, "Anna", 1, mapping=MAPPING, dry_run=True).status == "planned"
    assert hand_in(settings, engine, tmp_path, "Bo", 2).errors[-1]["code"] == "missing_column"


def test_a_wrong_mapping_is_replaced_by_the_next_one(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    hand_in(settings, engine, tmp_path, "Anna", 1, mapping={"Medlem": "name", "Mrk.": "city"})
    hand_in(settings, engine, tmp_path, "Bo", 2, mapping=MAPPING)
    hand_in(settings, engine, tmp_path, "Carl", 3)
    assert [(c["name"], c["contactNo"], c["cityText"]) for c in sandbox.sandbox.contacts] == [
        ("Anna", None, "1"),
        ("Bo", "2", None),
        ("Carl", "3", None),
    ]
