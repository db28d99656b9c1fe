"""What happened: every committed change, and every request received. Append-only; nothing here is ever altered."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

Operation = Literal["create", "update", "delete"]


@dataclass(frozen=True, slots=True)
class Change:
    """One committed change of one record. `record` is the full record after it, None for a delete."""

    sequence: int
    time: str
    operation: Operation
    resource: str
    id: str
    key: str
    """What a person would call the record: its name, or a contact person's e-mail."""
    record: dict[str, Any] | None
    request_id: str
    organization_id: str


@dataclass(frozen=True, slots=True)
class RequestEntry:
    """One request of a client to /v2, written down when it ended. `status` is None where the answer never got out."""

    number: int
    time: str
    method: str
    path: str
    query: str
    status: int | None
    seconds: float
    fault: str | None
    request_id: str


class Ledger(list[Change]):
    """The committed changes, oldest first; sequence numbers count from 1."""

    def add(
        self,
        operation: Operation,
        resource: str,
        record_id: str,
        key: str,
        record: dict[str, Any] | None,
        request_id: str,
        organization_id: str,
        time: str,
    ) -> None:
        self.append(
            Change(len(self) + 1, time, operation, resource, record_id, key, record, request_id, organization_id)
        )

    def since(self, sequence: int) -> list[Change]:
        """The changes after a sequence number."""
        return self[max(0, sequence) :]

    def select(self, operation: Operation | None = None, resource: str | None = None) -> list[Change]:
        """The changes of one kind."""
        return [c for c in self if operation in (None, c.operation) and resource in (None, c.resource)]


class RequestLog(list[RequestEntry]):
    """The requests, in the order in which they ended."""

    def select(self, method: str | None = None, path: str | None = None) -> list[RequestEntry]:
        """The requests with a method, or to a path that ends so."""
        return [e for e in self if method in (None, e.method) and (path is None or e.path.endswith(path))]

    def by_status(self) -> dict[str, int]:
        """How many requests ended with which status; `none` where the connection was cut."""
        return dict(Counter(str(entry.status or "none") for entry in self))


def as_json(entries: list[Change] | list[RequestEntry]) -> list[dict[str, Any]]:
    return [asdict(entry) for entry in entries]


def utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
