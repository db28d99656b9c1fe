"""A job's two steps that talk to Billy: the plan and the sync, with the lease, the rate and the journal around them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

from billy_pipelines.billy.client import BillyClient, open_client
from billy_pipelines.billy.errors import BillyError, NotFound, TokenRefused
from billy_pipelines.billy.rate_limit import RateLimiter
from billy_pipelines.bulk.applying import hold_to_plan
from billy_pipelines.bulk.books import check_books
from billy_pipelines.bulk.context import JobContext
from billy_pipelines.bulk.group_commit import DatabaseThread, GroupCommit, JournalGone
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.matching import Match, Register, chosen_keys
from billy_pipelines.bulk.options import gate_limit
from billy_pipelines.bulk.planning import Planner
from billy_pipelines.bulk.progress import Progress
from billy_pipelines.bulk.settling import settle_creates
from billy_pipelines.bulk.sync import MOST_ATTEMPTS, Sync, Timing
from billy_pipelines.bulk.verdicts import (
    ACTIONS,
    CREATE,
    DECIDED_BY_PLAN,
    DELETE,
    IN_DOUBT,
    OPEN,
    PLANNED,
    VALID,
    VERDICT_OF_ACTION,
    Verdict,
)
from billy_pipelines.bulk.writes import Writes
from billy_pipelines.database.jobs import update_job
from billy_pipelines.database.journal import Item, Outcome
from billy_pipelines.database.locks import Lease, LeaseLost
from billy_pipelines.database.rate import RateRow
from billy_pipelines.schemas.codes import sentence
from billy_pipelines.schemas.resource import KeyKind, Row

LEASE_CHECK_SECONDS = 1.0
LEASE_PATIENCE_SECONDS = 30.0
WRITER_POLL_SECONDS = 0.5
MOST_READ_FOR_A_ROW = 20


class Stopped(Exception):
    """The stop event was set; what was in flight is written down."""


@dataclass
class Execution:
    """One process's work on one job. The plan's records stay here for the sync that follows in the same process."""

    job: JobContext
    lease: Lease
    progress: Progress
    timing: Timing = field(default_factory=Timing)
    records: dict[int, Any] = field(default_factory=dict)
    listed_at: float = 0.0
    planned_here: bool = False
    gate_open: bool = True
    references: Any = None
    register_size: int = 0
    """Records in Billy, as last listed."""

    # -- the plan --------------------------------------------------------------------------------------------------

    async def plan(self, stop: asyncio.Event) -> None:
        """Take the right to write, check whose books these are, list Billy, settle what is in doubt, plan what is open.

        Raises:
            Halted: the job cannot go on (its code says why).
            Stopped: the stop event was set.
        """
        self.progress.phase = "planning"
        await self._take_writer(stop)
        async with self._talk() as (client, thread):
            await self._unless_stopped(stop, self._plan(client, thread, stop))
        self.planned_here = True

    async def _plan(self, client: BillyClient, thread: DatabaseThread, stop: asyncio.Event) -> None:
        company = await check_books(self.job, client, thread.run)
        await thread.run(lambda: self._note(f"books of {company}"))
        statuses = await thread.run(self.job.journal.counts)
        if any(statuses.get(status) for status in IN_DOUBT):
            # An earlier process died, or was stopped, with requests on their way.
            self.progress.phase = "waiting for what an earlier run may still have on its way"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self.timing.settle_after_timeout)
            self.progress.phase = "planning"
        await self._settle_and_plan(client, thread)

    async def _settle_and_plan(self, client: BillyClient, thread: DatabaseThread) -> None:
        """One fresh, complete listing; rows in doubt are settled against it, then open rows planned against it."""
        journal = self.job.journal
        doubtful = await thread.run(lambda: journal.leaders(IN_DOUBT))
        self.listed_at = time.monotonic()
        terms = self.job.terms
        fields = await thread.run(journal.fields)
        self.references = await self.job.resource.load_references(client, terms, fields)
        records = await self.job.resource.read_all(client)
        # What this job has made is no longer "there already": its other rows were judged against it in the first plan.
        ours = await thread.run(journal.claimed_ids)
        if doubtful:
            await self._settle(client, thread, doubtful, records, ours)
        register = self._register(record for record in records if record.id not in ours)
        self.progress.requests, self.progress.limited = client.requests, client.limited
        statuses = await thread.run(journal.counts)
        nothing_sent = not any(statuses.get(s) for s in (*VERDICT_OF_ACTION.values(), Verdict.FAILED, *IN_DOUBT))
        # Which record a delete takes is settled once: matched anew after its first rows, a row could mean another one.
        applied = self.job.row.applied_at is not None or terms.operation == DELETE
        wanted = (*OPEN, *DECIDED_BY_PLAN) if nothing_sent and not applied else OPEN
        items = [item for item in await thread.run(lambda: journal.leaders(wanted)) if item.item_data is not None]
        planner = Planner(self.job.resource, self.job.options, register, terms, self.references)
        for item in items:
            resolved = planner.resolve(item)
            match = await self._seen_whole(client, resolved.row, planner.match(resolved.row))
            planner.add(item, resolved, match)
        plan = planner.plan
        if applied:
            hold_to_plan(self.job.resource, items, plan, terms.language)
        self.register_size = register.size
        await thread.run(lambda: journal.plan(plan.items))
        self.records = plan.records
        await self._summarize(thread)

    async def _seen_whole(self, client: BillyClient, row: Row, match: Match[Any]) -> Match[Any]:
        """The match judged anew where the listing left out of a record what the row is compared with."""
        resource = self.job.resource
        records = [match.record] if match.record is not None else list(match.candidates)
        if all(resource.is_complete(row, record) for record in records) or len(records) > MOST_READ_FOR_A_ROW:
            return match
        whole = [await resource.read_one(client, record.id) for record in records]
        kinds = {key.name: key.kind for key in resource.match_keys}
        if match.record is not None and kinds[match.key] is not KeyKind.WEAK:
            return Match(whole[0], match.key)
        # A shared key is one only if a single record of all has it, which cannot be told from these few.
        keys = [key.name for key in chosen_keys(resource, self.job.options.match_on) if key.kind is not KeyKind.SHARED]
        return Register(resource, whole, keys).find(row)

    def _register(self, records: Iterable[Any]) -> Register[Any]:
        try:
            return Register(self.job.resource, records, self.job.options.match_on)
        except ValueError as error:
            raise Halted("bad_option", str(error), resumable=False) from error

    async def _summarize(self, thread: DatabaseThread) -> None:
        """Counts and the gate (B21), over all rejections so far, before the first write."""
        journal = self.job.journal
        statuses = await thread.run(journal.counts)
        self.progress.statuses.clear()
        self.progress.statuses.update(statuses)
        self.progress.total = max(self.progress.total, sum(statuses.values()))
        self.progress.followers = await thread.run(journal.followers)
        actions = [item.action for item in await thread.run(lambda: journal.leaders([PLANNED]))]
        planned = {action: actions.count(action) for action in ACTIONS}
        self.progress.to_send = len(actions)
        options = self.job.options
        rejected = statuses.get(Verdict.REJECTED, 0)
        # The gate stands before the first write; behind it, a row that turns out wrong stops no others.
        written = any(statuses.get(s) for s in (*VERDICT_OF_ACTION.values(), Verdict.FAILED, *IN_DOUBT))
        within = rejected <= gate_limit(options, self.progress.total)
        self.gate_open = not options.validate_before_create or written or within
        await thread.run(lambda: update_job(self.job.engine, self.job.job_id, planned=planned))

    async def _settle(
        self,
        client: BillyClient,
        thread: DatabaseThread,
        doubtful: list[Item],
        records: list[Any],
        ours: set[str],
    ) -> None:
        """Decide rows in doubt; `ours`, the ids this job is known to have made, grows by what is found."""
        journal = self.job.journal
        creates = [item for item in doubtful if item.action == CREATE]
        register = await self._register_for(client, creates, records, ours)
        outcomes = []
        for found in settle_creates(self.job.resource, creates, register, ours):
            item = found.item
            if found.record is not None:
                outcomes.append(self._settled(item, found.record))
            elif found.suspects:
                ids = ", ".join(record.id for record in found.suspects)
                key = f"{self.job.resource.label(item.item_data or {})!r} (id {ids})"
                text = sentence(
                    "outcome_unknown",
                    self.job.options.language,
                    message="a similar record has appeared since",
                    key=key,
                )
                outcomes.append(Outcome(item.item_index, Verdict.FAILED, error_code="outcome_unknown", error=text))
            elif item.attempts >= MOST_ATTEMPTS:
                text = f"Billy gave no clear answer {item.attempts} times and does not have it. Try `billy retry`."
                outcomes.append(Outcome(item.item_index, Verdict.FAILED, error_code="no_clear_answer", error=text))
            else:
                outcomes.append(Outcome(item.item_index, VALID))
        outcomes += [await self._settle_change(client, item) for item in doubtful if item.action != CREATE]
        await thread.run(lambda: journal.write(outcomes))

    def _settled(self, item: Item, record: Any) -> Outcome:
        """A create that was found in Billy, held to the same as one that was answered (rule B10)."""
        problem = self.job.resource.created_problem(item.item_data or {}, record, self.references)
        return Outcome(
            item.item_index,
            Verdict.FAILED if problem else Verdict.CREATED,
            billy_id=record.id,
            after_image=record.image(),
            error_code=problem.code if problem else None,
            error=problem.message if problem else None,
        )

    async def _register_for(
        self, client: BillyClient, creates: list[Item], records: list[Any], ours: set[str]
    ) -> Register[Any]:
        """The listing, with what it left out of records that one of these rows may have made."""
        resource = self.job.resource
        register = Register(resource, records)
        whole = {}
        for item in creates:
            row = item.item_data or {}
            for record in register.same_name(row):
                if record.id not in ours and record.id not in whole and not resource.is_complete(row, record):
                    whole[record.id] = await resource.read_one(client, record.id)
        return Register(resource, [whole.get(record.id, record) for record in records]) if whole else register

    async def _settle_change(self, client: BillyClient, item: Item) -> Outcome:
        """A change in doubt is read back: done when nothing of it is missing, planned anew otherwise."""
        done = VERDICT_OF_ACTION[item.action or ""]
        try:
            record = await self.job.resource.read_one(client, item.billy_id or "")
        except NotFound:
            if item.action == DELETE:
                return Outcome(item.item_index, done, billy_id=item.billy_id)
            text = sentence("gone_since_plan", self.job.options.language)
            return Outcome(item.item_index, Verdict.FAILED, error_code="gone_since_plan", error=text)
        if item.attempts >= MOST_ATTEMPTS:
            text = f"Billy gave no clear answer {item.attempts} times. Look at the record there, or try `billy retry`."
            return Outcome(item.item_index, Verdict.FAILED, error_code="no_clear_answer", error=text)
        if item.action == DELETE:
            # Billy may have refused the delete, and the archiving after it got no clear answer.
            archived = self.job.resource.archive is not None and self.job.resource.is_archived(record)
            if archived and not (item.before_image or {}).get("isArchived"):
                image = record.image()
                return Outcome(item.item_index, Verdict.ARCHIVED, billy_id=record.id, after_image=image)
            return Outcome(item.item_index, VALID)
        remaining, moved = Writes(self.job.resource, self.job.options, client, self.references).compare_with_plan(
            item, record
        )
        if not remaining and not moved:
            return Outcome(item.item_index, done, billy_id=record.id, after_image=record.image())
        return Outcome(item.item_index, VALID)

    # -- the sync --------------------------------------------------------------------------------------------------

    async def sync(self, stop: asyncio.Event) -> None:
        """Carry out the plan. Without a plan from this same process and lease, plan anew first (a resumed job).

        Raises:
            Halted, Stopped
        """
        if not self.planned_here:
            await self.plan(stop)
        if not self.gate_open:
            raise self.gate_error()
        self.progress.phase = "writing"
        self.progress.sync_started = time.monotonic()
        self.progress.sync_start_done = self.progress.done
        async with self._talk() as (client, thread):
            await self._unless_stopped(None, self._passes(client, thread, stop))
        if stop.is_set() and await asyncio.to_thread(self._is_left_undone):
            raise Stopped

    def _is_left_undone(self) -> bool:
        """Whether a row still waits for its outcome; a stop that comes after the last one stops nothing."""
        statuses = self.job.journal.counts()
        return any(statuses.get(status) for status in (VALID, PLANNED, *IN_DOUBT))

    async def _passes(self, client: BillyClient, thread: DatabaseThread, stop: asyncio.Event) -> None:
        journal = self.job.journal
        go = asyncio.Event()
        go.set()
        async with GroupCommit(journal, thread) as commit:
            while True:
                items = await thread.run(lambda: journal.leaders([PLANNED]))
                sync = Sync(
                    self.job.resource,
                    Writes(self.job.resource, self.job.options, client, self.references),
                    self.job.options,
                    client,
                    commit,
                    self.progress,
                    stop=stop,
                    go=go,
                    timing=self.timing,
                )
                guard = asyncio.create_task(self._guard_lease(sync, go))
                try:
                    await sync.run(items, self.records, self.listed_at)
                finally:
                    guard.cancel()
                    await asyncio.gather(guard, return_exceptions=True)
                if stop.is_set() or not sync.unclear or sync.first_failure:
                    return
                self.progress.phase = "looking up unclear answers"
                pause = self.timing.settle_after_timeout if sync.timed_out else self.timing.settle_after_break
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause)
                if stop.is_set():
                    return
                await self._unless_stopped(stop, self._settle_and_plan(client, thread))
                self.progress.phase = "writing"

    async def _guard_lease(self, sync: Sync, go: asyncio.Event) -> None:
        """Nothing is sent while the connection that holds the locks is broken, nor ever after if they are lost."""
        while True:
            await asyncio.sleep(LEASE_CHECK_SECONDS)
            try:
                await asyncio.to_thread(self.lease.check)
                continue
            except LeaseLost:
                go.clear()
            until = time.monotonic() + LEASE_PATIENCE_SECONDS
            try:
                while not await asyncio.to_thread(self.lease.take_again):
                    if time.monotonic() > until:
                        sync.halt(Halted("database_gone", "PostgreSQL stayed away. Start it again."))
                        return
                    await asyncio.sleep(0.5)
            except LeaseLost as error:
                sync.halt(Halted("lease_lost", f"The right to write was lost: {error}. The plan has to be made anew."))
                return
            go.set()

    # -- what both need --------------------------------------------------------------------------------------------

    def gate_error(self) -> Halted:
        """Why the gate is closed."""
        rejected, total = self.progress.statuses[Verdict.REJECTED], self.progress.total
        allowed = gate_limit(self.job.options, total)
        return Halted(
            "too_many_rejected",
            f"{rejected} of {total} rows are wrong; at most {allowed:g} may be (max_error_rate "
            f"{self.job.options.max_error_rate:g}). Nothing was written. Mend the rows in rejected.csv and drop the "
            "file again, or allow more with max_error_rate.",
            resumable=False,
        )

    async def _take_writer(self, stop: asyncio.Event) -> None:
        organization, family = self.job.row.organization, self.job.resource.family
        while holder := await asyncio.to_thread(self.lease.take_writer, organization, family):
            self.progress.waiting_for = holder
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), WRITER_POLL_SECONDS)
            if stop.is_set():
                raise Stopped
        self.progress.waiting_for = ""

    @contextlib.asynccontextmanager
    async def _talk(self) -> AsyncIterator[tuple[BillyClient, DatabaseThread]]:
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

    async def _unless_stopped(self, stop: asyncio.Event | None, work: Any) -> None:
        """Run the work, turn its errors into `Halted`, and give up on it when the stop event is set."""
        task = asyncio.ensure_future(work)
        waiters = {task} if stop is None else {task, asyncio.ensure_future(stop.wait())}
        try:
            await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Stopped
            try:
                task.result()
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

    def _note(self, message: str) -> None:
        update_job(self.job.engine, self.job.job_id, message=message)
