"""The port of the UI: the wished one, or another one and a word about who has it."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from typing import Any

import psutil

from billy_pipelines.host.errors import HostError

USUAL = 3000
"""Dagster's own."""


def choose(host: str, wished: int | None) -> tuple[int, str]:
    """A free port, and what is to be said about it ('' if it is the usual one).

    Raises:
        HostError: the wished port is taken or not ours to take.
    """
    port = wished or USUAL
    error = _try(host, port)
    if error is None:
        return port, ""
    taken = error.errno == errno.EADDRINUSE
    reason = f"is taken{_by_whom(port)}" if taken else f"cannot be used: {error.strerror}"
    if wished is not None or not taken:
        raise HostError(f"Port {port} {reason}. Choose another with --port, or leave it out.")
    with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        free: int = probe.getsockname()[1]
    return free, f"Port {port} {reason}; using {free}."


def listens(pid: int, port: int) -> bool:
    """Whether this process has the port: an answer on it alone could be somebody else's."""
    with suppress(psutil.Error):
        return any(_has(each, port) for each in psutil.Process(pid).net_connections(kind="tcp"))
    return False


def _has(connection: Any, port: int) -> bool:
    return bool(connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port)


def _try(host: str, port: int) -> OSError | None:
    with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            return error
    return None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _by_whom(port: int) -> str:
    with suppress(psutil.Error):  # without rights the table shows no owners, on macOS nothing at all
        for connection in psutil.net_connections(kind="tcp"):
            if _has(connection, port) and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""
