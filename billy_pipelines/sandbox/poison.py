"""Which records a request is about, so that a fault can be ordered for one of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from .record import Values
from .resource import Resource
from .resources import RESOURCES

if TYPE_CHECKING:
    from .books import Books

Touched = list[tuple[Resource, Values]]


def is_called(name: str, resource: Resource, values: Values) -> bool:
    """Whether a record, or the body of one, goes by this id, name or number."""
    return values.get("id") == name or any(
        str(values[key]) == name for key in resource.natural_keys if values.get(key) is not None
    )


def touched(books: Books | None, path: list[str], query: str, body: bytes) -> Touched:
    """The bodies of records in a request and the stored records it names.

    `path` are the parts after the version: a plural and perhaps an id.
    """
    resource = RESOURCES.get(path[0]) if path else None
    if resource is None:
        return []
    ids = [*path[1:2], *parse_qs(query).get("ids[]", ())]
    found: Touched = []
    for item in _items(resource, body):
        found.append((resource, item))
        if isinstance(item.get("id"), str):
            ids.append(item["id"])
    stored = {} if books is None else books.records(resource.plural)
    found += [(resource, stored[each].values if each in stored else {"id": each}) for each in ids]
    return found


def _items(resource: Resource, body: bytes) -> Iterator[Values]:
    try:
        content = json.loads(body) if body else None
    except (ValueError, RecursionError):
        return
    if isinstance(content, dict):
        several = content.get(resource.plural)
        for item in [content.get(resource.singular), *(several if isinstance(several, list) else ())]:
            if isinstance(item, dict):
                yield item
