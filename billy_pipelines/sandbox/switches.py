"""How the sandbox behaves: every switch with its values, and the faults it can be told to commit.

A switch exists where Billy's behaviour is unknown or contested, or where a client has to survive something. Values are
checked here; what they do is done elsewhere.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

FaultKind = Literal[
    "5xx-before",
    "5xx-after",
    "timeout-after",
    "reset-before",
    "reset-after",
    "reset-mid",
    "bad-json-before",
    "bad-json-after",
]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Resource = Literal["contacts", "contactPersons", "organizations"]

WRITES: tuple[Method, ...] = ("POST", "PUT", "PATCH", "DELETE")


class Fault(BaseModel):
    """One thing that goes wrong with some requests.

    It fires on every `every`-th call it could hit, and on a `share` of the others; with neither, on all of them.
    `-before` kinds come before anything is stored; `-after` kinds and `reset-mid` only follow a request that succeeded
    and whose work stays done.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    share: float | None = Field(default=None, ge=0, le=1)
    """Probability per call, drawn from the sandbox's seeded generator."""
    every: int | None = Field(default=None, ge=1)
    methods: tuple[Method, ...] = Field(default=WRITES, min_length=1)
    body_contains: str | None = Field(default=None, min_length=1)
    """Poison: only requests whose body contains this text."""
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


def _checked_latency(value: str) -> str:
    low, high = _span(value)
    if low > high:
        raise ValueError("the first number of a latency range is the smaller one")
    return value


def _span(value: str) -> tuple[float, float]:
    low, _, high = value.partition("-")
    return float(low), float(high or low)


def _checked_rate(value: str) -> str:
    count, _, window = value.partition("/")
    if int(count) < 1 or float(window) <= 0:
        raise ValueError("a rate limit needs at least one request in a window above 0 seconds")
    return value


_NUMBER = r"\d+(?:\.\d+)?"
Latency = Annotated[str, StringConstraints(pattern=rf"^{_NUMBER}(?:-{_NUMBER})?$"), AfterValidator(_checked_latency)]
RateLimit = Annotated[str, StringConstraints(pattern=rf"^\d+/{_NUMBER}$"), AfterValidator(_checked_rate)]


class Switches(BaseModel):
    """Everything that can be switched. Immutable: `with_changes` gives a new, checked set."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    latency: Latency = Field(default="0", description='seconds per answer: fixed ("0.3") or random ("0.2-0.4")')
    rate_limit: RateLimit | None = Field(
        default=None, description='requests per window of seconds and token ("100/60"), or null for none'
    )
    retry_after: Literal["none", "seconds", "date"] = Field(default="none", description="form of Retry-After on a 429")
    unstable_paging: bool = Field(default=False, description="unsorted lists are reshuffled for every page (observed)")
    unlisted_sort: Literal["accepted", "ignored", "refused"] = Field(
        default="accepted", description="sortProperty on contacts, for which Billy lists none (unverified)"
    )
    include: Literal["honoured", "ignored"] = Field(default="honoured", description="include=contact.contactPersons")
    undeclared_properties: Literal["ignored", "refused"] = Field(
        default="ignored", description="keys in a body that the resource does not have (unknown in Billy)"
    )
    organization_id: Literal["accepted", "refused"] = Field(
        default="accepted", description="organizationId in a body; refused says `must not be set` (unverified)"
    )
    bulk_save: Literal["atomic", "partial", "unavailable", "unavailable-401", "unavailable-404"] = Field(
        default="atomic", description="PATCH of many records (unknown in Billy); unavailable answers 405"
    )
    bulk_delete: Literal["all-or-nothing", "partial"] = Field(
        default="all-or-nothing", description="one undeletable id fails all, or is left out; unknown ids are skipped"
    )
    contact_in_use: Literal["refused", "allowed"] = Field(
        default="refused", description="DELETE of a contact marked as in use (unverified)"
    )
    archived_in_lists: Literal["included", "hidden"] = Field(
        default="included", description="archived contacts in a list without an isArchived filter (unknown in Billy)"
    )
    page_size_above_1000: Literal["clamp", "error"] = Field(default="clamp", description="unknown in Billy")
    revoked_after: int | None = Field(
        default=None, ge=0, description="tokens are good for so many more requests (0: revoked now), then 401"
    )
    forbidden_resource: Resource | None = Field(default=None, description="every request for it answers 403")
    faults: tuple[Fault, ...] = Field(default=(), description="what goes wrong, see Fault")

    @model_validator(mode="before")
    @classmethod
    def _plain_numbers(cls, given: Any) -> Any:
        """`latency=0.3` is as good as `latency="0.3"`."""
        if isinstance(given, dict) and type(given.get("latency")) in (int, float):
            return {**given, "latency": f"{given['latency']:.6f}".rstrip("0").rstrip(".")}
        return given

    def with_changes(self, changes: dict[str, Any]) -> Self:
        """A new set with some switches changed.

        Raises:
            pydantic.ValidationError: a name or a value that does not exist.
        """
        return self.model_validate({**self.model_dump(), **changes})

    @property
    def latency_range(self) -> tuple[float, float]:
        """Seconds, lowest and highest."""
        return _span(self.latency)

    @property
    def rate(self) -> tuple[int, float] | None:
        """Requests per window of seconds."""
        if self.rate_limit is None:
            return None
        count, _, window = self.rate_limit.partition("/")
        return int(count), float(window)


def parse_fault(text: str) -> Fault:
    """`5xx-after:0.05` as on the command line: a kind and its share.

    Raises:
        ValueError: no such kind, or a share that is not between 0 and 1.
    """
    match = re.fullmatch(rf"([a-z0-9-]+)(?::({_NUMBER}))?", text)
    if match is None:
        raise ValueError(f"{text!r} is not KIND:SHARE, like 5xx-after:0.05")
    return Fault.model_validate({"kind": match[1], "share": None if match[2] is None else float(match[2])})
