"""One process's work on an undo: the plan, by the records as they are now, and its carrying out. Same engine as a sync.

A row in doubt is read back or looked for, as in any job, and never sent blindly.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.errors import NotFound
from billy_pipelines.bulk.books import check_books, titled
from billy_pipelines.bulk.context import JobContext, load_job
from billy_pipelines.bulk.doubts import READ_TOGETHER, Doubts
from billy_pipelines.bulk.group_commit import DatabaseThread
from billy_pipelines.bulk.matching import Register
from billy_pipelines.bulk.reports import table_of, write_results
from billy_pipelines.bulk.settling import THERE_BEFORE
from billy_pipelines.bulk.sync import Readings
from billy_pipelines.bulk.undo_books import UndoBooks
from billy_pipelines.bulk.undo_doubts import UndoDoubts
from billy_pipelines.bulk.undo_elsewhere import Elsewhere
from billy_pipelines.bulk.undo_rules import BACK, Judgement, Rules, Said, Task
from billy_pipelines.bulk.undo_target import mark_undoing, rows_to_undo, selection_of, was_cut_off
from billy_pipelines.bulk.undo_writes import UndoWrites
from billy_pipelines.bulk.verdicts import (
    CREATE,
    DELETE,
    IN_DOUBT,
    OPEN,
    PLANNED,
    VALID,
    UndoVerdict,
    Verdict,
)
from billy_pipelines.bulk.workplace import Stopped, Workplace
from billy_pipelines.database.items import Item, NewItem, Outcome, PlannedItem
from billy_pipelines.database.jobs import has_written, update_job
from billy_pipelines.database.undoing import ChangedRow, last_index, taken_back
from billy_pipelines.schemas.codes import sentence
from billy_pipelines.schemas.resource import PlanTerms


@dataclass
class UndoExecution(Workplace):
    """An undo job at work, whose lease this process holds."""

    books: UndoBooks | None = None
    planned_here: bool = False

    @property
    def target(self) -> JobContext:
        """The job that is taken back, as it stands now."""
        return load_job(self.job.settings, self.job.engine, self.job.row.undoes or "")

    @property
    def dry(self) -> bool:
        """Whether nothing is to be written."""
        return self.job.options.dry_run

    # -- the plan --------------------------------------------------------------------------------------------------

    async def plan(self, stop: asyncio.Event) -> None:
        """Take the right to write, check whose books these are, and judge every row that is open.

        Raises:
            Halted, Stopped
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
        if not self.dry:
            await thread.run(lambda: mark_undoing(job.engine, job.row))
            self.job = await thread.run(lambda: load_job(job.settings, job.engine, job.job_id))
            if was_cut_off(self.job.row):
                await asyncio.to_thread(lambda: self._bring_files_up_to_date(self.target))
        found_out = await self._find_out(client, thread, stop)
        await thread.run(lambda: self._take_rows(found_out))
        statuses = await thread.run(job.journal.counts)
        if any(statuses.get(status) for status in IN_DOUBT):
            await self._wait_for_the_dead(stop)
        await self._settle_and_plan(client, thread)

    async def _wait_for_the_dead(self, stop: asyncio.Event) -> None:
        """A process that died may have requests on their way; looking too early would miss what comes of them."""
        self.progress.phase = "waiting for what an earlier run may still have on its way"
        await self.pause(stop, self.timing.settle_after_timeout)
        self.progress.phase = "planning"

    async def _find_out(self, client: BillyClient, thread: DatabaseThread, stop: asyncio.Event) -> list[Outcome]:
        """What the job itself left in doubt is found out first: nothing else can tell what it has made."""
        target = await thread.run(lambda: self.target)
        doubtful = await thread.run(lambda: target.journal.leaders(IN_DOUBT))
        if not doubtful:
            return []
        await self._wait_for_the_dead(stop)
        fields = await thread.run(target.journal.fields)
        records = await target.resource.read_all(client)
        references = await target.resource.load_references(client, target.terms, fields, records)
        # Of a dead job's rows some never arrived, and another job can have made their records since.
        taken = await thread.run(lambda: target.journal.claimed_ids() | target.journal.claimed_elsewhere())
        changed = await thread.run(target.journal.changed_elsewhere)
        return await Doubts(target, client, references).settle(doubtful, records, taken, changed)

    def _left_by_target(self, found_out: Sequence[Outcome]) -> list[ChangedRow]:
        """The rows to be taken back, with what was found out in the job's journal. What the job has done by half is not
        finished any more.

        A dry run sees the same rows, so that it says what the undo will say, and leaves the journal as it was.
        """
        target = self.target
        with self.job.engine.connect() as connection, connection.begin() as transaction:
            target.journal.write(found_out, connection)
            halves = target.journal.partly_written((VALID, PLANNED), connection)
            text = sentence("partly_changed", target.options.language, message="the job was taken back before")
            ended = [Outcome(index, Verdict.FAILED, error_code="partly_changed", error=text) for index in halves]
            target.journal.write(ended, connection)
            rows = rows_to_undo(self.job.engine, target.job_id, *selection_of(self.job.row), connection)
            if self.dry:
                transaction.rollback()
        if (found_out or ended) and not self.dry:
            self._bring_files_up_to_date(target)
        return rows

    def _bring_files_up_to_date(self, target: JobContext) -> None:
        """Its files tell of its last end; since then its process has died, or more is known of its rows."""
        if target.folder.is_dir():  # old jobs' folders are removed one day
            write_results(target, table_of(target))

    def _take_rows(self, found_out: Sequence[Outcome]) -> None:
        """Put the rows to be taken back on record, in reverse order; anew as long as nothing was sent."""
        job = self.job
        with job.engine.connect() as connection:
            written = has_written(connection, job.job_id)
        job.journal.forget_unsent()  # first: what the last plan of this undo called reversed is to be in it again
        rows = self._left_by_target(found_out)
        if written:
            return
        earlier = taken_back(job.engine, job.row.undoes or "")
        last = last_index(job.engine, job.row.undoes or "")
        job.journal.insert(
            NewItem(
                item_index=last - row.item_index,
                line=row.line,
                item_data=Task.of_row(row, earlier.get(row.item_index)).written() if row.leader_index is None else None,
                status=VALID,
                natural_key=row.natural_key,
                leader_index=None if row.leader_index is None else last - row.leader_index,
            )
            for row in rows
        )
        update_job(job.engine, job.job_id, total_items=len(rows))

    async def _settle_and_plan(self, client: BillyClient, thread: DatabaseThread) -> None:
        """Rows in doubt are settled against a fresh listing, then open rows judged against it."""
        journal, resource = self.job.journal, self.job.resource
        doubtful = await thread.run(lambda: journal.leaders(IN_DOUBT))
        target = await thread.run(lambda: self.target)
        rules = self._rules(target)
        items = await thread.run(lambda: journal.leaders((*OPEN, *IN_DOUBT)))
        deletes = any(BACK.get(Task.read(item.item_data).did) == DELETE for item in items)
        terms = PlanTerms(self.job.organization, DELETE, self.job.options.language.value)
        made = await thread.run(self._made_again)
        books = self.books = UndoBooks(resource, client, terms, self.timing.fresh, asks_use=deletes, made=made)
        await books.list_anew()
        if doubtful:
            language = self.job.options.language.value
            others = await thread.run(journal.claimed_elsewhere) - made
            taken = made | others
            settled = await UndoDoubts(resource, client, books, rules, language).settle(doubtful, taken)
            books.made = taken - others
            await thread.run(lambda: journal.write(settled))
        items = await thread.run(lambda: journal.leaders(OPEN))
        register = await books.register()
        elsewhere = await thread.run(lambda: Elsewhere.of(self.job.engine, self.job.row))
        planned: list[PlannedItem] = []
        for start in range(0, len(items), READ_TOGETHER):
            some = items[start : start + READ_TOGETHER]
            planned += await asyncio.gather(*(self._planned(rules, register, elsewhere, item) for item in some))
        await thread.run(lambda: journal.plan(planned))
        await self.count(client, thread)

    def _rules(self, target: JobContext) -> Rules:
        started = target.row.started_at or target.row.created_at
        return Rules(
            self.job.resource,
            self.job.options.language.value,
            started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        )

    def _made_again(self) -> set[str]:
        """Ids of records that this undo has made."""
        done = self.job.journal.leaders((UndoVerdict.REVERSED, Verdict.FAILED))
        return {item.billy_id for item in done if item.action == CREATE and item.billy_id}

    async def _planned(self, rules: Rules, register: Register[Any], elsewhere: Elsewhere, item: Item) -> PlannedItem:
        task, index = elsewhere.task(item), item.item_index
        present_id = elsewhere.present_id(task)
        judged = (
            elsewhere.said(rules, item, task)
            or rules.without_record(task)
            or await self._judged(rules, register, task, present_id or "")
        )
        if isinstance(judged, Said):
            code, text = judged.code, judged.text
            return PlannedItem(
                index, judged.verdict, None, present_id, before_image=judged.image, error_code=code, error=text
            )
        action = judged.action if judged else BACK[task.did]
        if action != CREATE:
            changes = judged.work.changes if judged and judged.work else None
            written = task.written() if task != Task.of_item(item) else None
            return PlannedItem(index, PLANNED, action, present_id, changes, item_data=written)
        alike = [record.id for record in register.alike(rules.row(task))]
        before = {THERE_BEFORE: alike} if alike else None
        return PlannedItem(index, PLANNED, CREATE, before_image=before)

    async def _judged(self, rules: Rules, register: Register[Any], task: Task, present_id: str) -> Judgement | None:
        """The judgement; None where the list does not tell enough: then the record is read, and judged, at its turn.

        In a dry run there is no such turn.
        """
        assert self.books is not None  # noqa: S101 - listed just before
        if BACK[task.did] == CREATE:
            return rules.judge_again(task, register)
        record = self.books.records.get(present_id)
        whole = record is not None and self.books.is_whole(record)
        if not whole and not self.dry:
            return None
        if not whole:
            try:
                record, _ = await self.books.read(present_id)
            except NotFound:
                return rules.gone(task)
        assert record is not None  # noqa: S101 - listed or read
        return rules.judge(task, record, self.books.references)

    # -- carrying it out -------------------------------------------------------------------------------------------

    async def sync(self, stop: asyncio.Event) -> None:
        """Take everything back that the plan found can be. Without a plan of this process, plan first.

        Raises:
            Halted, Stopped
        """
        if not self.planned_here:
            await self.plan(stop)
        self.progress.phase = "writing"
        self.progress.sync_started = time.monotonic()
        self.progress.sync_start_done = self.progress.done
        async with self.talk() as (client, thread):
            await self.unless_stopped(None, self._carry_out(client, thread, stop))
        if stop.is_set() and await asyncio.to_thread(self.is_left_undone):
            raise Stopped

    async def _carry_out(self, client: BillyClient, thread: DatabaseThread, stop: asyncio.Event) -> None:
        assert self.books is not None  # noqa: S101 - planned in this process
        self.books.use(client)
        target = await thread.run(lambda: self.target)

        def writes() -> UndoWrites:
            assert self.books is not None  # noqa: S101 - as above, and each settling lists anew
            job = self.job
            return UndoWrites(job.resource, job.options, client, self.books, self.timing, self._rules(target))

        async def settle() -> None:
            await self._settle_and_plan(client, thread)

        await self.carry_out(client, thread, stop, writes, Readings(), settle)
