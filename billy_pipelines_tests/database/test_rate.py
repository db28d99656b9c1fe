"""The rate row: one budget for all processes, slow at first, halved by a refusal. Time passes by setting it back."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import NoResultFound

from billy_pipelines.database.engine import open_engine
from billy_pipelines.database.jobs import mirror_organization
from billy_pipelines.database.rate import SLOWEST_RATE, START_RATE, RateRow

AT_ONCE = 0.4
"""Seconds that a few statements may take here; waits and intervals in these tests are longer."""


@pytest.fixture
def organizations(engine: Engine) -> None:
    with engine.begin() as connection:
        mirror_organization(connection, "default")
        mirror_organization(connection, "another")


@pytest.fixture
def other_engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def row(engine: Engine, organizations: None) -> RateRow:
    return RateRow(engine, "default", 10)


def column(engine: Engine, name: str) -> Any:
    with engine.connect() as connection:
        query = text(f"SELECT {name} FROM billy.billy_organizations WHERE name = 'default'")
        return connection.execute(query).scalar_one()


def time_passes(engine: Engine, seconds: float) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE billy.billy_organizations SET rate_changed_at = rate_changed_at - make_interval(secs => :s),"
                " rate_refused_at = rate_refused_at - make_interval(secs => :s),"
                " next_permit_at = next_permit_at - make_interval(secs => :s)"
            ),
            {"s": seconds},
        )


def grown_to(engine: Engine, rate: float) -> None:
    """The rate has been at this height for long and is being used."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE billy.billy_organizations SET rate = :rate, rate_threshold = NULL,"
                " rate_changed_at = clock_timestamp(), next_permit_at = clock_timestamp()"
                " WHERE name = 'default'"
            ),
            {"rate": rate},
        )


# -- one budget --------------------------------------------------------------------------------------------------------


def test_permits_are_queued_one_after_the_other_over_all_processes(
    engine: Engine, other_engine: Engine, row: RateRow
) -> None:
    other = RateRow(other_engine, "default", 10)
    grown_to(engine, 1)
    time_passes(engine, -3600)  # no growth during this test
    waits = [(other if number % 2 else row).reserve(permits).wait for number, permits in enumerate([3, 5, 1, 2])]
    assert [wait - waits[0] for wait in waits] == pytest.approx([0, 3, 8, 9], abs=AT_ONCE)


def test_nobodys_reservation_is_lost_when_many_ask_at_once(engine: Engine, other_engine: Engine, row: RateRow) -> None:
    other = RateRow(other_engine, "default", 10)
    grown_to(engine, 10)
    time_passes(engine, -3600)
    before: datetime = column(engine, "next_permit_at")
    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(lambda number: (other if number % 2 else row).reserve(2).wait, range(80)))
    assert (column(engine, "next_permit_at") - before).total_seconds() == pytest.approx(160 / 10)
    assert len(waits) == 80


def test_organizations_have_budgets_of_their_own(engine: Engine, row: RateRow) -> None:
    row.reserve(50)
    row.push_back(30)
    assert RateRow(engine, "another", 10).reserve(1).wait == 0
    assert row.reserve(1).wait > 20


def test_permits_nobody_asked_for_are_not_saved_up(engine: Engine, row: RateRow) -> None:
    row.reserve(1)
    time_passes(engine, 30)
    first = row.reserve(20)
    assert first.wait == 0
    assert row.reserve(1).wait == pytest.approx(20 * first.interval, abs=AT_ONCE)


def test_an_organization_that_is_not_there_has_no_budget(engine: Engine) -> None:
    with pytest.raises(NoResultFound):
        RateRow(engine, "nobody", 10).reserve(1)


# -- a slow start ------------------------------------------------------------------------------------------------------


def test_the_rate_starts_slowly_and_doubles_each_second_up_to_the_ceiling(engine: Engine, row: RateRow) -> None:
    rates = []
    for _ in range(5):
        rates.append(1 / row.reserve(1).interval)
        time_passes(engine, 1)
    assert rates == pytest.approx([START_RATE, 4, 8, 10, 10])


def test_within_a_second_the_rate_stays_as_it_is(engine: Engine, row: RateRow) -> None:
    intervals = {row.reserve(1).interval for _ in range(5)}
    assert intervals == {1 / START_RATE}


@pytest.mark.parametrize("ceiling", [1.5, 0.05])
def test_a_ceiling_below_the_start_is_kept(engine: Engine, organizations: None, ceiling: float) -> None:
    row = RateRow(engine, "default", ceiling)
    for _ in range(3):
        assert row.reserve(1).interval == pytest.approx(1 / ceiling)
        time_passes(engine, 1)


def test_a_lowered_ceiling_holds_at_once(engine: Engine, row: RateRow) -> None:
    grown_to(engine, 10)
    assert RateRow(engine, "default", 4).reserve(1).interval == pytest.approx(1 / 4)


def test_after_a_minute_of_silence_the_start_is_slow_again(engine: Engine, row: RateRow) -> None:
    grown_to(engine, 10)
    row.reserve(1)
    time_passes(engine, 55)
    assert row.reserve(1).interval == pytest.approx(1 / 10)
    time_passes(engine, 65)
    assert row.reserve(1).interval == pytest.approx(1 / START_RATE)


# -- a refusal ---------------------------------------------------------------------------------------------------------


def test_after_a_refusal_nobody_gets_a_permit_for_as_long_as_billy_asks(
    engine: Engine, other_engine: Engine, row: RateRow
) -> None:
    grown_to(engine, 8)
    row.push_back(30)
    granted = RateRow(other_engine, "default", 10).reserve(1)
    assert 30 - AT_ONCE < granted.wait <= 30
    assert granted.interval == pytest.approx(1 / 4), "half the rate"


def test_a_refusal_does_not_shorten_what_is_reserved_already(engine: Engine, row: RateRow) -> None:
    grown_to(engine, 1)
    row.reserve(100)
    row.push_back(5)
    assert row.reserve(1).wait > 90


def test_many_refusals_of_one_moment_lower_the_rate_once(engine: Engine, row: RateRow) -> None:
    grown_to(engine, 8)
    for seconds in (1, 2, 1, 1, 3):
        row.push_back(seconds)
    assert column(engine, "rate") == pytest.approx(4)
    assert 3 - AT_ONCE < row.reserve(1).wait <= 3, "the longest time asked for counts"
    time_passes(engine, 10)
    row.push_back(1)
    assert column(engine, "rate") == pytest.approx(3), "a later refusal counts again, and the limit is near by now"


def test_the_rate_grows_again_only_after_a_clean_second_soon_at_first_and_slowly_near_the_limit(
    engine: Engine, row: RateRow
) -> None:
    grown_to(engine, 8)
    row.push_back(2)
    rates = []
    for _ in range(10):
        rates.append(1 / row.reserve(1).interval)
        time_passes(engine, 1)
    # Refused at 8: half of it, back to three quarters at once, by 6 % to nine tenths, then by 1 %.
    assert rates == pytest.approx([4, 4, 4, 6, 6.36, 6.74, 7.15, 7.57, 7.65, 7.73], abs=0.01)


def test_what_was_learned_of_the_limit_outlives_an_idle_time(engine: Engine, row: RateRow) -> None:
    grown_to(engine, 8)
    row.push_back(0)
    time_passes(engine, 3600)
    rates = []
    for _ in range(4):
        rates.append(1 / row.reserve(1).interval)
        time_passes(engine, 1)
    assert rates == pytest.approx([START_RATE, 4, 6, 6.36], abs=0.01), "not beyond three quarters in one step"


def test_the_rate_never_falls_to_nothing_and_never_passes_the_ceiling_again(engine: Engine, row: RateRow) -> None:
    for _ in range(12):
        row.push_back(0)
        time_passes(engine, 10)
    assert column(engine, "rate") == pytest.approx(SLOWEST_RATE)
    for _ in range(60):
        interval = row.reserve(1).interval
        time_passes(engine, 1)
    assert interval == pytest.approx(1 / 10)


def test_a_refusal_before_any_request_is_remembered_too(engine: Engine, row: RateRow) -> None:
    row.push_back(5)
    granted = row.reserve(1)
    assert 5 - AT_ONCE < granted.wait <= 5
    assert granted.interval == pytest.approx(1 / (START_RATE / 2))


# -- work nobody waits for -----------------------------------------------------------------------------------------


def test_background_work_takes_only_what_nobody_else_has_reserved(engine: Engine, row: RateRow) -> None:
    grown_to(engine, 1)
    background = RateRow(engine, "default", 10, background=True)
    row.reserve(3)
    assert background.reserve(5).permits == 0
    time_passes(engine, 30)
    free = background.reserve(5)
    assert (free.permits, free.wait) == (1, 0)
    assert row.reserve(1).permits == 1, "others queue as ever"


def test_background_work_goes_on_beside_a_job_of_hours(
    engine: Engine, row: RateRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billy_pipelines.database.rate.BACKGROUND_PATIENCE", 0.0)
    grown_to(engine, 1)
    background = RateRow(engine, "default", 10, background=True)
    row.reserve(30)
    background._waiting_since = 0.0
    assert background.reserve(1).permits == 1


def test_an_organization_that_is_not_there_keeps_background_work_waiting_for_nothing(engine: Engine) -> None:
    with pytest.raises(NoResultFound):
        RateRow(engine, "nobody", 10, background=True).reserve(1)
