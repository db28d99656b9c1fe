"""`billy import` with nothing else running: real runs, clear ends, and what is left after a crash (R1, R2, R5)."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRunStatus
from sqlalchemy import Engine

from billy_pipelines import runs
from billy_pipelines.database.connection import Database
from billy_pipelines.database.jobs import get_job, list_jobs, update_job
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import check_accounts, customers_csv, names_created, numbered, take_in
from billy_pipelines_tests.e2e.commands import billy, finish, start
from billy_pipelines_tests.support import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return customers_csv(tmp_path / "kunder.csv", numbered(150))


@contextmanager
def _instance(settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    for name in ("DAGSTER_HOME", "BILLY_DATA_DIR", "BILLY_DAGSTER_DATABASE_URL"):
        monkeypatch.setenv(name, "")  # so that what open_instance sets is taken back after the test
    with runs.open_instance(settings, Database(engine, None)) as instance:
        yield instance


def test_a_file_is_imported_and_the_document_tells_how(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = customers_csv(tmp_path / "kunder.csv", [*numbered(20), {"name": "Forkert ApS", "email": "ved@"}])
    code, document, err = billy(settings, "import", file, "--resource", "customers")
    assert code == 3
    assert document["status"] == "completed_with_errors"
    assert document["counts"] == {**document["counts"], "total": 21, "created": 20, "rejected": 1}
    assert set(document) >= {
        "job_id",
        "organization",
        "resource",
        "operation",
        "dry_run",
        "warnings",
        "seconds",
        "files",
    }
    assert "21 rows" in err
    assert file.exists(), "the file of a command stays where it is"
    row = get_job(engine, document["job_id"])
    assert row is not None
    check_accounts(settings, engine, sandbox, row)
    with _instance(settings, engine, monkeypatch) as instance:
        run = instance.get_run_by_id(document["run_id"])
        assert run is not None
        assert run.status == DagsterRunStatus.SUCCESS
        assert run.remote_job_origin is not None, "without an origin the UI cannot re-execute it"
        assert run.remote_job_origin.repository_origin.code_location_origin.location_name == "billy_pipelines"
        assert run.tags["dagster/partition"] == document["job_id"]

    code, document, _ = billy(settings, "import", file, "--resource", "customers")
    assert (code, document["repeated"]) == (3, True)
    assert sum(names_created(sandbox).values()) == 20
    code, document, _ = billy(settings, "import", file, "--resource", "customers", "--again")
    assert document["job_id"].endswith("-2")
    assert document["counts"]["skipped"] == 20
    assert sum(names_created(sandbox).values()) == 20


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_cancels_for_good(
    number: signal.Signals,
    settings: Settings,
    engine: Engine,
    sandbox: SandboxServer,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sandbox.sandbox.switch(latency="0.2")
    process = start(settings, "import", file, "--resource", "customers", "--json", BILLY_REQUESTS_PER_SECOND="20")
    wait_until(lambda: len(names_created(sandbox)) > 5, 60)
    process.send_signal(number)
    code, _out, err = finish(process, 30)
    assert code == 130, (code, _out, err)
    [row] = list_jobs(engine)
    assert row.status == "cancelled"
    assert 0 < row.counts["created"] < 150
    check_accounts(settings, engine, sandbox, row)
    with _instance(settings, engine, monkeypatch) as instance:
        run = instance.get_run_by_id(row.dagster_run_id or "")
        assert run is not None
        assert run.status == DagsterRunStatus.CANCELED
        assert run.tags.get("dagster/will_retry", "false") == "false"
    code, document, _ = billy(settings, "import", file, "--resource", "customers")
    assert (code, document["counts"]["created"]) == (0, 150)
    assert document["job_id"] == row.job_id
    check_accounts(settings, engine, sandbox, list_jobs(engine)[0])


def test_whoever_waits_for_a_process_that_died_before_its_run_takes_the_job_on(
    settings: Settings, engine: Engine, sandbox: SandboxServer, file: Path
) -> None:
    """Killed right after "New job …": until a minute is over, nobody can know that no run will begin."""
    job = take_in(settings, engine, file).job
    with engine.begin() as connection:
        update_job(connection, job.job_id, created_at=datetime.now(UTC) - timedelta(seconds=45))
    code, document, said = billy(settings, "import", file, "--resource", "customers")
    assert "being run right now" in " ".join(said.split())
    assert (code, document["job_id"], document["counts"]["created"]) == (0, job.job_id, 150)
    check_accounts(settings, engine, sandbox, list_jobs(engine)[0])


def test_kill_9_in_mid_sync_is_resumed_by_dropping_the_same_file(
    settings: Settings,
    engine: Engine,
    sandbox: SandboxServer,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sandbox.sandbox.switch(latency="0.05-0.2")
    process = start(settings, "import", file, "--resource", "customers", "--json", BILLY_REQUESTS_PER_SECOND="40")
    wait_until(lambda: len(names_created(sandbox)) > 20, 60)
    process.kill()
    finish(process)
    [row] = list_jobs(engine)
    assert row.status == "processing", "its own word: nothing told it to write another"
    assert billy(settings, "status", row.job_id)[1]["status"] == "interrupted"
    first_run = row.dagster_run_id
    code, document, _ = billy(settings, "import", file, "--resource", "customers")
    assert (code, document["job_id"]) == (0, row.job_id)
    assert document["counts"]["created"] == 150
    check_accounts(settings, engine, sandbox, list_jobs(engine)[0])
    with _instance(settings, engine, monkeypatch) as instance:
        run = instance.get_run_by_id(first_run or "")
        assert run is not None
        assert run.status == DagsterRunStatus.FAILURE, "a dead run must not stay STARTED"


def test_cancel_from_another_terminal(settings: Settings, engine: Engine, sandbox: SandboxServer, file: Path) -> None:
    sandbox.sandbox.switch(latency="0.2")
    process = start(settings, "import", file, "--resource", "customers", "--json", BILLY_REQUESTS_PER_SECOND="3")
    wait_until(lambda: len(names_created(sandbox)) > 5, 60)
    [row] = list_jobs(engine)
    code, document, _ = billy(settings, "cancel", row.job_id)
    assert (code, document["cancel_requested"]) == (0, True)
    code, _out, err = finish(process, 30)
    assert code == 130, (code, _out, err)
    check_accounts(settings, engine, sandbox, list_jobs(engine)[0])


def test_two_overlapping_files_at_once(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.sandbox.switch(latency="0.02")
    first = customers_csv(tmp_path / "a.csv", numbered(80))
    second = customers_csv(tmp_path / "b.csv", numbered(80, start=40))
    processes = [start(settings, "import", f, "--resource", "customers", "--json") for f in (first, second)]
    ends = [finish(process) for process in processes]
    assert [end[0] for end in ends] == [0, 0], ends
    assert len(names_created(sandbox)) == 120
    rows = list_jobs(engine)
    assert sum(row.counts["created"] for row in rows) == 120
    assert sum(row.counts["skipped"] for row in rows) == 40
    for row in rows:
        check_accounts(settings, engine, sandbox, row)


def test_the_same_file_by_two_processes_at_once_is_one_job(
    settings: Settings, engine: Engine, sandbox: SandboxServer, file: Path
) -> None:
    sandbox.sandbox.switch(latency="0.02")
    processes = [start(settings, "import", file, "--resource", "customers", "--json") for _ in range(2)]
    ends = [finish(process) for process in processes]
    assert [end[0] for end in ends] == [0, 0], ends
    [row] = list_jobs(engine)
    assert row.counts["created"] == 150
    check_accounts(settings, engine, sandbox, row)


def test_a_wrong_token_is_said_and_the_file_can_be_resumed(
    settings: Settings, engine: Engine, sandbox: SandboxServer, file: Path
) -> None:
    code, document, err = billy(settings, "import", file, "--resource", "customers", BILLY_ACCESS_TOKEN="wrong-token")
    assert (code, document["status"]) == (1, "failed")
    assert document["errors"][-1]["code"] == "token_refused"
    assert "BILLY_ACCESS_TOKEN" in document["errors"][-1]["message"]
    assert f"`billy retry {document['job_id']}` goes on" in document["errors"][-1]["message"]
    assert document["counts"]["unprocessed"] == 150
    assert "wrong-token" not in err + str(document)
    code, document, _ = billy(settings, "import", file, "--resource", "customers")
    assert (code, document["counts"]["created"]) == (0, 150)


def test_files_that_cannot_be_written_fail_the_job_and_not_the_books(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    """As on a full disk, here by a limit on the size of a file: the upload fits, the results do not."""
    file = customers_csv(tmp_path / "kunder.csv", numbered(600))
    limit = file.stat().st_size // 1024 + 1
    within = ("bash", "-c", f'ulimit -f {limit}; exec "$@"', "-")
    code, out, err = finish(start(settings, "import", file, "--resource", "customers", "--json", within=within))
    assert code == 1, err
    document = json.loads(out)
    assert (document["status"], document["errors"][-1]["code"]) == ("failed", "file_error")
    assert "File too large" in document["errors"][-1]["message"]
    code, document, _ = billy(settings, "import", file, "--resource", "customers")
    assert (code, document["counts"]["created"]) == (0, 600)
    check_accounts(settings, engine, sandbox, list_jobs(engine)[0])


def test_no_token_names_the_variable_and_records_nothing(settings: Settings, engine: Engine, file: Path) -> None:
    code, document, err = billy(settings, "import", file, "--resource", "customers", BILLY_ACCESS_TOKEN="")
    assert code == 1
    assert "BILLY_ACCESS_TOKEN" in document["error"]["message"]
    assert "BILLY_ACCESS_TOKEN" in err
    assert not list_jobs(engine)


def test_billy_unreachable_ends_failed_and_says_so(settings: Settings, engine: Engine, file: Path) -> None:
    code, document, _ = billy(
        settings, "import", file, "--resource", "customers", BILLY_API_URL="http://127.0.0.1:9/v2"
    )
    assert (code, document["status"]) == (1, "failed")
    assert document["errors"][-1]["code"] == "billy_unavailable"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"name;email\r\n", "no_rows"),
        (b"12345678;99887766\r\n1;2\r\n", "no_header"),
        (b"email;city\r\na@b.example;By\r\n", "missing_column"),
        (b"PK\x03\x04 and the rest of a workbook", "type_mismatch"),
        (b'name;city\r\n"Half;By\r\n', "broken_quotes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_cannot_be_used_ends_failed_with_what_to_do(
    content: bytes, code: str, settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    file = tmp_path / "kunder.csv"
    file.write_bytes(content)
    exit_code, document, _ = billy(settings, "import", file, "--resource", "customers")
    assert (exit_code, document["status"]) == (1, "failed")
    assert document["errors"][-1]["code"] == code
    assert not sandbox.sandbox.ledger
    assert file.read_bytes() == content
    assert Path(document["files"]["upload"]).read_bytes() == content


def test_another_companys_token_writes_nothing(
    settings: Settings, engine: Engine, sandbox: SandboxServer, file: Path, tmp_path: Path
) -> None:
    """B2: two swapped tokens must never put one company's customers into another's books."""
    code, _, _ = billy(settings, "import", file, "--resource", "customers")
    assert code == 0
    with SandboxServer(token="other", organizations=[{"token": "other", "name": "En anden ApS"}]) as other:
        second = customers_csv(tmp_path / "b.csv", numbered(5, start=900))
        code, document, _ = billy(
            settings, "import", second, "--resource", "customers", BILLY_API_URL=other.url, BILLY_ACCESS_TOKEN="other"
        )
        assert (code, document["errors"][-1]["code"]) == (1, "wrong_organization")
        assert not other.sandbox.ledger


def test_status_lists_and_shows_jobs(settings: Settings, engine: Engine, file: Path) -> None:
    code, document, _ = billy(settings, "import", file, "--resource", "customers", "--dry-run")
    assert (code, document["status"], document["planned"]["create"]) == (0, "planned", 150)
    code, listed, _ = billy(settings, "status")
    assert [job["job_id"] for job in listed["jobs"]] == [document["job_id"]]
    code, one, _ = billy(settings, "status", document["job_id"])
    assert (code, one["status"]) == (0, "planned")
    code, missing, _ = billy(settings, "status", "no-such-job")
    assert (code, missing["error"]["code"]) == (2, "no_such_job")
