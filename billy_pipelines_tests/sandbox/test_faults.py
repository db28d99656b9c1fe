"""Rate limit, latency and every kind of fault, over real sockets."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from billy_pipelines.sandbox import Fault, Sandbox, SandboxServer

from .test_records import error

Create = Callable[..., dict[str, Any]]


def post(client: httpx.Client, name: str = "Æblehaven") -> httpx.Response:
    return client.post("/contacts", json={"contact": {"name": name, "countryId": "DK"}})


def post_outcome(client: httpx.Client, name: str = "Æblehaven") -> int | None:
    """The status, None where the connection broke."""
    try:
        return post(client, name).status_code
    except httpx.TransportError:
        return None


# -- rate limit and latency ------------------------------------------------------------------------------------------


def test_the_rate_limit_answers_429_before_any_work(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.switch(rate_limit="3/60")
    assert [post(client).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    response = client.post("/contacts", content=b"not even JSON")
    error(response, 429, "TOO_MANY_REQUESTS")
    assert "retry-after" not in response.headers
    assert len(sandbox.contacts) == 3
    sandbox.switch(rate_limit=None)
    assert post(client).status_code == 200


def test_every_token_has_a_window_of_its_own_that_opens_again(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.switch(rate_limit="1/0.1")
    assert post(client).status_code == 200
    assert client.get("/contacts", headers={"X-Access-Token": "token-two"}).status_code == 200
    deadline = time.monotonic() + 5
    while post(client).status_code == 429:
        assert time.monotonic() < deadline


def test_a_limit_with_a_burst_is_a_bucket_that_fills_again(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.switch(rate_limit="1/60", rate_burst=3, retry_after="seconds")
    answers = [post(client) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 55 <= int(answers[3].headers["retry-after"]) <= 60
    sandbox.switch(rate_limit="1/0.05")
    deadline = time.monotonic() + 10
    while [post(client).status_code for _ in range(4)][-1] == 429:
        assert time.monotonic() < deadline


def test_retry_after_in_seconds_as_a_date_or_zero(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.switch(rate_limit="1/60", retry_after="seconds")
    post(client)
    assert 55 <= int(post(client).headers["retry-after"]) <= 60
    sandbox.switch(retry_after="date")
    wait = parsedate_to_datetime(post(client).headers["retry-after"]) - datetime.now(UTC)
    assert 55 <= wait.total_seconds() <= 61
    sandbox.switch(retry_after="zero")
    assert post(client).headers["retry-after"] == "0"


def test_latency_is_fixed_or_random_and_counts_in_meta_time(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.switch(latency=0.05)
    response = client.get("/contacts")
    assert response.elapsed.total_seconds() > 0.04
    assert 0.02 <= response.json()["meta"]["time"] < 5
    sandbox.switch(latency="0.001-0.02")
    assert len({round(client.get("/contacts").elapsed.total_seconds(), 3) for _ in range(5)}) > 1


def test_slow_requests_are_answered_side_by_side(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.switch(latency="0.1")
    started = time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        outcomes = list(pool.map(lambda number: post_outcome(client, str(number)), range(10)))
    assert outcomes == [200] * 10
    assert time.monotonic() - started < 0.8


# -- kinds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize(("kind", "stored"), [("5xx-before", 0), ("5xx-after", 1)])
def test_5xx_with_an_envelope_or_html(
    client: httpx.Client, sandbox: Sandbox, kind: str, stored: int, status: int
) -> None:
    sandbox.switch(faults=[{"kind": kind, "status": status, "limit": 1}])
    response = post(client)
    assert response.status_code == response.json()["meta"]["statusCode"] == status
    assert len(sandbox.contacts) == len(sandbox.ledger) == stored
    sandbox.switch(faults=[{"kind": kind, "status": status, "body": "html"}])
    response = post(client)
    assert (response.status_code, response.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert response.text.startswith("<html>")
    assert sandbox.faults_fired == {kind: 2}


@pytest.mark.parametrize("form", ["empty", "cut", "html"])
@pytest.mark.parametrize(("kind", "stored"), [("bad-json-before", 0), ("bad-json-after", 1)])
def test_200_with_an_unreadable_body(client: httpx.Client, sandbox: Sandbox, kind: str, stored: int, form: str) -> None:
    sandbox.switch(faults=[{"kind": kind, "form": form}])
    response = post(client)
    assert response.status_code == 200
    assert (response.content == b"") is (form == "empty")
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|delimiter"):
        response.json()
    assert len(sandbox.contacts) == stored


@pytest.mark.parametrize(("kind", "stored"), [("reset-before", 0), ("reset-after", 1), ("reset-mid", 1)])
def test_the_connection_is_reset(client: httpx.Client, sandbox: Sandbox, kind: str, stored: int) -> None:
    sandbox.switch(faults=[{"kind": kind, "limit": 1}])
    with pytest.raises(httpx.ReadError):
        post(client)
    assert len(sandbox.contacts) == stored
    assert sandbox.requests[-1].status is None
    assert sandbox.requests[-1].fault == kind
    assert post(client).status_code == 200


def test_a_reset_within_the_body_comes_after_the_header(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.switch(faults=[{"kind": "reset-mid", "methods": ["GET"]}])
    with client.stream("GET", "/contacts") as response:
        assert response.status_code == 200
        announced = int(response.headers["content-length"])
        got = b""
        with pytest.raises(httpx.ReadError):
            for chunk in response.iter_raw():
                got += chunk
    assert 0 < len(got) < announced


def test_a_time_out_holds_the_request_and_then_closes(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.switch(faults=[{"kind": "timeout-after", "seconds": 0.1}])
    started = time.monotonic()
    with pytest.raises(httpx.RemoteProtocolError, match="disconnected"):
        post(client)
    assert time.monotonic() - started > 0.09  # uvloop's clock counts whole milliseconds
    assert len(sandbox.contacts) == 1


def test_a_client_that_gives_up_first_meets_a_time_out(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.switch(faults=[{"kind": "timeout-after"}])
    with pytest.raises(httpx.ReadTimeout):
        client.post("/contacts", json={"contact": {"name": "Æ", "countryId": "DK"}}, timeout=0.05)
    assert len(sandbox.contacts) == 1


# -- which calls -----------------------------------------------------------------------------------------------------


def test_every_nth_call(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.switch(faults=[Fault(kind="5xx-before", every=3)])
    assert [post(client).status_code for _ in range(7)] == [200, 200, 503, 200, 200, 503, 200]


def test_a_share_of_the_calls_is_the_same_for_the_same_seed(client: httpx.Client, sandbox: Sandbox) -> None:
    def outcomes() -> list[int]:
        sandbox.reset()
        return [post(client).status_code for _ in range(100)]

    sandbox.switch(faults=[{"kind": "5xx-after", "share": 0.3}])
    first = outcomes()
    assert 15 <= first.count(503) <= 45
    assert first == outcomes()
    assert sandbox.faults_fired["5xx-after"] == first.count(503)


def test_a_share_and_every_nth_together(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.switch(faults=[Fault(kind="5xx-before", every=2, share=0.0)])
    assert [post(client).status_code for _ in range(4)] == [200, 503, 200, 503]


def test_a_limit_ends_a_fault_and_setting_it_again_renews_it(client: httpx.Client, sandbox: Sandbox) -> None:
    fault = Fault(kind="5xx-before", limit=2)
    sandbox.switch(faults=[fault])
    assert [post(client).status_code for _ in range(3)] == [503, 503, 200]
    sandbox.switch(latency="0")
    assert post(client).status_code == 200
    sandbox.switch(faults=[fault])
    assert post(client).status_code == 503


def test_faults_hit_writes_only_unless_told_otherwise(client: httpx.Client, sandbox: Sandbox, create: Create) -> None:
    contact_id = create()["id"]
    sandbox.switch(faults=[{"kind": "5xx-before"}])
    assert client.get("/contacts").status_code == 200
    assert client.delete(f"/contacts/{contact_id}").status_code == 503
    sandbox.switch(faults=[{"kind": "5xx-before", "methods": ["GET"]}])
    assert client.get("/contacts").status_code == 503
    assert client.delete(f"/contacts/{contact_id}").status_code == 200


@pytest.mark.parametrize("escaped", [False, True])
def test_poison_hits_the_requests_that_hold_a_text(client: httpx.Client, sandbox: Sandbox, escaped: bool) -> None:
    sandbox.switch(faults=[{"kind": "reset-after", "body_contains": "Gærdet"}])
    assert post_outcome(client, "Æblehaven") == 200
    name = "G\\u00e6rdet" if escaped else "Gærdet"
    body = f'{{"contact": {{"name": "{name}", "countryId": "DK"}}}}'.encode()
    for _ in range(2):
        with pytest.raises(httpx.ReadError):
            client.post("/contacts", content=body)
    assert sandbox.faults_fired == {"reset-after": 2}


def test_a_fault_after_the_commit_leaves_refused_requests_alone(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.switch(faults=[{"kind": "5xx-after", "every": 1}])
    assert post(client, "").status_code == 422
    assert sandbox.faults_fired == {}


def test_the_first_due_fault_wins(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.switch(faults=[{"kind": "5xx-before", "every": 2}, {"kind": "bad-json-before", "form": "empty"}])
    assert [(post(client).status_code) for _ in range(2)] == [200, 503]
    assert sandbox.contacts == []


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "nonsense"},
        {"kind": "5xx-before", "share": 1.5},
        {"kind": "5xx-before", "every": 0},
        {"kind": "5xx-before", "status": 404},
        {"kind": "5xx-before", "methods": []},
        {"kind": "5xx-before", "nonsense": 1},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(sandbox: Sandbox, fault: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="faults"):
        sandbox.switch(faults=[fault])


def test_a_held_request_does_not_keep_the_server_from_stopping() -> None:
    server = SandboxServer(faults=[{"kind": "timeout-after", "seconds": 60}]).start()
    with (
        httpx.Client(base_url=server.url, headers={"X-Access-Token": server.token}) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        outcome = pool.submit(post_outcome, client)
        while not server.sandbox.requests:
            assert not outcome.done()
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 1.5
        assert outcome.result() is None
