"""The records an undo works on, read many at a time and again before they are too old to write on (runtime.md R7).

A list holds 1,000 records, so that reading them all again every minute costs far fewer requests than reading each
before its write: 10,000 rows at 5/s take 40 lists of ten pages instead of 10,000 requests. Where a list costs more than
it saves, records are read one by one.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Collection
from typing import Any

from billy_pipelines.billy.client import BillyClient, writing_before
from billy_pipelines.billy.errors import OutcomeUnknown
from billy_pipelines.bulk.matching import Register
from billy_pipelines.schemas.resource import PlanTerms, Resource
from billy_pipelines.schemas.undoing import is_whole

USABLE_SHARE = 0.9
"""Of the time a reading may be written on: what is read now still has to leave."""


class UndoBooks:
    """A resource's records as they are in Billy, and what tells whether they are in use."""

    def __init__(
        self,
        resource: Resource[Any],
        client: BillyClient,
        terms: PlanTerms,
        fresh: float,
        *,
        asks_use: bool,
        made: Collection[str] = (),
    ) -> None:
        """`terms`: those of a delete; `asks_use`: whether any record is to be deleted; `made`: ids of records that the
        undo has made, which are nobody else's doing."""
        self._resource = resource
        self._client = client
        self._terms = terms
        self._fresh = fresh
        self._asks_use = asks_use
        self._lock = asyncio.Lock()
        self._register: Register[Any] | None = None
        self._creates = 0
        self._landed = asyncio.Event()
        self._landed.set()
        self._listed = self._usable = 0.0
        self.made = set(made)
        self.unclear = False
        """Whether a create got no clear answer: then a record that has come may be the undo's own."""
        self._served = 0
        self._cost = 0
        self.records: dict[str, Any] = {}
        self.references: Any = None
        self.at = 0.0
        """When the list was begun (monotonic seconds)."""

    def use(self, client: BillyClient) -> None:
        """Go on with another client; what was listed stays as fresh as it is."""
        self._client = client

    def is_whole(self, record: Any) -> bool:
        """Whether a listed record has what hangs on it."""
        return is_whole(self._resource.undo, record.image())

    async def list_anew(self) -> None:
        """Read every record, and what is in use.

        Raises:
            BillyError
        """
        await self._landed.wait()  # of a record on its way nobody knows yet that it is ours
        before, at = self._client.requests, time.monotonic()
        records = await self._resource.read_all(self._client)
        if self._asks_use:
            self.references = await self._resource.load_references(self._client, self._terms, frozenset(), records)
        self.records = {record.id: record for record in records}
        self._register = None
        self.at, self._served = at, 0
        self._listed, self._usable = at, max(self._fresh, 2 * (time.monotonic() - at))
        self._cost = self._cost or self._client.requests - before  # the first time nothing else is under way

    async def read(self, record_id: str) -> tuple[Any, float]:
        """A record with everything that hangs on it, and when it was read.

        Raises:
            NotFound, BillyError
        """
        record = self.records.get(record_id) if await self._is_fresh() else None
        if record is not None and self.is_whole(record):
            self._served += 1
            return record, self.at
        at = time.monotonic()
        return await self._resource.read_one(self._client, record_id), at

    async def register(self) -> Register[Any]:
        """What was listed last, without what this undo has made."""
        others = [record for record in self.records.values() if record.id not in self.made]
        return await asyncio.to_thread(Register, self._resource, others)

    @contextlib.asynccontextmanager
    async def creating(self) -> AsyncIterator[Register[Any]]:
        """The room in which a record is made, by what else is in Billy: a list no older than what is written on may be
        (R7). Where listing itself takes that long, every other moment is for writing.

        No filter would do: those that are known to work name a number, and who makes a record again by hand may give it
        another one, or none.

        Raises:
            BillyError
        """
        async with self._lock:
            if time.monotonic() - self._listed > USABLE_SHARE * self._usable:
                await self.list_anew()
            register = self._register = self._register or await self.register()
            until = self._listed + self._usable
            self._creates += 1
            self._landed.clear()
        try:
            with writing_before(until):
                yield register
        except OutcomeUnknown:
            self.unclear = True
            raise
        finally:
            self._creates -= 1
            if not self._creates:
                self._landed.set()

    async def _is_fresh(self) -> bool:
        async with self._lock:
            if time.monotonic() - self.at < USABLE_SHARE * self._fresh:
                return True
            worth_it = self._served > self._cost
            if worth_it:
                await self.list_anew()
            elif self._asks_use:
                await self._read_use()
            return worth_it

    async def _read_use(self) -> None:
        at = time.monotonic()
        records = list(self.records.values())
        self.references = await self._resource.load_references(self._client, self._terms, frozenset(), records)
        self.records, self.at = {}, at
