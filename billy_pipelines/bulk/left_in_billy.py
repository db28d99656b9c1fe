"""What undos of the same content have left in Billy, as it is now: rows it stands for are not made a second time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.errors import NotFound
from billy_pipelines.bulk.context import JobContext
from billy_pipelines.bulk.doubts import READ_TOGETHER
from billy_pipelines.bulk.group_commit import DatabaseThread
from billy_pipelines.bulk.options import OnExisting
from billy_pipelines.bulk.planning import IMPORT
from billy_pipelines.database.items import Item
from billy_pipelines.database.undoing import Left, rows_left_in_billy
from billy_pipelines.schemas.resource import Resource


async def left_in_billy(
    job: JobContext, client: BillyClient, thread: DatabaseThread, items: Sequence[Item], records: Sequence[Any]
) -> dict[int, Left]:
    """For the rows of an import, by item index: records that are there still, and what nobody could tell. A record that
    a person has deleted since stands in no row's way. `records`: Billy's, as just listed.

    Raises:
        BillyError: a record could not be read.
    """
    if job.row.operation != IMPORT or job.options.on_existing is OnExisting.create:
        return {}
    known = await thread.run(lambda: rows_left_in_billy(job.engine, job.row))
    left = {item.item_index: known[item.item_index] for item in items if item.item_index in known}
    ids = {billy_id for each in left.values() for billy_id in each.billy_ids}
    gone = await _gone(job.resource, client, sorted(ids - {record.id for record in records})) if ids else set()
    still = {
        index: replace(each, billy_ids=tuple(billy_id for billy_id in each.billy_ids if billy_id not in gone))
        for index, each in left.items()
    }
    return {index: each for index, each in still.items() if each.billy_ids or each.in_doubt}


async def _gone(resource: Resource[Any], client: BillyClient, ids: Sequence[str]) -> Collection[str]:
    """Those that Billy does not have; read one by one, because a list can hide archived records."""

    async def is_gone(billy_id: str) -> bool:
        try:
            await resource.read_one(client, billy_id)
        except NotFound:
            return True
        return False

    gone: set[str] = set()
    for start in range(0, len(ids), READ_TOGETHER):
        some = ids[start : start + READ_TOGETHER]
        answers = await asyncio.gather(*map(is_gone, some))
        gone.update(billy_id for billy_id, is_so in zip(some, answers, strict=True) if is_so)
    return gone
