"""Children of `billy up` and all that descends from them: started apart from the terminal, found again, ended whole.

Code servers and run workers outlive the program that started them (SIGTERM to `dagster dev` left a worker writing for
58 s), so ending is never a matter of the direct children. Each process is known by a mark in the environment it was
born with: unlike a session it cannot be left, unlike a pid it is never reused, and it is written down (in `up.json`)
before the first child starts, so that a kill -9 at any moment leaves nothing that cannot be found.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from billy_pipelines.settings import PROJECT_ROOT

MARK = "BILLY_HOST_MARK"
TERM_SECONDS = 12.0
"""How long everything gets to end by itself: a run drains for at most 8 s."""
KILL_SECONDS = 5.0
LOG_BYTES = 10_000_000

# A shell's background job ignores SIGINT, and what is ignored or blocked stays so through exec: Dagster's processes
# would then never end. Python can set this right safely only in the new process (preexec_fn forks with threads).
_WITH_DEFAULT_SIGNALS = (
    "import os, signal, sys\n"
    "for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:\n"
    "    if signal.getsignal(number) is signal.SIG_IGN: signal.signal(number, signal.SIG_DFL)\n"
    "signal.pthread_sigmask(signal.SIG_SETMASK, [])\n"
    "os.execv(sys.argv[1], sys.argv[1:])\n"
)


@dataclass(frozen=True)
class Ended:
    """What `end` did: how many processes there were, and how many of them had to be killed."""

    processes: int
    killed: int


def start(
    arguments: Sequence[str],
    *,
    mark: str,
    environment: Mapping[str, str],
    log: Path,
    stdout: int | None = None,
) -> subprocess.Popen[str]:
    """Start our Python with these arguments in a session of its own, with default signal handling whatever ours is.

    Args:
        arguments: what follows `python`.
        mark: by which it and its descendants are found again.
        log: gets what it writes; readable by its owner only. `stdout=subprocess.PIPE` keeps that stream out of it.
    """
    with _open_log(log) as file:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WITH_DEFAULT_SIGNALS, sys.executable, *arguments],
            cwd=PROJECT_ROOT,
            env={**environment, MARK: mark},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=file if stdout is None else stdout,
            stderr=file,
            text=True,
            encoding="utf-8",
        )


def _open_log(log: Path) -> IO[bytes]:
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
    return os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600), "ab")


def marked(mark: str) -> list[psutil.Process]:
    """All living processes with this mark; a zombie has ended."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                found.append(process)
    return found


def end(mark: str, *, seconds: float = TERM_SECONDS) -> Ended:
    """SIGTERM to every process with this mark, those born meanwhile too; SIGKILL to what is left after `seconds`."""
    told: set[psutil.Process] = set()
    killed: set[psutil.Process] = set()
    began = time.monotonic()
    while left := marked(mark):
        waited = time.monotonic() - began
        for process in left:
            with suppress(psutil.Error):
                if waited > seconds:
                    process.kill()
                    killed.add(process)
                elif process not in told:
                    process.send_signal(signal.SIGTERM)
                    told.add(process)
        if waited > seconds + KILL_SECONDS:
            break  # in the kernel's hands; the next start looks for it again
        time.sleep(0.05)
    return Ended(len(told | killed), len(killed))


def is_alive(pid: int, create_time: float) -> bool:
    """Whether this very process lives: a pid may be reused, and a stepped clock moves create times a little."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - create_time) < 2
    return False


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, '' if there is none."""
    with suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 8000))
        return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    return ""
