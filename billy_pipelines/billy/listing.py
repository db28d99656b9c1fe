"""Reading a whole list and proving that it is whole.

Paging without an explicit sort repeats and loses rows (observed), and for contacts and products no sort is known
(billy-api.md section 3). So: read all pages, count distinct ids, compare with the total Billy gives for the list; while
they differ, read again, with a sort that may work, and put the passes together. A list that never agrees is an error:
planning on half a register would make duplicates.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from billy_pipelines.billy.errors import ListingUnstable, Refused, TokenRefused, UnexpectedAnswer
from billy_pipelines.billy.models import Paging

PAGE_SIZE = 1000
PASSES = 12
PAGES_AT_ONCE = 4
SORTS_TO_TRY: tuple[str | None, ...] = ("createdTime", "name", None)

Query = dict[str, str | int]
RawRecord = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """One page of a list: its records, what Billy says of the whole, and side-loaded records by their plural key."""

    records: list[RawRecord]
    paging: Paging
    root: dict[str, Any]


ReadPage = Callable[[Query], Awaitable[Page]]


async def read_all(read_page: ReadPage, query: Query) -> tuple[dict[str, RawRecord], list[dict[str, Any]]]:
    """All records of a list by id, and the roots of all pages (for side-loaded records).

    Raises:
        ListingUnstable: distinct ids and total never agreed.
        BillyError: a page could not be read.
    """
    found: dict[str, RawRecord] = {}
    roots: list[dict[str, Any]] = []
    sorts: list[str | None] = [None]
    total = -1
    for attempt in range(PASSES):
        sort = sorts[attempt % len(sorts)]
        try:
            pages = await _one_pass(read_page, query if sort is None else {**query, "sortProperty": sort})
        except TokenRefused:
            raise
        except Refused:
            if sort is None:
                raise
            sorts.remove(sort)  # Billy does not sort this list by that property; do not ask again
            continue
        totals = {page.paging.total for page in pages}
        records = {str(record["id"]): record for page in pages for record in page.records if record.get("id")}
        total_now = pages[-1].paging.total
        if total_now is not None and len(found.keys() | records.keys()) > total_now:
            found, roots = {}, []  # something was deleted while we read: earlier passes hold what is gone
        found.update(records)
        roots.extend(page.root for page in pages)
        if total_now is None and len(pages) == 1:
            return found, roots  # a server that gives no paging gave everything at once
        if len(totals) == 1 and len(found) == total_now:
            return found, roots
        total = -1 if total_now is None else total_now
        if attempt == 0:
            sorts = list(SORTS_TO_TRY)
    raise ListingUnstable(
        f"Billy says there are {total} records, but {PASSES} readings of the list gave {len(found)} different ones. "
        "Nothing was written. Try again when nobody else is changing these records."
    )


async def _one_pass(read_page: ReadPage, query: Query) -> list[Page]:
    first = await read_page({**query, "page": 1, "pageSize": PAGE_SIZE})
    if not first.records and (first.paging.total or 0) > 0:
        raise UnexpectedAnswer(f"Billy says the list has {first.paging.total} records but its first page is empty.")
    count = first.paging.pageCount
    if count is None:
        size = first.paging.pageSize or PAGE_SIZE
        count = -(-first.paging.total // size) if first.paging.total is not None else 1
    gate = asyncio.Semaphore(PAGES_AT_ONCE)

    async def read(number: int) -> Page:
        async with gate:
            return await read_page({**query, "page": number, "pageSize": PAGE_SIZE})

    # Not a TaskGroup: its exception group would hide the error that callers decide by.
    tasks = [asyncio.ensure_future(read(number)) for number in range(2, count + 1)]
    try:
        return [first, *await asyncio.gather(*tasks)]
    finally:
        for task in tasks:
            task.cancel()
