"""Permits: how they are handed out and taken back, on a clock of the test's own, and with the real budget."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from sqlalchemy import Engine, text

from billy_pipelines.billy.rate_limit import LOOK_AHEAD_SECONDS, MOST_AT_ONCE, RateLimiter
from billy_pipelines.database.engine import open_engine
from billy_pipelines.database.jobs import mirror_organization
from billy_pipelines.database.rate import RateRow, Reservation

T = TypeVar("T")


class Clock(selectors.DefaultSelector):
    """Time that passes only where the loop would wait for a timer, and then at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits for somebody else"
        self.now += timeout
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: Clock) -> None:
        self._of_test = clock
        super().__init__(clock)

    def time(self) -> float:
        return self._of_test.now


@dataclass
class Budget:
    """The budget as the database keeps it, in memory: one queue, evenly spaced."""

    clock: Clock
    rate: float
    next_permit_at: float = 0.0
    reserved: list[int] = field(default_factory=list)
    """How many permits were asked for each time."""
    pushed_back: list[float] = field(default_factory=list)
    away: bool = False

    def reserve(self, permits: int) -> Reservation:
        self._answer()
        self.reserved.append(permits)
        first = max(self.next_permit_at, self.clock.now)
        self.next_permit_at = first + permits / self.rate
        return Reservation(first - self.clock.now, 1 / self.rate, permits)

    def push_back(self, seconds: float) -> None:
        self._answer()
        self.pushed_back.append(seconds)
        self.next_permit_at = max(self.next_permit_at, self.clock.now + seconds)

    def _answer(self) -> None:
        if self.away:
            raise ConnectionError("the database is away")


@pytest.fixture
def clock() -> Clock:
    return Clock()


def run(clock: Clock, scenario: Callable[[], Coroutine[Any, Any, T]]) -> T:
    with asyncio.Runner(loop_factory=lambda: _Loop(clock)) as runner:
        return runner.run(scenario())


async def at_once(function: Callable[[], T]) -> T:
    return function()


async def slowly(function: Callable[[], T]) -> T:
    """An answer of the database that takes 0.1 s to come back."""
    result = function()
    await asyncio.sleep(0.1)
    return result


async def departures(clock: Clock, wanted: Mapping[RateLimiter, int]) -> list[float]:
    """When so many requests of each limiter, all waiting from now on, may leave."""
    times: list[float] = []

    async def one(limiter: RateLimiter) -> None:
        await limiter.acquire()
        times.append(clock.now)

    await asyncio.gather(*(one(limiter) for limiter, count in wanted.items() for _ in range(count)))
    return times


# -- handing out -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.5, 2, 7, 300])
def test_requests_leave_one_by_one_at_the_rate_of_the_budget(clock: Clock, rate: float) -> None:
    times = run(clock, lambda: departures(clock, {RateLimiter(Budget(clock, rate), at_once): 20}))
    assert times == pytest.approx([number / rate for number in range(20)])


def test_limiters_of_several_processes_share_the_rate(clock: Clock) -> None:
    budget = Budget(clock, rate=40)
    limiters = [RateLimiter(budget, at_once) for _ in range(3)]
    times = sorted(run(clock, lambda: departures(clock, dict.fromkeys(limiters, 30))))
    assert min(later - earlier for earlier, later in pairwise(times)) == pytest.approx(1 / 40)
    assert times[-1] <= sum(budget.reserved) / 40, "permits were lost"
    assert sum(budget.reserved) < 90 + 3 * 10, "each keeps at most one group that it does not need"


@pytest.mark.parametrize(("rate", "group"), [(2, 1), (40, 10), (1000, MOST_AT_ONCE)])
def test_permits_are_reserved_in_groups_for_a_quarter_of_a_second(clock: Clock, rate: float, group: int) -> None:
    budget = Budget(clock, rate)
    run(clock, lambda: departures(clock, {RateLimiter(budget, at_once): 101}))
    assert budget.reserved[0] == 1, "before anything is known of the rate"
    assert set(budget.reserved[1:]) == {group}


def test_after_a_pause_one_permit_is_reserved_to_learn_the_rate(clock: Clock) -> None:
    """A rate that lay idle begins at 2/s again: a group of 250 would book two minutes of it."""
    budget = Budget(clock, 1000)
    limiter = RateLimiter(budget, at_once)

    async def scenario() -> None:
        await departures(clock, {limiter: 3})
        await asyncio.sleep(60)
        budget.rate = 2
        await departures(clock, {limiter: 3})

    run(clock, scenario)
    assert budget.reserved[-3:] == [1, 1, 1]
    assert clock.now < 65


def test_permits_nobody_wanted_in_their_time_are_not_saved_up(clock: Clock) -> None:
    budget = Budget(clock, rate=100)
    limiter = RateLimiter(budget, at_once)

    async def scenario() -> list[float]:
        await departures(clock, {limiter: 2})
        assert sum(budget.reserved) > 20, "there are permits left in hand"
        await asyncio.sleep(10)
        began = clock.now
        return [each - began for each in await departures(clock, {limiter: 50})]

    times = run(clock, scenario)
    assert times == pytest.approx([number / 100 for number in range(50)])


def test_who_gives_up_waiting_keeps_nobody_waiting(clock: Clock) -> None:
    limiter = RateLimiter(Budget(clock, rate=1), slowly)

    async def scenario() -> list[float]:
        quitters = [asyncio.create_task(limiter.acquire()) for _ in range(3)]
        patient = asyncio.create_task(departures(clock, {limiter: 2}))
        await asyncio.sleep(0.05)
        for task in quitters:
            task.cancel()
        return await patient

    assert max(run(clock, scenario)) <= 4


# -- after a 429 -------------------------------------------------------------------------------------------------------


def test_after_a_refusal_everybody_who_waits_leaves_after_the_time_billy_asks_for(clock: Clock) -> None:
    budget = Budget(clock, rate=100)
    limiter = RateLimiter(budget, at_once)

    async def scenario() -> list[float]:
        await departures(clock, {limiter: 2})
        refused_at = clock.now
        waiting = asyncio.create_task(departures(clock, {limiter: 40}))
        await asyncio.sleep(0)
        await limiter.push_back(30)
        return [each - refused_at for each in await waiting]

    times = run(clock, scenario)
    assert budget.pushed_back == [30]
    assert min(times) == pytest.approx(30)
    assert sorted(times) == times


def test_no_reservation_on_its_way_overtakes_a_refusal(clock: Clock) -> None:
    budget = Budget(clock, rate=100)
    limiter = RateLimiter(budget, slowly)

    async def scenario() -> list[float]:
        asking = asyncio.create_task(departures(clock, {limiter: 5}))
        await asyncio.sleep(0.05)
        await limiter.push_back(30)
        return await asking

    assert min(run(clock, scenario)) >= 30


def test_a_refusal_that_cannot_be_told_is_an_error_and_stops_nobody(clock: Clock) -> None:
    budget = Budget(clock, rate=10)
    limiter = RateLimiter(budget, at_once)

    async def scenario() -> list[float]:
        budget.away = True
        with pytest.raises(ConnectionError):
            await limiter.push_back(1)
        with pytest.raises(ConnectionError):
            await limiter.acquire()
        budget.away = False
        return await departures(clock, {limiter: 3})

    assert run(clock, scenario) == pytest.approx([0, 0.1, 0.2])


@pytest.mark.timeout(20)
def test_a_refusal_given_up_while_it_stands_in_line_does_not_hang_the_others(clock: Clock) -> None:
    budget = Budget(clock, rate=10)

    async def scenario() -> None:
        answered = asyncio.get_running_loop().create_future()

        def held(function: Callable[[], T]) -> Awaitable[T]:
            async def wait() -> T:
                await answered
                return function()

            return wait()

        limiter = RateLimiter(budget, held)
        holder = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        telling = asyncio.create_task(limiter.push_back(1))
        await asyncio.sleep(0)
        # In one turn of the loop: the holder goes on, somebody new comes, and only then the cancelled one wakes up.
        answered.set_result(None)
        newcomer = asyncio.create_task(limiter.acquire())
        telling.cancel()
        await asyncio.gather(holder, newcomer)
        assert telling.cancelled()

    run(clock, scenario)
    assert budget.pushed_back == []


# -- with the real budget ----------------------------------------------------------------------------------------------


def _organization(engine: Engine, *, rate: float) -> None:
    """An organization whose rate has grown and stays where it is."""
    with engine.begin() as connection:
        mirror_organization(connection, "default")
        connection.execute(
            text("UPDATE billy.billy_organizations SET rate = :r, rate_changed_at = now() + interval '1 hour'"),
            {"r": rate},
        )


def test_two_processes_share_one_row_in_postgres(engine: Engine, database_url: str) -> None:
    other = open_engine(database_url)
    _organization(engine, rate=60)

    async def scenario() -> list[float]:
        limiters = [RateLimiter(RateRow(each, "default", 60), asyncio.to_thread) for each in (engine, other)]
        times: list[float] = []

        async def one(limiter: RateLimiter) -> None:
            await limiter.acquire()
            times.append(time.monotonic())

        await asyncio.gather(*(one(limiter) for limiter in limiters for _ in range(15)))
        return sorted(times)

    times = asyncio.run(scenario())
    other.dispose()
    assert len(times) == 30
    assert times[-1] - times[0] >= 29 / 60 - 0.05, "together they were faster than the token's rate"


def test_a_refusal_of_one_process_holds_back_the_other(engine: Engine, database_url: str) -> None:
    other = open_engine(database_url)
    _organization(engine, rate=1000)

    async def scenario() -> float:
        refused, bystander = (
            RateLimiter(RateRow(each, "default", 1000), asyncio.to_thread) for each in (engine, other)
        )
        await refused.acquire()
        began = time.monotonic()
        await refused.push_back(LOOK_AHEAD_SECONDS * 2)
        await bystander.acquire()
        return time.monotonic() - began

    waited = asyncio.run(scenario())
    other.dispose()
    assert waited >= LOOK_AHEAD_SECONDS * 2
