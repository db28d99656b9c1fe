"""A stored record, its JSON text, and what one request changed. Records are never altered in place: a change replaces
them, so the ledger and the answers can share them without copying.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .ledger import Operation

Values = Mapping[str, Any]
"""A record's keys and values as they travel."""


class Record:
    """One stored record: its `values`, and its JSON `text`, made once, at the first answer that needs it."""

    __slots__ = ("_text", "values")

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self._text: str | None = None

    @property
    def text(self) -> str:
        if self._text is None:
            self._text = to_json(self.values)
        return self._text


to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""A value as JSON. One encoder for all: `json.dumps` would make one for each of them, at half its cost."""


def extended(text: str, extra: Values) -> str:
    """The JSON text of an object with more keys at its end."""
    return f"{text[:-1]},{to_json(extra)[1:]}" if extra else text


def new_id() -> str:
    """22 characters of the URL-safe base64 alphabet (observed), 128 random bits."""
    return urlsafe_b64encode(secrets.token_bytes(16)).decode("ascii").rstrip("=")


def id_from(text: str) -> str:
    """The same id for the same text, in the form of `new_id`."""
    return urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:16]).decode("ascii").rstrip("=")


def billy_time() -> str:
    """Now as Billy writes it: UTC without a zone (observed)."""
    return datetime.now(UTC).isoformat(timespec="seconds")[:19]


@dataclass
class Changed:
    """What one request changed: the answer shows `saved` and `deleted`, the ledger gets `events`."""

    saved: dict[str, dict[str, Record]] = field(default_factory=dict)
    """Plural name -> id -> the record after the change, in the order of the changes."""
    deleted: dict[str, list[str]] = field(default_factory=dict)
    client_ids: dict[str, Any] = field(default_factory=dict)
    """Id -> the `_clientId` it was sent with."""
    events: list[tuple[Operation, str, Record]] = field(default_factory=list)

    def save(self, operation: Operation, plural: str, record: Record) -> None:
        self.saved.setdefault(plural, {})[record.values["id"]] = record
        self.events.append((operation, plural, record))

    def delete(self, plural: str, record: Record) -> None:
        self.deleted.setdefault(plural, []).append(record.values["id"])
        self.saved.get(plural, {}).pop(record.values["id"], None)
        self.events.append(("delete", plural, record))

    def take(self, more: Changed) -> None:
        """Add what came after it."""
        for plural, records in more.saved.items():
            self.saved.setdefault(plural, {}).update(records)
        for plural, ids in more.deleted.items():
            self.deleted.setdefault(plural, []).extend(ids)
            for record_id in ids:
                self.saved.get(plural, {}).pop(record_id, None)
        self.client_ids |= more.client_ids
        self.events += more.events
