"""From a dropped file to the first request at Billy, with the daemon running."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.place import product_in
from billy_pipelines.database.connection import open_database
from billy_pipelines.database.jobs import list_jobs
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines_tests.bulk.jobs import customers_csv, numbered
from billy_pipelines_tests.support import wait_until

DROPS = 10
MEDIAN, WORST = 10.0, 15.0


def measure(folder: Path) -> Iterator[tuple[str, float, str, str, bool]]:
    """Ten files of five customers, one after the other; each waits until the job before has ended."""
    seconds = []
    with SandboxServer(latency="0.1") as sandbox, product_in(folder, sandbox, requests_per_second=50) as billy:
        database = open_database(billy.settings)
        uploads = billy.settings.uploads_dir / "default" / "customers" / "import"
        for number in range(DROPS):
            before = len(sandbox.sandbox.requests)
            source = customers_csv(folder / f"{number}.csv", numbered(5, number * 5))
            began = time.perf_counter()
            source.rename(uploads / source.name)
            wait_until(lambda before=before: len(sandbox.sandbox.requests) > before, 120)
            seconds.append(time.perf_counter() - began)
            wait_until(lambda done=number + 1: _completed(database.engine) == done, 120, pause=0.1)
        database.close()
    median, worst = statistics.median(seconds), max(seconds)
    yield (
        f"file dropped to first answer of Billy, median of {DROPS}",
        median,
        "s",
        f"at most {MEDIAN:g} s",
        median <= MEDIAN,
    )
    yield "the same, worst", worst, "s", f"at most {WORST:g} s", worst <= WORST


def _completed(engine) -> int:  # type: ignore[no-untyped-def]
    return sum(row.status == "completed" for row in list_jobs(engine, limit=100))
