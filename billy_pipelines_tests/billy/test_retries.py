"""Every row of the table in `billy/retries.py`, over sockets: how often it is sent, what is said, what Billy holds."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from tenacity import AsyncRetrying, RetryCallState

from billy_pipelines.billy import (
    BillyClient,
    BillyError,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Refused,
    TokenRefused,
    Unavailable,
    retries,
)
from billy_pipelines.billy.retries import Again, retry_after_seconds
from billy_pipelines.billy.transport import Answer
from billy_pipelines.sandbox import Fault, SandboxServer

from ..support import NoLimit, open_client_for
from .imitation import Imitation, Reply, Seen

PATIENT = 5.0
IMPATIENT = 0.3
"""Seconds for an answer where none is to come in time."""
Imitate = Callable[[Callable[[Seen], Reply]], Imitation]


def may_be_at_work(fault: Fault) -> bool:
    """A gateway's time-out says as little about what goes on behind it as our own."""
    return fault.kind.startswith("5xx") and fault.status == 504


BEFORE = [
    *(Fault(kind="5xx-before", status=status) for status in (500, 502, 503, 504)),
    Fault(kind="5xx-before", body="html"),
    Fault(kind="reset-before"),
]
AFTER = [
    *(Fault(kind="5xx-after", status=status) for status in (500, 502, 503, 504)),
    Fault(kind="5xx-after", body="html"),
    Fault(kind="reset-after"),
    Fault(kind="reset-mid"),
]
TIMEOUT = [Fault(kind="timeout-after")]
UNREADABLE_BEFORE = [Fault(kind="bad-json-before", form=form) for form in ("empty", "cut", "html")]
UNREADABLE_AFTER = [Fault(kind="bad-json-after", form=form) for form in ("empty", "cut", "html")]
UNREADABLE = UNREADABLE_BEFORE + UNREADABLE_AFTER


def named(fault: Fault) -> str:
    detail = {"5xx": f"{fault.status}-{fault.body}", "bad": fault.form}.get(fault.kind.partition("-")[0], "")
    return f"{fault.kind}-{detail}".rstrip("-")


@dataclass
class Billy:
    """A sandbox with one contact, and what one call to it led to."""

    server: SandboxServer
    contact_id: str

    def call(
        self, method: str, *, limiter: NoLimit | None = None, answer_seconds: float = PATIENT, token: str | None = None
    ) -> BillyError | None:
        """Read, rename or create a contact; what was raised, if anything."""

        async def go() -> BillyError | None:
            async with open_client_for(
                self.server, limiter=limiter, answer_seconds=answer_seconds, token=token
            ) as client:
                try:
                    await CALLS[method](client, self.contact_id)
                except BillyError as error:
                    return error
                return None

        return asyncio.run(go())

    def breaks(self, fault: Fault, method: str, *, times: int | None = None) -> None:
        self.server.sandbox.switch(faults=[fault.model_copy(update={"methods": (method,), "limit": times})])

    def uses_up_its_window(self, **switches: Any) -> None:
        """From now on every request of the token gets a 429."""
        self.server.sandbox.switch(rate_limit="1/3600", **switches)
        self.server.sandbox.rate_windows[self.server.token] = deque([time.monotonic()])

    def requests(self, method: str) -> int:
        return len(self.server.sandbox.requests.select(method))

    @property
    def creates(self) -> int:
        return len(self.server.sandbox.ledger.select("create", "contacts"))

    @property
    def name(self) -> str:
        return str(self.server.sandbox.contacts[0]["name"])


async def _get(client: BillyClient, contact_id: str) -> Any:
    return await client.get("contacts", contact_id, singular="contact")


async def _put(client: BillyClient, contact_id: str) -> Any:
    return await client.update("contacts", "contact", contact_id, {"name": "Ny ApS"})


async def _post(client: BillyClient, contact_id: str) -> Any:
    return await client.create("contacts", "contact", {"name": "Anden ApS", "countryId": "DK"})


CALLS: dict[str, Callable[[BillyClient, str], Awaitable[Any]]] = {"GET": _get, "PUT": _put, "POST": _post}


@pytest.fixture
def billy(sandbox: SandboxServer) -> Billy:
    return Billy(sandbox, sandbox.sandbox.add_contacts([{"name": "Gammel ApS"}])[0])


# -- reads -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", BEFORE + AFTER + UNREADABLE, ids=named)
def test_a_read_is_repeated_until_it_is_answered(billy: Billy, fault: Fault) -> None:
    billy.breaks(fault, "GET", times=3)
    assert billy.call("GET") is None
    assert billy.requests("GET") == 4


@pytest.mark.parametrize("fault", BEFORE + AFTER + UNREADABLE, ids=named)
def test_a_read_that_is_never_answered_ends_after_five_attempts(billy: Billy, fault: Fault) -> None:
    billy.breaks(fault, "GET")
    assert isinstance(billy.call("GET"), Unavailable)
    assert billy.requests("GET") == retries.ATTEMPTS == 5


def test_a_read_that_times_out_is_repeated(billy: Billy) -> None:
    billy.breaks(TIMEOUT[0], "GET")
    assert isinstance(billy.call("GET", answer_seconds=IMPATIENT), Unavailable)
    assert billy.requests("GET") == 5


# -- overwriting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", BEFORE + AFTER, ids=named)
def test_a_put_is_repeated_and_succeeds(billy: Billy, fault: Fault) -> None:
    billy.breaks(fault, "PUT", times=4)
    assert billy.call("PUT") is None
    assert billy.requests("PUT") == 5
    assert billy.name == "Ny ApS"


@pytest.mark.parametrize(
    ("fault", "applied"),
    [*((fault, False) for fault in BEFORE), *((fault, True) for fault in AFTER)],
    ids=lambda value: named(value) if isinstance(value, Fault) else "",
)
def test_the_outcome_of_a_put_that_is_never_answered_is_unknown(billy: Billy, fault: Fault, applied: bool) -> None:
    billy.breaks(fault, "PUT")
    error = billy.call("PUT")
    assert isinstance(error, OutcomeUnknown) and error.timed_out is may_be_at_work(fault)
    assert billy.requests("PUT") == 5
    assert billy.name == ("Ny ApS" if applied else "Gammel ApS")


def test_a_put_that_times_out_is_repeated_then_unknown_and_said_to_be_perhaps_still_at_work(billy: Billy) -> None:
    billy.breaks(TIMEOUT[0], "PUT")
    error = billy.call("PUT", answer_seconds=IMPATIENT)
    assert isinstance(error, OutcomeUnknown) and error.timed_out
    assert billy.requests("PUT") == 5
    assert billy.name == "Ny ApS"


@pytest.mark.parametrize("fault", UNREADABLE, ids=named)
def test_a_put_with_an_unreadable_success_is_unknown_at_once(billy: Billy, fault: Fault) -> None:
    billy.breaks(fault, "PUT")
    error = billy.call("PUT")
    assert isinstance(error, OutcomeUnknown) and not error.timed_out
    assert billy.requests("PUT") == 1
    assert (billy.name == "Ny ApS") is (fault in UNREADABLE_AFTER)


# -- creates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", BEFORE + UNREADABLE_BEFORE + AFTER + UNREADABLE_AFTER, ids=named)
def test_a_create_without_a_clear_answer_is_never_sent_twice(billy: Billy, fault: Fault) -> None:
    billy.breaks(fault, "POST", times=1)
    error = billy.call("POST")
    assert isinstance(error, OutcomeUnknown) and error.timed_out is may_be_at_work(fault)
    assert billy.requests("POST") == 1
    assert billy.creates == (1 if fault in AFTER + UNREADABLE_AFTER else 0)


def test_a_create_that_times_out_is_never_sent_twice(billy: Billy) -> None:
    billy.breaks(TIMEOUT[0], "POST", times=1)
    error = billy.call("POST", answer_seconds=IMPATIENT)
    assert isinstance(error, OutcomeUnknown) and error.timed_out
    assert billy.requests("POST") == 1
    assert billy.creates == 1


def test_a_create_is_no_success_when_the_answer_names_no_record(imitate: Imitate) -> None:
    for body in ({"meta": {"success": True}}, {"contacts": []}, {"contacts": [{}]}, {"contact": {"id": "c1"}}):
        server = imitate(lambda seen, body=body: Reply(body=body))  # type: ignore[misc]
        assert isinstance(call_imitation(server, "POST"), OutcomeUnknown)
        assert len(server.seen) == 1


def test_a_put_is_no_success_when_the_answer_does_not_name_its_record(imitate: Imitate) -> None:
    for body in ({"meta": {"success": True}}, {"contacts": []}, {"contacts": [{"id": "another"}]}):
        server = imitate(lambda seen, body=body: Reply(body=body))  # type: ignore[misc]
        assert isinstance(call_imitation(server, "PUT"), OutcomeUnknown)
        assert len(server.seen) == 1


# -- no connection -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "kind"), [("GET", Unavailable), ("PUT", NotSent), ("POST", NotSent)])
def test_what_never_reached_billy_is_said_so(billy: Billy, method: str, kind: type[BillyError]) -> None:
    billy.server.stop()
    limiter = NoLimit()
    assert type(billy.call(method, limiter=limiter)) is kind
    assert limiter.permits == 5, "each attempt needs a permit of its own"
    assert (billy.requests(method), billy.creates, billy.name) == (0, 0, "Gammel ApS")


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
def test_a_refused_connection_is_tried_again(billy: Billy, method: str) -> None:
    class ComesBack(NoLimit):
        async def acquire(self) -> None:
            await super().acquire()
            if self.permits == 3:
                billy.server.start()

    billy.server.stop()
    assert billy.call(method, limiter=ComesBack()) is None
    assert billy.requests(method) == 1
    assert billy.creates == (1 if method == "POST" else 0)


def test_a_permit_in_hand_serves_for_the_first_attempt_only(billy: Billy) -> None:
    billy.breaks(BEFORE[0], "PUT", times=2)
    limiter = NoLimit()

    async def go() -> None:
        async with open_client_for(billy.server, limiter=limiter) as client:
            await client.permit()
            await client.update("contacts", "contact", billy.contact_id, {"name": "Ny ApS"}, permitted=True)
            assert client.requests == 3

    asyncio.run(go())
    assert limiter.permits == 3


# -- an unclear attempt is not forgotten -------------------------------------------------------------------------------


class Then(NoLimit):
    """Something happens when the second permit is asked for."""

    def __init__(self, event: Callable[[], Any]) -> None:
        super().__init__()
        self._event = event

    async def acquire(self) -> None:
        await super().acquire()
        if self.permits == 2:
            self._event()


@pytest.mark.parametrize(
    "event",
    [
        lambda billy: billy.server.stop(),
        lambda billy: billy.server.sandbox.switch(revoked_after=0),
        lambda billy: billy.server.sandbox.delete_contact(billy.contact_id),
        lambda billy: billy.uses_up_its_window(),
    ],
    ids=["no connection", "401", "404", "429"],
)
def test_whatever_follows_an_unclear_put_its_outcome_stays_unknown(
    billy: Billy, event: Callable[[Billy], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "LIMIT_TOTAL_SECONDS", 0.0)
    billy.server.sandbox.add_contacts([{"name": "Uvedkommende"}])
    billy.breaks(Fault(kind="5xx-after"), "PUT", times=1)

    assert isinstance(billy.call("PUT", limiter=Then(lambda: event(billy))), OutcomeUnknown)
    assert len(billy.server.sandbox.ledger.select("update", "contacts")) == 1


def test_a_time_out_is_remembered_when_later_attempts_fail_otherwise(billy: Billy) -> None:
    billy.server.sandbox.switch(
        faults=[
            Fault(kind="timeout-after", methods=("PUT",), limit=1),
            Fault(kind="5xx-after", methods=("PUT",)),
        ]
    )
    error = billy.call("PUT", answer_seconds=1.0)
    assert isinstance(error, OutcomeUnknown) and error.timed_out
    assert billy.requests("PUT") == 5


# -- the limit ---------------------------------------------------------------------------------------------------------


def limited(billy: Billy, *, refusals: int = 1, **switches: Any) -> NoLimit:
    """A sandbox whose window is used up, and a limiter for which it opens after so many refusals."""

    def wait() -> None:
        if len(limiter.pushed_back) == refusals:
            billy.server.sandbox.switch(rate_limit=None)

    billy.uses_up_its_window(**switches)
    limiter = NoLimit(wait)
    return limiter


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
@pytest.mark.parametrize(
    ("form", "low", "high"),
    [("none", 1, 1), ("seconds", 590, 600), ("date", 590, 600)],
    ids=["absent", "seconds", "date"],
)
def test_after_a_429_everything_waits_as_billy_asks_and_is_sent_again(
    billy: Billy, method: str, form: str, low: float, high: float
) -> None:
    limiter = limited(billy, retry_after=form)
    assert billy.call(method, limiter=limiter) is None
    assert billy.requests(method) == 2
    assert len(limiter.pushed_back) == 1 and low <= limiter.pushed_back[0] <= high
    assert billy.creates == (1 if method == "POST" else 0)


def test_without_retry_after_the_waits_grow_for_the_same_request(billy: Billy) -> None:
    limiter = limited(billy, refusals=7)
    assert billy.call("POST", limiter=limiter) is None
    assert limiter.pushed_back == [1, 2, 4, 8, 15, 15, 15]
    assert billy.requests("POST") == 8, "a 429 does not use up the five attempts"
    assert billy.creates == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
def test_a_limit_that_never_ends_is_a_clear_no(billy: Billy, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "LIMIT_TOTAL_SECONDS", 0.0)
    limiter = limited(billy, refusals=1000)
    assert isinstance(billy.call(method, limiter=limiter), RateLimited)
    assert billy.requests(method) == 1
    assert (billy.creates, billy.name) == (0, "Gammel ApS")


def test_retry_after_zero_and_unreadable(imitate: Imitate) -> None:
    for header, wait in {"0": 0.0, "-3": 0.0, "nan": 1.0, "soon": 1.0, "": 1.0, "1e9": 600.0, "inf": 600.0}.items():
        limiter = NoLimit()
        server = imitate(
            lambda seen, header=header: (  # type: ignore[misc]
                Reply(429, headers={"Retry-After": header})
                if seen.number == 1
                else Reply(body={"contact": {"id": "c1"}})
            )
        )
        assert call_imitation(server, "GET", limiter) is None
        assert limiter.pushed_back == [wait], header


def test_retry_after_as_a_date_is_measured_by_billys_own_clock() -> None:
    def seconds(text: str, date: str | None) -> float | None:
        return retry_after_seconds(Answer(429, None, text, date), datetime(2026, 2, 3, 8, 0, 30, tzinfo=UTC))

    until = "Tue, 03 Feb 2026 08:01:00 GMT"
    assert seconds(until, None) == 30
    assert seconds(until, "Tue, 03 Feb 2026 08:00:00 GMT") == 60
    assert seconds(until, "Tue, 03 Feb 2026 09:00:00 GMT") == 0
    assert seconds(until, "no date") == 30
    assert seconds("Tue, 03 Feb 2026 08:01:00 -0000", None) == 30
    assert seconds("Thu, 03 Feb 2028 08:01:00 GMT", None) == retries.LONGEST_RETRY_AFTER


def test_refusals_for_the_limit_do_not_use_up_the_patience_for_failures(imitate: Imitate) -> None:
    script = [429] * 6 + [503, 503, 429, 503, 429, 503]
    server = imitate(
        lambda seen: Reply(script[seen.number - 1]) if seen.number <= 12 else Reply(body={"contact": {"id": "c1"}})
    )
    assert call_imitation(server, "GET") is None
    assert len(server.seen) == 13


def test_patience_for_failures_is_capped_by_time_too(imitate: Imitate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "TOTAL_SECONDS", 0.0)
    server = imitate(lambda seen: Reply(503))
    assert isinstance(call_imitation(server, "GET"), Unavailable)
    assert len(server.seen) == 1


def test_the_pause_is_what_billy_asks_for_and_else_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.5)
    monkeypatch.setattr(retries.random, "random", lambda: 0.5)
    pauses: list[float] = []
    patience, state = retries._Patience(), RetryCallState(AsyncRetrying(), None, (), {})
    for asked in (None, 7.0) * 2:
        assert patience.note(Again(Answer(503, None, None, None), asked))
        pauses.append(patience.pause(state))
    assert pauses == [0.5, 7.0, 2.0, 7.0]


# -- final answers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Refused),
        (401, TokenRefused),
        (403, TokenRefused),
        (404, NotFound),
        (405, Refused),
        (409, Refused),
        (422, Refused),
    ],
)
def test_a_clear_no_is_final(imitate: Imitate, method: str, status: int, kind: type[BillyError]) -> None:
    server = imitate(lambda seen: Reply(status, {"errorMessage": "nej", "errorCode": "X"}))
    error = call_imitation(server, method)
    # Which status tells that there is no such record is unverified.
    assert type(error) is (NotFound if method == "GET" and status in (400, 422) else kind)
    assert str(error) == f"Billy answered {status} X: nej"
    assert len(server.seen) == 1


@pytest.mark.parametrize(("method", "requests"), [("GET", 5), ("PUT", 5), ("POST", 1)])
@pytest.mark.parametrize("status", [408, 520, 599])
def test_a_408_and_unusual_server_errors_are_unclear(imitate: Imitate, method: str, requests: int, status: int) -> None:
    server = imitate(lambda seen: Reply(status))
    error = call_imitation(server, method)
    assert type(error) is (Unavailable if method == "GET" else OutcomeUnknown)
    assert len(server.seen) == requests


def call_imitation(server: Imitation, method: str, limiter: NoLimit | None = None) -> BillyError | None:
    async def go() -> BillyError | None:
        async with open_client_for(server, limiter=limiter) as client:
            try:
                await CALLS[method](client, "c1")
            except BillyError as error:
                return error
            return None

    return asyncio.run(go())
