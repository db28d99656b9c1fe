"""Rows of an undo whose request got no clear answer, decided by reading Billy; never sent blindly."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.errors import NotFound
from billy_pipelines.bulk.doubts import MOST_ATTEMPTS, READ_TOGETHER, unclaimed_register
from billy_pipelines.bulk.settling import Settled, settle_creates
from billy_pipelines.bulk.undo_books import UndoBooks
from billy_pipelines.bulk.undo_rules import Rules, Said, Task
from billy_pipelines.bulk.verdicts import CREATE, DELETE, PLANNED, VALID, Verdict
from billy_pipelines.database.items import Item, Outcome
from billy_pipelines.schemas.codes import sentence
from billy_pipelines.schemas.resource import Resource


class UndoDoubts:
    """Decides rows in doubt of an undo, against its books as just listed."""

    def __init__(
        self, resource: Resource[Any], client: BillyClient, books: UndoBooks, rules: Rules, language: str
    ) -> None:
        self._resource = resource
        self._client = client
        self._books = books
        self._rules = rules
        self._language = language

    async def settle(self, doubtful: Sequence[Item], made: set[str]) -> list[Outcome]:
        """`made`, the ids of records this undo has made, grows by what is found. Rows of which nothing is done are to
        be planned anew.

        Raises:
            BillyError: a record could not be read.
        """
        creates = [
            replace(i, item_data=self._rules.row(Task.read(i.item_data))) for i in doubtful if i.action == CREATE
        ]
        tasks = {item.item_index: Task.read(item.item_data) for item in doubtful}
        records = self._books.records.values()
        register = await unclaimed_register(self._resource, self._client, creates, records, made)
        outcomes = [
            self._settled_create(tasks[found.item.item_index], found)
            for found in settle_creates(self._resource, creates, register, made)
        ]
        others = [item for item in doubtful if item.action != CREATE]
        for start in range(0, len(others), READ_TOGETHER):
            some = others[start : start + READ_TOGETHER]
            outcomes += await asyncio.gather(*(self._settled_change(item) for item in some))
        return outcomes

    def _settled_create(self, task: Task, found: Settled) -> Outcome:
        index, record = found.item.item_index, found.record
        if record is not None:
            said = self._rules.made_again(task, record.id)
            return said.outcome(index, billy_id=record.id, after_image=record.image())
        if found.suspects:
            ids = ", ".join(suspect.id for suspect in found.suspects)
            key = f"{self._resource.label(self._rules.row(task))!r} (id {ids})"
            return self._failed(index, "outcome_unknown", message=sentence("similar_since", self._language), key=key)
        return self._open_again(found.item)

    async def _settled_change(self, item: Item) -> Outcome:
        task = Task.of_item(item)
        try:
            record = await self._resource.read_one(self._client, item.billy_id or "")
        except NotFound:
            if item.action == DELETE:
                return self._rules.taken_back(task, item)
            return self._rules.gone(task).outcome(item.item_index)
        if self._rules.has_begun(task, record, item.changes):
            task = replace(task, begun=True)
        image = record.image() if task.begun else None
        judged = self._rules.judge(task, record, self._books.references)
        if isinstance(judged, Said):
            if judged.code == "as_before":  # the request that got no answer has been carried out
                return self._rules.taken_back(task, item)
            return judged.outcome(item.item_index, after_image=image)
        if not task.begun:
            return self._open_again(item)
        # A record and what hangs on it are restored by several requests, and some were carried out: the image tells
        # whoever goes on, or ends here, that the rest is missing.
        if item.attempts >= MOST_ATTEMPTS:
            said = self._rules.half("half_restored", image, message=f"no clear answer {item.attempts} times")
            return said.outcome(item.item_index, after_image=image)
        return Outcome(item.item_index, PLANNED, before_image=image, after_image=image)

    def _open_again(self, item: Item) -> Outcome:
        if item.attempts >= MOST_ATTEMPTS:
            return self._failed(item.item_index, "no_clear_answer", number=item.attempts)
        return Outcome(item.item_index, VALID)

    def _failed(self, index: int, code: str, **details: Any) -> Outcome:
        text = sentence(code, self._language, **details)
        return Outcome(index, Verdict.FAILED, error_code=code, error=text)
