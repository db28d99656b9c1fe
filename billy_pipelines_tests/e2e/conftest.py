"""One running product for all tests that drop files: `billy up`, PostgreSQL, a sandbox in Billy's place, Chromium."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import Engine, text

from billy_pipelines import runs
from billy_pipelines.database.connection import Database, open_database
from billy_pipelines.database.engine import migrate, open_engine
from billy_pipelines.database.jobs import JobRow, get_job, list_jobs
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, names_created, numbered
from billy_pipelines_tests.databases import Databases, run, url_of
from billy_pipelines_tests.product import Billy, end_everything
from billy_pipelines_tests.support import wait_until

JOB_SECONDS = 90.0
"""For a machine that is busy with other things; a job of these tests takes about 10 s."""
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
]


def chromium_path() -> str | None:
    """Where this machine has Chromium, if it has."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@dataclass
class Product:
    """What a person sees of a running `billy up`: folders, the UI, and the books in Billy."""

    billy: Billy
    settings: Settings
    sandbox: SandboxServer
    engine: Engine

    @property
    def url(self) -> str:
        assert self.billy.state.url
        return self.billy.state.url

    def folder(self, organization: str = "default") -> Path:
        return self.settings.uploads_dir / organization / "customers" / "import"

    def drop(self, name: str, content: bytes, organization: str = "default") -> Path:
        """Drop a file as a program should: whole at once."""
        part = self.folder(organization) / f"{name}.part"
        part.write_bytes(content)
        return part.rename(part.with_name(name))

    def drop_customers(self, name: str, first: int, count: int) -> None:
        """Drop a file of made-up customers, numbered from `first` so that tests do not share any."""
        source = customers_csv(self.settings.data_dir.parent / name, numbered(count, first))
        self.drop(name, source.read_bytes())

    def job_of(self, name: str) -> JobRow | None:
        """The job a file of that name became; None as long as it has not."""
        return next((row for row in list_jobs(self.engine, limit=100) if row.upload_name == name), None)

    def job_with_run(self, name: str) -> JobRow:
        """The job of a file once a run has taken it on."""

        def found() -> JobRow | None:
            row = self.job_of(name)
            return row if row is not None and row.dagster_run_id is not None else None

        row: JobRow = wait_until(found, JOB_SECONDS, pause=0.1)
        return row

    def ended(self, job_id: str, *states: str) -> JobRow:
        """Wait until a job is in one of these states and its files, which are written after that, are there."""
        report = self.settings.jobs_dir / job_id / "report.md"

        def there() -> JobRow | None:
            row = get_job(self.engine, job_id)
            if row is None or row.status not in states or row.completed_at is None or not report.exists():
                return None
            return row if report.stat().st_mtime >= row.completed_at.timestamp() else None

        row: JobRow = wait_until(there, JOB_SECONDS, pause=0.1)
        return row

    def graphql(self, query: str, **variables: Any) -> dict[str, Any]:
        """Ask the webserver what the UI asks it."""
        answer = httpx.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=30)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        assert "errors" not in document, document
        data: dict[str, Any] = document["data"]
        return data

    def runs_of(self, job_id: str) -> list[dict[str, Any]]:
        """The Dagster runs of a job, newest first."""
        query = """query ($tags: [ExecutionTag!]) { runsOrError(filter: {tags: $tags}) { ... on Runs { results {
            runId status tags { key value } } } } }"""
        found: list[dict[str, Any]] = self.graphql(query, tags=[{"key": "billy/job_id", "value": job_id}])[
            "runsOrError"
        ]["results"]
        return found

    def created(self, first: int, count: int) -> Counter[str]:
        """How often each of a test's numbered customers was created in Billy."""
        mine = {row["name"] for row in numbered(count, first)}
        return Counter({name: times for name, times in names_created(self.sandbox).items() if name in mine})

    def written(self, first: int, count: int) -> int:
        """How many records of a test's numbered customers were created in Billy."""
        return sum(self.created(first, count).values())

    def runs_ended(self, job_id: str, least: int = 1) -> list[str] | None:
        """How the runs of a job ended, newest first; None as long as one of at least so many has not."""
        statuses = [run["status"] for run in self.runs_of(job_id)]
        finished = len(statuses) >= least and set(statuses) <= {"SUCCESS", "FAILURE", "CANCELED"}
        return statuses if finished else None

    def daemon_has_seen_the_failure_of(self, run_id: str) -> bool:
        """Whether the daemon that starts failed runs again is done with all that failed up to this one."""
        query = text(
            "SELECT 1 FROM dagster.event_logs event, dagster.kvs cursor"
            " WHERE event.run_id = :run_id AND event.dagster_event_type = 'PIPELINE_FAILURE'"
            " AND cursor.key = 'EVENT_LOG_CONSUMER_CURSOR-PIPELINE_FAILURE' AND cursor.value::bigint >= event.id"
        )
        with self.engine.connect() as connection:
            return connection.execute(query, {"run_id": run_id}).first() is not None


@pytest.fixture(scope="session")
def used_databases(postgres_admin: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Databases that hold Dagster's tables too, empty, as they are from the second command on.

    The first one makes them, in 0.6 s of CPU; that it can, the tests show that start a PostgreSQL of their own.
    """
    run(postgres_admin, "CREATE DATABASE billy_used")
    engine = open_engine(url_of(postgres_admin, "billy_used"))
    migrate(engine)
    settings = Settings(data_dir=tmp_path_factory.mktemp("used"), environ={})
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DAGSTER_HOME", "BILLY_DATA_DIR", "BILLY_DAGSTER_DATABASE_URL"):
            patch.setenv(name, "")  # so that what open_instance sets is taken back
        with runs.open_instance(settings, Database(engine, None)) as instance:
            assert instance.get_runs_count() == 0
    engine.dispose()
    databases = Databases(postgres_admin, "billy_used")
    yield databases
    databases.close()


@pytest.fixture
def database_url(postgres_admin: Engine, used_databases: Databases) -> Iterator[str]:
    """URL of a database of this test's own in which commands have run, and which is empty."""
    name = used_databases.take()
    yield url_of(postgres_admin, name)
    used_databases.give_back(name)


@pytest.fixture(scope="package")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The running product, with a second organization whose token Billy does not know."""
    data = tmp_path_factory.mktemp("product") / "data"
    data.mkdir(mode=0o700)
    (data / "organizations.yaml").write_text(
        "organizations:\n  - name: default\n  - name: locked-out\n    token_variable: BILLY_OTHER_TOKEN\n"
    )
    with SandboxServer() as sandbox:
        settings = Settings.from_environment(
            {
                "BILLY_DATA_DIR": str(data),
                "BILLY_REQUESTS_PER_SECOND": "50",
                "BILLY_API_URL": sandbox.url,
                "BILLY_ACCESS_TOKEN": sandbox.token,
                "BILLY_OTHER_TOKEN": "a-token-nobody-knows",
            }
        )
        billy = Billy(settings, "up")
        try:
            billy.ready()
            database = open_database(settings)
            yield Product(billy, settings, sandbox, database.engine)
            database.close()
            assert billy.end() == 0, billy.said
        finally:
            end_everything(settings, [billy])


@pytest.fixture
def steady(product: Product) -> Iterator[Product]:
    """The product with a Billy that answers at once again after the test."""
    yield product
    product.sandbox.sandbox.switch(latency=0)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless. As long as it is there, asyncio has a loop in this thread and can run no other."""
    path = chromium_path()
    if path is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium); .ci/run installs it")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()
