"""`billy demo`: the whole way with made-up customers, a sandbox in Billy's place and a data folder of its own.

It is apart (runtime.md section 4): no `BILLY_*` of the shell or of `.env` counts, and an API that is not on this
machine is refused, so a demo file can never be booked into real accounts, nor a real one into the sandbox.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dotenv import dotenv_values
from rich.console import Console
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from billy_pipelines import runs
from billy_pipelines.bulk.uploads import NOTE_SUFFIX, OPTIONS_SUFFIX
from billy_pipelines.bulk.verdicts import FINISHED, RUNNING, State
from billy_pipelines.database.jobs import JobRow, get_job, list_jobs
from billy_pipelines.files.writing import write_text
from billy_pipelines.host import processes
from billy_pipelines.host.errors import HostError
from billy_pipelines.host.signals import EndSignals
from billy_pipelines.host.up import Up, occupied
from billy_pipelines.host.up_state import Say, UpState, unbreakable
from billy_pipelines.settings import PROJECT_ROOT, Settings, is_loopback

SAMPLE = PROJECT_ROOT / "data" / "samples" / "customers.csv"
ORGANIZATION = "demo"
TOKEN_VARIABLE = "BILLY_DEMO_TOKEN"  # noqa: S105 - the name of a variable, not a token
LATENCY = "0.15-0.35"
REQUESTS_PER_SECOND = 20
SANDBOX_SECONDS = 30.0
JOB_SECONDS = 120.0
RUN_END_SECONDS = 10.0
LOOK_SECONDS = 0.3
FAILED = 1
CANCELLED = 130


def demo(
    data_dir: Path | None = None,
    *,
    terminal: bool,
    port: int | None = None,
    say: Say,
    console: Console | None = None,
) -> int:
    """Show the whole way; returns the exit code: 0, 1 when the job failed, 130 when it was broken off.

    Args:
        data_dir: `data/demo` if left out.
        terminal: on one it stays until Ctrl-C, without one it ends when the job has.
        console: for bar and table.

    Raises:
        HostError: as `up`, or the sandbox does not start.
        EmbeddedPostgresError
    """
    say = unbreakable(say)
    console = console or Console(highlight=False)
    folder = (data_dir or PROJECT_ROOT / "data" / "demo").absolute()
    bare = clean_environment()
    place = Settings.from_environment({"BILLY_DATA_DIR": str(folder)})
    with (
        EndSignals() as signals,
        occupied(place, say) as (database, state),
        _sandbox(place, state, bare) as (url, token),
    ):
        settings = demo_settings(folder, url, token)
        say(f"A sandbox stands in for Billy: {url}")
        environment = {**bare, TOKEN_VARIABLE: token}
        with Up(settings, database, state, signals, port=port, say=say, environment=environment) as product:
            _close_earlier_jobs(product)
            if not product.start():
                return CANCELLED
            product.announce()
            code = _show(product, say, console)
            if terminal and not signals.asked:
                say("Have a look round. Ctrl-C ends the demo.")
                product.wait()
    return code


def clean_environment() -> dict[str, str]:
    """The shell's environment without a word of ours or Dagster's; what `.env` says of us is set to nothing."""
    ours = ("BILLY_", "DAGSTER_", "DAGIT_")
    from_file = {name: "" for name in dotenv_values(PROJECT_ROOT / ".env") if name.startswith(ours)}
    return {**{name: value for name, value in os.environ.items() if not name.startswith(ours)}, **from_file}


def demo_settings(folder: Path, url: str, token: str) -> Settings:
    """The demo's own settings, with the one organization `demo`.

    Raises:
        HostError: the API is not on this machine.
    """
    if not is_loopback(url):
        raise HostError(f"The demo talks to a sandbox on this machine only, not to {url}.")
    write_text(
        folder / "organizations.yaml",
        "# Written by `billy demo` at each start.\n"
        f"organizations:\n  - name: {ORGANIZATION}\n    token_variable: {TOKEN_VARIABLE}\n"
        f"    requests_per_second: {REQUESTS_PER_SECOND}\n",
    )
    return Settings.from_environment(
        {
            "BILLY_DATA_DIR": str(folder),
            "BILLY_API_URL": url,
            "BILLY_REQUESTS_PER_SECOND": str(REQUESTS_PER_SECOND),
            TOKEN_VARIABLE: token,
        }
    )


@contextmanager
def _sandbox(place: Settings, state: UpState, environment: dict[str, str]) -> Iterator[tuple[str, str]]:
    """A sandbox as a process of its own: address and token. Run workers that end still need it, so it goes after."""
    log = place.run_dir / "sandbox.log"
    arguments = ["-m", "billy_pipelines.cli", "sandbox", "--json", "--port", "0", "--latency", LATENCY]
    with processes.start(
        arguments, mark=state.sandbox_mark, environment=environment, log=log, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - asked for above
            readable, _, _ = select.select([process.stdout], [], [], SANDBOX_SECONDS)
            line = process.stdout.readline() if readable else ""
            if not line:
                raise HostError(f"The sandbox did not start. The end of {log}:\n{processes.tail(log)}")
            document = json.loads(line)
            yield document["url"], document["token"]
        finally:
            processes.end(state.sandbox_mark)


def _close_earlier_jobs(product: Up) -> None:
    """Jobs an earlier demo left open are not resumed: the sandbox forgot its books when it ended."""
    for row in list_jobs(product.database.engine, statuses=[State.PENDING, State.INTERRUPTED, *RUNNING], limit=1000):
        runs.cancel_job(product.settings, product.database.engine, product.instance, row.job_id)


def _show(product: Up, say: Say, console: Console) -> int:
    """Drop the sample, follow its job, and tell how it ended."""
    from billy_pipelines.cli.watching import follow_job, has_ended, summary

    engine = product.database.engine
    earlier = {row.job_id for row in list_jobs(engine, limit=1000)}
    dropped = _drop(product.settings)
    say(f"Dropped {SAMPLE.name} into {dropped.parent}")
    row = _appeared(product, dropped, earlier)
    while row is not None and row.dagster_run_id is None and not has_ended(row):
        if not product.keep_running():
            return CANCELLED
        time.sleep(LOOK_SECONDS)
        row = _look(engine, row)
    if row is None:
        note = dropped.with_name(dropped.name + NOTE_SUFFIX)
        if product.keep_running():
            reason = note.read_text(encoding="utf-8") if note.exists() else "The sensor's ticks in the UI may tell why."
            say(f"No job appeared within {JOB_SECONDS:.0f} s. {reason}")
            return FAILED
        return CANCELLED
    say(f"Job {row.job_id}, live in the UI: {product.url}/runs/{row.dagster_run_id}")
    row = follow_job(engine, row.job_id, console=console, stop=lambda _row: not product.keep_running())
    if not has_ended(row):
        return CANCELLED
    summary(console, product.settings, row)
    _await_end_of_run(product, row)
    say(f"Later: BILLY_DATA_DIR={product.settings.data_dir} billy status {row.job_id}")
    return 0 if row.status in FINISHED else FAILED


def _drop(settings: Settings) -> Path:
    """Put the sample where people drop files, as they should: whole at once, its options before it."""
    folder = settings.uploads_dir / ORGANIZATION / "customers" / "import"
    target = folder / SAMPLE.name
    if not SAMPLE.exists():
        raise HostError(f"The sample file {SAMPLE} is missing.")
    write_text(folder / f"{SAMPLE.name}{OPTIONS_SUFFIX}", "again: true\n")
    part = folder / f"{SAMPLE.name}.part"
    shutil.copyfile(SAMPLE, part)
    return part.rename(target)


def _appeared(product: Up, dropped: Path, earlier: set[str]) -> JobRow | None:
    """The job the dropped file became; None if it became none, or the end was asked for."""
    sha256 = hashlib.sha256(SAMPLE.read_bytes()).hexdigest()
    deadline = time.monotonic() + JOB_SECONDS
    note = dropped.with_name(dropped.name + NOTE_SUFFIX)
    while product.keep_running() and time.monotonic() < deadline and not note.exists():
        try:
            for row in list_jobs(product.database.engine, limit=20):
                if row.upload_sha256 == sha256 and row.job_id not in earlier:
                    return row
        except DBAPIError:
            pass  # PostgreSQL is being started again
        time.sleep(LOOK_SECONDS)
    return None


def _await_end_of_run(product: Up, row: JobRow) -> None:
    """The run goes on for a moment after its job; cut off there it would be on record as failed."""
    deadline = time.monotonic() + RUN_END_SECONDS
    while product.keep_running() and time.monotonic() < deadline:
        run = product.instance.get_run_by_id(row.dagster_run_id or "")
        if run is None or run.is_finished:
            return
        time.sleep(LOOK_SECONDS)


def _look(engine: Engine, row: JobRow) -> JobRow:
    """The job as it stands now, or as it was while PostgreSQL is away."""
    try:
        return get_job(engine, row.job_id) or row
    except DBAPIError:
        return row
