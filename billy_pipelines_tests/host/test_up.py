"""`billy up` and `billy down` as people use them: start, end, crash, start again; nothing is left and nothing lost."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from billy_pipelines.bulk.verdicts import State
from billy_pipelines.host.up_state import read_state
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.host.conftest import Start
from billy_pipelines_tests.product import START_SECONDS, Billy, drop, end_everything, jobs_of, running, settings_for
from billy_pipelines_tests.support import wait_until

pytestmark = pytest.mark.slow

ROWS = 120
END_SECONDS = 15.0
MARGIN = 3.0


# -- one that just runs ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Billy]:
    """A `billy up` without a token, started in the background of a shell while the usual port is taken."""
    settings = settings_for(tmp_path_factory.mktemp("serving") / "data", None)
    with socket.socket() as taken:
        with suppress(OSError):  # somebody else has it: just as well
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", 3000))
            taken.listen()
        billy = Billy(settings, "up", ignore_interrupt=True)
        try:
            yield billy.ready()
        finally:
            end_everything(settings, [billy])


def test_it_answers_at_the_address_it_says(serving: Billy) -> None:
    address = serving.state.url
    assert address and f"Ready: {address}\n" in serving.said
    assert httpx.get(f"{address}/server_info").status_code == 200


def test_it_says_where_to_drop_files_and_the_folders_are_there(serving: Billy) -> None:
    assert str(serving.settings.uploads_dir / "default") in serving.said
    assert (serving.settings.uploads_dir / "default" / "customers" / "import").is_dir()


def test_it_says_which_variable_is_missing_and_keeps_running(serving: Billy) -> None:
    assert "No access token for organization 'default': set the variable BILLY_ACCESS_TOKEN" in serving.said
    assert serving.process.poll() is None


def test_a_taken_port_is_named_and_another_one_used(serving: Billy) -> None:
    assert "Port 3000 is taken" in serving.said
    assert serving.state.ports["webserver"] != 3000


def test_its_state_and_logs_are_for_its_owner_only(serving: Billy) -> None:
    files = [path for path in serving.settings.run_dir.iterdir() if path.is_file()]
    assert {"up.json", "webserver.log", "daemon.log"} <= {path.name for path in files}
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)


def test_each_child_leads_a_session_and_answers_to_signals(serving: Billy) -> None:
    for session in serving.state.sessions.values():
        assert os.getsid(session.pid) == session.pid
        status = Path(f"/proc/{session.pid}/status").read_text().splitlines()
        ignored = next(int(line.split()[1], 16) for line in status if line.startswith("SigIgn:"))
        assert ignored & (1 << (signal.SIGINT - 1)) == 0


def test_a_second_one_is_refused_with_the_address(serving: Billy) -> None:
    second = Billy(serving.settings, "up")
    assert second.ended() != 0
    assert serving.state.url and serving.state.url in second.said
    assert "billy down" in second.said
    assert serving.process.poll() is None


def test_a_command_that_leaves_does_not_stop_postgres(serving: Billy) -> None:
    before = running(serving.settings)
    assert Billy(serving.settings, "status").ended() == 0
    assert set(before) <= set(running(serving.settings))


def test_a_killed_postgres_is_back_within_five_seconds(serving: Billy) -> None:
    folder = serving.settings.postgres_dir
    killed = int((folder / "postmaster.pid").read_text().split()[0])
    os.kill(killed, signal.SIGKILL)
    began = time.monotonic()
    wait_until(lambda: "PostgreSQL had ended and was started again" in serving.said, 20)
    assert time.monotonic() - began < 5 + MARGIN
    assert int((folder / "postmaster.pid").read_text().split()[0]) != killed
    assert jobs_of(serving.settings) == []


@pytest.mark.parametrize("name", ["webserver", "daemon"])
def test_a_child_that_dies_is_started_again(serving: Billy, name: str) -> None:
    died = serving.state.sessions[name]
    os.kill(died.pid, signal.SIGKILL)
    wait_until(lambda: serving.state.sessions[name] != died, 20)
    assert f"The {name} ended by itself (signal 9) and is started again, " in serving.said
    answers = f"{serving.state.url}/server_info"
    wait_until(lambda: _answers(answers), START_SECONDS, pause=0.2)


def test_started_with_sigint_ignored_it_ends_and_leaves_nothing(serving: Billy) -> None:
    assert len(running(serving.settings)) >= 5
    began = time.monotonic()
    serving.process.send_signal(signal.SIGINT)
    assert serving.ended() == 0
    assert time.monotonic() - began < END_SECONDS + MARGIN
    assert running(serving.settings) == []
    assert read_state(serving.settings) is None


# -- with a run in progress --------------------------------------------------------------------------------------------


def test_ended_with_a_run_in_progress_it_interrupts_and_the_next_start_resumes(
    host_settings: Settings, sandbox: SandboxServer, billy: Start
) -> None:
    first = _with_a_run(host_settings, sandbox, billy)
    began = time.monotonic()
    first.process.terminate()
    wait_until(lambda: "Ending" in first.said)
    first.process.send_signal(signal.SIGINT)  # impatience
    assert first.ended() == 0
    assert time.monotonic() - began < END_SECONDS + MARGIN
    assert running(host_settings) == []
    assert [job.status for job in jobs_of(host_settings)] == [State.INTERRUPTED]

    second = billy("up").ready()
    _completed_once(host_settings, sandbox)
    assert second.end() == 0


def test_killed_with_a_run_in_progress_the_next_start_takes_over(
    host_settings: Settings, sandbox: SandboxServer, billy: Start
) -> None:
    first = _with_a_run(host_settings, sandbox, billy)
    first.kill()
    left = set(running(host_settings))
    assert len(left) >= 5
    second = billy("up").ready()
    assert "left" in second.said and "behind" in second.said
    postgres = {process for process in left if process.is_running() and process.name() == "postgres"}
    assert {process for process in left if process.is_running()} <= postgres
    _completed_once(host_settings, sandbox)

    down = billy("down")
    assert down.ended() == 0 and f"pid {second.process.pid}" in down.said
    assert second.ended() == 0
    assert running(host_settings) == []


def test_after_a_power_cut_the_job_is_resumed(host_settings: Settings, sandbox: SandboxServer, billy: Start) -> None:
    first = _with_a_run(host_settings, sandbox, billy)
    first.kill()
    for process in running(host_settings):
        process.kill()
    wait_until(lambda: running(host_settings) == [])
    billy("up").ready()
    _completed_once(host_settings, sandbox)


def _with_a_run(settings: Settings, sandbox: SandboxServer, billy: Start) -> Billy:
    """A `billy up` in the middle of an import."""
    sandbox.sandbox.switch(latency="0.3-0.5")
    started = billy("up").ready()
    drop(settings, ROWS)
    wait_until(lambda: len(sandbox.sandbox.ledger) >= 10, 60, pause=0.05)
    assert len(sandbox.sandbox.ledger) < ROWS
    return started


def _completed_once(settings: Settings, sandbox: SandboxServer) -> None:
    """The one job ends well, and each of its rows is in the books once."""
    sandbox.sandbox.switch(latency=0)
    wait_until(lambda: [job.status for job in jobs_of(settings)] == [State.COMPLETED], 90, pause=0.2)
    created = Counter(change.key for change in sandbox.sandbox.ledger.select("create", "contacts"))
    assert len(created) == ROWS
    assert set(created.values()) == {1}


# -- starting and ending in odd circumstances --------------------------------------------------------------------------


def test_of_two_at_the_same_moment_one_wins_and_down_ends_what_a_killed_one_left(
    host_settings: Settings, billy: Start
) -> None:
    both = [billy("up"), billy("up")]
    wait_until(lambda: any(each.process.poll() is not None for each in both), START_SECONDS)
    loser, winner = sorted(both, key=lambda each: each.process.poll() is None)
    assert loser.process.returncode == 1
    assert "billy up" in loser.said
    winner.ready().kill()
    assert len(running(host_settings)) >= 5
    down = billy("down")
    assert down.ended() == 0
    assert "left" in down.said
    assert running(host_settings) == []
    assert read_state(host_settings) is None
    again = billy("down")
    assert again.ended() == 0
    assert "Nothing runs" in again.said


def test_a_taken_port_that_was_asked_for_is_an_error_that_names_it(host_settings: Settings, billy: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = billy("up", "--port", str(port))
        assert refused.ended(START_SECONDS) == 1
    assert f"Port {port} is taken" in refused.said
    assert f"(pid {psutil.Process().pid})" in refused.said
    assert running(host_settings) == []


def test_ended_while_it_starts_it_leaves_nothing(host_settings: Settings, billy: Start) -> None:
    starting = billy("up")
    wait_until(lambda: "Starting" in starting.said, START_SECONDS)
    assert starting.end() == 0
    assert "Ready" not in starting.said
    assert running(host_settings) == []


def _answers(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(url).status_code == 200
    return False
