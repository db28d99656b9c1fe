"""The `billy` command as a process, as a person or a script runs it."""

from __future__ import annotations

import atexit
import functools
import json
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from billy_pipelines.settings import Settings
from billy_pipelines_tests.product import plain_environment

LIMIT = 120


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The variables of a shell in which somebody works with these settings."""
    return {
        **plain_environment(),
        "BILLY_DATA_DIR": str(settings.data_dir),
        "BILLY_API_URL": settings.api_url,
        "BILLY_DATABASE_URL": settings.database_url or "",
        "BILLY_ACCESS_TOKEN": settings.environ.get("BILLY_ACCESS_TOKEN", ""),
        "BILLY_REQUESTS_PER_SECOND": f"{settings.requests_per_second:g}",
        **more,
    }


def start(
    settings: Settings, *arguments: str | Path, within: tuple[str, ...] = (), **more: str
) -> subprocess.Popen[str]:
    """Start `billy …`; stdout and stderr are pipes. `within` is a command that starts it under some limit."""
    return subprocess.Popen(
        [*within, sys.executable, "-m", "billy_pipelines.cli", *(str(a) for a in arguments)],
        env=environment(settings, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], limit: float = LIMIT) -> tuple[int, str, str]:
    """Wait for its end: exit code, stdout, stderr."""
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return process.returncode, out, err


def billy(settings: Settings, *arguments: str | Path, **more: str) -> tuple[int, dict[str, Any], str]:
    """Run `billy … --json`: exit code, the document, stderr. Checks that stdout is one document and nothing else.

    It is a process of its own, but does not load what a process before it has loaded (`preloaded.py`).
    """
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder, name) for name in ("out", "err")}
        for file in files.values():
            file.touch()
        request = {
            "arguments": [*(str(argument) for argument in arguments), "--json"],
            "environment": environment(settings, **more),
            **{name: str(file) for name, file in files.items()},
        }
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(LIMIT)
            connection.connect(_preloaded())
            connection.sendall(json.dumps(request).encode() + b"\n")
            code = int(connection.makefile().readline())
        out, err = (file.read_text(encoding="utf-8") for file in files.values())
    assert out.strip(), f"no document on stdout; stderr: {err}"
    return code, json.loads(out), err


@functools.cache
def _preloaded() -> str:
    """Start the process that commands are forked from; the path of its socket. It ends with this process."""
    path = Path(tempfile.mkdtemp(prefix="billy-preloaded-"), "socket")
    process = subprocess.Popen(
        [sys.executable, "-m", "billy_pipelines_tests.e2e.preloaded", str(path)],
        env=plain_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )

    def end() -> None:
        assert process.stdin
        process.stdin.close()
        process.wait(LIMIT)
        path.unlink()
        path.parent.rmdir()

    atexit.register(end)
    assert process.stdout and process.stdout.readline() == b"ready\n"
    return str(path)
