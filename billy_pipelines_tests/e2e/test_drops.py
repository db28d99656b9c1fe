"""Files dropped while `billy up` runs: good ones, bad ones, several at once, and processes that die in the middle."""

from __future__ import annotations

import functools
import json
import os
import re
import signal
from contextlib import suppress

import pytest
import xlsxwriter

from billy_pipelines.bulk.uploads import NOTE_SUFFIX
from billy_pipelines.bulk.verdicts import State
from billy_pipelines_tests.bulk.jobs import check_accounts, names_created
from billy_pipelines_tests.e2e.commands import billy
from billy_pipelines_tests.e2e.conftest import JOB_SECONDS, Product
from billy_pipelines_tests.support import wait_until

pytestmark = pytest.mark.slow

BAD_FILES = {
    "tom.csv": (b"", "empty_file"),
    "kun-overskrift.csv": (b"name;email\r\n", "no_rows"),
    "uden-overskrift.csv": (b"12345678;99887766\r\n1;2\r\n", "no_header"),
    "uden-navn.csv": (b"email;city\r\na@b.example;By\r\n", "missing_column"),
    "halv.csv": (b'name;city\r\n"Half;By\r\n', "broken_quotes"),
    "arbejdsbog.csv": (b"PK\x03\x04\x14\x00\x06\x00", "type_mismatch"),
}


def test_bad_files_end_failed_with_a_reason_and_are_kept(product: Product) -> None:
    before = len(product.sandbox.sandbox.ledger)
    for name, (content, _code) in BAD_FILES.items():
        product.drop(name, content)
    for name, (content, code) in BAD_FILES.items():
        row = product.ended(product.job_with_run(name).job_id, State.FAILED)
        assert row.errors[-1]["code"] == code, name
        assert row.errors[-1]["message"].count(" ") > 5, "a sentence that tells what to do"
        assert (product.settings.jobs_dir / row.job_id / name).read_bytes() == content
        assert not (product.folder() / name).exists()
        ended = functools.partial(product.runs_ended, row.job_id)
        assert wait_until(ended, JOB_SECONDS, pause=0.1) == ["FAILURE"], "a bad file is not tried again"
    assert len(product.sandbox.sandbox.ledger) == before


def test_a_file_in_a_wrong_place_stays_and_gets_a_note(product: Product) -> None:
    wrong = product.settings.uploads_dir / "default" / "kunder" / "import"
    wrong.mkdir(parents=True)
    file = wrong / "kunder.csv"
    file.write_bytes(b"name\r\nA ApS\r\n")
    note = file.with_name(file.name + NOTE_SUFFIX)
    wait_until(note.exists, JOB_SECONDS, pause=0.1)
    assert "customers" in note.read_text(encoding="utf-8")
    assert file.read_bytes() == b"name\r\nA ApS\r\n"


def test_a_wrong_token_ends_failed_and_nothing_is_retried(product: Product) -> None:
    product.drop("andre.csv", b"name;email\r\nEn ApS;en@kunde.example\r\n", organization="locked-out")
    row = product.ended(product.job_with_run("andre.csv").job_id, State.FAILED)
    assert row.errors[-1]["code"] == "token_refused"
    assert "BILLY_OTHER_TOKEN" in row.errors[-1]["message"]
    assert row.counts["unprocessed"] == 1
    assert "a-token-nobody-knows" not in json.dumps(row.errors)


def test_a_workbook_and_an_old_windows_file_reach_the_books(product: Product) -> None:
    book = product.settings.data_dir.parent / "bog.xlsx"
    with xlsxwriter.Workbook(book) as opened:
        sheet = opened.add_worksheet("Kunder")
        sheet.write_row(0, 0, ["Navn", "Postnr.", "By"])
        sheet.write_row(1, 0, ["Regneark ApS", 800, "Høje Taastrup"])
    product.drop("kunder.xlsx", book.read_bytes())
    product.drop("gammel.csv", "Navn;By\r\nSøren Ålborg A/S;Ærø\r\n".encode("cp1252"))
    for name in ("kunder.xlsx", "gammel.csv"):
        row = product.ended(product.job_with_run(name).job_id, State.COMPLETED, State.COMPLETED_WITH_ERRORS)
        assert row.counts["created"] == 1, (name, row.counts)
    towns = {str(contact["name"]): contact for contact in product.sandbox.sandbox.contacts}
    assert towns["Regneark ApS"]["zipcodeText"] == "0800"
    assert towns["Søren Ålborg A/S"]["cityText"] == "Ærø"


def test_a_danish_excel_file_reaches_the_books(product: Product) -> None:
    header = "Navn;Adresse;Postnr.;By;Tlf.;Mail;CVR-nr."
    customer = "Æblegård & Sønner ApS;Nørregade 5;0800;Høje Taastrup;+45 11 22 33 44;a@sonner.example;DK 12 34 56 74"
    product.drop("excel.csv", f"{header}\r\n{customer}\r\n".encode("utf-8-sig"))
    row = product.ended(product.job_with_run("excel.csv").job_id, State.COMPLETED, State.COMPLETED_WITH_ERRORS)
    assert row.counts["created"] == 1, row.counts
    [contact] = [c for c in product.sandbox.sandbox.contacts if c["name"] == "Æblegård & Sønner ApS"]
    assert (contact["zipcodeText"], contact["countryId"], contact["phone"]) == ("0800", "DK", "+45 11 22 33 44")
    assert contact["registrationNo"] == "12345674"


def test_two_overlapping_files_at_once_create_each_customer_once(steady: Product) -> None:
    steady.sandbox.sandbox.switch(latency="0.05")
    steady.drop_customers("overlap-a.csv", first=10_000, count=80)
    steady.drop_customers("overlap-b.csv", first=10_040, count=80)
    rows = [
        steady.ended(steady.job_with_run(name).job_id, State.COMPLETED) for name in ("overlap-a.csv", "overlap-b.csv")
    ]
    assert sum(row.counts["created"] for row in rows) == 120
    assert sum(row.counts["skipped"] for row in rows) == 40
    for row in rows:
        check_accounts(steady.settings, steady.engine, steady.sandbox, row)


def test_the_same_file_dropped_again_sends_nothing(product: Product) -> None:
    product.drop_customers("igen.csv", first=11_000, count=3)
    row = product.ended(product.job_with_run("igen.csv").job_id, State.COMPLETED)
    sent = len(product.sandbox.sandbox.ledger)
    product.drop_customers("igen.csv", first=11_000, count=3)
    wait_until(lambda: not (product.folder() / "igen.csv").exists(), JOB_SECONDS, pause=0.1)
    wait_until(lambda: any((product.settings.jobs_dir / row.job_id / "again").glob("*igen.csv")), JOB_SECONDS)
    assert len(product.runs_of(row.job_id)) == 1
    assert len(product.sandbox.sandbox.ledger) == sent


def test_a_run_worker_killed_in_mid_sync_is_started_again_and_nothing_is_doubled(steady: Product) -> None:
    steady.sandbox.sandbox.switch(latency="0.3-0.6")
    steady.drop_customers("dræbt.csv", first=20_000, count=150)
    job = steady.job_with_run("dræbt.csv")
    wait_until(lambda: steady.written(20_000, 150) > 10, JOB_SECONDS, pause=0.02)
    os.kill(_worker_of(steady, job.dagster_run_id or ""), signal.SIGKILL)
    assert steady.written(20_000, 150) < 150
    row = steady.ended(job.job_id, State.COMPLETED)
    assert row.counts["created"] == 150
    assert len(steady.runs_of(job.job_id)) >= 2
    check_accounts(steady.settings, steady.engine, steady.sandbox, row)


def test_a_daemon_killed_in_mid_sync_costs_nothing(steady: Product) -> None:
    """Nor does it take the next file any harm: its sensor is in the daemon that is started instead."""
    steady.sandbox.sandbox.switch(latency="0.3-0.6")
    steady.drop_customers("dæmon.csv", first=25_000, count=150)
    wait_until(lambda: steady.written(25_000, 150) > 10, JOB_SECONDS, pause=0.02)
    daemon = steady.billy.state.sessions["daemon"]
    os.kill(daemon.pid, signal.SIGKILL)
    assert steady.written(25_000, 150) < 150
    wait_until(lambda: steady.billy.state.sessions["daemon"] != daemon, JOB_SECONDS, pause=0.1)
    steady.drop_customers("efter.csv", first=26_000, count=5)
    for name, first, count in (("dæmon.csv", 25_000, 150), ("efter.csv", 26_000, 5)):
        row = steady.ended(steady.job_with_run(name).job_id, State.COMPLETED)
        assert row.counts["created"] == count
        assert set(steady.created(first, count).values()) == {1}
        check_accounts(steady.settings, steady.engine, steady.sandbox, row)


def test_postgres_killed_in_mid_sync_costs_nothing(steady: Product) -> None:
    steady.sandbox.sandbox.switch(latency="0.3-0.6")
    steady.drop_customers("database.csv", first=30_000, count=150)
    job = steady.job_with_run("database.csv")
    wait_until(lambda: steady.written(30_000, 150) > 10, JOB_SECONDS, pause=0.02)
    os.kill(int((steady.settings.postgres_dir / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def ended() -> bool:
        with suppress(Exception):  # this test's own connections broke as well
            steady.ended(job.job_id, State.COMPLETED)
            return True
        return False

    wait_until(ended, JOB_SECONDS * 2, pause=0.5)
    row = steady.ended(job.job_id, State.COMPLETED)
    assert row.counts["created"] == 150
    assert set(steady.created(30_000, 150).values()) == {1}
    check_accounts(steady.settings, steady.engine, steady.sandbox, row)


def test_a_foreground_run_can_be_executed_again_from_the_ui(product: Product) -> None:
    """R1: without an origin Re-execute fails with a CheckError."""
    file = product.settings.data_dir.parent / "forgrund.csv"
    file.write_text("name;email\nForgrund ApS;f@kunde.example\n", encoding="utf-8")
    code, document, _ = billy(product.settings, "import", file, "--resource", "customers")
    assert (code, document["counts"]["created"]) == (0, 1)
    mutation = """mutation ($run: String!) { launchRunReexecution(reexecutionParams:
        {parentRunId: $run, strategy: ALL_STEPS}) { __typename ... on LaunchRunSuccess { run { runId } }
        ... on PythonError { message } } }"""
    answer = product.graphql(mutation, run=document["run_id"])["launchRunReexecution"]
    assert answer["__typename"] == "LaunchRunSuccess", answer

    ended = functools.partial(product.runs_ended, document["job_id"], 2)
    assert wait_until(ended, JOB_SECONDS, pause=0.2) == ["SUCCESS", "SUCCESS"]
    again = product.ended(document["job_id"], State.COMPLETED)
    assert again.counts["created"] == 1
    assert names_created(product.sandbox)["Forgrund ApS"] == 1


def _worker_of(product: Product, run_id: str) -> int:
    """The pid of the process that executes a run, as Dagster's event log names it."""
    query = """query ($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events {
        ... on MessageEvent { message } } } } }"""
    events = product.graphql(query, run=run_id)["logsForRun"]["events"]
    found = re.search(r"Started process for run \(pid: (\d+)\)", " ".join(event["message"] for event in events))
    assert found, events
    return int(found.group(1))
