"""`billy demo`: the whole way with made-up customers, shown on a terminal. Touches no real books (`host/demo.py`)."""

from __future__ import annotations

import hashlib
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path

import click
from rich.console import Console
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from billy_pipelines.bulk.uploads import NOTE_SUFFIX, OPTIONS_SUFFIX
from billy_pipelines.bulk.verdicts import FINISHED
from billy_pipelines.cli.common import CANCELLED, FAILED, command
from billy_pipelines.cli.host import port_option
from billy_pipelines.cli.watching import follow_job, has_ended, summary
from billy_pipelines.database.jobs import JobRow, get_job, list_jobs
from billy_pipelines.files.writing import write_text
from billy_pipelines.host.demo import ORGANIZATION, demo_product
from billy_pipelines.host.errors import HostError
from billy_pipelines.host.up import Up
from billy_pipelines.host.up_state import Say, unbreakable
from billy_pipelines.settings import PROJECT_ROOT, Settings

SAMPLE = PROJECT_ROOT / "data" / "samples" / "customers.csv"
FOLDER = PROJECT_ROOT / "data" / "demo"
JOB_SECONDS = 120.0
RUN_END_SECONDS = 10.0
LOOK_SECONDS = 0.3


@click.command()
@port_option
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=FOLDER,
    help="The demo's own data folder.  [default: data/demo]",
)
@command
def demo(port: int | None, data_dir: Path, as_json: bool) -> int:
    """Show the whole way with made-up customers and a sandbox in Billy's place. Touches no real books.

    On a terminal it stays until Ctrl-C; without one it ends when the job has.
    """
    say = unbreakable(lambda text: click.echo(text, err=as_json))
    console = Console(highlight=False, stderr=as_json)
    with demo_product(data_dir.absolute(), port=port, say=say) as product:
        if not product.start():
            return CANCELLED
        product.announce()
        code = _show(product, say, console)
        if sys.stdout.isatty() and product.keep_running():
            say("Have a look round. Ctrl-C ends the demo.")
            product.wait()
    return code


def _show(product: Up, say: Say, console: Console) -> int:
    """Drop the sample, follow its job, and tell how it ended."""
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
    billy = Path(sys.executable).with_name("billy")
    say(f"Later: BILLY_DATA_DIR={product.settings.data_dir} {billy} status {row.job_id}")
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
        with suppress(DBAPIError):  # PostgreSQL is being started again
            for row in list_jobs(product.database.engine, limit=20):
                if row.upload_sha256 == sha256 and row.job_id not in earlier:
                    return row
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
