"""The middleware around /v2: rate limit, latency, faults and the request log. It knows no resource by name.

Order: the rate limit before any work, half the latency, faults before the commit, the work, faults after it, the other
half of the latency. So a client that gives up meets both cases: not yet done, and done.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .answers import RefusedError, refusal
from .fault import Fault
from .ledger import RequestEntry, utc_now
from .poison import Touched, is_called, touched
from .state import Sandbox

API = "/v2"
_HTML = "<html><body><h1>sandbox: something between you and Billy answers</h1></body></html>"


class Trouble:
    """ASGI middleware; requests outside /v2 pass untouched and unlogged."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox) -> None:
        self._app = app
        self._sandbox = sandbox
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not (scope["path"] == API or scope["path"].startswith(f"{API}/")):
            await self._app(scope, receive, send)
            return
        number, received = next(self._numbers), utc_now()
        headers = Headers(scope=scope)
        request_id = headers.get("x-request-id") or f"request-{number}"
        scope["sandbox.started"] = started = time.monotonic()
        scope["sandbox.request_id"] = request_id
        try:
            body = await Request(scope, receive).body()
        except ClientDisconnect:
            return  # left while still sending
        response, fault = await self._decided(scope, headers, body)
        sent = response if fault is None else _wrong_answer(fault, response)
        # Written down before the answer leaves: whoever has the answer finds the request in the log.
        self._sandbox.requests.append(
            RequestEntry(
                number,
                received,
                scope["method"],
                scope["path"],
                scope["query_string"].decode("latin-1"),
                None if sent is None else sent.status_code,
                round(time.monotonic() - started, 4),
                None if fault is None else fault.kind,
                request_id,
            )
        )
        if sent is not None:
            await sent(scope, receive, send)
        elif fault is not None:
            await self._cut(fault, response, scope, receive, send)

    async def _decided(self, scope: Scope, headers: Headers, body: bytes) -> tuple[Response, Fault | None]:
        """Do the work of one request: its true answer (empty before a commit) and the fault to commit instead."""
        limited = self._limited(headers.get("x-access-token", ""))
        if limited is not None:
            return limited, None
        low, high = self._sandbox.switches.latency_range
        half = (low if low == high else self._sandbox.generator.uniform(low, high)) / 2
        await self._pause(half)
        about = self._about(scope, headers, body)
        fault = self._due_fault(scope, body, about, before_commit=True)
        if fault is not None:
            return Response(), fault
        response = await _collected(self._app, scope, body)
        if response.status_code < 300:
            fault = self._due_fault(scope, body, about, before_commit=False)
        await self._pause(half)
        return response, fault

    def _about(self, scope: Scope, headers: Headers, body: bytes) -> Touched:
        """The records of the request as they are before it, where a fault asks for them."""
        sandbox = self._sandbox
        if all(fault.record is None for fault in sandbox.switches.faults):
            return []
        with sandbox.lock:
            books = sandbox.books_by_token.get(headers.get("x-access-token", ""))
            return touched(books, _parts(scope), scope["query_string"].decode("latin-1"), body)

    async def _pause(self, seconds: float) -> None:
        if seconds <= 0:
            return
        if self._sandbox.wire is None:
            await asyncio.sleep(seconds)
        else:
            await self._sandbox.wire.pause(seconds)

    def _limited(self, token: str) -> Response | None:
        """A 429 when the token has used up its window. Requests refused do not count; the body is our choice."""
        rate = self._sandbox.switches.rate
        if rate is None:
            return None
        allowed, window = rate
        with self._sandbox.lock:
            missing = self._missing(token, allowed, window, time.monotonic())
        if missing is None:
            return None
        wait = max(1, math.ceil(missing))
        response = refusal(RefusedError(429, f"more than {allowed} requests in {window:g} seconds"))
        if self._sandbox.switches.retry_after == "seconds":
            response.headers["Retry-After"] = str(wait)
        elif self._sandbox.switches.retry_after == "date":
            response.headers["Retry-After"] = format_datetime(datetime.now(UTC) + timedelta(seconds=wait), usegmt=True)
        elif self._sandbox.switches.retry_after == "zero":
            response.headers["Retry-After"] = "0"
        return response

    def _missing(self, token: str, allowed: int, window: float, now: float) -> float | None:
        """Seconds until the limit lets this request through; None lets it through, counted."""
        if (burst := self._sandbox.switches.rate_burst) is not None:
            full_at = max(now, self._sandbox.rate_buckets.get(token, now))
            early = full_at - now - (burst - 1) * window / allowed
            if early <= 0:
                self._sandbox.rate_buckets[token] = full_at + window / allowed
            return early if early > 0 else None
        times = self._sandbox.rate_windows.setdefault(token, deque())
        while times and times[0] <= now - window:
            times.popleft()
        if len(times) < allowed:
            times.append(now)
            return None
        return times[0] + window - now

    def _due_fault(self, scope: Scope, body: bytes, about: Touched, *, before_commit: bool) -> Fault | None:
        """The first fault that is due for this call, counted. Kind 422 is left to `writes`."""
        sandbox = self._sandbox
        with sandbox.lock:
            for place, fault in enumerate(sandbox.switches.faults):
                if fault.kind == "422" or fault.before_commit is not before_commit:
                    continue
                if scope["method"] not in fault.methods or fault.resource not in (None, *_parts(scope)[:1]):
                    continue
                if fault.body_contains is not None and not _contains(body, fault.body_contains):
                    continue
                if fault.record is not None and not any(is_called(fault.record, *each) for each in about):
                    continue
                if sandbox.fires(place, fault):
                    return fault
        return None

    async def _cut(self, fault: Fault, response: Response, scope: Scope, receive: Receive, send: Send) -> None:
        """End the connection without an answer, or within one."""
        wire = self._sandbox.wire
        if wire is None:
            raise RuntimeError(f"{fault.kind} needs the connections of SandboxServer or serve()")
        if fault.kind == "timeout-after":
            await wire.hold(fault.seconds, receive)
        if fault.kind == "reset-mid":
            await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
            half = bytes(response.body)[: len(response.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
        await wire.cut(scope, receive, reset=fault.kind != "timeout-after")


def _parts(scope: Scope) -> list[str]:
    """The path's parts behind the version: a plural, perhaps an id."""
    return [part for part in str(scope["path"]).removeprefix(API).split("/") if part]


def _contains(body: bytes, text: str) -> bool:
    """Whether a JSON body holds the text, as it is or with its letters escaped."""
    return text.encode() in body or json.dumps(text)[1:-1].encode() in body


def _wrong_answer(fault: Fault, response: Response) -> Response | None:
    """The answer a fault gives in place of the true one; None for the kinds that cut the connection."""
    if fault.kind.startswith("bad-json"):
        return _unreadable(fault, bytes(response.body))
    if not fault.kind.startswith("5xx"):
        return None
    if fault.body == "html":
        return Response(_HTML, fault.status, media_type="text/html")
    return refusal(RefusedError(fault.status, "something broke"))


def _unreadable(fault: Fault, body: bytes) -> Response:
    """Status 200 with a body that is no JSON."""
    if fault.form == "html":
        return Response(_HTML, media_type="text/html")
    body = body or b'{"meta":{"statusCode":200,"success":true,"time":0.2},'
    return Response(b"" if fault.form == "empty" else body[: len(body) // 2], media_type="application/json")


async def _collected(app: ASGIApp, scope: Scope, body: bytes) -> Response:
    """The inner application's whole answer, kept back."""
    start: Message = {}
    chunks: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            chunks.append(message.get("body", b""))

    await app(scope, receive, send)
    response = Response(b"".join(chunks), start["status"])
    response.raw_headers = list(start["headers"])
    return response
