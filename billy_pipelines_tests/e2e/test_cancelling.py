"""R2: cancelled means cancelled. All three ways, with a daemon running that would start again what failed."""

from __future__ import annotations

import re
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
    # A browser takes its time, and a command does on a busy machine: those have more to cancel.
    cancelled = [
        _cancel(steady, "annulleret-0.csv", 40_000, 5 * ROWS, by_terminate_in_the_ui),
        _cancel(steady, "annulleret-1.csv", 43_000, 5 * ROWS, by_command),
        _cancel(steady, "annulleret-2.csv", 46_000, ROWS, by_force),
    ]

    # One that failed after all of them: when the daemon is done with it, what it would start again has started again.
    steady.drop("tom-til-sidst.csv", b"navn;mail\r\n")
    failed = steady.job_with_run("tom-til-sidst.csv").dagster_run_id or ""
    wait_until(lambda: steady.daemon_has_seen_the_failure_of(failed), JOB_SECONDS, pause=0.2)

    def assert_quiet(jobs: list[tuple[str, int]]) -> None:
        for job_id, written in jobs:
            assert [run["status"] for run in steady.runs_of(job_id)] == ["CANCELED"]
            row = get_job(steady.engine, job_id)
            assert row is not None and row.status == State.CANCELLED
            assert row.counts["created"] == written

    assert_quiet(cancelled)

    steady.sandbox.sandbox.switch(latency=0)
    steady.drop_customers("annulleret-2.csv", first=46_000, count=ROWS)
    row = steady.ended(cancelled[2][0], State.COMPLETED)
    assert row.counts["created"] == ROWS, "a person may take it up again, by dropping the file once more"
    check_accounts(steady.settings, steady.engine, steady.sandbox, row)
    assert_quiet(cancelled[:2])


def _cancel(product: Product, name: str, first: int, rows: int, way: Callable[[str, str], None]) -> tuple[str, int]:
    """Cancel an import in the middle; its job id, and how many records it has written, for good."""
    product.drop_customers(name, first=first, count=rows)
    job = product.job_with_run(name)
    wait_until(lambda: product.written(first, rows) > 10, JOB_SECONDS, pause=0.02)
    way(job.job_id, job.dagster_run_id or "")
    row = product.ended(job.job_id, State.CANCELLED)
    wait_until(lambda: product.runs_ended(job.job_id), JOB_SECONDS, pause=0.1)
    written = product.written(first, rows)
    assert 0 < written < rows
    assert row.counts["created"] == written
    check_accounts(product.settings, product.engine, product.sandbox, row)
    return job.job_id, written
