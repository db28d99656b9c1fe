"""The second step of an import that approves (rule B10): its drafts, one at a time, by date and as in the file.

An approval books VAT and cannot be taken back. So each draft is read right before, marked before its request leaves,
and the request is sent once; the first failure or unclear answer ends all further approvals.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from billy_pipelines.billy.client import BillyClient, writing_before
from billy_pipelines.billy.errors import (
    BillyError,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Stale,
    TokenRefused,
)
from billy_pipelines.billy.invoice_models import Invoice
from billy_pipelines.billy.underway import following
from billy_pipelines.bulk import approvals
from billy_pipelines.bulk.approvals import Numbers, drafts_to_approve, failed, not_approved
from billy_pipelines.bulk.group_commit import DatabaseThread
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.verdicts import APPROVE, CREATE, OUTCOME_UNKNOWN, SENDING, Verdict
from billy_pipelines.bulk.workplace import Stopped, Workplace
from billy_pipelines.database.items import Item, Outcome, Sending
from billy_pipelines.database.jobs import get_job, update_job
from billy_pipelines.schemas.codes import sentence
from billy_pipelines.schemas.invoice_approval import APPROVAL, APPROVED, approved_record, edited, holes, serial
from billy_pipelines.schemas.invoice_meaning import approval_order

T = TypeVar("T")
PAYLOAD_HASH = hashlib.sha256(json.dumps(APPROVAL, sort_keys=True).encode()).hexdigest()
OUT_OF_ORDER = "Billy numbered the drafts when they were made: the numbers do not follow the dates"
MOST_READINGS = 5
"""How often a draft is read anew because its request was held back by the rate limit past that reading."""


async def approve_drafts(
    place: Workplace, client: BillyClient, thread: DatabaseThread, references: Any, stop: asyncio.Event
) -> None:
    """Approve the drafts this job has made, if it is to approve at all. The drafts are all made and compared by now.

    Raises:
        Halted, Stopped, BillyError, JournalGone
    """
    if approvals.approves_now(place.job):
        await _Approving(place, client, thread, references, stop).run()


@dataclass
class _Approving:
    place: Workplace
    client: BillyClient
    thread: DatabaseThread
    references: Any
    stop: asyncio.Event
    _status: dict[int, str] = field(default_factory=dict)
    """Of the drafts in hand, for the progress."""

    async def run(self) -> None:
        job = self.place.job
        wanted = await self.thread.run(lambda: drafts_to_approve(job.journal))
        if self.stop.is_set():
            if wanted:
                raise Stopped
            return
        if wanted and (reason := await self.thread.run(self._ended_by)):
            await self._write(not_approved(job, wanted, "failed_line", **reason))
            return
        before = await self._until_stopped(self._next_number()) if wanted else None
        for number, item in enumerate(wanted):
            if self.stop.is_set():
                raise Stopped
            self.place.progress.phase = f"approving {number + 1:,} of {len(wanted):,}"
            failure = await self._approve(item)
            if failure is not None:
                reason = {"line": item.line, "code": failure.error_code}
                left = not_approved(job, wanted[number + 1 :], "approval_of_line", **reason)
                # In one write: whatever dies now, nothing behind the failure is approved by a later run.
                await self._write([failure, *left])
                break
        await self._tell(before)

    def _ended_by(self) -> dict[str, Any] | None:
        """The row whose failure ended the job's writing, where it was to end there."""
        first = next(iter(self.place.ending_failures()), None)
        return {"line": first.line, "code": first.error_code} if first else None

    # -- one draft -------------------------------------------------------------------------------------------------

    async def _approve(self, item: Item) -> Outcome | None:
        """None when it is approved and on record; else why it is not, to be written down.

        Raises:
            Halted, Stopped, BillyError, JournalGone
        """
        image = await self.thread.run(lambda: self.place.job.journal.after_image(item.item_index))
        for _ in range(MOST_READINGS):
            read_at = time.monotonic()
            record = await self._until_stopped(self._look(item))
            if record is None:
                return self._failed(item, approvals.GONE)
            if record.state == APPROVED:
                # By a person, meanwhile: what was wanted is so.
                await self._approved(item, record)
                return None
            if obstacle := self._obstacle(item, image, record):
                return obstacle
            await self._until_stopped(self.client.permit())
            await self.place.prove_lease()
            await self._write([Sending(item.item_index, PAYLOAD_HASH, APPROVE)])
            try:
                with writing_before(read_at + self.place.timing.fresh):
                    answer = await self._send(item)
            except Stale:
                await self._put_back(item)
                continue
            except Stopped:
                await self._put_back(item)
                raise
            except NotFound:
                return self._failed(item, approvals.GONE)
            except OutcomeUnknown as error:
                return await self._unclear(item, error)
            except (TokenRefused, RateLimited):
                await self._put_back(item)
                raise
            except Refused as error:
                return self._failed(item, approvals.REFUSED, message=error)
            except BillyError:
                await self._put_back(item)
                raise
            made = approved_record(record, answer)
            if made is None:
                said = "it answered success, but not with the approved invoice and its number"
                return await self._unclear(item, OutcomeUnknown(said, answered=True))
            await self._approved(item, made)
            return None
        raise Halted("billy_unavailable", "Billy's limit holds the approvals back. Wait until it answers again.")

    def _obstacle(self, item: Item, image: dict[str, Any], record: Invoice) -> Outcome | None:
        """Why a draft as just read must not be approved: it is another one than was made and compared."""
        names = edited(image, record) if record.is_draft else ["state"]
        if names:
            return self._failed(item, approvals.CHANGED, fields=", ".join(names))
        problem = self.place.job.resource.created_problem(item.item_data or {}, record, self.references)
        if problem:
            return Outcome(
                item.item_index, Verdict.FAILED, error_code=problem.code, error=problem.message, action=CREATE
            )
        return None

    async def _look(self, item: Item) -> Invoice | None:
        try:
            record: Invoice = await self.place.job.resource.read_one(self.client, item.billy_id or "")
        except NotFound:
            return None
        return record

    async def _send(self, item: Item) -> dict[str, Any]:
        """The request, with a permit in hand; a stop gives it a while to be answered (R3).

        Raises:
            BillyError
            Stopped: it was not carried out, and is not tried again.
        """
        resource = self.place.job.resource
        with following() as traffic:
            request = asyncio.create_task(
                self.client.update_once(
                    resource.endpoint, resource.endpoint_singular, item.billy_id or "", APPROVAL, permitted=True
                )
            )
        stopping = asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait({request, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not request.done():
                await traffic.end(request, self.place.timing.drain)
            if request.cancelled():
                if not traffic.may_be_done:
                    raise Stopped
                raise OutcomeUnknown("the job was stopped before Billy answered", timed_out=True)
            return request.result()
        finally:
            for task in (request, stopping):
                task.cancel()
            await asyncio.gather(request, stopping, return_exceptions=True)

    async def _unclear(self, item: Item, error: OutcomeUnknown) -> Outcome | None:
        """No clear answer: wait as long as Billy may be at work on it, then read it back; never sent again here."""
        text = sentence("not_settled", self.place.job.options.language, message=error)
        await self._write([Outcome(item.item_index, OUTCOME_UNKNOWN, error_code="outcome_unknown", error=text)])
        if not error.answered:
            timing = self.place.timing
            pause = timing.settle_after_timeout if error.timed_out else timing.settle_after_break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), pause)
        if self.stop.is_set():
            raise Stopped
        seen = await self._until_stopped(self._look(item))
        if seen is None:
            return self._failed(item, approvals.GONE)
        if seen.state == APPROVED:
            await self._approved(item, seen)
            return None
        return self._failed(item, approvals.UNCLEAR, message=error)

    # -- the journal -----------------------------------------------------------------------------------------------

    def _failed(self, item: Item, code: str, **details: Any) -> Outcome:
        return failed(self.place.job, item, code, **details)

    async def _approved(self, item: Item, record: Invoice) -> None:
        outcome = Outcome(item.item_index, Verdict.CREATED, after_image=record.image(), action=CREATE)
        await self._write([outcome])

    async def _put_back(self, item: Item) -> None:
        """It was not sent: the draft waits as before."""
        await self._write([Outcome(item.item_index, Verdict.CREATED, action=CREATE)])

    async def _write(self, changes: Sequence[Sending | Outcome]) -> None:
        journal, progress = self.place.job.journal, self.place.progress
        await self.thread.run(lambda: journal.write(changes))
        for change in changes:
            now = SENDING if isinstance(change, Sending) else change.status
            progress.moved(change.item_index, self._status.get(change.item_index, Verdict.CREATED), now)
            self._status[change.item_index] = now
        progress.requests, progress.limited = self.client.requests, self.client.limited

    # -- numbers ---------------------------------------------------------------------------------------------------

    async def _next_number(self) -> str | None:
        """The company's counter, which comes back changed on approval (observed)."""
        number = (await self.client.organization()).image().get("nextInvoiceNo")
        return None if number is None else str(number)

    async def _tell(self, before: str | None) -> None:
        """Numbers before and after, and every gap, put on the job (rule B10). What cannot be read is not told."""
        after: str | None = None
        with contextlib.suppress(Halted, Stopped):
            after = await self._until_stopped(self._next_number())
        mine = await self.thread.run(self._given)
        given = [text for text, _ in mine]
        # A job that goes on began before the numbers that Billy gave its earlier runs.
        of_billy = [serial(text) for text, is_own in mine if not is_own]
        first = min((number for number in (serial(before), *of_billy) if number is not None), default=None)
        gaps = await self._gaps(first, serial(after), given)
        numbers = Numbers(before if first is None else str(first), after, given, gaps)
        await self.thread.run(lambda: self._put_on_job(numbers))
        known = [number for number in of_billy if number is not None]
        if known != sorted(known):
            await self.thread.run(lambda: self.place.note(OUT_OF_ORDER))

    def _given(self) -> list[tuple[str, bool]]:
        """The numbers of this job's approved invoices, in their order, and whether the file gave them."""
        journal = self.place.job.journal
        after = journal.after_values("state", "invoiceNo")
        rows = {item.item_index: item.item_data or {} for item in journal.leaders([Verdict.CREATED])}
        approved = [(i, row) for i, row in rows.items() if after.get(i, ("", ""))[0] == APPROVED and after[i][1]]
        return [(str(after[i][1]), bool(rows[i].get("invoiceNo"))) for i in approval_order(approved)]

    async def _gaps(self, first: int | None, following: int | None, given: list[str]) -> list[str]:
        mine = [number for text in given if (number := serial(text)) is not None]
        if not mine:
            return []
        start = min(mine) if first is None else first
        last = max(max(mine), (following or 0) - 1)
        found = holes(start, last, mine)
        if found:
            others: list[int] = []
            with contextlib.suppress(Halted, Stopped):
                records = await self._until_stopped(self.place.job.resource.read_all(self.client))
                others = [number for record in records if (number := serial(record.invoiceNo)) is not None]
            found = holes(start, last, [*mine, *others])
        return [str(low) if low == high else f"{low}–{high}" for low, high in found]

    def _put_on_job(self, numbers: Numbers) -> None:
        job = self.place.job
        row = get_job(job.engine, job.job_id) or job.row
        update_job(job.engine, job.job_id, source={**row.source, **approvals.in_source(numbers)})
        if numbers.given:
            self.place.note(numbers.text())

    async def _until_stopped(self, work: Awaitable[T]) -> T:
        return await self.place.unless_stopped(self.stop, work)
