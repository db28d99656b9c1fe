"""How long taking an import back takes against what its writes alone need at the allowed rate.

Each record is read before it is deleted, and so is what uses it: 1,000 at a time, every minute anew. The benchmark
runs five times as fast as life: 25 requests a second instead of 5, readings that grow old in 12 seconds, answers in a
fifth of the time. So as many writes fall on each reading.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from benchmarks.place import engine_in
from billy_pipelines.bulk.timing import Timing
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines_tests.bulk.jobs import customers_csv, numbered, run_job, take_in
from billy_pipelines_tests.bulk.taking_back import take_back

ALLOWED = 25.0
ROWS = 10_000
FRESH = 12.0
"""Seconds a reading may be written on."""
PROMISED = 1.05


def measure(folder: Path) -> Iterator[tuple[str, float, str, str, bool]]:
    """An import at full speed, then its undo under a ceiling of 25 requests a second."""
    with SandboxServer() as sandbox, engine_in(folder, sandbox, requests_per_second=500) as (settings, engine):
        file = customers_csv(folder / "kunder.csv", numbered(ROWS))
        job_id = take_in(settings, engine, file).job.job_id
        run_job(settings, engine, job_id, timing=Timing())
        sandbox.sandbox.switch(latency="0.04-0.08")
        slow = replace(settings, requests_per_second=ALLOWED)
        asked = len(sandbox.sandbox.requests)
        began = time.perf_counter()
        undone = take_back(slow, engine, job_id, timing=Timing(fresh=FRESH))
        seconds = time.perf_counter() - began
        requests = sandbox.sandbox.requests.select()[asked:]
        left = len(sandbox.sandbox.contacts)
    starts = sorted(
        datetime.fromisoformat(each.time).timestamp() - each.seconds for each in requests if each.method == "DELETE"
    )
    steady = starts[len(starts) // 4 :]  # a new ceiling is grown into from what is known
    took = (steady[-1] - steady[0]) / ((len(steady) - 1) / ALLOWED)
    reversed_rows = undone.job.counts["reversed"]
    yield f"{reversed_rows} of {ROWS} rows reversed, all in all", seconds, "s", "", (reversed_rows, left) == (ROWS, 0)
    yield "time, of what the writes alone need", took, "", f"at most {PROMISED:g}", took <= PROMISED
    yield (
        "requests, for each write",
        len(requests) / ROWS,
        "",
        f"at most {PROMISED:g}",
        len(requests) / ROWS <= PROMISED,
    )
