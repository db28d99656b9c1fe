"""How old the progress is that a browser shows, and how long a second start takes to the open UI."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from benchmarks.place import product_in
from billy_pipelines.database.connection import open_database
from billy_pipelines.database.jobs import list_jobs
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines_tests.bulk.jobs import customers_csv, numbered
from billy_pipelines_tests.e2e.conftest import CHROMIUM_ARGUMENTS, chromium_path
from billy_pipelines_tests.support import wait_until

ROWS = 1_500
OLD, START = 1.0, 20.0
WATCH = """() => {
    window.seen = {};  // time of a progress line -> when the page showed it first
    setInterval(() => {
        const lines = document.body.innerText.matchAll(/(\\d+):(\\d\\d):(\\d\\d)\\.(\\d{3}) ([AP]M)[^░█]{0,80}[░█]/g);
        for (const [_, h, m, s, ms, half] of lines) {
            const at = new Date();
            at.setHours((Number(h) % 12) + (half === 'PM' ? 12 : 0), Number(m), Number(s), Number(ms));
            if (!(at.getTime() in window.seen)) window.seen[at.getTime()] = Date.now();
        }
    }, 50);
}"""


def measure(folder: Path) -> Iterator[tuple[str, float, str, str, bool]]:
    """The run page of an import of 1,500 rows at 50/s; lines that were there when the page opened do not count."""
    path = chromium_path()
    if path is None:
        yield "no Chromium on this machine: not measured", 0.0, "", "", True
        return
    with SandboxServer(latency="0.1-0.3") as sandbox:
        with product_in(folder, sandbox, requests_per_second=50):
            pass
        began = time.perf_counter()
        with product_in(folder, sandbox, requests_per_second=50) as billy, sync_playwright() as playwright:
            started = time.perf_counter() - began
            browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(billy.state.url or "")
            page.get_by_text("Runs").first.wait_for(timeout=60_000)
            opened = time.perf_counter() - began
            database = open_database(billy.settings)
            source = customers_csv(folder / "kunder.csv", numbered(ROWS))
            source.rename(billy.settings.uploads_dir / "default" / "customers" / "import" / source.name)
            row: Any = wait_until(lambda: next((r for r in list_jobs(database.engine) if r.dagster_run_id), None), 120)
            page.goto(f"{billy.state.url}/runs/{row.dagster_run_id}")
            page.get_by_text(f"of {ROWS:,} ·").first.wait_for(timeout=60_000)
            page.evaluate(WATCH)
            page.wait_for_timeout(300)
            known = set(page.evaluate("() => window.seen"))
            wait_until(lambda: list_jobs(database.engine)[0].status == "completed", 180, pause=0.2)
            seen = {int(at): shown for at, shown in page.evaluate("() => window.seen").items() if at not in known}
            database.close()
            browser.close()
    lags = [(shown - at) / 1000 for at, shown in seen.items()]
    beats = sorted(seen)
    gaps = [(later - earlier) / 1000 for earlier, later in itertools.pairwise(beats)]
    yield (
        f"a progress line reaches the browser, median of {len(lags)}",
        statistics.median(lags),
        "s",
        "",
        len(lags) > 10,
    )
    yield "the same, worst", max(lags), "s", f"at most {OLD:g} s", max(lags) <= OLD
    yield "between two progress lines, median", statistics.median(gaps), "s", "", True
    yield "second start to `Ready`", started, "s", "", True
    yield "second start to the open UI in a browser", opened, "s", f"under {START:g} s", opened < START
