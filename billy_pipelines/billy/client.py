"""The client: Billy's verbs and shapes (billy-api.md section 2) over the transport, rate limit and retries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from pydantic import ValidationError

from billy_pipelines.billy.errors import (
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Unavailable,
    UnexpectedAnswer,
    refusal,
)
from billy_pipelines.billy.listing import PAGE_SIZE, Page, Query, RawRecord, read_all
from billy_pipelines.billy.models import Organization, Paging
from billy_pipelines.billy.retries import Again, Verb, check, is_unclear, may_repeat, with_retries
from billy_pipelines.billy.transport import Answer, Json, Transport, TransportFailed

WAIT_WITHOUT_RETRY_AFTER = 1.0

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
            return await self._page(resource, page_query)

        return await read_all(read_page, query)

    async def first_page(self, resource: str, query: Query) -> Sequence[RawRecord]:
        """The first page of a collection, to see whether a filter works before it is trusted."""
        return (await self._page(resource, {**query, "page": 1, "pageSize": PAGE_SIZE})).records

    async def get(self, resource: str, record_id: str, *, singular: str, query: Query | None = None) -> Json:
        """One record with everything side-loaded: the whole answer, the record under `singular`.

        Raises:
            NotFound, TokenRefused, Unavailable, UnexpectedAnswer
        """
        body = await self._read(f"/{resource}/{record_id}", query)
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
        return await self._write(Verb.OVERWRITE, "PUT", f"/{resource}/{record_id}", {singular: changes}, permitted)

    async def _page(self, resource: str, query: Query) -> Page:
        body = await self._read(f"/{resource}", query)
        records = body.get(resource)
        if not isinstance(records, list):
            raise UnexpectedAnswer(f"Billy's list of {resource} has no {resource!r} in it.")
        meta = body.get("meta")
        paging = meta.get("paging") if isinstance(meta, dict) else None
        return Page(records, Paging.model_validate(paging or {}), body)

    async def _read(self, path: str, query: Query | None = None) -> Json:
        try:
            answer = await with_retries(self._attempts(Verb.READ, "GET", path, query, None, permitted=False))
        except Again as last:
            if isinstance(last.cause, Answer) and last.limited:
                raise RateLimited(429, None, "its limit is still in force after long waiting") from last
            raise Unavailable(f"Billy cannot be read: {last}. Try again later.") from last
        if 200 <= answer.status < 300 and answer.body is not None:
            return answer.body
        raise _no(answer)

    async def _write(self, verb: Verb, method: str, path: str, body: Json, permitted: bool) -> Json:
        try:
            answer = await with_retries(self._attempts(verb, method, path, None, body, permitted=permitted))
        except Again as last:
            if last.limited:
                raise RateLimited(429, None, "its limit is still in force after long waiting") from last
            if isinstance(last.cause, TransportFailed) and not last.cause.reached:
                raise NotSent(f"{last}") from last
            timed_out = isinstance(last.cause, TransportFailed) and last.cause.timed_out
            raise OutcomeUnknown(f"{last}", timed_out=timed_out) from last
        except TransportFailed as failure:
            raise OutcomeUnknown(f"{failure}", timed_out=failure.timed_out) from failure
        if is_unclear(answer):
            raise OutcomeUnknown(f"Billy answered {answer.status} with nothing that tells what happened")
        if 200 <= answer.status < 300 and answer.body is not None:
            return answer.body
        raise _no(answer)

    def _attempts(
        self, verb: Verb, method: str, path: str, query: Query | None, body: Json | None, *, permitted: bool
    ) -> Callable[[], Awaitable[Answer]]:
        # Once a request may have reached Billy, a later "no connection" must not turn its outcome into "not sent".
        reached: list[TransportFailed | Answer] = []
        permit_in_hand = permitted

        async def attempt() -> Answer:
            nonlocal permit_in_hand
            if not permit_in_hand:
                await self._limiter.acquire()
            permit_in_hand = False
            self.requests += 1
            try:
                answer = await self._transport.request(method, path, query=query, body=body)
            except TransportFailed as failure:
                if failure.reached:
                    reached.append(failure)
                if may_repeat(verb, failure):
                    raise Again(reached[-1] if reached else failure) from failure
                raise
            if answer.status == 429:
                self.limited += 1
                try:
                    return check(verb, answer)
                except Again as again:
                    await self._limiter.push_back(WAIT_WITHOUT_RETRY_AFTER if again.after is None else again.after)
                    raise
            if is_unclear(answer):
                reached.append(answer)
            return check(verb, answer)

        return attempt


def _no(answer: Answer) -> Refused:
    if 300 <= answer.status < 400:
        return Refused(answer.status, None, "a redirect, which is never followed; check BILLY_API_URL")
    return refusal(answer.status, answer.body)


def open_client(api_url: str, token: str, limiter: Limiter, *, clients: int = 10) -> BillyClient:
    """A client for one organization."""
    return BillyClient(Transport(api_url, token, clients=clients), limiter)
