"""What one row of an undo does in Billy: what was made is deleted, what was changed restored, what was deleted made."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from billy_pipelines.billy.client import BillyClient, writing_before
from billy_pipelines.billy.errors import BillyError, NotFound, OutcomeUnknown, RateLimited, Refused, TokenRefused
from billy_pipelines.bulk.options import JobOptions
from billy_pipelines.bulk.timing import Timing
from billy_pipelines.bulk.undo_books import UndoBooks
from billy_pipelines.bulk.undo_rules import Rules, Said, Task, Undoable
from billy_pipelines.bulk.verdicts import CREATE, DELETE, VALID, Verdict
from billy_pipelines.bulk.writes import Writes
from billy_pipelines.database.items import Item, Outcome
from billy_pipelines.schemas.codes import sentence
from billy_pipelines.schemas.resource import Resource
from billy_pipelines.schemas.restoring import PartlyRestored, restore
from billy_pipelines.schemas.undoing import body_again


class UndoWrites(Writes):
    """The sender of an undo (`sync.Sender`): each row judged anew on its record as it is now, then one write."""

    def __init__(
        self,
        resource: Resource[Any],
        options: JobOptions,
        client: BillyClient,
        books: UndoBooks,
        timing: Timing,
        rules: Rules,
    ) -> None:
        super().__init__(resource, options, client, None, timing)
        self._books = books
        self._rules = rules

    def payload(self, item: Item) -> Any:
        """What is going to be sent, for its hash in the journal."""
        return [item.action, item.billy_id, item.changes, self._body(item) if item.action == CREATE else None]

    def reads_first(self, item: Item) -> bool:
        """The records are read many at a time, beside the rows: a row leaves with its permit in hand."""
        return False

    async def send(self, item: Item, record: Any, read_at: float, permitted: bool) -> Outcome:
        """Carry out one row; raises what the client raises."""
        if item.action == CREATE:
            return await self._make_again(item, permitted)
        task = Task.of_item(item)
        try:
            record, read_at = await self._books.read(item.billy_id or "")
        except NotFound:
            return self._rules.gone(task).outcome(item.item_index)
        judged = self._rules.judge(task, record, self._books.references)
        if isinstance(judged, Said):
            return judged.outcome(item.item_index)
        with writing_before(read_at + self._fresh):
            if judged.action == DELETE:
                return await self._delete_made(item, record, task, permitted)
            return await self._restore(item, record, task, judged, permitted)

    async def _restore(self, item: Item, record: Any, task: Task, judged: Undoable, permitted: bool) -> Outcome:
        before, work = record.image(), judged.work
        assert work is not None  # noqa: S101 - what is not deleted is restored
        try:
            await restore(
                self._client,
                self._resource.endpoint,
                self._resource.endpoint_singular,
                record.id,
                work,
                permitted=permitted,
            )
        except PartlyRestored as error:
            return await self._half(item, record, error)
        except (TokenRefused, RateLimited):
            raise
        except Refused as error:
            if not task.begun:
                raise
            return await self._half(item, record, error)
        return self._rules.taken_back(task, item, before)

    async def _half(self, item: Item, record: Any, error: Exception) -> Outcome:
        """A part is restored, now or earlier, and Billy refuses the rest: both images tell what is in the books."""
        try:
            now = await self._resource.read_one(self._client, record.id)
        except BillyError as unread:
            raise OutcomeUnknown(f"{unread}", answered=True) from unread
        said = self._rules.half("partly_changed", record.image(), message=error)
        return said.outcome(item.item_index, after_image=now.image())

    async def _delete_made(self, item: Item, record: Any, task: Task, permitted: bool) -> Outcome:
        try:
            deleted = await self._client.delete(self._resource.endpoint, record.id, permitted=permitted)
        except Refused as error:
            if await self._is_kept(record.id, error):
                return self._rules.kept("billy_keeps", message=error).outcome(item.item_index)
            if isinstance(error, NotFound):
                return self._rules.gone(task).outcome(item.item_index)
            raise
        if record.id not in deleted and not await self._is_gone(record.id):
            text = sentence("not_deleted", self._options.language)
            return Outcome(item.item_index, Verdict.FAILED, error_code="not_deleted", error=text)
        return self._rules.taken_back(task, item, record.image())

    def _body(self, item: Item) -> dict[str, Any]:
        image = Task.read(item.item_data).before or {}
        return body_again(self._resource.undo, self._resource.writable, image)

    async def _make_again(self, item: Item, permitted: bool) -> Outcome:
        task = Task.read(item.item_data)
        async with self._books.creating() as register:
            judged = self._rules.judge_again(task, register)
            if isinstance(judged, Said):
                if self._books.unclear:  # it may be what another row of this undo has made: judged when that is known
                    return Outcome(item.item_index, VALID)
                return judged.outcome(item.item_index)
            answer = await self._client.create(
                self._resource.endpoint, self._resource.endpoint_singular, self._body(item), permitted=permitted
            )
            try:
                record = self._resource.created_record(answer)
            except (ValidationError, KeyError, IndexError) as error:
                raise OutcomeUnknown(f"Billy's answer to the create cannot be read: {error}") from error
            self._books.made.add(record.id)
        said = self._rules.made_again(task, record.id)
        return said.outcome(item.item_index, billy_id=record.id, after_image=record.image())
