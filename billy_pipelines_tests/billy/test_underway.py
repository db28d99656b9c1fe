"""What is true of a write that is cut off: it may have been carried out, or it only waited to be tried (again)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from billy_pipelines.billy import BillyClient, Limiter, Refused, retries
from billy_pipelines.billy.underway import following
from billy_pipelines.sandbox import Fault, SandboxServer

from ..support import NoLimit, Server, open_client_for
from .imitation import Imitation, Reply, Seen

Imitate = Callable[[Callable[[Seen], Reply]], Imitation]
Write = Callable[[BillyClient], Awaitable[None]]
FOR_LONG = 30.0
"""Nothing here waits that long unless it is broken."""


class Held(NoLimit):
    """Grants nothing any more after the first so many permits."""

    def __init__(self, permits: int) -> None:
        super().__init__()
        self._left = permits

    async def acquire(self) -> None:
        await super().acquire()
        self._left -= 1
        if self._left < 0:
            await asyncio.Event().wait()


async def create(client: BillyClient) -> None:
    await client.create("contacts", "contact", {"name": "Ny ApS", "countryId": "DK"})


async def change(client: BillyClient) -> None:
    await client.update("contacts", "contact", "c1", {"name": "Ny ApS"})


def cut_off(server: Server, write: Write, limiter: Limiter, *, seconds: float = FOR_LONG) -> bool:
    """Begin a write and end it at once; whether it may have been carried out."""

    async def go() -> bool:
        async with open_client_for(server, limiter=limiter) as client:
            with following() as traffic:
                task = asyncio.ensure_future(write(client))
            began = time.monotonic()
            await traffic.end(task, seconds)
            assert time.monotonic() - began < FOR_LONG / 2, "it was waited for in vain"
            assert task.cancelled()
            return traffic.may_be_done

    return asyncio.run(go())


@pytest.mark.parametrize("write", [create, change])
def test_what_waits_for_its_first_permit_was_not_carried_out(imitate: Imitate, write: Write) -> None:
    server = imitate(lambda seen: Reply())
    assert not cut_off(server, write, Held(0))
    assert server.seen == []


@pytest.mark.parametrize("write", [create, change])
def test_what_waits_after_a_429_was_not_carried_out_and_its_refusal_is_told(imitate: Imitate, write: Write) -> None:
    server, limiter = imitate(lambda seen: Reply(429, headers={"Retry-After": "60"})), Held(1)
    assert not cut_off(server, write, limiter)
    assert (len(server.seen), limiter.pushed_back) == (1, [60.0])


@pytest.mark.parametrize("write", [create, change])
def test_what_never_reached_billy_was_not_carried_out(
    sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE", FOR_LONG)
    monkeypatch.setattr(retries, "LONGEST_PAUSE", FOR_LONG)
    sandbox.stop()
    assert not cut_off(sandbox, write, NoLimit())


def test_what_waits_after_an_unclear_answer_may_have_been_carried_out(imitate: Imitate) -> None:
    """A 429 to the second try says nothing of the first."""
    server = imitate(lambda seen: Reply(503) if seen.number == 1 else Reply(429))
    assert cut_off(server, change, Held(2), seconds=0.5)
    assert len(server.seen) == 2


def test_what_is_out_is_waited_for_and_may_have_been_carried_out(sandbox: SandboxServer) -> None:
    sandbox.sandbox.switch(faults=[Fault(kind="timeout-after")])
    began = time.monotonic()
    assert cut_off(sandbox, create, NoLimit(), seconds=0.5)
    assert time.monotonic() - began >= 0.5
    assert len(sandbox.sandbox.contacts) == 1


def test_a_clear_no_leaves_nothing_in_doubt(imitate: Imitate) -> None:
    """A refused request can be followed by another one of the same row, as a delete is by archiving."""
    server = imitate(lambda seen: Reply(422, {"errorMessage": "nej"}))

    async def refused_then_held(client: BillyClient) -> None:
        with pytest.raises(Refused):
            await client.update("contacts", "contact", "c1", {"name": "Ny ApS"})
        await client.update("contacts", "contact", "c1", {"isArchived": True})

    assert not cut_off(server, refused_then_held, Held(1))
    assert len(server.seen) == 1
