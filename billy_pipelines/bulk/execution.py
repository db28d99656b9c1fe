"""A job's two steps that talk to Billy: the plan and the sync, with the lease, the rate and the journal around them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.bulk.applying import hold_to_plan
from billy_pipelines.bulk.approving import approve_drafts
from billy_pipelines.bulk.books import check_books, titled
from billy_pipelines.bulk.bulk_writes import BulkState, BulkWrites
from billy_pipelines.bulk.doubts import Doubts
from billy_pipelines.bulk.group_commit import DatabaseThread
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.left_in_billy import left_in_billy
from billy_pipelines.bulk.matching import Match, Register, chosen_keys
from billy_pipelines.bulk.on_the_way import OnTheWay
from billy_pipelines.bulk.options import Switch, gate_limit
from billy_pipelines.bulk.planning import Planner
from billy_pipelines.bulk.progress import Progress
from billy_pipelines.bulk.since_export import exports_of
from billy_pipelines.bulk.sync import Readings
from billy_pipelines.bulk.verdicts import (
    DECIDED_BY_PLAN,
    DELETE,
    IN_DOUBT,
    OPEN,
    VERDICT_OF_ACTION,
    Verdict,
)
from billy_pipelines.bulk.workplace import Stopped, Workplace
from billy_pipelines.bulk.writes import Writes
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.schemas.resource import KeyKind, Row

__all__ = ["Execution", "Stopped"]

MOST_READ_FOR_A_ROW = 20


@dataclass
class Execution(Workplace):
    """One process's work on one job. The plan's readings stay here for the sync that follows in the same process."""

    readings: Readings = field(default_factory=Readings)
    planned_here: bool = False
    gate_open: bool = True
    references: Any = None
    register_size: int = 0
    """Records in Billy, as last listed."""

    def __post_init__(self) -> None:
        """What rows need and Billy lacks is worked on under the same lease."""
        self._on_the_way = OnTheWay(
            lambda: self.job, self.progress, lambda part: Execution(part, self.lease, Progress(), self.timing)
        )

    # -- the plan --------------------------------------------------------------------------------------------------

    async def plan(self, stop: asyncio.Event) -> None:
        """Take the right to write, check whose books these are, list Billy, settle what is in doubt, plan what is open.

        Raises:
            Halted: the job cannot go on (its code says why).
            Stopped: the stop event was set.
        """
        self.progress.phase = "planning"
        await self.take_writer(stop)
        async with self.talk() as (client, thread):
            await self.unless_stopped(stop, self._plan(client, thread, stop))
        self.planned_here = True

    async def _plan(self, client: BillyClient, thread: DatabaseThread, stop: asyncio.Event) -> None:
        job = self.job
        company = await check_books(job.settings, job.engine, job.organization, client, thread.run)
        await thread.run(lambda: self.note(f"books of {titled(company)}"))
        journal, pause = job.journal, self.timing.settle_after_timeout
        same_records = [name for name, resource in RESOURCES.items() if resource.family in job.families]
        statuses = await thread.run(journal.counts)
        if (
            any(statuses.get(status) for status in IN_DOUBT)
            or await thread.run(self._on_the_way.in_doubt)
            or await thread.run(lambda: journal.doubted_elsewhere(same_records, pause))
        ):
            # An earlier process died, or was stopped, with requests on their way; of this job or of another.
            self.progress.phase = "waiting for what an earlier run may still have on its way"
            await self.pause(stop, pause)
            self.progress.phase = "planning"
        await self.settle_and_plan(client, thread)

    async def settle_and_plan(
        self, client: BillyClient, thread: DatabaseThread, listed: Sequence[Any] | None = None
    ) -> None:
        """One fresh, complete listing, or `listed` if that was just made; rows in doubt are settled against it, then
        open rows planned against it."""
        journal = self.job.journal
        await thread.run(self.note_failed)
        doubtful = await thread.run(lambda: journal.leaders(IN_DOUBT))
        listed_at = time.monotonic()
        terms = self.job.terms
        fields = await thread.run(journal.fields)
        records = await self.job.resource.read_all(client) if listed is None else listed
        self.references = await self.job.resource.load_references(client, terms, fields, records)
        # What this job has made is no longer "there already": its other rows were judged against it in the first plan.
        ours = await thread.run(journal.claimed_ids)
        if doubtful:
            # Another job can have made an equal record meanwhile: one that is known as its is not ours.
            others = await thread.run(journal.claimed_elsewhere) - ours
            taken = ours | others
            changed = await thread.run(journal.changed_elsewhere)
            outcomes = await Doubts(self.job, client, self.references).settle(doubtful, records, taken, changed)
            await thread.run(lambda: journal.write(outcomes))
            ours = taken - others
        register = self._register(record for record in records if record.id not in ours)
        statuses = await thread.run(journal.counts)
        nothing_sent = not any(statuses.get(s) for s in (*VERDICT_OF_ACTION.values(), Verdict.FAILED, *IN_DOUBT))
        # Which record a delete takes is settled once: matched anew after its first rows, a row could mean another one.
        applied = self.job.row.applied_at is not None or terms.operation == DELETE
        wanted = (*OPEN, *DECIDED_BY_PLAN) if nothing_sent and not applied else OPEN
        partly = await thread.run(journal.partly_written)
        items = [item for item in await thread.run(lambda: journal.leaders(wanted)) if item.item_data is not None]
        items = [item for item in items if item.item_index not in partly]
        way = self._on_the_way
        exports = await thread.run(lambda: exports_of(self.job))
        left = await left_in_billy(self.job, client, thread, items, records)
        new = [item for item in items if item.item_index not in left]

        def planner_of(references: Any) -> Planner:
            return Planner(self.job.resource, self.job.options, register, terms, references, exports, left)

        self.references = await way.plan(client, thread, new, self.references, planner_of)
        planner = planner_of(self.references)
        planner.name_all(items)
        for item in way.as_given(items):
            resolved = way.explained(planner.resolve(item))
            match = await self._seen_whole(client, resolved.row, planner.match(resolved.row))
            planner.add(item, resolved, match)
        plan = planner.plan
        if applied:
            hold_to_plan(self.job.resource, way.as_agreed(items), plan, terms.language)
        await thread.run(lambda: way.keep_needed(plan.items))
        self.register_size = register.size
        await thread.run(lambda: journal.plan(plan.items))
        self.readings.at, self.readings.records = listed_at, plan.records
        await self._summarize(client, thread)

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

    async def _summarize(self, client: BillyClient, thread: DatabaseThread) -> None:
        """Counts and the gate (B21), over all rejections so far, before the first write."""
        statuses = await self.count(client, thread)
        options = self.job.options
        rejected = statuses.get(Verdict.REJECTED, 0)
        # The gate stands before the first write; behind it, a row that turns out wrong stops no others.
        written = any(statuses.get(s) for s in (*VERDICT_OF_ACTION.values(), Verdict.FAILED, *IN_DOUBT))
        within = rejected <= gate_limit(options, self.progress.total)
        self.gate_open = not options.validate_before_create or written or within

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
        async with self.talk() as (client, thread):
            await self.unless_stopped(None, self._carry_out(client, thread, stop))
        if stop.is_set() and await asyncio.to_thread(self.is_left_undone):
            raise Stopped

    async def _carry_out(self, client: BillyClient, thread: DatabaseThread, stop: asyncio.Event) -> None:
        if self.job.options.create_missing and not await thread.run(self.ending_failures):
            go_on = await self._on_the_way.carry_out(client, thread, stop)
            await self._summarize(client, thread)
            if not go_on:
                return
            self.progress.phase = "writing"
        await self.send(client, thread, stop)
        await approve_drafts(self, client, thread, self.references, stop)

    async def send(self, client: BillyClient, thread: DatabaseThread, stop: asyncio.Event) -> None:
        """Carry out the planned rows, and nothing beside them."""
        job, options = self.job, self.job.options
        state = BulkState(self._say)

        async def keep(images: Mapping[int, dict[str, Any]]) -> None:
            await thread.run(lambda: job.journal.keep_before(images))

        def writes() -> Writes:
            if options.bulk_save is Switch.on:
                return BulkWrites(job.resource, options, client, self.references, self.timing, state, keep)
            return Writes(job.resource, options, client, self.references, self.timing, keep)

        async def settle() -> None:
            await self.settle_and_plan(client, thread)

        try:
            await self.carry_out(client, thread, stop, writes, self.readings, settle)
        finally:
            if self.progress.remark:
                await thread.run(lambda: self.note(self.progress.remark))

    def _say(self, remark: str) -> None:
        self.progress.remark = remark

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
