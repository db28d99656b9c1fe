"""`billy export`: from the last snapshot at once, or from Billy with --live; what it says of how old that is."""

from __future__ import annotations

import csv
import json
import os
import signal
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from billy_pipelines.cli import main
from billy_pipelines.files.snapshots import newest_snapshot, snapshot_folder
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.schemas.resource import COPENHAGEN
from billy_pipelines.settings import Settings
from billy_pipelines_tests.defs.nights import skip_slow_start
from billy_pipelines_tests.e2e.commands import environment, finish, start
from billy_pipelines_tests.support import wait_until

CUSTOMERS = [
    {"name": "Ærø Bageri ApS", "isCustomer": True, "countryId": "DK", "zipcodeText": "0800"},
    {"name": "Malmö Mjöl AB", "isCustomer": True, "countryId": "SE"},
    {"name": "Gamle Venner I/S", "isCustomer": True, "countryId": "DK", "isArchived": True},
]


@pytest.fixture(autouse=True)
def shell(
    settings: Settings, engine: Engine, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A shell with these settings in a folder of its own, and three customers in Billy."""
    for name, value in environment(settings).items():
        if name.startswith("BILLY_"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    sandbox.sandbox.add_contacts(CUSTOMERS)
    skip_slow_start(engine)


def billy(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["export", *arguments])


def document(*arguments: str) -> dict[str, Any]:
    """The one document on stdout."""
    result = billy(*arguments, "--json")
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def rows(path: str | Path) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def test_without_a_snapshot_it_says_how_to_get_one() -> None:
    result = billy("customers", "--json")
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert error["code"] == "no_snapshot"
    assert "`billy export customers --live` reads Billy now" in error["message"]


def test_live_reads_billy_and_leaves_a_snapshot_that_later_exports_use_without_billy(
    settings: Settings, sandbox: SandboxServer, tmp_path: Path
) -> None:
    live = document("customers", "--live", "--out", "alle.csv")
    assert (live["live"], live["rows"], live["snapshot"]["records"]) == (True, 3, 3)
    assert {row["name"] for row in rows(live["file"])} == {str(customer["name"]) for customer in CUSTOMERS}
    folder = snapshot_folder(settings, "default", "customers", datetime.now(COPENHAGEN).date())
    assert {path.name for path in folder.iterdir()} >= {f"customers-{folder.name}.csv", "changes.csv"}
    asked = len(sandbox.sandbox.requests)

    cached = document(
        "customers", "--filter", "isArchived=false", "--filter", "country=DK", "--columns", "name,country"
    )
    assert len(sandbox.sandbox.requests) == asked, "Billy was not asked"
    assert (cached["live"], cached["rows"], cached["format"]) == (False, 1, "csv")
    assert Path(cached["file"]) == tmp_path / f"default-customers-{folder.name}.csv"
    [row] = rows(cached["file"])
    assert (row["name"], row["country"]) == ("Ærø Bageri ApS", "DK")
    assert cached["snapshot"]["taken_at"] == live["snapshot"]["taken_at"]


@pytest.mark.parametrize("form", ["csv", "xlsx", "json", "ndjson", "parquet"])
def test_the_form_is_what_the_name_ends_with(form: str) -> None:
    document("customers", "--live", "--out", f"kunder.{form}")
    again = billy("customers", "--out", f"kunder.{form}")
    assert again.exit_code == 0, again.output
    assert f"Wrote 3 rows to {Path(f'kunder.{form}').absolute()}" in again.stdout
    assert Path(f"kunder.{form}").stat().st_mode & 0o777 == 0o600


def test_a_person_is_told_how_old_it_is(settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    document("customers", "--live", "--out", "kunder.csv")
    snapshot = newest_snapshot(settings, "default", "customers")
    assert snapshot is not None
    manifest = snapshot.folder / "manifest.json"
    taken = snapshot.manifest.taken_at - timedelta(hours=17, minutes=5)
    manifest.write_text(snapshot.manifest.model_copy(update={"taken_at": taken}).model_dump_json())
    assert billy("customers", "--out", "kunder.csv").exit_code == 0
    when = taken.astimezone(COPENHAGEN).strftime("%Y-%m-%d %H:%M")
    assert f"Snapshot of {when}, 17 hours old: 3 customers of" in capfd.readouterr().err


def test_wrong_use_ends_with_2_and_says_what_is_known() -> None:
    document("customers", "--live", "--out", "kunder.csv")
    for wrong in (("--filter", "color=blue"), ("--columns", "name,shoe"), ("--format", "csv", "--out", "x.xlsx")):
        result = billy("customers", *wrong)
        assert result.exit_code == 2, wrong
        assert result.stderr.startswith("billy: ")
    assert billy("dragons").exit_code == 2


def test_nothing_is_overwritten_unless_it_is_named() -> None:
    document("customers", "--live", "--out", "kunder.csv")
    assert billy("customers").exit_code == 0
    second = billy("customers")
    assert second.exit_code == 1
    assert "exists already" in second.stderr
    assert billy("customers", "--out", "kunder.csv").exit_code == 0
    assert billy("customers", "--out", "nowhere/kunder.csv", "--live").exit_code == 1


def test_what_keeps_billy_from_being_read_has_its_code(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setenv("BILLY_ACCESS_TOKEN", "wrong-token")
    refused = document("customers", "--live")
    assert refused["error"]["code"] == "token_refused"
    assert "wrong-token" not in str(refused)
    monkeypatch.setenv("BILLY_ACCESS_TOKEN", "")
    assert document("customers", "--live")["error"]["code"] == "bad_setting"
    assert document("customers", "--live", "--organization", "nobody")["error"]["code"] == "bad_setting"
    assert newest_snapshot(settings, "default", "customers") is None


def test_killed_in_the_middle_of_writing_it_leaves_nothing_to_be_seen_and_the_next_one_heals(
    settings: Settings, sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.sandbox.add_contacts({"name": f"Kunde {n}", "isCustomer": True} for n in range(2_500))
    folder = snapshot_folder(settings, "default", "customers", datetime.now(COPENHAGEN).date())
    sandbox.sandbox.switch(latency="0.4")
    process = start(settings, "export", "customers", "--live", "--out", tmp_path / "kunder.csv")
    wait_until(lambda: process.poll() is not None or list(folder.parent.glob(".*.part/**/*.parquet")), 60)
    os.kill(process.pid, signal.SIGKILL)
    code, _, _ = finish(process)
    assert code == -signal.SIGKILL
    assert not folder.exists()
    assert newest_snapshot(settings, "default", "customers") is None
    assert list(folder.parent.glob(".*.part")), "it was in the middle"
    sandbox.sandbox.switch(latency="0")
    assert document("customers", "--live", "--out", "kunder.csv")["rows"] == 2_503
    assert not list(folder.parent.glob(".*.part"))
