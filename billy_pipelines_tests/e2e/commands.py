"""The `billy` command as a process, as a person or a script runs it."""

from __future__ import annotations

import json
import subprocess
import sys
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
    """Run `billy … --json`: exit code, the document, stderr. Checks that stdout is one document and nothing else."""
    code, out, err = finish(start(settings, *arguments, "--json", **more))
    assert out.strip(), f"no document on stdout; stderr: {err}"
    return code, json.loads(out), err
