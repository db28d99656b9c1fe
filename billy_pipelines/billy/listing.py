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

from billy_pipelines.billy.errors import ListingUnstable, RateLimited, Refused, TokenRefused, UnexpectedAnswer
from billy_pipelines.billy.models import Paging

PAGE_SIZE = 1000
PASSES = 40
"""Reshuffled on every page, 20,000 records need about 11 passes until each was seen once."""
PASSES_WITHOUT_NEWS = 6
PAGES_AT_ONCE = 4
SORTS_TO_TRY: tuple[str | None, ...] = (None, "createdTime", "name")
"""In turn, the first reading being the first of them."""

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
    """All records of a list by id, and the roots of the pages they came from (for side-loaded records).

    Raises:
        ListingUnstable: distinct ids and total never agreed.
        UnexpectedAnswer: Billy does not say how many records there are, or says so of an empty page.
        BillyError: a page could not be read.
    """
    found: dict[str, RawRecord] = {}
    roots: list[dict[str, Any]] = []
    total: int | None = None
    sorts: list[str | None] = [None]
    passes = without_news = 0
    while passes < PASSES and without_news < PASSES_WITHOUT_NEWS:
        sort = sorts[passes % len(sorts)]
        try:
            pages = await _one_pass(read_page, query if sort is None else {**query, "sortProperty": sort})
        except (TokenRefused, RateLimited):
            raise
        except Refused:
            if sort is None:
                raise
            sorts.remove(sort)  # Billy does not sort this list by that property; do not ask again
            continue
        passes += 1
        if passes == 1:
            sorts = list(SORTS_TO_TRY)
        records = {str(record["id"]): record for page in pages for record in page.records if record.get("id")}
        total_now = _agreed_total(pages)
        if total_now is None:
            found, roots, total = {}, [], None  # the list changed while we read it: what this pass holds may be gone
            continue
        if len(records) == total_now:
            return records, [page.root for page in pages]
        if total_now != total or len(found.keys() | records.keys()) > total_now:
            found, roots, total = {}, [], total_now  # it changed since: earlier passes may hold what is gone
        without_news = 0 if records.keys() - found.keys() else without_news + 1
        found.update(records)
        roots.extend(page.root for page in pages)
        if len(found) == total:
            return found, roots
    said = "changed its number of records again and again" if total is None else f"has {total} records by its own count"
    raise ListingUnstable(
        f"The list {said}, but {passes} readings of it gave {len(found)} different ones. "
        "Nothing was written. Try again when nobody else is changing these records."
    )


def _agreed_total(pages: list[Page]) -> int | None:
    """The total all pages of one pass give; None when they differ.

    Raises:
        UnexpectedAnswer: none is given, and what came need not be everything (billy-api.md quirk 4).
    """
    totals = {page.paging.total for page in pages}
    if totals == {None} and len(pages) == 1 and len(pages[0].records) < PAGE_SIZE:
        return len({record.get("id") for record in pages[0].records})  # no paging at all: everything at once
    if None in totals:
        raise UnexpectedAnswer("Billy's list does not say how many records there are, so it cannot be proved whole.")
    return totals.pop() if len(totals) == 1 else None


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
