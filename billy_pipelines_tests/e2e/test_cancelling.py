"""R2: cancelled means cancelled. All three ways, with a daemon running that would start again what failed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import TimeoutError as TooLate

from billy_pipelines.bulk.verdicts import State
from billy_pipelines.database.jobs import get_job
from billy_pipelines_tests.bulk.jobs import check_accounts
from billy_pipelines_tests.e2e.commands import billy
from billy_pipelines_tests.e2e.conftest import JOB_SECONDS, Product
from billy_pipelines_tests.support import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

ROWS = 400
QUIET_SECONDS = 60.0
FORCE = """mutation ($run: String!) { terminateRun(runId: $run, terminatePolicy: MARK_AS_CANCELED_IMMEDIATELY) {
    __typename ... on PythonError { message } } }"""


def test_no_way_of_cancelling_is_undone_by_a_retry(steady: Product, browser: Browser) -> None:
    def by_terminate_in_the_ui(_job_id: str, run_id: str) -> None:
        page = browser.new_page()
        page.goto(f"{steady.url}/runs/{run_id}")
        for again in (
            True,
            True,
            False,
        ):  # the page draws itself anew when the run's status comes, and takes the dialog
            page.get_by_role("button", name=re.compile("Terminate")).first.click(timeout=60_000)
            dialog = page.get_by_role("dialog")
            expect(dialog).to_be_visible(timeout=60_000)
            try:
                with page.expect_response(lambda response: "terminateRun" in (response.request.post_data or "")):
                    dialog.get_by_role("button", name=re.compile("Terminate")).click(timeout=5_000)
                break
            except TooLate:
                if not again:
                    raise
        page.close()

    def by_force(_job_id: str, run_id: str) -> None:
        assert steady.graphql(FORCE, run=run_id)["terminateRun"]["__typename"] == "TerminateRunSuccess"

    def by_command(job_id: str, _run_id: str) -> None:
        code, document, _ = billy(steady.settings, "cancel", job_id)
        assert (code, document["cancel_requested"]) == (0, True)

    steady.sandbox.sandbox.switch(latency="0.3-0.6")
    ways: list[Callable[[str, str], None]] = [by_terminate_in_the_ui, by_force, by_command]
    cancelled = [_cancel(steady, f"annulleret-{n}.csv", 40_000 + 1_000 * n, way) for n, way in enumerate(ways)]

    quiet_until = time.monotonic() + QUIET_SECONDS

    def all_quiet() -> bool:
        for job_id, written in cancelled:
            assert steady.runs_ended(job_id) == ["CANCELED"]
            row = get_job(steady.engine, job_id)
            assert row is not None and row.status == State.CANCELLED
            assert row.counts["created"] == written
        return time.monotonic() > quiet_until

    wait_until(all_quiet, QUIET_SECONDS + JOB_SECONDS, pause=1.0)

    steady.sandbox.sandbox.switch(latency=0)
    steady.drop_customers("annulleret-0.csv", first=40_000, count=ROWS)
    row = steady.ended(cancelled[0][0], State.COMPLETED)
    assert row.counts["created"] == ROWS, "a person may take it up again, by dropping the file once more"
    check_accounts(steady.settings, steady.engine, steady.sandbox, row)


def _cancel(product: Product, name: str, first: int, way: Callable[[str, str], None]) -> tuple[str, int]:
    """Cancel an import in the middle; its job id, and how many records it has written, for good."""
    product.drop_customers(name, first=first, count=ROWS)
    job = product.job_with_run(name)
    wait_until(lambda: product.written(first, ROWS) > 10, JOB_SECONDS, pause=0.02)
    way(job.job_id, job.dagster_run_id or "")
    row = product.ended(job.job_id, State.CANCELLED)
    wait_until(lambda: product.runs_ended(job.job_id), JOB_SECONDS, pause=0.1)
    written = product.written(first, ROWS)
    assert 0 < written < ROWS
    assert row.counts["created"] == written
    check_accounts(product.settings, product.engine, product.sandbox, row)
    return job.job_id, written
