"""A process that has loaded all `billy` needs, which takes 2.6 s of CPU, and forks for each command it is asked to run.

`python -m billy_pipelines_tests.e2e.preloaded SOCKET`; ends when its stdin is closed. A connection brings one line of
JSON, the arguments, environment and files of a command, and gets its exit code. Closed before that, it kills it.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import Any

from billy_pipelines.cli import main as billy

MODULES = (
    *(f"billy_pipelines.{name}" for name in ("cli.bulk", "cli.jobs", "cli.files", "definitions", "runs")),
    "dagster_postgres",
)


def asked_for(path: str) -> dict[str, Any] | None:
    """Serve; returns a command in the process that is to become it, None in the server when its time is over."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        print("ready", flush=True)
        while True:
            readable, _, _ = select.select([listening, sys.stdin], [], [])
            if sys.stdin in readable:
                return None
            connection, _ = listening.accept()
            if os.fork() == 0:
                break
            connection.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG) != (0, 0):
                    pass
    with connection:
        request: dict[str, Any] = json.loads(connection.makefile(encoding="utf-8").readline())
        command = os.fork()
        if command == 0:
            return request
        while (ended := os.waitpid(command, os.WNOHANG)) == (0, 0):
            if select.select([connection], [], [], 0.02)[0]:  # who asked has gone
                os.kill(command, signal.SIGKILL)
                os._exit(0)
        connection.sendall(f"{os.waitstatus_to_exitcode(ended[1])}\n".encode())
    os._exit(0)


def become(request: dict[str, Any]) -> None:
    """Run the command, with the end of a process as any other has it."""
    os.environ.clear()
    os.environ.update(request["environment"])
    for number, (name, flags) in enumerate(
        [(os.devnull, os.O_RDONLY), (request["out"], os.O_WRONLY), (request["err"], os.O_WRONLY)]
    ):
        opened = os.open(name, flags)
        os.dup2(opened, number)
        os.close(opened)
    billy(request["arguments"], prog_name="billy")


if __name__ == "__main__":
    for module in MODULES:
        importlib.import_module(module)
    if (request := asked_for(sys.argv[1])) is not None:
        become(request)
