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
from typing import Any, Protocol

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


class Keeper(Protocol):
    """Where the pages of a list go while it is being proved whole; nobody else keeps them."""

    async def take(self, reading: int, place: int, page: Page) -> None:
        """A page of that reading (1, 2, …) at that place in the list (1, 2, …), in the order of arrival."""

    def forget(self, before: int) -> None:
        """Readings before that one do not count any more: the list has changed."""


@dataclass(frozen=True)
class Proof:
    """A list that was proved whole."""

    reading_of: dict[str, int]
    """Every id of the list -> the reading that its record is to be taken from."""
    readings: int
    """How often it was read."""


class _Pages:
    """All pages, in memory."""

    def __init__(self) -> None:
        self.kept: dict[int, dict[int, Page]] = {}

    async def take(self, reading: int, place: int, page: Page) -> None:
        self.kept.setdefault(reading, {})[place] = page

    def forget(self, before: int) -> None:
        self.kept = {reading: pages for reading, pages in self.kept.items() if reading >= before}


async def read_all(read_page: ReadPage, query: Query) -> tuple[dict[str, RawRecord], list[dict[str, Any]]]:
    """All records of a list by id, and the roots of the pages they came from (for side-loaded records).

    Raises as `prove`.
    """
    keeper = _Pages()
    proof = await prove(read_page, query, keeper)
    needed = set(proof.reading_of.values())
    records: dict[str, RawRecord] = {}
    roots = []
    for reading, pages in sorted(keeper.kept.items()):
        if needed and reading not in needed:
            continue
        for _, page in sorted(pages.items()):
            roots.append(page.root)
            for record in page.records:
                if proof.reading_of.get(record_id := str(record.get("id"))) == reading:
                    records[record_id] = record
    return records, roots


async def prove(read_page: ReadPage, query: Query, keeper: Keeper) -> Proof:
    """Read a list, as often as it takes until it is proved whole. Memory holds its ids, and four pages at a time.

    Raises:
        ListingUnstable: distinct ids and total never agreed.
        UnexpectedAnswer: Billy does not say how many records there are, or says so of an empty page.
        BillyError: a page could not be read.
    """
    found: dict[str, int] = {}
    total: int | None = None
    sorts: list[str | None] = [None]
    reading = without_news = 0
    while reading < PASSES and without_news < PASSES_WITHOUT_NEWS:
        sort = sorts[reading % len(sorts)]
        this = _Reading(reading + 1, keeper)
        try:
            await _read_once(read_page, query if sort is None else {**query, "sortProperty": sort}, this)
        except (TokenRefused, RateLimited):
            raise
        except Refused:
            if sort is None:
                raise
            sorts.remove(sort)  # Billy does not sort this list by that property; do not ask again
            continue
        reading += 1
        if reading == 1:
            sorts = list(SORTS_TO_TRY)
        total_now = this.agreed_total()
        if total_now is None:
            found, total = {}, None  # the list changed while we read it: what this reading holds may be gone
            keeper.forget(reading + 1)
            continue
        if len(this.ids) == total_now:
            keeper.forget(reading)
            return Proof(dict.fromkeys(this.ids, reading), reading)
        if total_now != total or len(found.keys() | this.ids) > total_now:
            found, total = {}, total_now  # it changed since: earlier readings may hold what is gone
            keeper.forget(reading)
        without_news = 0 if this.ids - found.keys() else without_news + 1
        found |= dict.fromkeys(this.ids, reading)
        if len(found) == total:
            return Proof(found, reading)
    said = "changed its number of records again and again" if total is None else f"has {total} records by its own count"
    raise ListingUnstable(
        f"The list {said}, but {reading} readings of it gave {len(found)} different ones. "
        "Nothing was written. Try again when nobody else is changing these records."
    )


class _Reading:
    """One reading of a list: what it counts, while its pages go on to the keeper."""

    def __init__(self, number: int, keeper: Keeper) -> None:
        self._number, self._keeper = number, keeper
        self._totals: set[int | None] = set()
        self._pages = self._most = self._nameless = 0
        self.ids: set[str] = set()

    async def add(self, place: int, page: Page) -> None:
        """Count a page, and hand it on."""
        self._totals.add(page.paging.total)
        self._pages += 1
        self._most = max(self._most, len(page.records))
        ids = [str(record["id"]) for record in page.records if record.get("id")]
        self._nameless += len(page.records) - len(ids)
        self.ids.update(ids)
        await self._keeper.take(self._number, place, page)

    def agreed_total(self) -> int | None:
        """The total all pages give; None when they differ.

        Raises:
            UnexpectedAnswer: none is given, and what came need not be everything (billy-api.md quirk 4).
        """
        if self._totals == {None} and self._pages == 1 and self._most < PAGE_SIZE:
            return len(self.ids) + min(self._nameless, 1)  # no paging at all: everything at once
        if None in self._totals:
            raise UnexpectedAnswer(
                "Billy's list does not say how many records there are, so it cannot be proved whole."
            )
        return self._totals.pop() if len(self._totals) == 1 else None


async def _read_once(read_page: ReadPage, query: Query, reading: _Reading) -> None:
    first = await read_page({**query, "page": 1, "pageSize": PAGE_SIZE})
    if not first.records and (first.paging.total or 0) > 0:
        raise UnexpectedAnswer(f"Billy says the list has {first.paging.total} records but its first page is empty.")
    count = first.paging.pageCount
    if count is None:
        size = first.paging.pageSize or PAGE_SIZE
        count = -(-first.paging.total // size) if first.paging.total is not None else 1
    await reading.add(1, first)
    gate = asyncio.Semaphore(PAGES_AT_ONCE)

    async def read(place: int) -> None:
        async with gate:
            await reading.add(place, await read_page({**query, "page": place, "pageSize": PAGE_SIZE}))

    # Not a TaskGroup: its exception group would hide the error that callers decide by.
    tasks = [asyncio.ensure_future(read(place)) for place in range(2, count + 1)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
