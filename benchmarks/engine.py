"""The sync engine at its promised speed: at a limit it knows, at one it does not know, without a limit, in bulk, with
three processes on one token, and a job of 100,000 rows. Beside it a bare loop of asyncio and httpx on the same sandbox.

The sandbox is a process of its own, so that neither side shares its interpreter with it. What a request took is read
from its log: seconds of API time run from the first write that came in to the last answer that went out.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import httpx
import psutil
from sqlalchemy import Engine, text

from billy_pipelines.bulk.timing import Timing
from billy_pipelines.database.connection import open_database
from billy_pipelines.database.engine import open_engine
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, numbered, run_job, take_in

Figures = Iterator[tuple[str, float, str, str, bool]]
WRITES = ("POST", "PUT", "PATCH")
BARE_CLIENTS, BARE_EACH = 10, 5
"""The bare loop: one httpx client with 50 requests in flight reached 92 requests/s, ten with five each 277/s."""
LARGE = 100_000
MOST_MEGABYTES, MOST_EVENTS, MOST_GROWTH = 700.0, 2_000, 60.0


# -- a sandbox in a process of its own ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """A line of the sandbox's log: when it came in (seconds), how long it took, what it was answered."""

    began: float
    seconds: float
    method: str
    path: str
    status: int | None


@dataclass(frozen=True)
class Billy:
    """A running sandbox."""

    url: str
    token: str

    def switch(self, **switches: Any) -> None:
        httpx.put(f"{self._control}/switches", json=switches, timeout=60).raise_for_status()

    def reset(self) -> None:
        httpx.post(f"{self._control}/reset", timeout=60).raise_for_status()

    def changes(self) -> int:
        return int(httpx.get(self._control, timeout=60).json()["changes"])

    def writes(self) -> list[Request]:
        """The writes so far, in the order in which they came in."""
        return sorted((each for each in self.requests() if each.method in WRITES), key=lambda each: each.began)

    def requests(self) -> list[Request]:
        found = httpx.get(f"{self._control}/requests", timeout=120).json()["requests"]
        return [
            Request(datetime.fromisoformat(r["time"]).timestamp(), r["seconds"], r["method"], r["path"], r["status"])
            for r in found
        ]

    @property
    def _control(self) -> str:
        return self.url.removesuffix("/v2") + "/sandbox"


@contextmanager
def sandbox(latency: str, *more: str) -> Iterator[Billy]:
    """`billy sandbox` on a free port."""
    command = [sys.executable, "-m", "billy_pipelines.cli", "sandbox", "--json", "--port", "0", "--latency", latency]
    process = subprocess.Popen([*command, *more], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        told = json.loads(process.stdout.readline())
        yield Billy(told["url"], told["token"])
    finally:
        process.terminate()
        process.wait()


@contextmanager
def engine_on(folder: Path, billy: Billy, ceiling: float) -> Iterator[tuple[Settings, Engine]]:
    """Settings and an open database on a folder of its own."""
    settings = Settings.from_environment(
        {
            "BILLY_DATA_DIR": str(folder),
            "BILLY_API_URL": billy.url,
            "BILLY_ACCESS_TOKEN": billy.token,
            "BILLY_REQUESTS_PER_SECOND": f"{ceiling:g}",
        }
    )
    database = open_database(settings)
    try:
        yield settings, database.engine
    finally:
        database.close(stop_if_unused=True)


def _api_seconds(writes: Sequence[Request]) -> float:
    return max(each.began + each.seconds for each in writes) - writes[0].began


def _job(settings: Settings, engine: Engine, folder: Path, rows: int, rate: float, **options: Any) -> float:
    """Import so many customers with the rate already at `rate`, and return the seconds from the first step to the last.
    All of them have to be created."""
    job_id = take_in(settings, engine, customers_csv(folder / f"{rows}.csv", numbered(rows)), **options).job.job_id
    _set_rate(engine, rate)
    began = time.perf_counter()
    row = run_job(settings, engine, job_id, timing=Timing())
    assert row.counts["created"] == rows, (row.status, row.counts, row.errors)
    return time.perf_counter() - began


def _set_rate(engine: Engine, rate: float) -> None:
    """The rate starts at 2/s on purpose and grows second by second; without a limit that is not what is measured."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE billy.billy_organizations SET rate = :rate, rate_threshold = NULL, rate_changed_at = now()"),
            {"rate": rate},
        )


def _bare(billy: Billy, rows: int) -> float:
    """Rows a second of the bare loop: no journal, no limit, no look at any answer."""
    bodies = [
        {
            "contact": {
                "name": row["name"],
                "countryId": "DK",
                "type": "company",
                "isCustomer": True,
                "cityText": row["city"],
                "contactPersons": [{"name": row["name"], "email": row["email"], "isPrimary": True}],
            }
        }
        for row in numbered(rows)
    ]
    billy.reset()
    asyncio.run(_send_all(billy, bodies))
    writes = billy.writes()
    assert len(writes) == rows
    billy.reset()
    return rows / _api_seconds(writes)


async def _send_all(billy: Billy, bodies: list[dict[str, Any]]) -> None:
    left = iter(bodies)
    headers = {"X-Access-Token": billy.token}

    async def work(client: httpx.AsyncClient) -> None:
        for body in left:
            await client.post(f"{billy.url}/contacts", json=body)

    clients = [httpx.AsyncClient(headers=headers, trust_env=False, timeout=60) for _ in range(BARE_CLIENTS)]
    await asyncio.gather(*(work(client) for client in clients for _ in range(BARE_EACH)))
    for client in clients:
        await client.aclose()


# -- the scenarios -----------------------------------------------------------------------------------------------------


def known_limit(folder: Path) -> Figures:
    """A limit of 10/s with a burst of 10, which our ceiling knows; 150 ms, 300 rows."""
    with sandbox("0.15") as billy, engine_on(folder, billy, 10) as (settings, engine):
        billy.switch(rate_limit="10/1", rate_burst=10)
        _job(settings, engine, folder, 300, 10)
        writes, refused = billy.writes(), _limited(billy)
    used = (len(writes) - 1) / (writes[-1].began - writes[0].began) / 10
    yield "limit 10/s known, 300 rows: of the allowed rate", used, "", "at least 0.97", used >= 0.97
    yield "  429s", refused, "", "none", refused == 0


def unknown_limit(folder: Path) -> Figures:
    """The same limit, our ceiling at 50, beginning at 2/s; 600 rows."""
    with sandbox("0.15") as billy, engine_on(folder, billy, 50) as (settings, engine):
        billy.switch(rate_limit="10/1", rate_burst=10, retry_after="seconds")
        _job(settings, engine, folder, 600, 2)
        requests, refused = billy.requests(), _limited(billy)
    began = min(each.began for each in requests)
    late = sorted(each.began for each in requests if each.status != 429 and each.began > began + 10)
    used = (len(late) - 1) / (late[-1] - late[0]) / 10
    share = refused / len(requests)
    yield "limit 10/s, ceiling 50, 600 rows: of the allowed rate after 10 s", used, "", "at least 0.90", used >= 0.9
    yield "  429s of all requests", share, "", "at most 0.03", share <= 0.03


def _limited(billy: Billy) -> int:
    return sum(each.status == 429 for each in billy.requests())


def single_creates(folder: Path) -> Figures:
    """Without a limit, 150 ms, 1,000 rows, one request each."""
    with sandbox("0.15") as billy, engine_on(folder, billy, 1000) as (settings, engine):
        bare = _bare(billy, 1_000)
        whole = _job(settings, engine, folder, 1_000, 1000)
        rate = 1_000 / _api_seconds(billy.writes())
    yield "150 ms, 1,000 rows: the bare loop", bare, "rows/s", "", True
    yield "  the engine, of the bare loop", rate / bare, "", "at least 0.90", rate / bare >= 0.9
    yield "  the engine", rate, "rows/s", "", True
    yield "  the whole job, from file to report", whole, "s", "", True


def no_latency(folder: Path) -> Figures:
    """Without a limit, 0 ms, 10,000 rows, one request each."""
    with sandbox("0") as billy, engine_on(folder, billy, 1000) as (settings, engine):
        bare = _bare(billy, 10_000)
        whole = _job(settings, engine, folder, 10_000, 1000)
        rate = 10_000 / _api_seconds(billy.writes())
    yield "0 ms, 10,000 rows: the bare loop", bare, "rows/s", "", True
    yield "  the engine, of the bare loop", rate / bare, "", "at least 0.60", rate / bare >= 0.6
    yield "  the engine", rate, "rows/s", "", True
    yield "  the whole job, from file to report", whole, "s", "", True


def bulk_save(folder: Path) -> Figures:
    """PATCH of 100 records each, 150 ms, 10,000 rows."""
    with sandbox("0.15") as billy, engine_on(folder, billy, 1000) as (settings, engine):
        whole = _job(settings, engine, folder, 10_000, 1000, bulk_save="on", batch_size=100)
        writes = billy.writes()
        rate = 10_000 / _api_seconds(writes)
    what = f"bulk save, 150 ms, 10,000 rows in {len(writes)} requests"
    yield what, rate, "rows/s", "at least 1,500", rate >= 1_500
    yield "  the whole job, from file to report", whole, "s", "", True


def three_processes(folder: Path) -> Figures:
    """One token, a limit of 10/s, three processes with a job each, of kinds that do not wait for each other."""
    rows = 120
    with (
        sandbox("0.15", "--contacts", "20", "--products", "20") as billy,
        engine_on(folder, billy, 10) as (
            settings,
            engine,
        ),
    ):
        files = {
            "customers": numbered(rows),
            "products": [{"name": f"Vare {n}", "unitPrice": "1.50"} for n in range(rows)],
            "invoices": [
                {
                    "invoice": str(n),
                    "contactNo": "100001",
                    "entryDate": datetime.now().astimezone().date().isoformat(),
                    "productNo": "200001",
                    "quantity": "1",
                    "unitPrice": "10",
                }
                for n in range(rows)
            ],
        }
        jobs = [
            take_in(settings, engine, customers_csv(folder / f"{name}.csv", content), resource=name).job.job_id
            for name, content in files.items()
        ]
        url = engine.url.render_as_string(hide_password=False)
        billy.switch(rate_limit="10/1", rate_burst=10)
        _set_rate(engine, 10)
        processes = [get_context("spawn").Process(target=_work, args=(settings, url, job_id)) for job_id in jobs]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            assert process.exitcode == 0
        writes, refused = billy.writes(), _limited(billy)
        requests = billy.requests()
    by_kind = [
        [each.began for each in writes if each.path.endswith(name)] for name in ("contacts", "products", "invoices")
    ]
    together = max(min(times) for times in by_kind), min(max(times) for times in by_kind)
    within = sorted(each.began for each in requests if together[0] <= each.began <= together[1])
    used = (len(within) - 1) / (within[-1] - within[0]) / 10
    yield "three processes, one token, limit 10/s: of the allowed rate", used, "", "at least 0.95", used >= 0.95
    yield "  429s", refused, "", "none", refused == 0


def _work(settings: Settings, url: str, job_id: str) -> None:
    row = run_job(settings, open_engine(url), job_id, timing=Timing())
    sys.exit(0 if row.status == "completed" else 1)


def large_job(folder: Path) -> Figures:
    """100,000 rows by `billy import`, bulk save of 100: the memory of its process, and Dagster's events."""
    file = customers_csv(folder / "stor.csv", numbered(LARGE))
    with sandbox("0") as billy:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("BILLY_", "DAGSTER_"))},
            "BILLY_DATA_DIR": str(folder / "data"),
            "BILLY_API_URL": billy.url,
            "BILLY_ACCESS_TOKEN": billy.token,
            "BILLY_REQUESTS_PER_SECOND": "1000",
        }
        command = [
            sys.executable,
            "-m",
            "billy_pipelines.cli",
            "import",
            str(file),
            "--resource",
            "customers",
            "--json",
        ]
        began = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--bulk-save", "on", "--batch-size", "100"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        memory = _Memory(process.pid, billy)
        memory.start()
        output = process.communicate()[0]
        memory.stop()
        seconds = time.perf_counter() - began
    job = json.loads(output)
    assert job["counts"]["created"] == LARGE, job["counts"]
    events = _events(Settings.from_environment(environment), str(job["run_id"]))
    yield f"{LARGE:,} rows, from file to report", seconds, "s", "", True
    yield "  resident memory at most", memory.most, "MB", "under 700", memory.most < MOST_MEGABYTES
    growth = memory.growth(LARGE)
    yield (
        "  it grew from the first tenth of the rows written to the last",
        growth,
        "MB",
        f"under {MOST_GROWTH:g}",
        growth < MOST_GROWTH,
    )
    yield "  Dagster events", events, "", "under 2,000", events < MOST_EVENTS


class _Memory(threading.Thread):
    """Looks at a process's resident memory five times a second, and how far Billy's books have got."""

    def __init__(self, pid: int, billy: Billy) -> None:
        super().__init__(daemon=True)
        self._process, self._billy = psutil.Process(pid), billy
        self._ended = threading.Event()
        self.seen: list[tuple[int, float]] = []
        """Changes in Billy, megabytes."""

    def run(self) -> None:
        while not self._ended.wait(0.2):
            try:
                used = self._process.memory_info().rss / 1e6
            except psutil.NoSuchProcess:
                return
            self.seen.append((self._billy.changes(), used))

    def stop(self) -> None:
        self._ended.set()
        self.join()

    @property
    def most(self) -> float:
        return max(used for _, used in self.seen)

    def growth(self, rows: int) -> float:
        """Megabytes more in the last tenth of the writes than in the first; a contact is one change, its person too."""
        last = self.seen[-1][0]
        first = [used for changes, used in self.seen if 0 < changes <= last / 10]
        end = [used for changes, used in self.seen if last * 0.9 <= changes < last]
        assert first and end, f"{len(self.seen)} looks at {rows} rows were too few"
        return max(end) - max(first)


def _events(settings: Settings, run_id: str) -> int:
    database = open_database(settings)
    with database.engine.connect() as connection:
        query = text("SELECT count(*) FROM dagster.event_logs WHERE run_id = :run")
        events = int(connection.execute(query, {"run": run_id}).scalar_one())
    database.close(stop_if_unused=True)
    return events


SCENARIOS = (known_limit, unknown_limit, single_creates, no_latency, bulk_save, three_processes, large_job)


def measure(folder: Path) -> Figures:
    """Every scenario on a folder of its own; BILLY_SCENARIOS=known_limit,large_job takes only those."""
    wanted = os.environ.get("BILLY_SCENARIOS", "").split(",")
    for scenario in SCENARIOS:
        if scenario.__name__ in wanted or wanted == [""]:
            own = folder / scenario.__name__
            own.mkdir()
            yield from scenario(own)
