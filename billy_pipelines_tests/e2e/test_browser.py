"""What a person sees in the UI: a dropped file becomes a run whose page shows progress, verdicts, and the files."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from billy_pipelines.bulk.verdicts import State
from billy_pipelines_tests.bulk.jobs import check_accounts
from billy_pipelines_tests.e2e.conftest import Product
from billy_pipelines_tests.support import wait_until

pytestmark = pytest.mark.slow

SECONDS = 60_000.0
ROWS = 700
BAD_ROWS = b"Uden mail ApS;ved@;DK\r\n;tom@kunde.example;DK\r\n"


@pytest.fixture
def page(browser: Browser) -> Page:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(SECONDS)
    expect.set_options(timeout=SECONDS)
    return page


def test_a_dropped_file_is_watched_on_its_run_page(steady: Product, page: Page) -> None:
    page.goto(steady.url)  # the browser loads the UI's code once, before there is something to miss
    expect(page.get_by_text("Runs").first).to_be_visible()
    steady.sandbox.sandbox.switch(latency="0.5-0.9")
    rows = [f"Fynsk Frugt nr. {n} ApS;frugt{n}@kunde.example;DK".encode() for n in range(ROWS)]
    steady.drop("frugt.csv", b"name;email;country\r\n" + b"\r\n".join(rows) + b"\r\n" + BAD_ROWS)
    job = steady.job_with_run("frugt.csv")

    page.goto(f"{steady.url}/runs/{job.dagster_run_id}")
    expect(page.get_by_text(f"of {ROWS + 2} ·").first).to_be_visible()
    wait_until(lambda: _percent(page) > 0, 60, pause=0.1)
    first = _percent(page)
    wait_until(lambda: _percent(page) > first, 60, pause=0.1)
    assert _percent(page) < 100, "progress was to be seen while the job ran"
    _keep(page, "run-page-in-progress")

    row = steady.ended(job.job_id, State.COMPLETED_WITH_ERRORS)
    assert (row.counts["created"], row.counts["rejected"]) == (ROWS, 2)
    expect(page.get_by_text("Success").first).to_be_visible()
    page.reload()  # the page shows a run's last events at once
    text = wait_until(lambda: _text_with(page, f"created {ROWS}"), 60, pause=0.2)
    assert "rejected 2" in text
    _keep(page, "run-page-ended")
    check_accounts(steady.settings, steady.engine, steady.sandbox, row)


def test_the_partition_of_the_job_shows_its_verdicts(steady: Product, page: Page) -> None:
    row = steady.job_of("frugt.csv")
    assert row is not None, "this test reads what the one before it left"
    page.goto(f"{steady.url}/assets/customers/sync?partition={row.job_id}&view=partitions")
    text = wait_until(lambda: _text_with(page, "results.csv"), 60, pause=0.2)
    assert "completed_with_errors" in text
    shown = dict(re.findall(r"^(\w+)\s+(\d+)$", text, re.MULTILINE))
    assert {name: int(shown[name]) for name in ("created", "rejected", "failed")} == {
        name: row.counts[name] for name in ("created", "rejected", "failed")
    }
    assert "rejected.csv" in text
    _keep(page, "partition")


def _percent(page: Page) -> int:
    """The highest percentage the page shows in our lines."""
    found = re.findall(r"(\d+) ?%", page.inner_text("body"))
    return max((int(number) for number in found), default=0)


def _text_with(page: Page, wanted: str) -> str | None:
    text = page.inner_text("body")
    return text if wanted in text else None


def _keep(page: Page, name: str) -> None:
    """For the README, and to be looked at: BILLY_SCREENSHOTS names a folder."""
    if folder := os.environ.get("BILLY_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"))
