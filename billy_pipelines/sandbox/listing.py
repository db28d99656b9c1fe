"""Lists: filters, sorting and paging."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from .answers import RefusedError
from .books import Books
from .filters import Filter
from .record import Record
from .resource import Resource
from .switches import Switches

MAX_PAGE_SIZE = 1000
"""Also what is meant when `pageSize` is left out (documented)."""

Query = Mapping[str, str]

_NOT_OF_THE_ORDER = frozenset({"page", "pageSize", "include"})


def page_of(request: Request, switches: Switches, rows: Sequence[Any]) -> tuple[Sequence[Any], dict[str, Any]]:
    """The page a request asks for, and `meta.paging` with its eight keys (documented).

    Null for a missing neighbour and `pageCount` 0 for an empty list are our choice; a page past the end is empty.

    Raises:
        RefusedError: a page or a size that is no number, or a size above 1000 where that is an error.
    """
    query = request.query_params
    page = _whole(query, "page", 1)
    size = _whole(query, "pageSize", MAX_PAGE_SIZE)
    if size > MAX_PAGE_SIZE:
        if switches.page_size_above_1000 == "error":
            raise RefusedError(400, "pageSize is at most 1000", "INVALID_PAGE_SIZE")
        size = MAX_PAGE_SIZE
    count = -(-len(rows) // size)
    others = [(key, value) for key, value in query.multi_items() if key not in ("page", "pageSize")]

    def url(number: int | None) -> str:
        numbered = [] if number is None else [("page", str(number))]
        parts = request.url
        return f"{parts.scheme}://{parts.netloc}{parts.path}?{urlencode([*others, *numbered, ('pageSize', str(size))])}"

    paging = {
        "page": page,
        "pageCount": count,
        "pageSize": size,
        "total": len(rows),
        "firstUrl": url(None),
        "previousUrl": url(page - 1) if page > 1 else None,
        "nextUrl": url(page + 1) if page < count else None,
        "lastUrl": url(max(count, 1)),
    }
    return rows[(page - 1) * size : page * size], paging


def rows_in_order(
    books: Books, resource: Resource, switches: Switches, query: Query, generator: random.Random
) -> list[Record]:
    """The records a list request means, filtered and in the order in which its pages are cut; not to be altered.

    Raises:
        RefusedError: a list that needs a parameter without it, a wrong value in a known filter, or a sort that is
            refused.
    """
    if resource.list_needs is not None and not query.get(resource.list_needs):
        text = f"{resource.plural} are listed by {resource.list_needs}"
        raise RefusedError(400, text, "CONTACT_ID_REQUIRED")  # status (observed)
    asked = {key: value for key, value in query.items() if key not in _NOT_OF_THE_ORDER}
    rows = books.remembered(resource.plural, asked, switches)  # a reader of 50 pages asks 50 times for the same order
    if rows is None:
        rows = _ordered(_selected(books, resource, switches, asked), books, resource, switches, asked)
        books.remember(resource.plural, asked, switches, rows)
    if switches.unstable_paging and _sort_of(resource, switches, asked) is None:
        rows = rows.copy()
        generator.shuffle(rows)
    return rows


def _selected(books: Books, resource: Resource, switches: Switches, asked: Query) -> list[Record]:
    wanted = [(name, each) for name, each in resource.filters.items() if name in asked and _works(name, each, switches)]
    indexed = next((name for name, each in wanted if each.index is not None), None)
    if indexed is None:
        rows = list(books.records(resource.plural).values())
    else:
        rows = books.where(resource.plural, resource.filters[indexed].index or "", asked[indexed])
    for name, each in wanted:
        if name != indexed:
            rows = _filtered(rows, books, name, each, asked[name])
    archived_asked = any(name == "isArchived" for name, _ in wanted)
    if switches.archived_in_lists == "hidden" and "isArchived" in resource.properties and not archived_asked:
        rows = [row for row in rows if not row.values["isArchived"]]
    return rows


def _works(name: str, each: Filter, switches: Switches) -> bool:
    """Unproven filters are ignored like parameters that do not exist, if the switch says so."""
    if each.mark != "unverified" or switches.unproven_filters == "honoured":
        return True
    return switches.unproven_filters == "archived-only" and name == "isArchived"


def _filtered(rows: list[Record], books: Books, name: str, each: Filter, text: str) -> list[Record]:
    try:
        fits = each.meaning(text, books)
    except ValueError as error:
        raise RefusedError(404, f"{name} cannot be {text}", "INVALID_FILTER") from error  # status (unverified)
    return [row for row in rows if fits(row.values)]


def _sort_of(resource: Resource, switches: Switches, asked: Query) -> str | None:
    """The property to sort by. Only listed ones are allowed (documented), what happens to others is a switch."""
    wanted = asked.get("sortProperty")
    if wanted is None or wanted in resource.sorts:
        return wanted
    if switches.unlisted_sort == "refused":
        raise RefusedError(400, f"{resource.plural} cannot be sorted by {wanted}", "INVALID_SORT_PROPERTY")
    return wanted if switches.unlisted_sort == "accepted" and wanted in resource.properties else None


def _ordered(rows: list[Record], books: Books, resource: Resource, switches: Switches, asked: Query) -> list[Record]:
    """Sorting is stable; null comes first (our choice)."""
    wanted = _sort_of(resource, switches, asked)
    if wanted is None:
        return rows
    descending = asked.get("sortDirection", "ASC").upper() == "DESC"
    compared = resource.sorts.get(wanted)
    if compared is None:
        return sorted(rows, key=lambda row: _sort_key(row.values[wanted]), reverse=descending)
    return sorted(rows, key=lambda row: _sort_key(compared(books, row.values)), reverse=descending)


def _sort_key(value: Any) -> tuple[int, Any]:
    """Null first, then numbers, then texts."""
    if isinstance(value, str):
        return 2, value
    return (0, 0) if value is None else (1, value)


def _whole(query: Query, key: str, default: int) -> int:
    text = query.get(key, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise RefusedError(400, f"{key} must be a whole number from 1", "INVALID_PAGING")
    return int(text)
