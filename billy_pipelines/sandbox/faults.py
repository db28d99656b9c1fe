"""The middleware around /v2: rate limit, latency, faults and the request log. It knows nothing of contacts.

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
from .ledger import RequestEntry, utc_now
from .state import Sandbox
from .switches import Fault

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
        fault = self._due_fault(scope["method"], body, before_commit=True)
        if fault is not None:
            return Response(), fault
        response = await _collected(self._app, scope, body)
        if response.status_code < 300:
            fault = self._due_fault(scope["method"], body, before_commit=False)
        await self._pause(half)
        return response, fault

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
        now = time.monotonic()
        with self._sandbox.lock:
            times = self._sandbox.rate_windows.setdefault(token, deque())
            while times and times[0] <= now - window:
                times.popleft()
            if len(times) < allowed:
                times.append(now)
                return None
            wait = max(1, math.ceil(times[0] + window - now))
        response = refusal(RefusedError(429, f"more than {allowed} requests in {window:g} seconds"))
        if self._sandbox.switches.retry_after == "seconds":
            response.headers["Retry-After"] = str(wait)
        elif self._sandbox.switches.retry_after == "date":
            response.headers["Retry-After"] = format_datetime(datetime.now(UTC) + timedelta(seconds=wait), usegmt=True)
        return response

    def _due_fault(self, method: str, body: bytes, *, before_commit: bool) -> Fault | None:
        """The first fault that is due for this call, counted."""
        sandbox = self._sandbox
        with sandbox.lock:
            for place, fault in enumerate(sandbox.switches.faults):
                if fault.before_commit is not before_commit or method not in fault.methods:
                    continue
                if fault.body_contains is not None and not _contains(body, fault.body_contains):
                    continue
                sandbox.fault_calls[place] += 1
                if fault.limit is not None and sandbox.fault_hits[place] >= fault.limit:
                    continue
                by_turn = fault.every is not None and sandbox.fault_calls[place] % fault.every == 0
                by_chance = fault.share is not None and sandbox.generator.random() < fault.share
                if by_turn or by_chance or (fault.every is None and fault.share is None):
                    sandbox.fault_hits[place] += 1
                    sandbox.faults_fired[fault.kind] += 1
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
