"""The console logger of a run: Dagster's own, but silent where a person watches a progress bar instead."""

from __future__ import annotations

import logging
import os

import dagster as dg
from dagster import colored_console_logger

QUIET_VARIABLE = "BILLY_QUIET_CONSOLE"


@dg.logger({}, description="Dagster's console logger, silent in a foreground run with a progress bar.")
def quiet_console(context: dg.InitLoggerContext) -> logging.Logger:
    """A logger for stderr."""
    logger = colored_console_logger.logger_fn(
        dg.build_init_logger_context(logger_config={"name": "dagster", "log_level": _level()})
    )
    assert isinstance(logger, logging.Logger)  # noqa: S101 - Dagster's annotation is wider than what it returns
    return logger


def _level() -> str:
    return "CRITICAL" if os.environ.get(QUIET_VARIABLE) else "INFO"
