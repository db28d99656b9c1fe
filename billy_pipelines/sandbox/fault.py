"""Things that go wrong on order: with a share of the requests, with every nth, or always with one record (poison)."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .names import Plural

FaultKind = Literal[
    "5xx-before",
    "5xx-after",
    "timeout-after",
    "reset-before",
    "reset-after",
    "reset-mid",
    "bad-json-before",
    "bad-json-after",
    "422",
]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

WRITES: tuple[Method, ...] = ("POST", "PUT", "PATCH", "DELETE")


class Fault(BaseModel):
    """One thing that goes wrong with some requests.

    It fires on every `every`-th call it could hit, and on a `share` of the others; with neither, on all of them.
    `-before` kinds come before anything is stored; `-after` kinds and `reset-mid` only follow a request that succeeded
    and whose work stays done. `422` refuses single records: in a bulk save or delete it hits the one, and the switches
    say what becomes of the rest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    share: float | None = Field(default=None, ge=0, le=1)
    """Probability per call, drawn from the sandbox's seeded generator."""
    every: int | None = Field(default=None, ge=1)
    methods: tuple[Method, ...] = Field(default=WRITES, min_length=1)
    resource: Plural | None = None
    """Only requests to this collection."""
    record: str | None = Field(default=None, min_length=1)
    """Poison: only requests that save, delete or get this record, called by its id, its name or a number. A stored
    record is also known by what it was called before the request."""
    body_contains: str | None = Field(default=None, min_length=1)
    """Poison: only requests (422: records) whose body contains this text."""
    limit: int | None = Field(default=None, ge=0)
    """Fires this often at most."""
    status: Literal[500, 502, 503, 504] = 503
    """For the 5xx kinds."""
    body: Literal["json", "html"] = "json"
    """For the 5xx kinds."""
    form: Literal["empty", "cut", "html"] = "cut"
    """For the bad-json kinds, always with status 200."""
    seconds: float = Field(default=30.0, ge=0, le=3600)
    """For timeout-after: how long the request is held before the connection is closed without an answer."""

    @property
    def before_commit(self) -> bool:
        return self.kind.endswith("-before")


def parse_fault(text: str) -> Fault:
    """`5xx-after:0.05` as on the command line: a kind and its share.

    Raises:
        ValueError: no such kind, or a share that is not between 0 and 1.
    """
    match = re.fullmatch(r"([a-z0-9-]+)(?::(\d+(?:\.\d+)?))?", text)
    if match is None:
        raise ValueError(f"{text!r} is not KIND:SHARE, like 5xx-after:0.05")
    return Fault.model_validate({"kind": match[1], "share": None if match[2] is None else float(match[2])})


def parse_poison(text: str) -> Fault:
    """`Kunde 17=422` as on the command line: a record and what always happens to it.

    Raises:
        ValueError: no such kind, or no record.
    """
    record, sign, kind = text.rpartition("=")
    if not sign or not record:
        raise ValueError(f"{text!r} is not RECORD=KIND, like 'Kunde 17=422'")
    return Fault.model_validate({"kind": kind, "record": record})
