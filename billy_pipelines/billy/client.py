"""The client: Billy's verbs and shapes (billy-api.md section 2) over the transport, rate limit and retries."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import quote

from pydantic import ValidationError

from billy_pipelines.billy.errors import (
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Stale,
    Unavailable,
    UnexpectedAnswer,
    refusal,
)
from billy_pipelines.billy.listing import PAGE_SIZE, Page, Query, RawRecord, read_all
from billy_pipelines.billy.models import Organization, Paging
from billy_pipelines.billy.retries import Again, Verb, check, is_unclear, limit_wait, may_repeat, with_retries
from billy_pipelines.billy.transport import ANSWER_SECONDS, Answer, Json, Transport, TransportFailed
from billy_pipelines.billy.underway import here

MISSING_STATUSES = (400, 410, 422)
"""What Billy may answer beside 404 when it is asked for an id that it does not have."""


@dataclass
class Window:
    """Until when writes may leave that build on what was read (monotonic seconds), and how many Billy has taken."""

    until: float
    taken: int = 0


_WINDOW: ContextVar[Window | None] = ContextVar("window", default=None)


@contextmanager
def writing_before(moment: float) -> Iterator[Window]:
    """Writes inside leave before that moment (monotonic seconds) or not at all: they build on what was read (R7).

    A 429 can hold a request back for minutes; what it would overwrite may be another record by then.
    """
    window = Window(moment)
    token = _WINDOW.set(window)
    try:
        yield window
    finally:
        _WINDOW.reset(token)


Roots = list[Json]
"""The whole answers of all pages of a list, for what was side-loaded beside its records."""


class Limiter(Protocol):
    """What the client needs of a rate limit."""

    async def acquire(self) -> None: ...
    async def push_back(self, seconds: float) -> None: ...


class BillyClient:
    """One organization's access to Billy. Use as an async context manager.

    Every request waits for a permit of the shared rate first. `requests` counts what left, `limited` the 429s.
    """

    def __init__(self, transport: Transport, limiter: Limiter) -> None:
        self._transport = transport
        self._limiter = limiter
        self.requests = 0
        self.limited = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.close()

    async def permit(self) -> None:
        """Wait for the permit of one request, to be used by passing `permitted=True` to the call that follows."""
        await self._limiter.acquire()

    async def organization(self) -> Organization:
        """The company the token belongs to: `GET /organization` (documented). Also the way to test a token.

        Raises:
            TokenRefused, Unavailable, UnexpectedAnswer
        """
        body = await self._read("/organization")
        try:
            return Organization.model_validate(body.get("organization"))
        except ValidationError as error:
            raise UnexpectedAnswer("Billy's answer to GET /organization holds no organization.") from error

    async def list(self, resource: str, query: Query) -> tuple[dict[str, RawRecord], Roots]:
        """All records of a collection by id, read until they agree with Billy's total (see `listing`)."""

        async def read_page(page_query: Query) -> Page:
            return await self.page(resource, page_query)

        return await read_all(read_page, query)

    async def first_page(self, resource: str, query: Query) -> Sequence[RawRecord]:
        """The first page of a collection, to see whether a filter works before it is trusted."""
        return (await self.page(resource, {**query, "page": 1, "pageSize": PAGE_SIZE})).records

    async def get(self, resource: str, record_id: str, *, singular: str, query: Query | None = None) -> Json:
        """One record with everything side-loaded: the whole answer, the record under `singular`.

        A missing id is an error (observed), whose status is unverified: a clear no means that, once it is not the query
        that Billy says no to.

        Raises:
            NotFound, TokenRefused, RateLimited, Unavailable, UnexpectedAnswer
        """
        path = _path(resource, record_id)
        try:
            body = await self._read(path, query)
        except Refused as error:
            if error.status not in MISSING_STATUSES:
                raise
            if not query:
                raise NotFound(error.status, error.code, error.message, error.fields, error.body) from error
            return await self.get(resource, record_id, singular=singular)
        if not isinstance(body.get(singular), dict):
            raise UnexpectedAnswer(f"Billy's answer to GET /{resource}/… has no {singular!r} in it.")
        return body

    async def create(self, resource: str, singular: str, record: Json, *, permitted: bool = False) -> Json:
        """Create one record; returns the answer, whose plural arrays hold every record it changed (documented).

        Raises:
            NotSent: nothing reached Billy.
            Refused: nothing was made.
            OutcomeUnknown: it may have been made.
        """
        answer = await self._write(Verb.CREATE, "POST", f"/{resource}", {singular: record}, permitted)
        records = answer.get(resource)
        if not (isinstance(records, list) and records and isinstance(records[0], dict) and records[0].get("id")):
            raise OutcomeUnknown(f"Billy answered success but named no new {singular}")
        return answer

    async def update(
        self, resource: str, singular: str, record_id: str, changes: Json, *, permitted: bool = False
    ) -> Json:
        """Change keys of one record; absent keys stay (documented). Raises as `create`."""
        return await self._put(Verb.OVERWRITE, resource, singular, record_id, changes, permitted)

    async def update_once(
        self, resource: str, singular: str, record_id: str, changes: Json, *, permitted: bool = False
    ) -> Json:
        """As `update`, for a change that must not be made twice (an approval books VAT): without a clear answer it is
        not sent again."""
        return await self._put(Verb.CREATE, resource, singular, record_id, changes, permitted)

    async def _put(
        self, verb: Verb, resource: str, singular: str, record_id: str, changes: Json, permitted: bool
    ) -> Json:
        answer = await self._write(verb, "PUT", _path(resource, record_id), {singular: changes}, permitted)
        records = answer.get(resource)
        # What a PUT on a missing id answers is unknown, but a DELETE of one says 200 (documented).
        named = {str(r.get("id")) for r in records if isinstance(r, dict)} if isinstance(records, list) else set()
        if record_id not in named:
            raise OutcomeUnknown(f"Billy answered success but named no changed {singular}")
        return answer

    async def delete(self, resource: str, record_id: str, *, permitted: bool = False) -> frozenset[str]:
        """Delete one record; returns the ids of this resource that Billy says it deleted.

        An empty set proves nothing: deleting a missing record succeeds too (documented), so the caller reads back.
        Raises as `create`; `Refused` where Billy keeps the record (it is in use, an approved invoice).
        """
        answer = await self._write(Verb.OVERWRITE, "DELETE", _path(resource, record_id), None, permitted)
        return _deleted(resource, answer)

    async def save_many(self, resource: str, records: Sequence[Json]) -> Json:
        """PATCH of many records of one resource, new and known ones, with a permit in hand (billy-api.md 2.1).

        Returns the answer as it came; what became of each record is for the caller to find in it, since the server's
        side is unknown. Raises as `create`, with the answer in `Refused.body`.
        """
        return await self._write(Verb.CREATE, "PATCH", f"/{resource}", {resource: list(records)}, True)

    async def delete_many(self, resource: str, record_ids: Sequence[str]) -> frozenset[str]:
        """Delete many records, with a permit in hand; returns and raises as `delete` (billy-api.md 2.2)."""
        query = {"ids[]": list(record_ids)}
        return _deleted(resource, await self._write(Verb.OVERWRITE, "DELETE", f"/{resource}", None, True, query))

    async def page(self, resource: str, query: Query) -> Page:
        """One page of a collection, `page` and `pageSize` in the query."""
        body = await self._read(f"/{resource}", query)
        records = body.get(resource)
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise UnexpectedAnswer(f"Billy's list of {resource} has no {resource!r} in it.")
        meta = body.get("meta")
        try:
            paging = Paging.model_validate((meta.get("paging") if isinstance(meta, dict) else None) or {})
        except ValidationError as error:
            raise UnexpectedAnswer(f"Billy's list of {resource} has a paging that cannot be read.") from error
        return Page(records, paging, body)

    async def _read(self, path: str, query: Query | None = None) -> Json:
        try:
            answer = await with_retries(_Attempts(self, Verb.READ, "GET", path, query=query))
        except Again as last:
            if last.limited:
                raise RateLimited(429, None, "its limit is still in force after long waiting") from last
            raise Unavailable(f"Billy cannot be read: {last}. Try again later.") from last
        if 200 <= answer.status < 300 and answer.body is not None:
            return answer.body
        raise _no(answer)

    async def _write(
        self,
        verb: Verb,
        method: str,
        path: str,
        body: Json | None,
        permitted: bool,
        query: Mapping[str, Sequence[str]] | None = None,
    ) -> Json:
        attempts = _Attempts(self, verb, method, path, body=body, query=query, permitted=permitted)
        try:
            answer = await with_retries(attempts)
        except Stale:
            if attempts.unclear:
                raise attempts.outcome_unknown() from None
            raise
        except (Again, TransportFailed) as last:
            if attempts.unclear:
                raise attempts.outcome_unknown() from last
            if isinstance(last, Again) and last.limited:
                raise RateLimited(429, None, "its limit is still in force after long waiting") from last
            raise NotSent(f"{last}") from last
        if 200 <= answer.status < 300 and answer.body is not None:
            return answer.body
        if attempts.unclear:
            raise attempts.outcome_unknown()
        raise _no(answer)


@dataclass
class _Attempts:
    """The attempts of one request; call it for the next one.

    `unclear` holds those that may have reached Billy without a clear answer. Whatever a later attempt meets, "no
    connection" or a clear no, they keep the outcome of a write unknown.
    """

    client: BillyClient
    verb: Verb
    method: str
    path: str
    query: Query | Mapping[str, Sequence[str]] | None = None
    body: Json | None = None
    permitted: bool = False
    refusals: int = 0
    unclear: list[TransportFailed | Answer] = field(default_factory=list)

    async def __call__(self) -> Answer:
        """One attempt.

        Raises:
            Again: it may be repeated.
            TransportFailed: it may not.
        """
        client, traffic, is_write = self.client, here(), self.verb is not Verb.READ
        if not self.permitted:
            with traffic.wait():
                await client._limiter.acquire()
        self.permitted = False
        window = _WINDOW.get() if is_write else None
        if window is not None and time.monotonic() > window.until:
            raise Stale("the record was read too long ago to be written on")
        client.requests += 1
        if is_write:
            traffic.left()
        try:
            answer = await client._transport.request(self.method, self.path, query=self.query, body=self.body)
        except TransportFailed as failure:
            if failure.reached:
                self.unclear.append(failure)
            elif is_write:
                traffic.came_to_nothing()
            if may_repeat(self.verb, failure):
                raise Again(failure) from failure
            raise
        if window is not None and 200 <= answer.status < 300:
            window.taken += 1
        if answer.status == 429:
            client.limited += 1
            self.refusals += 1
            await client._limiter.push_back(limit_wait(answer, self.refusals))
        elif is_unclear(answer):
            self.unclear.append(answer)
        if is_write and answer.status >= 300 and not is_unclear(answer):
            traffic.came_to_nothing()  # not before the refusal is told: until then nobody cuts this off
        return check(self.verb, answer)

    def outcome_unknown(self) -> OutcomeUnknown:
        """What to say of a write with unclear attempts."""
        last = self.unclear[-1]
        if isinstance(last, TransportFailed):
            said = str(last)
        else:
            said = f"Billy answered {last.status}{' with a body that cannot be read' if last.status < 300 else ''}"
        # A gateway's time-out says as little about what goes on behind it as our own.
        timed_out = any(
            each.timed_out if isinstance(each, TransportFailed) else each.status in (408, 504) for each in self.unclear
        )
        return OutcomeUnknown(said, timed_out=timed_out)


def _deleted(resource: str, answer: Json) -> frozenset[str]:
    meta = answer.get("meta")
    deleted = meta.get("deletedRecords") if isinstance(meta, dict) else None
    ids = deleted.get(resource) if isinstance(deleted, dict) else None
    return frozenset(str(each) for each in ids) if isinstance(ids, list) else frozenset()


def _path(resource: str, record_id: str) -> str:
    return f"/{resource}/{quote(record_id, safe='')}"


def _no(answer: Answer) -> Refused:
    if 300 <= answer.status < 400:
        return Refused(answer.status, None, "a redirect, which is never followed; check BILLY_API_URL")
    return refusal(answer.status, answer.body)


def open_client(api_url: str, token: str, limiter: Limiter, *, answer_seconds: float = ANSWER_SECONDS) -> BillyClient:
    """A client for one organization."""
    return BillyClient(Transport(api_url, token, answer_seconds=answer_seconds), limiter)
