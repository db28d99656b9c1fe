"""How much of the allowed rate an import uses: requests that reached Billy against requests allowed, in one run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from benchmarks.place import engine_in
from billy_pipelines.bulk.sync import Timing
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines_tests.bulk.jobs import check_accounts, customers_csv, names_created, numbered, run_job, take_in

ALLOWED = 40.0
ROWS = 1_600
PROMISED = 0.97


def measure(folder: Path) -> Iterator[tuple[str, float, str, str, bool]]:
    """Creates under a ceiling of 40/s against a Billy that takes 0.2 to 0.4 s for each answer."""
    with (
        SandboxServer(latency="0.2-0.4") as sandbox,
        engine_in(folder, sandbox, requests_per_second=ALLOWED) as (settings, engine),
    ):
        file = customers_csv(folder / "kunder.csv", numbered(ROWS))
        job_id = take_in(settings, engine, file).job.job_id
        began = time.perf_counter()
        row = run_job(settings, engine, job_id, timing=Timing())
        seconds = time.perf_counter() - began
        check_accounts(settings, engine, sandbox, row)
        created = len(names_created(sandbox))
        began_at = sorted(
            datetime.fromisoformat(request.time).timestamp() - request.seconds
            for request in sandbox.sandbox.requests.select(method="POST")
        )
    steady = began_at[len(began_at) // 4 :]  # the rate starts at 2/s on purpose and doubles each clean second
    used = (len(steady) - 1) / (steady[-1] - steady[0]) / ALLOWED
    yield f"{created} of {ROWS} customers created, all in all", seconds, "s", "", created == ROWS
    yield "requests a second, of those allowed", used, "", f"at least {PROMISED:g}", used >= PROMISED
