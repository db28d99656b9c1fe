"""Rows whose request got no clear answer, decided by reading Billy: made or not, changed or not; never sent blindly."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.errors import NotFound
from billy_pipelines.bulk.context import JobContext
from billy_pipelines.bulk.matching import Register
from billy_pipelines.bulk.options import Switch
from billy_pipelines.bulk.settling import Settled, settle_creates, there_before
from billy_pipelines.bulk.timing import Timing
from billy_pipelines.bulk.verdicts import APPROVE, CREATE, DELETE, PLANNED, VALID, VERDICT_OF_ACTION, Verdict
from billy_pipelines.bulk.writes import Writes
from billy_pipelines.database.items import Item, Outcome
from billy_pipelines.schemas.codes import sentence
from billy_pipelines.schemas.invoice_approval import APPROVED
from billy_pipelines.schemas.resource import Resource

MOST_ATTEMPTS = 6
READ_TOGETHER = 50


class Doubts:
    """Decides rows in doubt of one job; `references` are those its rows are judged against."""

    def __init__(self, job: JobContext, client: BillyClient, references: Any) -> None:
        self._job = job
        self._resource = job.resource
        self._options = job.options
        self._client = client
        self._references = references
        self._writes = Writes(job.resource, job.options, client, references, Timing())
        # A row at fault takes its whole batch along until halving has left it alone.
        bulk = self._options.bulk_save is Switch.on
        self._most_attempts = MOST_ATTEMPTS + (self._options.batch_size.bit_length() if bulk else 0)

    async def settle(
        self, doubtful: Sequence[Item], records: Sequence[Any], ours: set[str], changed: Collection[str]
    ) -> list[Outcome]:
        """Decide rows in doubt against a complete, fresh listing. Those Billy does not have are to be planned anew.

        `ours`, the ids this job is known to have made, grows by what is found; `changed`: ids of what other jobs have
        changed since.

        Raises:
            BillyError: a record could not be read.
        """
        creates = [item for item in doubtful if item.action == CREATE]
        register = await unclaimed_register(self._resource, self._client, creates, records, ours)
        settled = settle_creates(self._resource, creates, register, ours, changed)
        outcomes = [self._settle_create(found) for found in settled]
        changes = [item for item in doubtful if item.action != CREATE]
        for start in range(0, len(changes), READ_TOGETHER):
            outcomes += await asyncio.gather(*map(self._settle_change, changes[start : start + READ_TOGETHER]))
        return outcomes

    async def _settle_approval(self, item: Item) -> Outcome:
        """Approved, or the draft it was, which is approved in its turn; one that is gone is found so then (B10)."""
        image = None
        with contextlib.suppress(NotFound):
            record = await self._resource.read_one(self._client, item.billy_id or "")
            image = record.image() if record.state == APPROVED else None
        return Outcome(item.item_index, Verdict.CREATED, after_image=image, action=CREATE)

    def _settle_create(self, found: Settled) -> Outcome:
        item = found.item
        if found.record is not None:
            return self._settled(item, found.record)
        if found.suspects:
            ids = ", ".join(record.id for record in found.suspects)
            key = f"{self._resource.label(item.item_data or {})!r} (id {ids})"
            said = sentence("similar_since", self._options.language)
            return self._failed(item, "outcome_unknown", message=said, key=key)
        if item.attempts >= self._most_attempts:
            return self._failed(item, "no_clear_answer", number=item.attempts)
        return Outcome(item.item_index, VALID)

    def _failed(self, item: Item, code: str, **details: Any) -> Outcome:
        text = sentence(code, self._options.language, **details)
        return Outcome(item.item_index, Verdict.FAILED, error_code=code, error=text)

    def _settled(self, item: Item, record: Any) -> Outcome:
        """A create that was found in Billy, held to the same as one that was answered (rule B10)."""
        problem = self._resource.created_problem(item.item_data or {}, record, self._references)
        return Outcome(
            item.item_index,
            Verdict.FAILED if problem else Verdict.CREATED,
            billy_id=record.id,
            after_image=record.image(),
            error_code=problem.code if problem else None,
            error=problem.message if problem else None,
        )

    async def _settle_change(self, item: Item) -> Outcome:
        """A change in doubt is read back: done when nothing of it is missing, planned anew otherwise."""
        if item.action == APPROVE:
            return await self._settle_approval(item)
        done = VERDICT_OF_ACTION[item.action or ""]
        try:
            record = await self._resource.read_one(self._client, item.billy_id or "")
        except NotFound:
            if item.action == DELETE:
                return Outcome(item.item_index, done, billy_id=item.billy_id)
            # The change can have arrived before somebody deleted the record; no reading tells any more.
            return self._untellable(item, "gone_in_doubt")
        if item.action == DELETE:
            # Billy may have refused the delete, and the archiving after it got no clear answer.
            archived = self._resource.archive is not None and self._resource.is_archived(record)
            if archived and not (item.before_image or {}).get("isArchived"):
                image = record.image()
                return Outcome(item.item_index, Verdict.ARCHIVED, billy_id=record.id, after_image=image)
        else:
            remaining, moved = self._writes.compare_with_plan(item, record)
            if not remaining and not moved:
                return Outcome(item.item_index, done, billy_id=record.id, after_image=self._as_left(item, record))
            # Further e-mail addresses are one change and a request each.
            less = any(change.new != (item.changes or {})[change.field][1] for change in remaining)
            if less or len(remaining) + len(moved) < len(item.changes or {}):
                return self._partly_done(item, record, moved)
            if moved:  # nor where somebody has written over it
                return self._untellable(item, "overwritten_in_doubt", fields=", ".join(moved))
        # Only now: the last attempt of many may have been carried out.
        if item.attempts >= self._most_attempts:
            return self._failed(item, "no_clear_answer", number=item.attempts)
        return Outcome(item.item_index, VALID)

    def _untellable(self, item: Item, code: str, **details: Any) -> Outcome:
        key = f"{self._resource.label(item.item_data or {})!r} (id {item.billy_id})"
        text = sentence(code, self._options.language, key=key, **details)
        return Outcome(item.item_index, Verdict.FAILED, error_code="outcome_unknown", error=text)

    def _partly_done(self, item: Item, record: Any, moved: Sequence[str]) -> Outcome:
        """A row can need several requests, and some were carried out: it is finished as it was planned, if nobody has
        changed the rest since. Planned anew, it would find its own doing and take it for somebody else's."""
        if not moved and item.attempts < self._most_attempts:
            return Outcome(item.item_index, PLANNED, after_image=self._as_left(item, record))
        said = f"{', '.join(moved)} changed meanwhile" if moved else f"no clear answer {item.attempts} times"
        text = sentence("partly_changed", self._options.language, message=said)
        image = self._as_left(item, record)
        return Outcome(item.item_index, Verdict.FAILED, after_image=image, error_code="partly_changed", error=text)

    def _as_left(self, item: Item, record: Any) -> dict[str, Any]:
        return self._resource.as_left(item.before_image or {}, item.changes, record)


async def unclaimed_register(
    resource: Resource[Any], client: BillyClient, creates: Sequence[Item], records: Iterable[Any], claimed: set[str]
) -> Register[Any]:
    """A listing without the records that somebody is known to have made, and with what it left out of those that one of
    these rows may have made.

    Raises:
        BillyError: a record could not be read.
    """
    unclaimed = {record.id: record for record in records if record.id not in claimed}
    register = Register(resource, unclaimed.values())
    whole: dict[str, Any] = {}
    for item in creates:
        row, before = item.item_data or {}, there_before(item)
        for record in register.alike(row):
            if record.id not in whole and record.id not in before and not resource.is_complete(row, record):
                whole[record.id] = await resource.read_one(client, record.id)
    return Register(resource, (unclaimed | whole).values()) if whole else register
