"""Reading a record back once, where the answer to its write did not tell all of it.

Only then: where answers are complete, as documented, nothing more is asked. What such a reading shows is believed only
as far as it is what was sent; else somebody has been at the record meanwhile, and an undo must find that out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.errors import BillyError, OutcomeUnknown
from billy_pipelines.bulk.settling import is_as_sent
from billy_pipelines.schemas.resource import Resource
from billy_pipelines.schemas.telling import as_sent_image, has_children_sent, read_back, tells, tells_all, untold
from billy_pipelines.schemas.undoing import own_keys


class Heard:
    """Stands in for the client in a `write_update`, and notes whether its answers told of all that was sent."""

    def __init__(self, client: BillyClient) -> None:
        self._client = client
        self.all = True
        """Whether they did, so far."""

    def as_client(self) -> BillyClient:
        """For who writes with it."""
        return cast(BillyClient, self)

    async def update(
        self, resource: str, singular: str, record_id: str, changes: dict[str, Any], *, permitted: bool = False
    ) -> dict[str, Any]:
        """As the client's."""
        answer = await self._client.update(resource, singular, record_id, changes, permitted=permitted)
        self.all = self.all and tells(answer, resource, record_id, changes)
        return answer

    async def create(
        self, resource: str, singular: str, record: dict[str, Any], *, permitted: bool = False
    ) -> dict[str, Any]:
        """As the client's."""
        answer = await self._client.create(resource, singular, record, permitted=permitted)
        self.all = self.all and tells(answer, resource, None, record)
        return answer


class Readback:
    """One resource's records as they are after a write, for their after-images."""

    def __init__(self, resource: Resource[Any], client: BillyClient) -> None:
        self._resource = resource
        self._client = client
        self._keys = frozenset(own_keys(resource.undo, resource.writable))
        self._never_told: frozenset[str] = frozenset()
        """What this Billy leaves out when a record is read, too."""

    async def created(self, row: Mapping[str, Any], answered: Any) -> tuple[Any, dict[str, Any]]:
        """A new record as far as it is known, and its image. One that holds less than Billy has by now is kept by an
        undo: what filled the rest is not known to be Billy itself."""
        resource, body = self._resource, self._resource.create_body(row)
        complete = resource.is_complete(row, answered)
        if complete and tells_all(resource.undo, self._keys, answered, body, self._never_told):
            return answered, answered.image()
        sent = as_sent_image(resource.undo, resource.as_record(row, answered.id), answered)
        try:
            record = await resource.read_one(self._client, answered.id)
        except BillyError:
            return answered, sent  # without this reading it is only not compared
        self._never_told |= untold(resource.undo, self._keys, record)
        is_ours = is_as_sent(resource, row, record) and has_children_sent(resource.undo, record, body)
        return record, record.image() if is_ours else sent

    async def changed(
        self, fields: Collection[str], before: Mapping[str, Any], written: Any, is_done: Callable[[Any], bool]
    ) -> Any:
        """A record after a change of these fields. `is_done`: whether all of the change is in a record.

        Raises:
            OutcomeUnknown: a whole list was replaced, and nobody knows the new ids.
        """
        try:
            record = await self._resource.read_one(self._client, written.id)
        except BillyError as error:
            if any(each.field in fields for each in self._resource.undo.children):
                raise OutcomeUnknown(f"{error}", answered=True) from error
            return written
        return read_back(self._resource.undo, before, fields, written, record) if is_done(record) else written
