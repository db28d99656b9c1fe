"""The heartbeat of a run: one thread that shows the progress and looks whether somebody asked it to stop.

The run page polls faster while events keep coming; beats slower than 0.7 s look frozen (measured: p50 0.31 s at 0.7).
"""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Self

import dagster as dg
from sqlalchemy import Engine

from billy_pipelines import runs
from billy_pipelines.bulk.progress import Progress
from billy_pipelines.bulk.verdicts import IN_DOUBT, tally
from billy_pipelines.database.jobs import tell_progress
from billy_pipelines.defs.stopping import StopSwitch

BEAT_SECONDS = 0.7
MOST_LINES = 1700
"""Lines a run may write; with Dagster's own events a run stays under 2,000, beyond which its page gets slow."""
UNCHANGED_SECONDS = 5.0
TAG_SECONDS = 15.0
OBSERVATION_SECONDS = 60.0

_log = logging.getLogger(__name__)


class Heartbeat:
    """Beats while its `with` block runs. Failures of a beat (PostgreSQL restarting) cost only that beat."""

    def __init__(
        self,
        context: dg.AssetExecutionContext | dg.OpExecutionContext,
        engine: Engine,
        job_id: str,
        progress: Progress,
        switch: StopSwitch,
    ) -> None:
        self._context = context
        self._engine = engine
        self._job_id = job_id
        self._progress = progress
        self._switch = switch
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="heartbeat", daemon=True)
        self._started = time.monotonic()
        self._last_line = ""
        self._last_line_at = 0.0
        self._last_tag_at = 0.0
        self._last_observation_at = time.monotonic()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=5)  # a beat can hang while PostgreSQL is away; the run must not

    def _beat_on(self) -> None:
        while not self._ended.is_set():
            for beat in (self.look, self._tell_job, self._tell_log, self._tell_tag, self._tell_plot):
                try:
                    beat()
                except Exception as error:  # whatever a beat meets, the next one comes
                    _log.warning("a heartbeat was lost: %s", type(error).__name__)
            self._ended.wait(max(BEAT_SECONDS, (time.monotonic() - self._started) / MOST_LINES))

    def look(self) -> None:
        """Look whether somebody asked the run to stop."""
        here = runs.is_foreground(self._context.run.run_id) and runs.foreground_stop.is_set()
        if not self._switch.is_set and (
            here or runs.is_cancel_requested(self._context.instance, self._context.run.run_id)
        ):
            self._switch.set()

    def _tell_job(self) -> None:
        progress = self._progress
        # What is on its way has no verdict yet; as long as the run goes on it is not called failed.
        known = {s: n for s, n in progress.statuses.items() if n > 0 and s not in IN_DOUBT}
        counts = tally(known, progress.total, progress.verdicts) if progress.verdicts else tally(known, progress.total)
        tell_progress(self._engine, self._job_id, progress=round(progress.percent, 1), counts=counts)

    def _tell_log(self) -> None:
        line, now = self._progress.line(), time.monotonic()
        if line != self._last_line or now - self._last_line_at > UNCHANGED_SECONDS:
            self._context.log.info(line)
            self._last_line, self._last_line_at = line, now

    def _tell_tag(self) -> None:
        if time.monotonic() - self._last_tag_at > TAG_SECONDS:
            runs.set_progress_tag(self._context.instance, self._context.run.run_id, f"{self._progress.percent:.0f} %")
            self._last_tag_at = time.monotonic()

    def _tell_plot(self) -> None:
        if not isinstance(self._context, dg.AssetExecutionContext):
            return  # an undo is no asset, so it has no plots
        if time.monotonic() - self._last_observation_at > OBSERVATION_SECONDS:
            self._last_observation_at = time.monotonic()
            metadata = {
                "progress_percent": round(self._progress.percent, 1),
                "progress_rows": self._progress.done,
                "progress_rows_per_second": round(self._progress.rate(), 2),
                "progress_requests": self._progress.requests,
            }
            self._context.log_event(
                dg.AssetObservation(self._context.asset_key, partition=self._context.partition_key, metadata=metadata)
            )
