"""The sync: planned rows out to Billy, each marked before it leaves and its outcome durable before it counts.

One loop, one dispatcher that takes permits from the shared rate, a feeder that reads the journal page by page and marks
small groups ahead of it: memory does not grow with the rows. What got no clear answer is settled by one fresh listing
after the pass, never sent again blindly. What a row does in Billy is its sender's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Protocol

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.errors import BillyError, OutcomeUnknown, RateLimited, Refused, Stale, TokenRefused
from billy_pipelines.billy.underway import Traffic, following
from billy_pipelines.bulk.group_commit import GroupCommit, JournalGone
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.health import Health
from billy_pipelines.bulk.options import JobOptions
from billy_pipelines.bulk.progress import Progress
from billy_pipelines.bulk.timing import Timing
from billy_pipelines.bulk.verdicts import OUTCOME_UNKNOWN, PLANNED, SENDING, Verdict
from billy_pipelines.database.items import Item, Outcome, Sending, Unsent
from billy_pipelines.schemas.codes import FAILURES, sentence

MOST_IN_FLIGHT = 64
PAGE = 1000
"""Rows read from the journal at a time."""

Result = Outcome | BillyError


@dataclass
class Readings:
    """Records as they were read before the sync, for changes that start from them; of no use once they are old (R7)."""

    at: float = 0.0
    """When they were read (monotonic seconds)."""
    records: dict[int, Any] = field(default_factory=dict)
    """By item index."""

    def fresh(self, seconds: float) -> bool:
        """Whether they may still be written on."""
        if time.monotonic() - self.at < seconds:
            return True
        self.records.clear()
        return False


class Sender(Protocol):
    """What rows do in Billy. `send` raises what the client raises."""

    def payload(self, item: Item) -> Any:
        """What is going to be sent, for its hash in the journal."""

    def reads_first(self, item: Item) -> bool:
        """Whether its record has to be read before it is written."""

    def group(self, item: Item) -> tuple[str, int]:
        """Rows of one name may leave in one request, that many at most; '' for a row that leaves by itself."""

    async def send(self, item: Item, record: Any, read_at: float, permitted: bool) -> Outcome:
        """Carry out one row. `record`: as read at `read_at`, None to have it read now; `permitted`: a permit of the
        rate limit is in hand."""

    async def send_group(self, items: Sequence[Item], readings: Readings) -> Mapping[int, Result]:
        """Carry out several rows in one request, with a permit in hand: what became of each, by item index."""


class Sync:
    """One pass over planned rows. `go` is cleared while the lease is in doubt; `stop` ends everything."""

    def __init__(
        self,
        sender: Sender,
        options: JobOptions,
        client: BillyClient,
        commit: GroupCommit,
        progress: Progress,
        health: Health,
        *,
        stop: asyncio.Event,
        go: asyncio.Event,
        timing: Timing,
    ) -> None:
        self._sender = sender
        self._options = options
        self._client = client
        self._commit = commit
        self._progress = progress
        self._health = health
        self._stop = stop
        self._go = go
        self._timing = timing
        self._pending: deque[Item] = deque()
        self._more = True
        """Whether the journal may have further rows."""
        self._marked: deque[Item] = deque()
        self._ahead = options.batch_size
        """How many rows to have marked ahead of what is in flight."""
        self._flying: dict[asyncio.Task[None], tuple[Sequence[Item], Traffic]] = {}
        self._changed = asyncio.Event()
        self._marking = False
        self._recording: set[int] = set()
        self._halt: Halted | None = None
        self._halted = asyncio.Event()
        self.first_failure = False
        """Whether a row failed and `continue_on_error` is off."""
        self.unclear = 0
        """Rows whose outcome this pass could not tell."""
        self.timed_out = False
        """Whether one of them timed out, so that Billy may still be at work on it."""
        self.broken = False
        """Whether one of them got no answer at all, or none that tells that Billy is done with it."""

    async def run(self, page: Callable[[int], Awaitable[Sequence[Item]]], readings: Readings) -> None:
        """Send all planned rows; `page` gives those after an item index, at most `PAGE`, in their order.

        Raises:
            Halted: the token is refused, Billy is away for too long, or the journal is gone.
        """
        stopping = asyncio.create_task(self._stop.wait())
        halting = asyncio.create_task(self._halted.wait())
        feeder = asyncio.create_task(self._feed(page))
        dispatcher = asyncio.create_task(self._dispatch(readings))
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

    async def _feed(self, page: Callable[[int], Awaitable[Sequence[Item]]]) -> None:
        """Keep one batch marked ahead of what is in flight (R6), refilled by halves to keep sending busy; more only
        where so many leave before the next are marked."""
        last = -1
        try:
            while not self._ended():
                if not self._pending and self._more:
                    found = await page(last)
                    self._more = len(found) == PAGE
                    last = found[-1].item_index if found else last
                    self._pending.extend(found)
                    self._changed.set()
                elif self._pending and (wanted := self._wanted()):
                    await self._go.wait()
                    self._marking = True
                    batch = [self._pending.popleft() for _ in range(min(wanted, len(self._pending)))]
                    await self._mark(batch)
                    self._marked.extend(batch)
                    self._marking = False
                    self._changed.set()
                else:
                    self._changed.clear()
                    await self._changed.wait()
        except JournalGone as error:
            self._halt_with("database_gone", f"{error}. Start it again.")

    def _wanted(self) -> int:
        """How many rows to mark now: rows that leave together are marked together."""
        if self._sender.group((self._marked or self._pending)[0])[0]:
            return self._options.batch_size - len(self._marked)
        half = max(1, self._ahead // 2)
        return self._ahead - len(self._marked) if len(self._marked) <= self._ahead - half else 0

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
        return hashlib.sha256(json.dumps(self._sender.payload(item), sort_keys=True).encode()).hexdigest()

    # -- sending ---------------------------------------------------------------------------------------------------

    async def _dispatch(self, readings: Readings) -> None:
        in_flight = asyncio.Semaphore(MOST_IN_FLIGHT)
        fresh = self._timing.fresh
        while not self._ended():
            if not self._is_ready():
                if not (self._marked or self._pending or self._more or self._flying or self._marking):
                    return
                if self._marking and self._flying and not self._marked:
                    self._ahead = max(self._ahead, min(2 * self._ahead, MOST_IN_FLIGHT))
                self._changed.clear()
                await self._changed.wait()
                continue
            await self._health.pause()
            await in_flight.acquire()
            await self._go.wait()
            permitted = self._group() > 0 or not self._sender.reads_first(self._marked[0]) or readings.fresh(fresh)
            if permitted:
                await self._client.permit()
                await self._go.wait()  # a permit can take seconds, and the lease can break meanwhile
            if self._ended():
                return
            # Asked again: while it waited for its permit, another batch may have shown that there is no bulk save here.
            size = self._group()
            items = [self._marked.popleft() for _ in range(size or 1)]
            with following() as traffic:
                if size:
                    task = asyncio.create_task(self._send_group(items, readings))
                else:
                    # Asked again: a permit can take minutes after a `Retry-After`, and the reading was of before.
                    record = readings.records.get(items[0].item_index) if readings.fresh(fresh) else None
                    task = asyncio.create_task(self._send(items[0], record, readings.at, permitted))
            self._flying[task] = items, traffic
            task.add_done_callback(self._landed)
            task.add_done_callback(lambda _: in_flight.release())
            self._changed.set()

    def _is_ready(self) -> bool:
        """Whether a request can leave: one that carries several rows waits until it is full, or nothing follows."""
        if not self._marked:
            return False
        name, most = self._sender.group(self._marked[0])
        full = min(most, self._options.batch_size)
        nothing_follows = not (self._pending or self._more or self._marking) or self._group() < len(self._marked)
        return not name or self._group() >= full or nothing_follows

    def _group(self) -> int:
        """How many of the marked rows leave in the next request; 0 for one row by itself."""
        name, most = self._sender.group(self._marked[0])
        alike = takewhile(lambda item: self._sender.group(item)[0] == name, self._marked)
        return min(most, self._options.batch_size, sum(1 for _ in alike)) if name else 0

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying.pop(task, None)
        self._changed.set()
        if not task.cancelled() and (error := task.exception()):
            if isinstance(error, JournalGone):
                self._halt_with("database_gone", f"{error}. Start it again.")
            else:
                self._halt_with("internal_error", f"{type(error).__name__}: {error}")

    async def _send(self, item: Item, record: Any, read_at: float, permitted: bool) -> None:
        try:
            result: Result = await self._sender.send(item, record, read_at, permitted)
        except BillyError as error:
            result = error
        await self._take([(item, result)])

    async def _send_group(self, items: Sequence[Item], readings: Readings) -> None:
        results = await self._sender.send_group(items, readings)
        await self._take([(item, results[item.item_index]) for item in items])

    # -- outcomes --------------------------------------------------------------------------------------------------

    async def _take(self, results: Sequence[tuple[Item, Result]]) -> None:
        """Write down what became of rows that left together, all of it in one piece, then act on it."""
        outcomes = [(item, self._outcome(item, result)) for item, result in results]
        await self._record(outcomes)
        errors = [result for _, result in results if isinstance(result, BillyError)]
        again = [item for item, outcome in outcomes if outcome.status == PLANNED]
        if refused := next((error for error in errors if isinstance(error, TokenRefused)), None):
            self._halt_with("token_refused", f"{refused}. Check the access token.")
            return
        self._pending.extend(again)
        failures = [
            error for error in errors if not isinstance(error, Refused | Stale) or isinstance(error, RateLimited)
        ]
        if len(failures) < len(results):
            self._health.answered()
        elif self._health.failed(
            [item.item_index for item, _ in results], arrived=isinstance(failures[-1], OutcomeUnknown)
        ):
            self._halt_with(
                "billy_unavailable",
                f"Billy gave nothing but failures for {self._health.seconds:.0f} s (last: {failures[-1]}). "
                "Wait until it is well again.",
            )
        self._changed.set()

    def _outcome(self, item: Item, result: Result) -> Outcome | Unsent:
        if isinstance(result, Outcome):
            return result
        if isinstance(result, OutcomeUnknown):
            self.broken |= not result.answered
            return self._unknown(item, str(result), result.timed_out)
        if isinstance(result, TokenRefused | RateLimited) or not isinstance(result, Refused):
            # Nothing was written for this row (a reading before it failed, say): it goes back to the end of the line.
            return Unsent(item.item_index)
        text = FAILURES["billy_refused"].format(message=result)
        return Outcome(item.item_index, Verdict.FAILED, error_code="billy_refused", error=text)

    def _unknown(self, item: Item, reason: str, timed_out: bool) -> Outcome:
        self.unclear += 1
        self.timed_out |= timed_out
        text = sentence("not_settled", self._options.language, message=reason)
        return Outcome(item.item_index, OUTCOME_UNKNOWN, error_code="outcome_unknown", error=text)

    async def _record(self, outcomes: Sequence[tuple[Item, Outcome | Unsent]]) -> None:
        indexes = {item.item_index for item, _ in outcomes}
        self._recording |= indexes
        await self._commit.write([outcome for _, outcome in outcomes])
        self._recording -= indexes
        for item, outcome in outcomes:
            self._progress.moved(item.item_index, SENDING, outcome.status)
            if outcome.status == Verdict.FAILED and not self._options.continue_on_error:
                self.first_failure = True
                self._changed.set()
        self._progress.requests, self._progress.limited = self._client.requests, self._client.limited

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
        """Let what is in flight answer, for a while; write down truly what did not. What never left goes back, and so
        does what Billy or the wire has only said no to: it waits in vain for its next try."""
        flying = dict(self._flying)
        await asyncio.gather(*(traffic.end(task, self._timing.drain) for task, (_, traffic) in flying.items()))
        # One whose answer is known is being written down already; that write is not taken back.
        cut = [
            (item, traffic.may_be_done)
            for task, (items, traffic) in flying.items()
            for item in items
            if task.cancelled() and item.item_index not in self._recording
        ]
        unclear = [item for item, may_be_done in cut if may_be_done]
        with contextlib.suppress(JournalGone):
            await self._record(
                [(item, self._unknown(item, "the job was stopped before Billy answered", True)) for item in unclear]
            )
        unsent = [*(item for item, may_be_done in cut if not may_be_done), *self._marked]
        back = [(item, Unsent(item.item_index)) for item in unsent]
        # Without the journal the rows stay marked as being sent, which is the truth for all we know.
        with contextlib.suppress(JournalGone):
            await self._record(back)
        self._marked.clear()
