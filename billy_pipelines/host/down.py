"""`billy down`: end a running `billy up` from elsewhere, or what one that was killed has left behind."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from billy_pipelines.host.errors import AlreadyRunning, HostError
from billy_pipelines.host.up_state import (
    Say,
    embedded_server_held,
    end_leftovers,
    read_state,
    the_only_one,
)
from billy_pipelines.settings import Settings

END_SECONDS = 30.0
"""A clean end takes at most 15 s."""
LOOK_SECONDS = 0.1


def down(settings: Settings, *, say: Say) -> int:
    """End what serves this data folder; returns the exit code, 0 also when there was nothing to end.

    Raises:
        HostError: it does not end, or runs where it cannot be reached.
        EmbeddedPostgresError
    """
    if not settings.run_dir.exists():
        say(f"Nothing runs on {settings.data_dir}.")
        return 0
    told: int | None = None
    deadline = time.monotonic() + END_SECONDS
    while True:
        try:
            with the_only_one(settings), embedded_server_held(settings):
                left = end_leftovers(settings, say)
            say("Ended; nothing is left running." if left or told else f"Nothing runs on {settings.data_dir}.")
            return 0
        except AlreadyRunning as running:
            if time.monotonic() > deadline:
                raise HostError(f"It did not end within {END_SECONDS:.0f} s. {running}") from None
        state = read_state(settings)
        if state is not None and state.is_alive and state.pid != told:
            say(f"Ending `billy up` (pid {state.pid}).")
            with suppress(ProcessLookupError):
                os.kill(state.pid, signal.SIGTERM)
            told = state.pid
        time.sleep(LOOK_SECONDS)
