"""What a process needs to work on a job in Billy: the lease, the rate, the journal, and a clean way to stop.

The passes over planned rows are here, whatever the rows do in Billy: an import, an update, a delete, an undo.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from billy_pipelines.billy.client import BillyClient, open_client
from billy_pipelines.billy.errors import BillyError, TokenRefused
from billy_pipelines.billy.rate_limit import RateLimiter
from billy_pipelines.bulk.context import JobContext
from billy_pipelines.bulk.group_commit import DatabaseThread, GroupCommit, JournalGone
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.health import Health
from billy_pipelines.bulk.progress import Progress
from billy_pipelines.bulk.sync import PAGE, Readings, Sender, Sync
from billy_pipelines.bulk.timing import Timing
from billy_pipelines.bulk.verdicts import ACTIONS, IN_DOUBT, PLANNED, VALID, Verdict
from billy_pipelines.database.items import Item
from billy_pipelines.database.jobs import update_job
from billy_pipelines.database.locks import Lease, LeaseLost
from billy_pipelines.database.rate import RateRow

T = TypeVar("T")
LEASE_CHECK_SECONDS = 1.0
LEASE_PATIENCE_SECONDS = 30.0
WRITER_POLL_SECONDS = 0.5


class Stopped(Exception):
    """The stop event was set; what was in flight is written down."""


@dataclass
class Workplace:
    """One process's place at one job, whose lease it holds."""

    job: JobContext
    lease: Lease
    progress: Progress
    timing: Timing = field(default_factory=Timing)
    notes: list[str] = field(default_factory=list)
    """What people should know of the job."""
    failed_before: frozenset[int] | None = None
    """Rows that had failed, or were in doubt, before this process decided anything; None until that is looked up."""

    async def take_writer(self, stop: asyncio.Event) -> None:
        """Wait for the right to write every family of records the job writes.

        Raises:
            Stopped
        """
        organization = self.job.row.organization
        for family in self.job.families:  # in one order for everybody, so that no two wait for each other
            while holder := await asyncio.to_thread(self.lease.take_writer, organization, family):
                self.progress.waiting_for = holder
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), WRITER_POLL_SECONDS)
                if stop.is_set():
                    raise Stopped
        self.progress.waiting_for = ""

    @contextlib.asynccontextmanager
    async def talk(self) -> AsyncIterator[tuple[BillyClient, DatabaseThread]]:
        """A client of the organization's Billy on the shared rate, and a thread for the database."""
        settings, organization = self.job.settings, self.job.organization
        thread = DatabaseThread()
        try:
            budget = RateRow(self.job.engine, organization.name, settings.rate_ceiling(organization))
            limiter = RateLimiter(budget, thread.run)
            token = settings.token(organization)
            async with open_client(settings.api_url, token, limiter, answer_seconds=self.timing.answer) as client:
                yield client, thread
        finally:
            # Off the loop: it may be waiting out an outage.
            await asyncio.to_thread(thread.close)

    async def carry_out(
        self,
        client: BillyClient,
        thread: DatabaseThread,
        stop: asyncio.Event,
        sender: Callable[[], Sender],
        readings: Readings,
        settle: Callable[[], Awaitable[None]],
    ) -> None:
        """Passes over the planned rows until none is left. After each, `settle` reads Billy, decides the rows that got
        no clear answer and plans anew those that are not there; `sender` makes what sends in the pass. After a failure
        that ends the job's writing, what was in flight is settled like that too, and no further pass begins.

        Raises:
            Halted, Stopped, BillyError, JournalGone
        """
        await thread.run(self.note_failed)
        journal, health = self.job.journal, Health(self.timing.breaker)
        go = asyncio.Event()

        async def page(after: int) -> Sequence[Item]:
            return await thread.run(lambda: journal.leaders([PLANNED], after=after, limit=PAGE))

        async with GroupCommit(journal, thread) as commit:
            while not await thread.run(self.ending_failures):
                # The guard of the last pass may have ended in the middle of a renewal: nobody else would set it again.
                await self.prove_lease()
                go.set()
                sync = Sync(
                    sender(),
                    self.job.options,
                    client,
                    commit,
                    self.progress,
                    health,
                    stop=stop,
                    go=go,
                    timing=self.timing,
                )
                guard = asyncio.create_task(self.guard_lease(sync, go))
                try:
                    await sync.run(page, readings)
                finally:
                    guard.cancel()
                    await asyncio.gather(guard, return_exceptions=True)
                if stop.is_set() or not sync.unclear:
                    return
                self.progress.phase = "looking up unclear answers"
                if sync.timed_out or sync.broken:
                    pause = self.timing.settle_after_timeout if sync.timed_out else self.timing.settle_after_break
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), pause)
                if stop.is_set():
                    return
                await self.unless_stopped(stop, settle())
                self.progress.phase = "writing"

    def note_failed(self) -> None:
        """Take down, before anything is decided, which rows have failed or are in doubt. Does so once."""
        if self.failed_before is None and not self.job.options.continue_on_error:
            before = self.job.journal.leaders((Verdict.FAILED, *IN_DOUBT))
            self.failed_before = frozenset(item.item_index for item in before)

    def ending_failures(self) -> list[Item]:
        """Rows because of which nothing more is sent: with `continue_on_error` off, those that have failed in this run,
        be it in the plan. What failed before it and is not taken up again ends nothing, or no retry would get past it.
        """
        if self.job.options.continue_on_error:
            return []
        failed = self.job.journal.leaders([Verdict.FAILED])
        # A row that was in doubt and is sent again can fail like any other.
        self.failed_before = (self.failed_before or frozenset()) & {item.item_index for item in failed}
        return [item for item in failed if item.item_index not in self.failed_before]

    async def guard_lease(self, sync: Sync, go: asyncio.Event) -> None:
        """Nothing is sent while the connection that holds the locks is broken, nor ever after if they are lost."""
        while True:
            await asyncio.sleep(LEASE_CHECK_SECONDS)
            try:
                await asyncio.to_thread(self.lease.check)
                continue
            except LeaseLost:
                go.clear()
            try:
                await self._renew_lease()
            except Halted as error:
                sync.halt(error)
                return
            go.set()

    async def prove_lease(self) -> None:
        """The locks are held at this moment, taken again if their connection broke; for what is sent one at a time.

        Raises:
            Halted
        """
        try:
            await asyncio.to_thread(self.lease.check)
        except LeaseLost:
            await self._renew_lease()

    async def _renew_lease(self) -> None:
        until = time.monotonic() + LEASE_PATIENCE_SECONDS
        try:
            while not await asyncio.to_thread(self.lease.take_again):
                if time.monotonic() > until:
                    raise Halted("database_gone", "PostgreSQL stayed away. Start it again.")
                await asyncio.sleep(0.5)
        except LeaseLost as error:
            text = f"The right to write was lost: {error}. The plan has to be made anew."
            raise Halted("lease_lost", text) from error

    async def unless_stopped(self, stop: asyncio.Event | None, work: Awaitable[T]) -> T:
        """The result of the work, its errors turned into `Halted`; given up when the stop event is set."""
        task = asyncio.ensure_future(work)
        waiters = {task} if stop is None else {task, asyncio.ensure_future(stop.wait())}
        try:
            await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Stopped
            try:
                return task.result()
            except TokenRefused as error:
                raise Halted(
                    "token_refused",
                    f"{error}. Check {self.job.organization.token_variable}, the access token of "
                    f"{self.job.organization.name}.",
                ) from error
            except JournalGone as error:
                raise Halted("database_gone", f"{error}. Start it again.") from error
            except BillyError as error:
                raise Halted("billy_unavailable", f"{error} Wait until Billy answers again.") from error
        finally:
            for waiter in waiters:
                waiter.cancel()
            await asyncio.gather(*waiters, return_exceptions=True)

    async def pause(self, stop: asyncio.Event, seconds: float) -> None:
        """Let so much time pass.

        Raises:
            Stopped: the stop event was set. It is asked here because in Python 3.11 `wait_for` swallows the cancelling
                by `unless_stopped` when one stop has woken both, and what follows would go on to its end.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)
        if stop.is_set():
            raise Stopped

    async def count(self, client: BillyClient, thread: DatabaseThread) -> Mapping[str, int]:
        """How many rows stand where, put into the progress, and what is planned onto the job. Returns the rows by
        status."""
        journal, progress = self.job.journal, self.progress
        progress.requests, progress.limited = client.requests, client.limited
        statuses = await thread.run(journal.counts)
        progress.statuses.clear()
        progress.statuses.update(statuses)
        progress.total = max(progress.total, sum(statuses.values()))
        progress.followers = await thread.run(journal.followers)
        actions = await thread.run(journal.actions)
        progress.to_send = sum(actions.values())
        planned = {action: actions.get(action, 0) for action in ACTIONS}
        await thread.run(lambda: update_job(self.job.engine, self.job.job_id, planned=planned))
        return statuses

    def is_left_undone(self) -> bool:
        """Whether a row still waits for its outcome; a stop that comes after the last one stops nothing."""
        statuses = self.job.journal.counts()
        return any(statuses.get(status) for status in (VALID, PLANNED, *IN_DOUBT))

    def note(self, remark: str) -> None:
        """Add what people should know of the job; it stands on its row, in plan and report."""
        if remark not in self.notes:
            self.notes.append(remark)
        update_job(self.job.engine, self.job.job_id, message=" · ".join(self.notes))
