"""Many rows in one request: Billy's bulk save and bulk delete, with the way back to single requests.

Both are known from Billy's own web app only; what the server does with a batch in which one record is wrong is unknown
(billy-api.md 2.1, 2.2). So no answer but a clear one for a record is believed: everything else is looked up in Billy
before it is sent again, and a batch refused as a whole comes back in halves, until the record at fault is alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from billy_pipelines.billy.client import BillyClient, writing_before
from billy_pipelines.billy.errors import (
    BillyError,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Stale,
    TokenRefused,
    refused_records,
)
from billy_pipelines.bulk.options import JobOptions
from billy_pipelines.bulk.sync import Readings, Result
from billy_pipelines.bulk.timing import Timing
from billy_pipelines.bulk.told import Heard
from billy_pipelines.bulk.verdicts import CREATE, DELETE, Verdict
from billy_pipelines.bulk.writes import FORBIDDEN, Keep, Writes
from billy_pipelines.database.items import Item, Outcome
from billy_pipelines.schemas.resource import Change, Resource

SAVE = "save"
MOST_DELETED = 100
"""Their ids stand in the address of the request, 27 bytes each; servers take 8 KB."""
CLIENT_ID = 1_000_000_001
"""`_clientId`s are integers (observed) and come back as the keys of `validationErrors`. What that map is keyed by where
none was sent is unknown: counted from so far up, they are never taken for somebody's positions."""
NOT_OFFERED = (404, 405, 501)


@dataclass
class BulkState:
    """What a job has learnt of Billy's bulk requests; it outlives a pass."""

    say: Callable[[str], None]
    """Tells people that the job goes on with single requests."""
    offered: dict[str, bool] = field(default_factory=lambda: {SAVE: True, DELETE: True})
    limits: dict[int, int] = field(default_factory=dict)
    """Item index -> how many may leave together with it, after a batch of theirs was refused as a whole."""

    def fall_back(self, name: str, reason: str) -> None:
        """That kind of request is not offered here: single ones from now on."""
        if self.offered[name]:
            self.offered[name] = False
            self.say(f"Billy does not offer bulk {name} here ({reason}): single requests instead")

    def halve(self, items: Sequence[Item]) -> None:
        """A batch was refused as a whole, or got no clear answer: one of its rows may be the reason."""
        for item in items:
            self.limits[item.item_index] = max(1, len(items) // 2)


class BulkWrites(Writes):
    """As `Writes`, rows of one kind together where that can be done in one request."""

    def __init__(
        self,
        resource: Resource[Any],
        options: JobOptions,
        client: BillyClient,
        references: Any,
        timing: Timing,
        state: BulkState,
        keep: Keep | None = None,
    ) -> None:
        super().__init__(resource, options, client, references, timing, keep)
        self._state = state

    def group(self, item: Item) -> tuple[str, int]:
        """Saves leave together, and so do deletes."""
        name = DELETE if item.action == DELETE else SAVE
        most = self._state.limits.get(item.item_index, self._options.batch_size)
        # A change of which a part is in Billy is told apart from others at its end.
        alone = item.begun or not self._state.offered[name] or most == 1 or self._options.batch_size == 1
        return ("", 1) if alone else (name, min(most, MOST_DELETED) if name == DELETE else most)

    async def send_group(self, items: Sequence[Item], readings: Readings) -> Mapping[int, Result]:
        """One request for all, with a permit in hand; what became of each row."""
        if items[0].action == DELETE:
            return await self._delete_group(items)
        results: dict[int, Result] = {}
        sendable: list[_Save] = []
        for item, record in zip(items, await self._records(items, readings), strict=True):
            found = self._save_of(item, record)
            if isinstance(found, _Save):
                sendable.append(found)
            else:
                results[item.item_index] = found
        if sendable:
            results |= await self._save_group(sendable)
        return results

    async def _records(self, items: Sequence[Item], readings: Readings) -> list[_Read | BillyError | None]:
        """The records of changes, as listed or read now; None for a create."""
        fresh = readings.fresh(self._fresh)

        async def read(item: Item) -> _Read | BillyError | None:
            if item.action == CREATE:
                return None
            if item.action != DELETE and fresh and (record := readings.records.get(item.item_index)) is not None:
                return _Read(record, readings.at)
            try:
                return _Read(await self._resource.read_one(self._client, item.billy_id or ""), time.monotonic())
            except BillyError as error:
                return error

        return list(await asyncio.gather(*map(read, items)))

    def _save_of(self, item: Item, record: _Read | BillyError | None) -> _Save | Result:
        if record is None:
            return _Save(item, self._resource.create_body(item.item_data or {}))
        if isinstance(record, BillyError):
            return self._not_read(item, record)
        found = self._compared(item, record.record)
        if isinstance(found, Outcome):
            return found
        if not found:
            return self._changed(item, record.record.image(), record.record)
        keys = _Rehearsal.keys_of(self._resource, record.record, found)
        if keys is None:  # as the record is now, it needs more than one request after all
            self._state.limits[item.item_index] = 1
            return Stale("it needs requests of its own")
        return _Save(item, {"id": record.record.id, **keys}, record, found)

    def _not_read(self, item: Item, error: BillyError) -> Result:
        gone = isinstance(error, Refused) and error.status == 404
        return self._gone(item) if gone else error

    async def _save_group(self, saves: Sequence[_Save]) -> dict[int, Result]:
        bodies = [{"_clientId": CLIENT_ID + save.item.item_index, **save.body} for save in saves]
        items = [save.item for save in saves]
        try:
            with writing_before(min((save.read.at for save in saves if save.read), default=float("inf")) + self._fresh):
                answer = await self._client.save_many(self._resource.endpoint, bodies)
        except TokenRefused as error:
            # Without bulk save some servers answer 401 to everybody: the token itself tells.
            if await self._is_token_good():
                return self._without_bulk(SAVE, items, error)
            return dict.fromkeys(_indexes(items), error)
        except OutcomeUnknown as error:
            self._state.halve(items)
            return dict.fromkeys(_indexes(items), error)
        except (NotSent, RateLimited) as error:
            return dict.fromkeys(_indexes(items), error)
        except Refused as error:
            if error.status in NOT_OFFERED:
                return self._without_bulk(SAVE, items, error)
            return await self._sorted(saves, error.body, error)
        return await self._sorted(saves, answer, None)

    def _without_bulk(self, name: str, items: Sequence[Item], error: Refused) -> dict[int, Result]:
        self._state.fall_back(name, f"it answered {error.status}")
        return dict.fromkeys(_indexes(items), Stale("not sent: bulk requests are not offered"))

    async def _sorted(self, saves: Sequence[_Save], answer: dict[str, Any], error: Refused | None) -> dict[int, Result]:
        """What an answer says of each record: saved, refused, or nothing, which has to be looked up."""
        refused = refused_records(answer)
        saved = {str(raw["_clientId"]): raw for raw in self._raw(answer) if "_clientId" in raw and raw.get("id")}
        parts = _Parts(answer, self._resource)
        results: dict[int, Result] = {}
        told: list[tuple[_Save, dict[str, Any]]] = []
        unsaid = []
        for save in saves:
            key = str(CLIENT_ID + save.item.item_index)
            if key in refused:
                results[save.item.item_index] = Refused(error.status if error else 422, None, refused[key])
            elif key in saved:
                told.append((save, parts.of(saved[key])))
            else:
                unsaid.append(save.item)
        # Together: answers that do not tell all cost a reading for each.
        outcomes = await asyncio.gather(*(self._saved(save, part) for save, part in told))
        results |= {save.item.item_index: outcome for (save, _), outcome in zip(told, outcomes, strict=True)}
        if unsaid and len(unsaid) == len(saves):
            self._state.halve(unsaid)
        text = str(error) if error else "Billy answered success but did not name this record"
        return results | dict.fromkeys(_indexes(unsaid), OutcomeUnknown(text, answered=True))

    def _raw(self, answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
        records = answer.get(self._resource.endpoint)
        yield from (raw for raw in records if isinstance(raw, dict)) if isinstance(records, list) else ()

    async def _saved(self, save: _Save, answer: dict[str, Any]) -> Result:
        try:
            if save.read is None:
                return await self._created(save.item, answer)
            heard = Heard(cast(BillyClient, _Rehearsal(self._resource.endpoint, answer)))
            before = save.read.record
            record = await self._resource.write_update(heard.as_client(), before, list(save.changes), True)
            return await self._written(save.item, before.image(), record, heard)
        except BillyError as error:
            return error

    async def _delete_group(self, items: Sequence[Item]) -> dict[int, Result]:
        """Each record is read first, as for a single delete; what Billy does not name as deleted is looked up."""
        results: dict[int, Result] = {}
        before: dict[int, dict[str, Any]] = {}
        going: list[Item] = []
        began = time.monotonic()
        for item, read in zip(items, await self._records(items, Readings()), strict=True):
            if not isinstance(read, _Read):
                results[item.item_index] = self._not_read(item, read or NotSent("not read"))
                continue
            found = self._compared(item, read.record)
            if isinstance(found, Outcome):
                results[item.item_index] = found
            else:
                before[item.item_index] = read.record.image()
                going.append(item)
        if not going:
            return results
        await self._keep_what_goes(before, going)
        try:
            with writing_before(began + self._fresh):
                deleted = await self._client.delete_many(self._resource.endpoint, [i.billy_id or "" for i in going])
        except (OutcomeUnknown, NotSent, RateLimited) as error:
            return results | dict.fromkeys(_indexes(going), error)
        except Refused as error:
            if isinstance(error, TokenRefused) and (error.status != FORBIDDEN or not await self._is_token_good()):
                return results | dict.fromkeys(_indexes(going), error)
            if error.status in (405, 501):
                return results | self._without_bulk(DELETE, going, error)
            self._state.halve(going)
            return results | dict.fromkeys(_indexes(going), OutcomeUnknown(str(error), answered=True))
        for item in going:
            if item.billy_id in deleted:
                image = before[item.item_index]
                results[item.item_index] = Outcome(
                    item.item_index, Verdict.DELETED, billy_id=item.billy_id, before_image=image
                )
            else:
                self._state.limits[item.item_index] = 1
                results[item.item_index] = OutcomeUnknown("Billy did not name it as deleted", answered=True)
        return results


@dataclass(frozen=True)
class _Read:
    record: Any
    at: float


@dataclass(frozen=True)
class _Save:
    """One record of a bulk save; `read` and `changes` are those of an update."""

    item: Item
    body: dict[str, Any]
    read: _Read | None = None
    changes: Sequence[Change] = ()


def _indexes(items: Sequence[Item]) -> list[int]:
    return [item.item_index for item in items]


class _Parts:
    """An answer taken apart: for each record what an answer for it alone would hold, itself and the children that name
    it. Each list is gone through once: a batch of a thousand has thousands of children."""

    def __init__(self, answer: dict[str, Any], resource: Resource[Any]) -> None:
        self._endpoint = resource.endpoint
        parent = f"{resource.endpoint_singular}Id"
        self._children: dict[str, dict[str, list[Any]]] = {
            name: {} for name, records in answer.items() if isinstance(records, list) and name != resource.endpoint
        }
        for name, grouped in self._children.items():
            for each in answer[name]:
                if isinstance(each, dict):
                    grouped.setdefault(str(each.get(parent)), []).append(each)

    def of(self, raw: dict[str, Any]) -> dict[str, Any]:
        own = {key: value for key, value in raw.items() if key != "_clientId"}
        return {**{name: grouped.get(raw["id"], []) for name, grouped in self._children.items()}, self._endpoint: [own]}


class _Several(Exception):
    """An update needs another request than one of the record's own keys."""


class _Rehearsal:
    """Stands in for the client in a `write_update`: tells which keys it would send, or hands it an answer we have."""

    def __init__(self, endpoint: str, answer: dict[str, Any] | None = None) -> None:
        self._endpoint = endpoint
        self._answer = answer
        self.keys: list[dict[str, Any]] = []

    @classmethod
    def keys_of(cls, resource: Resource[Any], record: Any, changes: Sequence[Change]) -> dict[str, Any] | None:
        """The keys of an update that is one request on the record itself; None where it needs others."""
        rehearsal = cls(resource.endpoint)
        work = resource.write_update(cast(BillyClient, rehearsal), record, list(changes), True)
        try:
            work.send(None)
        except StopIteration:
            return rehearsal.keys[0] if rehearsal.keys else None
        except _Several:
            return None
        finally:
            work.close()
        return None

    async def update(
        self, resource: str, singular: str, record_id: str, changes: dict[str, Any], *, permitted: bool = False
    ) -> dict[str, Any]:
        if self.keys or resource != self._endpoint:
            raise _Several
        self.keys.append(changes)
        return self._answer or {resource: [{"id": record_id}]}

    async def create(self, *_args: Any, **_more: Any) -> dict[str, Any]:
        raise _Several
