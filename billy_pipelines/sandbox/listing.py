"""Lists: filters, sorting, paging and `include`."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from .answers import RefusedError, array
from .books import CONTACTS, PERSONS, Books, Record, to_json
from .properties import CONTACT
from .switches import Switches

MAX_PAGE_SIZE = 1000
"""Also what is meant when `pageSize` is left out (documented)."""

_SORTABLE = frozenset({*CONTACT, "createdTime"})
_FLAGS = {"true": True, "1": True, "false": False, "0": False}

Query = Mapping[str, str]


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


def contacts_in_order(books: Books, switches: Switches, query: Query, generator: random.Random) -> list[Record]:
    """The contacts a list request means, filtered and in the order in which its pages are cut.

    `contactNo` (exact) and `type` filter (observed), `isArchived` too (unverified); other parameters are ignored
    without an error (observed), among them the filters whose effect nobody has proven.

    Raises:
        RefusedError: a wrong value in a known filter (404 is reported, unverified), or a sort that is refused.
    """
    rows = books.with_number(query["contactNo"]) if "contactNo" in query else list(books.contacts.values())
    if "type" in query:
        if query["type"] not in ("company", "person"):
            raise RefusedError(404, f"type cannot be {query['type']}", "INVALID_FILTER")
        rows = [row for row in rows if row.values["type"] == query["type"]]
    archived = False if switches.archived_in_lists == "hidden" else None
    if "isArchived" in query:
        archived = _FLAGS.get(query["isArchived"].lower())
        if archived is None:
            raise RefusedError(404, f"isArchived cannot be {query['isArchived']}", "INVALID_FILTER")
    if archived is not None:
        rows = [row for row in rows if bool(row.values["isArchived"]) is archived]
    return _sorted(rows, switches, query, generator)


def _sorted(rows: list[Record], switches: Switches, query: Query, generator: random.Random) -> list[Record]:
    """Sorting is stable. For contacts Billy lists no property; `createdTime` or `name` may work (unverified)."""
    wanted = query.get("sortProperty")
    if wanted is not None and switches.unlisted_sort == "refused":
        raise RefusedError(400, f"contacts cannot be sorted by {wanted}", "INVALID_SORT_PROPERTY")
    if wanted in _SORTABLE and switches.unlisted_sort == "accepted":
        descending = query.get("sortDirection", "ASC").upper() == "DESC"
        return sorted(rows, key=lambda row: _sort_key(row.values[wanted]), reverse=descending)
    if switches.unstable_paging:
        generator.shuffle(rows)
    return rows


def _sort_key(value: Any) -> tuple[bool, str]:
    return (value is not None, str(value))


def contact_roots(
    books: Books, switches: Switches, query: Query, records: Sequence[Record], *, one: bool = False
) -> dict[str, str]:
    """Root keys and their JSON for contacts with what `include` asks for.

    `embed` puts the persons into the contact. `sideload` (the default mode) gives `contactPersonIds`, the spelling of
    Billy's own client (observed; the documentation has another), and the persons under their own root (unverified).
    """
    mode = _include_mode(query.get("include", "")) if switches.include == "honoured" else None
    roots: dict[str, str] = {}
    if mode == "embed":
        texts = [
            f'{record.text[:-1]},"{PERSONS}":{array(person.text for person in books.persons_of(record.values["id"]))}}}'
            for record in records
        ]
    elif mode == "sideload":
        persons = {record.values["id"]: books.persons_of(record.values["id"]) for record in records}
        texts = [
            record.text_with({"contactPersonIds": [person.values["id"] for person in persons[record.values["id"]]]})
            for record in records
        ]
        roots[PERSONS] = array(person.text for several in persons.values() for person in several)
    else:
        texts = [record.text for record in records]
    return {"contact": texts[0], **roots} if one else {CONTACTS: array(texts), **roots}


def _include_mode(include: str) -> str | None:
    """`contact.contactPersons[:mode]` among comma-separated ones; a bare relation does not work (observed)."""
    for wish in include.split(","):
        path, _, mode = wish.strip().partition(":")
        if path == "contact.contactPersons":
            return mode or "sideload"
    return None


def named_rows(names: Mapping[str, str]) -> list[str]:
    """JSON texts of the little reference records."""
    return [to_json({"id": key, "name": name}) for key, name in names.items()]


def _whole(query: Query, key: str, default: int) -> int:
    text = query.get(key, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise RefusedError(400, f"{key} must be a whole number from 1", "INVALID_PAGING")
    return int(text)
