"""What one planned row does in Billy: create, update, archive, delete, each compared with the record as it is now."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from billy_pipelines.billy.client import BillyClient, writing_before
from billy_pipelines.billy.errors import (
    BillyError,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Refused,
    TokenRefused,
)
from billy_pipelines.bulk.options import JobOptions
from billy_pipelines.bulk.sync import Readings, Result
from billy_pipelines.bulk.timing import Timing
from billy_pipelines.bulk.told import Heard, Readback
from billy_pipelines.bulk.verdicts import CREATE, DELETE, VERDICT_OF_ACTION, Verdict
from billy_pipelines.database.items import Item, Outcome
from billy_pipelines.schemas.codes import Problem, sentence
from billy_pipelines.schemas.resource import Change, Resource

Keep = Callable[[Mapping[int, dict[str, Any]]], Awaitable[None]]
USED_STATUSES = (400, 409, 422)
"""What a refused delete may answer when something refers to the record: 422 is likely (unverified)."""
FORBIDDEN = 403


class Writes:
    """The requests of rows, one by one: the sender of an import, an update, a delete (`sync.Sender`)."""

    def __init__(
        self,
        resource: Resource[Any],
        options: JobOptions,
        client: BillyClient,
        references: Any,
        timing: Timing,
        keep: Keep | None = None,
    ) -> None:
        """`keep`: puts what was read of records that are about to go on record, by item index."""
        self._keep = keep
        self._resource = resource
        self._references = references
        self._options = options
        self._client = client
        self._fresh = timing.fresh
        self._readback = Readback(resource, client)

    def payload(self, item: Item) -> Any:
        """What is going to be sent, for its hash in the journal."""
        return self._resource.create_body(item.item_data or {}) if item.action == CREATE else item.changes

    def reads_first(self, item: Item) -> bool:
        """Whether its record has to be read before it is written (R7)."""
        return item.action != CREATE

    def group(self, item: Item) -> tuple[str, int]:
        """Each row leaves by itself."""
        return "", 1

    async def send_group(self, items: Sequence[Item], readings: Readings) -> Mapping[int, Result]:
        """Not used while `group` names none; the rows one by one all the same."""
        results = await asyncio.gather(*(self._alone(item) for item in items))
        return {item.item_index: result for item, result in zip(items, results, strict=True)}

    async def _alone(self, item: Item) -> Result:
        try:
            return await self.send(item, None, 0.0, False)
        except BillyError as error:
            return error

    async def send(self, item: Item, record: Any, read_at: float, permitted: bool) -> Outcome:
        """Carry out one row; raises what the client raises."""
        if item.action == CREATE:
            return await self._create(item, permitted)
        try:
            return await self._change(item, record, read_at, permitted)
        except NotFound:
            # What a 404 to a write means is unknown: deleting what is not there says 200 (documented).
            if await self._is_gone(item.billy_id or ""):
                return self._gone(item)
            raise

    def _gone(self, item: Item) -> Outcome:
        text = sentence("gone_since_plan", self._options.language)
        return Outcome(item.item_index, Verdict.FAILED, error_code="gone_since_plan", error=text)

    async def _create(self, item: Item, permitted: bool) -> Outcome:
        body = self._resource.create_body(item.item_data or {})
        answer = await self._client.create(
            self._resource.endpoint, self._resource.endpoint_singular, body, permitted=permitted
        )
        return await self._created(item, answer)

    async def _created(self, item: Item, answer: dict[str, Any]) -> Outcome:
        """The outcome of a create by its answer; the record in it is judged as any other (rule B10)."""
        try:
            record = self._resource.created_record(answer)
        except (ValidationError, KeyError, IndexError) as error:
            raise OutcomeUnknown(f"Billy's answer to the create cannot be read: {error}") from error
        record, image = await self._readback.created(item.item_data or {}, record)
        if problem := self._resource.created_problem(item.item_data or {}, record, self._references):
            # It is there, and stays: the row is told apart from one that was refused by its id.
            return Outcome(
                item.item_index,
                Verdict.FAILED,
                billy_id=record.id,
                after_image=image,
                error_code=problem.code,
                error=problem.message,
            )
        return Outcome(item.item_index, Verdict.CREATED, billy_id=record.id, after_image=image)

    async def _change(self, item: Item, record: Any, read_at: float, permitted: bool) -> Outcome:
        """Update, archive or delete a record as it was just read (R7); what was read is the before-image.

        A delete always reads the whole record: lists may lack persons, prices and lines, which undo has to make again.
        """
        if record is None or item.action == DELETE:
            read_at = time.monotonic()
            record = await self._resource.read_one(self._client, item.billy_id or "")
        found = self._compared(item, record)
        if isinstance(found, Outcome):
            return found
        # What is finished now is one change with what was done of it before.
        before = (item.before_image or {}) if item.begun else record.image()
        if item.action == DELETE:
            await self._keep_what_goes({item.item_index: before}, [item])
        with writing_before(read_at + self._fresh) as window:
            if item.action == DELETE:
                return await self._delete(item, record, before, permitted)
            if found:
                heard = Heard(self._client)
                try:
                    record = await self._resource.write_update(heard.as_client(), record, found, permitted)
                except (NotSent, RateLimited, TokenRefused) as error:
                    if window.taken:
                        # A row can need two requests. The first is in the books: the row waits to be looked up.
                        raise OutcomeUnknown(f"{error}", answered=True) from error
                    raise
                except Refused as error:
                    if (window.taken or item.begun) and (partly := await self._partly(item, record, before, error)):
                        return partly
                    raise
                return await self._written(item, before, record, heard)
        return self._changed(item, before, record)

    async def _written(self, item: Item, before: dict[str, Any], record: Any, heard: Heard) -> Outcome:
        if not heard.all:
            fields = item.changes or {}
            record = await self._readback.changed(
                fields, before, record, lambda now: self.compare_with_plan(item, now) == ([], [])
            )
        return self._changed(item, before, record)

    async def _keep_what_goes(self, read: Mapping[int, dict[str, Any]], items: Sequence[Item]) -> None:
        """A list can leave out children, and the plan knows the record from there. Where more was read now, that is on
        record before the delete leaves: a process killed behind it could never tell what to make again."""
        more = {i.item_index: read[i.item_index] for i in items if read[i.item_index] != i.before_image}
        if more and self._keep is not None:
            await self._keep(more)

    def _compared(self, item: Item, record: Any) -> Outcome | list[Change]:
        """What is still to be changed of a record as just read, or why nothing may be."""
        if obstacle := self._obstacle(item, record):
            return self._left(item, obstacle.code, obstacle.message)
        changes, moved = self.compare_with_plan(item, record)
        if moved:
            text = sentence("changed_since_plan", self._options.language, fields=", ".join(moved))
            return self._left(item, "changed_since_plan", text)
        return changes

    def _left(self, item: Item, code: str, text: str) -> Outcome:
        """The record is left as it is; where a part of the change is in it from an earlier try, that is what counts."""
        if item.begun:
            code, text = "partly_changed", sentence("partly_changed", self._options.language, message=text)
        return Outcome(item.item_index, Verdict.FAILED, error_code=code, error=text)

    def _changed(self, item: Item, before: dict[str, Any], record: Any) -> Outcome:
        verdict = VERDICT_OF_ACTION[item.action or ""]
        after = self._resource.as_left(before, item.changes, record)
        return Outcome(item.item_index, verdict, billy_id=record.id, before_image=before, after_image=after)

    async def _delete(self, item: Item, record: Any, before: dict[str, Any], permitted: bool) -> Outcome:
        """A record that Billy keeps because something refers to it is archived instead, where that was allowed.

        Which status says so is unverified (422 is likely), so only a record that is still there and can be archived is.
        """
        try:
            deleted = await self._client.delete(self._resource.endpoint, record.id, permitted=permitted)
        except Refused as error:
            archive = self._resource.archive
            is_kept = await self._is_kept(record.id, error)
            if archive is None or not self._options.archive_if_used or not is_kept:
                raise
            if not self._resource.is_archived(record):
                record = await self._resource.write_update(self._client, record, [archive], False)
            return Outcome(
                item.item_index, Verdict.ARCHIVED, billy_id=record.id, before_image=before, after_image=record.image()
            )
        if record.id not in deleted and not await self._is_gone(record.id):
            text = sentence("not_deleted", self._options.language)
            return Outcome(item.item_index, Verdict.FAILED, error_code="not_deleted", error=text)
        return Outcome(item.item_index, Verdict.DELETED, billy_id=record.id, before_image=before)

    def _obstacle(self, item: Item, record: Any) -> Problem | None:
        """What forbids the change of a record as it is now: an invoice can have been approved since the plan."""
        language = self._options.language.value
        if item.action == DELETE:
            return self._resource.delete_obstacle(record, self._references, language)
        return self._resource.update_obstacle(item.item_data or {}, record, language)

    async def _partly(self, item: Item, record: Any, before: dict[str, Any], error: Refused) -> Outcome | None:
        """A row can need several requests. Where an earlier one was carried out and a later one refused, the row has
        failed, and both images tell what is in Billy; None where nothing was changed."""
        try:
            now = await self._resource.read_one(self._client, record.id)
        except BillyError as unread:
            raise OutcomeUnknown(f"{unread}", answered=True) from unread
        if not self._resource.moved(before, now):
            return None
        text = sentence("partly_changed", self._options.language, message=error)
        return Outcome(
            item.item_index,
            Verdict.FAILED,
            billy_id=record.id,
            before_image=before,
            after_image=self._resource.as_left(before, item.changes, now),
            error_code="partly_changed",
            error=text,
        )

    async def _is_kept(self, record_id: str, error: Refused) -> bool:
        """Whether Billy keeps a record that was to be deleted, most likely because something refers to it. A 403 may
        say so too: with a token that is good for other things it is raised as a clear no to this record.

        Raises:
            BillyError
        """
        if isinstance(error, TokenRefused):
            if error.status != FORBIDDEN or not await self._is_token_good():
                raise error
            raise Refused(error.status, error.code, error.message, error.fields, error.body) from error
        if isinstance(error, NotFound):
            return not await self._is_gone(record_id)
        return error.status in USED_STATUSES

    async def _is_token_good(self) -> bool:
        """Whether the token is good for anything at all."""
        try:
            await self._client.organization()
        except BillyError:
            return False
        return True

    async def _is_gone(self, record_id: str) -> bool:
        """Success without the id proves nothing: deleting a missing record says 200 too (documented)."""
        try:
            await self._resource.read_one(self._client, record_id)
        except NotFound:
            return True
        except BillyError as error:
            raise OutcomeUnknown(f"{error}", timed_out=True) from error
        return False

    def compare_with_plan(self, item: Item, record: Any) -> tuple[list[Change], list[str]]:
        """The planned changes that are still to be made, and the fields somebody changed otherwise since (R7).

        A delete goes back on a record as it was planned: any writable field that differs counts.
        """
        if item.action == DELETE:
            return [], self._resource.moved(item.before_image or {}, record)
        row = item.item_data or {}
        now = {change.field: change for change in self._resource.differences(row, record)}
        for flag in (self._resource.role_change, self._resource.archive):
            planned = (item.changes or {}).get(flag.field) if flag else None
            if flag and planned:
                # Rows spell flags as text, Billy and the plan's own changes as true and false.
                present, wanted = bool(getattr(record, flag.field)), str(planned[1]).lower() == "true"
                now.pop(flag.field, None)
                if present != wanted:
                    now[flag.field] = Change(flag.field, planned[0], planned[1])
        changes, moved = [], []
        for field, (old, _new) in (item.changes or {}).items():
            change = now.get(field)
            if change is None:
                continue  # it has the wanted value already
            if change.old != old:
                moved.append(field)
            else:
                changes.append(change)
        return changes, moved
