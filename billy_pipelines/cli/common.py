"""What all commands share: `--json`, errors as people read them, exit codes."""

from __future__ import annotations

import errno
import functools
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from rich.console import Console
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from billy_pipelines.database.connection import Database, open_database
from billy_pipelines.database.embedded import EmbeddedPostgresError
from billy_pipelines.database.engine import DatabaseUnavailable
from billy_pipelines.database.urls import DatabaseUrlError
from billy_pipelines.host.errors import AlreadyRunning, HostError
from billy_pipelines.settings import Settings, SettingsError

F = TypeVar("F", bound=Callable[..., Any])

FAILED = 1
WRONG_USE = 2
CANCELLED = 130


class CommandFailed(Exception):
    """Ends a command with a message and an exit code."""

    def __init__(self, code: str, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code
        self.exit_code = exit_code


_EXPECTED: dict[type[Exception], str] = {
    SettingsError: "bad_setting",
    DatabaseUrlError: "bad_setting",
    DatabaseUnavailable: "database_unavailable",
    EmbeddedPostgresError: "database_unavailable",
    OperationalError: "database_unavailable",
    InterfaceError: "database_unavailable",
    AlreadyRunning: "already_running",
    HostError: "cannot_start",
    OSError: "file_error",
}
_ENDS_CLEARLY: tuple[type[Exception], ...] = (CommandFailed, *_EXPECTED)


def command(function: F) -> F:
    """A command's frame: adds `--json` (passed on as `as_json`), and turns expected errors into a clear end."""

    @click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout; everything else on stderr.")
    @functools.wraps(function)
    def framed(*args: Any, as_json: bool, **kwargs: Any) -> Any:
        try:
            result = function(*args, as_json=as_json, **kwargs)
        except _ENDS_CLEARLY as error:
            code = error.code if isinstance(error, CommandFailed) else _EXPECTED[_kind(error)]
            message = _in_words(error)
            if as_json:
                print_json({"error": {"code": code, "message": message}})
            click.echo(f"billy: {message}", err=True)
            sys.exit(error.exit_code if isinstance(error, CommandFailed) else FAILED)
        except KeyboardInterrupt:
            sys.exit(CANCELLED)
        if isinstance(result, int) and result:
            sys.exit(result)

    return framed  # type: ignore[return-value]


def _in_words(error: Exception) -> str:
    if isinstance(error, DBAPIError):
        reason = str(error.orig).strip().partition("\n")[0]
        return f"PostgreSQL went away ({reason}). Start it again; the same command then resumes a job that was running."
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full. Make room; the same command then resumes a job that was running. Nothing is lost."
    return str(error)


def _kind(error: Exception) -> type[Exception]:
    return next(kind for kind in _EXPECTED if isinstance(error, kind))


def print_json(document: dict[str, Any]) -> None:
    """The one document on stdout."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2, default=str))


def error_console() -> Console:
    """A console on the terminal's stderr that stays there: Dagster sends file descriptor 2 elsewhere during a run."""
    return Console(file=os.fdopen(os.dup(2), "w", encoding="utf-8"), highlight=False)


@contextmanager
def database(settings: Settings) -> Iterator[Database]:
    """The database for the length of a command; who leaves last stops the embedded server."""
    opened = open_database(settings)
    try:
        yield opened
    finally:
        opened.close(stop_if_unused=True)
