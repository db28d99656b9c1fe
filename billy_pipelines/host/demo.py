"""The demo's surroundings: the product on a data folder of its own, with a sandbox in Billy's place.

It is apart (runtime.md section 4): no `BILLY_*` of the shell or of `.env` counts, and an API that is not on this
machine is refused, so a demo file can never be booked into real accounts, nor a real one into the sandbox.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dotenv import dotenv_values

from billy_pipelines import runs
from billy_pipelines.bulk.verdicts import RUNNING, State
from billy_pipelines.database.jobs import list_jobs
from billy_pipelines.files.writing import write_text
from billy_pipelines.host import processes
from billy_pipelines.host.errors import HostError
from billy_pipelines.host.signals import EndSignals
from billy_pipelines.host.up import Up, occupied
from billy_pipelines.host.up_state import Say, UpState
from billy_pipelines.settings import PROJECT_ROOT, Settings, is_loopback

ORGANIZATION = "demo"
TOKEN_VARIABLE = "BILLY_DEMO_TOKEN"  # noqa: S105 - the name of a variable, not a token
LATENCY = "0.15-0.35"
REQUESTS_PER_SECOND = 20
SANDBOX_SECONDS = 30.0


@contextmanager
def demo_product(folder: Path, *, port: int | None, say: Say) -> Iterator[Up]:
    """The product of the demo, not started yet; everything is ended with the block.

    Args:
        folder: the demo's data folder.
        port: of the UI, as for `up`.

    Raises:
        HostError: as `up`, or the sandbox does not start.
        EmbeddedPostgresError
    """
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
            yield product


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
