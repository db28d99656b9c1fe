"""`billy demo`, as a newcomer starts it: in a shell full of other settings, without a terminal and on one, twice."""

from __future__ import annotations

import csv
import os
import pty
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from billy_pipelines.settings import Settings
from billy_pipelines_tests.e2e.commands import finish
from billy_pipelines_tests.product import end_everything, plain_environment, running
from billy_pipelines_tests.support import wait_until

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "billy_pipelines.cli", "demo", "--data-dir"]
REAL_BOOKS = {
    "BILLY_API_URL": "https://api.billysbilling.com/v2",
    "BILLY_ACCESS_TOKEN": "a-real-token",
    "BILLY_DATABASE_URL": "postgresql://somebody:else@127.0.0.1:9/real",
    "BILLY_DATA_DIR": "/nowhere/at/all",
    "DAGSTER_HOME": "/nowhere/at/all",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    settings = Settings.from_environment({"BILLY_DATA_DIR": str(tmp_path_factory.mktemp("demo") / "data")})
    yield settings
    end_everything(settings, [])


def test_without_a_terminal_it_shows_everything_and_ends(place: Settings) -> None:
    """Nothing of the shell's own settings counts: a demo must never reach real books."""
    process = subprocess.Popen(
        [*COMMAND, str(place.data_dir)],
        env={**plain_environment(), **REAL_BOOKS},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    code, said, complaints = finish(process, 200)
    assert code == 0, said + complaints
    assert "live in the UI: http://127.0.0.1:" in said
    assert "processing: " in said, "progress"
    assert "Error rate: 2.9 % (7 of 240 rows)" in said
    [results] = place.jobs_dir.glob("*/results.csv")
    assert str(results.parent) in said
    with results.open(encoding="utf-8-sig", newline="") as file:
        verdicts = Counter(row["verdict"] for row in csv.DictReader(file, delimiter=";"))
    assert verdicts == {"created": 233, "rejected": 7}
    assert running(place) == []


def test_on_a_terminal_it_stays_until_ctrl_c(place: Settings) -> None:
    """The second start in the same folder: the sandbox has forgotten its books, the demo's database has not."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, str(place.data_dir)], env=plain_environment(), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    said = bytearray()

    def shown(text: str) -> bool:
        assert process.poll() is None, said.decode(errors="replace")
        with suppress(BlockingIOError):
            said.extend(os.read(ours, 100_000))
        return text in said.decode(errors="replace")

    try:
        wait_until(lambda: shown("Have a look round. Ctrl-C ends the demo."), 200, pause=0.05)
        text = said.decode(errors="replace")
        assert "━" in text, "the progress bar"
        assert "Error rate: 2.9 % (7 of 240 rows)" in text
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert running(place) == []


def test_the_sample_is_realistic_and_reaches_no_real_firm() -> None:
    """B27: addresses under .example, CVR-like numbers that fail their check digits."""
    from stdnum.dk import cvr

    sample = Path(__file__).parents[2] / "data" / "samples" / "customers.csv"
    with sample.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert len(rows) >= 200
    assert sum(any(letter in "".join(row.values()) for letter in "æøåÆØÅ") for row in rows) > 100
    addresses = [row["email"] for row in rows if "@" in row["email"] and "." in row["email"].partition("@")[2]]
    assert len(addresses) > 150
    assert all(address.endswith(".example") for address in addresses)
    numbers = [row["vatNo"] for row in rows if row["vatNo"]]
    assert len(numbers) > 100
    assert not [number for number in numbers if cvr.is_valid(number)]
