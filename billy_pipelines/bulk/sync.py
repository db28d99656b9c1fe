"""The sync: planned rows out to Billy, each marked before it leaves and its outcome durable before it counts.

One loop, one dispatcher that takes permits from the shared rate, a feeder that marks small groups ahead of it. What got
no clear answer is settled by one fresh listing after the pass, never sent again blindly.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.errors import (
    BillyError,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Refused,
    TokenRefused,
)
from billy_pipelines.bulk.group_commit import GroupCommit, JournalGone
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.options import JobOptions
from billy_pipelines.bulk.progress import Progress
from billy_pipelines.bulk.verdicts import CREATE, OUTCOME_UNKNOWN, PLANNED, SENDING, Verdict
from billy_pipelines.bulk.writes import Writes
from billy_pipelines.database.journal import Item, Outcome, Sending
from billy_pipelines.schemas.codes import FAILURES, sentence
from billy_pipelines.schemas.resource import Resource


@dataclass(frozen=True)
class Timing:
    """Times in seconds, each with its reason."""

    answer: float = 30.0
    """How long Billy may take for one answer; 0.2 to 0.4 s were observed."""
    drain: float = 8.0
    """After a stop: how long what is in flight may still answer (runtime.md R3)."""
    fresh: float = 60.0
    """How old a reading may be when its record is overwritten (R7)."""
    breaker: float = 60.0
    """Nothing but failures for that long ends the job, resumable."""
    settle_after_break: float = 5.0
    """After a reset or a 5xx: when to look in Billy. An answer took 0.4 s at most; what goes on behind a broken
    connection may take longer."""
    settle_after_timeout: float = 15.0
    """After a time-out, or when the process died, Billy may still be at work; looking too early would miss the record,
    and sending it again would double it."""


MOST_IN_FLIGHT = 64
MOST_ATTEMPTS = 6
FAILURES_BEFORE_PAUSE = 5


class Sync:
    """One pass over planned rows. `go` is cleared while the lease is in doubt; `stop` ends everything."""

    def __init__(
        self,
        resource: Resource[Any],
        writes: Writes,
        options: JobOptions,
        client: BillyClient,
        commit: GroupCommit,
        progress: Progress,
        *,
        stop: asyncio.Event,
        go: asyncio.Event,
        timing: Timing,
    ) -> None:
        self._resource = resource
        self._options = options
        self._client = client
        self._writes = writes
        self._commit = commit
        self._progress = progress
        self._stop = stop
        self._go = go
        self._timing = timing
        self._pending: deque[Item] = deque()
        self._marked: deque[Item] = deque()
        self._flying: dict[asyncio.Task[None], Item] = {}
        self._changed = asyncio.Event()
        self._marking = False
        self._recording: set[int] = set()
        self._halt: Halted | None = None
        self._halted = asyncio.Event()
        self.first_failure = False
        """Whether a row failed and `continue_on_error` is off."""
        self._failures = 0
        self._last_answer = time.monotonic()
        self.unclear: list[Item] = []
        """Rows whose outcome this pass could not tell."""
        self.timed_out = False
        """Whether one of them timed out, so that Billy may still be at work on it."""

    async def run(self, items: list[Item], records: dict[int, Any], listed_at: float) -> None:
        """Send all items; `records` are those that updates start from, read at `listed_at` (monotonic seconds).

        Raises:
            Halted: the token is refused, Billy is away for too long, or the journal is gone.
        """
        self._pending.extend(items)
        self._last_answer = time.monotonic()
        stopping = asyncio.create_task(self._stop.wait())
        halting = asyncio.create_task(self._halted.wait())
        feeder = asyncio.create_task(self._feed())
        dispatcher = asyncio.create_task(self._dispatch(records, listed_at))
        try:
            await asyncio.wait({stopping, halting, dispatcher}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stopping, halting, dispatcher):
                task.cancel()
            await asyncio.gather(stopping, halting, dispatcher, return_exceptions=True)
            await self._stop_feeding(feeder)
            await self._drain()
        if dispatcher.done() and not dispatcher.cancelled() and (error := dispatcher.exception()):
            raise error
        if self._halt is not None:
            raise self._halt

    # -- feeding ---------------------------------------------------------------------------------------------------

    async def _feed(self) -> None:
        """Keep at most one batch marked ahead of what is in flight (R6), refilled by halves to keep sending busy."""
        half = max(1, self._options.batch_size // 2)
        try:
            while not self._ended():
                if self._pending and len(self._marked) <= self._options.batch_size - half:
                    await self._go.wait()
                    self._marking = True
                    batch = [self._pending.popleft() for _ in range(min(half, len(self._pending)))]
                    await self._mark(batch)
                    self._marked.extend(batch)
                    self._marking = False
                    self._changed.set()
                else:
                    self._changed.clear()
                    await self._changed.wait()
        except JournalGone as error:
            self._halt_with("database_gone", f"{error}. Start it again.")

    async def _stop_feeding(self, feeder: asyncio.Task[None]) -> None:
        """End the feeder between two marks: a group that is being marked is still written down and given back."""
        while self._marking and not feeder.done():
            self._changed.clear()
            changed = asyncio.create_task(self._changed.wait())
            await asyncio.wait({feeder, changed}, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
        feeder.cancel()
        await asyncio.gather(feeder, return_exceptions=True)

    async def _mark(self, batch: list[Item]) -> None:
        await self._commit.write([Sending(item.item_index, self._payload_hash(item)) for item in batch])
        for item in batch:
            self._progress.moved(item.item_index, PLANNED, SENDING)

    def _payload_hash(self, item: Item) -> str:
        payload = self._resource.create_body(item.item_data or {}) if item.action == CREATE else item.changes
        return hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()

    # -- sending ---------------------------------------------------------------------------------------------------

    async def _dispatch(self, records: dict[int, Any], listed_at: float) -> None:
        in_flight = asyncio.Semaphore(MOST_IN_FLIGHT)
        while not self._ended():
            if not self._marked:
                if not self._pending and not self._flying and not self._marking:
                    return
                self._changed.clear()
                await self._changed.wait()
                continue
            await self._pause_after_failures()
            await in_flight.acquire()
            await self._go.wait()
            permitted = self._marked[0].action == CREATE or self._is_fresh(listed_at)
            if permitted:
                await self._client.permit()
                await self._go.wait()  # a permit can take seconds, and the lease can break meanwhile
            if self._ended():
                return
            item = self._marked.popleft()
            # Asked again: a permit can take minutes after a `Retry-After`, and the reading was of before.
            record = records.get(item.item_index) if self._is_fresh(listed_at) else None
            task = asyncio.create_task(self._send(item, record, permitted))
            self._flying[task] = item
            task.add_done_callback(self._landed)
            task.add_done_callback(lambda _: in_flight.release())
            self._changed.set()

    def _is_fresh(self, listed_at: float) -> bool:
        return time.monotonic() - listed_at < self._timing.fresh

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying.pop(task, None)
        self._changed.set()
        if not task.cancelled() and (error := task.exception()):
            if isinstance(error, JournalGone):
                self._halt_with("database_gone", f"{error}. Start it again.")
            else:
                self._halt_with("internal_error", f"{type(error).__name__}: {error}")

    async def _send(self, item: Item, record: Any, permitted: bool) -> None:
        try:
            if item.action == CREATE:
                outcome = await self._writes.create(item, permitted)
            else:
                outcome = await self._writes.change(item, record, permitted)
        except TokenRefused as error:
            self._halt_with("token_refused", f"{error}. Check the access token.")
            await self._record(item, Outcome(item.item_index, PLANNED))
        except (NotSent, RateLimited) as error:
            await self._again(item, error)
        except OutcomeUnknown as error:
            await self._unclear(item, f"{error}", error.timed_out)
        except NotFound as error:
            text = sentence("gone_since_plan", self._options.language) if item.action != CREATE else f"{error}"
            await self._fail(item, "gone_since_plan" if item.action != CREATE else "billy_refused", text)
        except Refused as error:
            self._answered()
            await self._fail(item, "billy_refused", FAILURES["billy_refused"].format(message=error))
        except BillyError as error:  # a read before an update that failed: nothing was written
            await self._again(item, error)
        else:
            self._answered()
            await self._record(item, outcome)

    # -- outcomes --------------------------------------------------------------------------------------------------

    async def _record(self, item: Item, outcome: Outcome) -> None:
        self._recording.add(item.item_index)
        await self._commit.write([outcome])
        self._recording.discard(item.item_index)
        self._progress.moved(item.item_index, SENDING, outcome.status)
        self._progress.requests, self._progress.limited = self._client.requests, self._client.limited
        if outcome.status == Verdict.FAILED and not self._options.continue_on_error:
            self.first_failure = True
            self._changed.set()

    async def _fail(self, item: Item, code: str, text: str) -> None:
        self._answered()
        await self._record(item, Outcome(item.item_index, Verdict.FAILED, error_code=code, error=text))

    async def _unclear(self, item: Item, reason: str, timed_out: bool) -> None:
        self.unclear.append(item)
        self.timed_out |= timed_out
        text = sentence("not_settled", self._options.language, message=reason)
        await self._record(item, Outcome(item.item_index, OUTCOME_UNKNOWN, error_code="outcome_unknown", error=text))
        self._failed_to_answer(reason)

    async def _again(self, item: Item, error: BillyError) -> None:
        """Nothing was written for this row: it goes back to the end of the line."""
        await self._record(item, Outcome(item.item_index, PLANNED))
        self._pending.append(item)
        self._failed_to_answer(str(error))

    # -- health ----------------------------------------------------------------------------------------------------

    def _answered(self) -> None:
        self._failures = 0
        self._last_answer = time.monotonic()

    def _failed_to_answer(self, reason: str) -> None:
        self._failures += 1
        if time.monotonic() - self._last_answer > self._timing.breaker:
            self._halt_with(
                "billy_unavailable",
                f"Billy gave nothing but failures for {self._timing.breaker:.0f} s (last: {reason}). "
                "Wait until it is well again.",
            )
        self._changed.set()

    async def _pause_after_failures(self) -> None:
        """A server in trouble is not helped by the rest of the file."""
        surplus = self._failures - FAILURES_BEFORE_PAUSE
        if surplus >= 0:
            await asyncio.sleep(min(10.0, 0.2 * 2 ** min(surplus, 6)))

    def _halt_with(self, code: str, message: str) -> None:
        self._halt = self._halt or Halted(code, message)
        self._halted.set()
        self._changed.set()

    def halt(self, error: Halted) -> None:
        """End the pass from outside (the lease is lost)."""
        self._halt_with(error.code, str(error))

    def _ended(self) -> bool:
        return self._stop.is_set() or self._halt is not None or self.first_failure

    # -- the end ---------------------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        """Let what is in flight answer, for a while; write down truly what did not. What never left goes back."""
        flying = dict(self._flying)
        if flying:
            _, late = await asyncio.wait(flying, timeout=self._timing.drain)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
            # One whose answer is known is being written down already; that write is not taken back.
            for item in (flying[task] for task in late if flying[task].item_index not in self._recording):
                with contextlib.suppress(JournalGone):
                    await self._unclear(item, "the job was stopped before Billy answered", True)
        back = [Outcome(item.item_index, PLANNED) for item in self._marked]
        if back:
            # Without the journal the rows stay marked as being sent, which is the truth for all we know.
            with contextlib.suppress(JournalGone):
                await self._commit.write(back)
            for outcome in back:
                self._progress.moved(outcome.item_index, SENDING, PLANNED)
        self._marked.clear()
