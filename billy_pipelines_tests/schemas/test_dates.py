"""Dates: what people write is the day they mean, or refused because the column does not say which day it is."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billy_pipelines.schemas.dates import Dates, read_dates

DANISH_MONTHS = "januar|februar|marts|april|maj|juni|juli|august|september|oktober|november|december"
ENGLISH_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"


def in_danish(day: date) -> str:
    return DANISH_MONTHS.split("|")[day.month - 1]


def in_english(day: date) -> str:
    return ENGLISH_MONTHS.split("|")[day.month - 1]


def read(*cells: str, order: str = "auto") -> Dates:
    return read_dates(pd.Series(list(cells), dtype="str"), None, order)


def values(*cells: str, order: str = "auto") -> list[str]:
    dates = read(*cells, order=order)
    assert dates.good.all(), list(cells)
    assert not dates.ambiguous.any()
    assert dates.readings is None
    return list(dates.values)


# -- single cells ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    [
        *("2026-04-01", "2026-4-1", "2026/04/01", "2026.04.01", "20260401"),
        *(
            "01-04-2026",
            "1-4-2026",
            "1-4-26",
            "1–4–2026",
            "01.04.2026",
            "1.4.26",
            "1. 4. 2026",
            "1. 4.26",
            "1/4-26",
            "1/4 2026",
        ),
        *(
            "1. april 2026",
            "1.april 2026",
            "1 apr 2026",
            "1. apr. 2026",
            "1-apr-26",
            "1-Apr-2026",
            "01APR2026",
            "1. april 26",
        ),
        *(
            "den 1. april 2026",
            "d. 1. april 2026",
            "onsdag den 1. april 2026",
            "onsdag d. 1. april 2026",
            "ons. 1. april 2026",
        ),
        *(
            "April 1, 2026",
            "april 1 2026",
            "Apr 1, 2026",
            "Wednesday, April 1, 2026",
            "1st of April 2026",
            "April 1st, 2026",
        ),
        *(
            "2026-04-01 13:30",
            "2026-04-01T13:30:59",
            "2026-04-01T13:30:59.123",
            "01-04-2026 13.30",
            "01-04-2026 kl. 13.30",
        ),
        *("1. april 2026 13:30", "20260401 13:30", "46113", "46113.5", "46113,75"),
        *("2026-04-01T13:30:59Z", "2026-04-01T13:30:59+02:00", "2026-04-01 13:30:59 +0200", "2026-04-01 13:30 UTC"),
    ],
)
def test_ways_to_write_one_day(cell: str) -> None:
    assert values(cell) == ["2026-04-01"]


@pytest.mark.parametrize("month", range(1, 13))
def test_names_of_all_months(month: int) -> None:
    danish, english = in_danish(date(2026, month, 2)), in_english(date(2026, month, 2))
    cells = [f"2. {danish} 2026", f"2. {danish[:3]} 2026", f"{english} 2, 2026", f"2 {english[:3].upper()} 2026"]
    assert values(*cells) == [f"2026-{month:02}-02"] * 4


def test_years_of_two_digits() -> None:
    assert values("1-4-00", "1-4-69", "1-4-70", "1-4-99") == ["2000-04-01", "2069-04-01", "1970-04-01", "1999-04-01"]


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("2025-10-07 09:50:26 +0200", "2025-10-07"),
        ("2026-03-31T22:00:00.000Z", "2026-04-01"),  # what a browser makes of 1 April in Denmark
        ("2026-03-31T21:59:59Z", "2026-03-31"),
        ("2025-12-31T23:00:00Z", "2026-01-01"),
        ("2025-12-31T22:59:00Z", "2025-12-31"),
        ("2025-12-31 23:30:00 -0500", "2026-01-01"),
        ("2026-01-01T08:00:00+09:00", "2026-01-01"),
        ("2026-01-01T07:59:00+09:00", "2025-12-31"),
        ("12/31/2025 11:30 PM UTC", "2026-01-01"),
        ("12/31/2025 12:30 AM UTC", "2025-12-31"),
    ],
)
def test_a_moment_is_the_day_it_was_in_denmark(cell: str, day: str) -> None:
    assert values(cell) == [day]


@pytest.mark.parametrize(
    "cell",
    [
        *(
            "31-02-2026",
            "29-02-2026",
            "31/4-26",
            "32-01-2026",
            "00-00-0000",
            "0000-00-00",
            "2026-13-01",
            "20261301",
            "1-4-226",
        ),
        *(
            "0026-04-01",
            "9999-12-31",
            "1826-04-01",
            "99-04-01",
            "april 2026",
            "apr-26",
            "1. april",
            "1. foo 2026",
            "i går",
        ),
        *(
            "2026-04-01T25:00",
            "2026-04-01 13:60",
            "12:30",
            "13.30",
            "19999",
            "80001",
            "4611",
            "1-4",
            "2026",
            "#I/T",
            "-",
            "1--4-26",
        ),
        *("٠١-٠٤-٢٠٢٦", "true", "31. april 2026", "February 29, 2026"),
    ],
)
def test_what_is_no_date_keeps_its_text(cell: str) -> None:
    dates = read(cell)
    assert list(dates.values) == [cell]
    assert not dates.good.any()
    assert not dates.ambiguous.any()


def test_leap_days() -> None:
    assert values("29-02-2024", "2000-02-29") == ["2024-02-29", "2000-02-29"]


def test_blank_is_good_and_stays_blank() -> None:
    assert values("", "2026-04-01", "") == ["", "2026-04-01", ""]
    assert values() == []


# -- the whole column decides ------------------------------------------------------------------------------------------


def test_with_slashes_only_and_no_day_above_12_the_column_is_refused_with_an_example() -> None:
    dates = read("04/04/2026", "01/04/2026", "", "2026-05-06", "x")
    assert list(dates.ambiguous) == [False, True, False, False, False]
    assert list(dates.good) == [True, False, True, True, False]
    assert list(dates.values) == ["2026-04-04", "01/04/2026", "", "2026-05-06", "x"]
    assert dates.readings == ("01/04/2026", "2026-04-01", "2026-01-04")


@pytest.mark.parametrize(
    ("cells", "days"),
    [
        (["01/04/2026", "13/04/2026"], ["2026-04-01", "2026-04-13"]),
        (["01/04/2026", "04/13/2026"], ["2026-01-04", "2026-04-13"]),
        (["5/31/2016 0:37", "6/1/2016 12:01"], ["2016-05-31", "2016-06-01"]),
        (["01 04 2026", "13 04 2026"], ["2026-04-01", "2026-04-13"]),
        (["04-13-2026", "04-14-2026"], ["2026-04-13", "2026-04-14"]),
    ],
)
def test_a_day_above_12_decides(cells: list[str], days: list[str]) -> None:
    assert values(*cells) == days


@pytest.mark.parametrize(
    "sign", ["01-05-2026", "1.5.2026", "1/5-26", "1/5 2026", "1. maj 2026", "1 maj 2026", "1. may 2026"]
)
def test_what_only_danes_write_means_day_first(sign: str) -> None:
    assert values(sign, "02/04/2026") == ["2026-05-01", "2026-04-02"]


def test_english_names_and_iso_dates_decide_nothing() -> None:
    assert list(read("May 1, 2026", "2026-05-01", "46113", "02/04/2026").ambiguous) == [False, False, False, True]


def test_cells_that_contradict_each_other_are_not_guessed() -> None:
    dates = read("13/04/2026", "14/04/2026", "04/15/2026", "01/04/2026", "2026-04-01")
    assert list(dates.ambiguous) == [False, False, True, True, False]
    assert list(dates.values) == ["2026-04-13", "2026-04-14", "04/15/2026", "01/04/2026", "2026-04-01"]
    assert dates.readings == ("01/04/2026", "2026-04-01", "2026-01-04")


def test_one_mistyped_danish_date_turns_no_other() -> None:
    dates = read("01-12-2025", "02-12-2025", "12-13-2025")
    assert list(dates.ambiguous) == [False, False, True]
    assert list(dates.values) == ["2025-12-01", "2025-12-02", "12-13-2025"]
    assert dates.readings == ("12-13-2025", "2025-13-12", "2025-12-13")


def test_a_months_name_is_never_in_doubt_itself() -> None:
    dates = read("1. marts 2026", "04/13/2026", "04/14/2026")
    assert not dates.ambiguous[0]
    assert dates.values[0] == "2026-03-01"


def test_the_option_decides() -> None:
    assert values("01/04/2026", order="day_first") == ["2026-04-01"]
    assert values("01/04/2026", "01-04-2026", "1. maj 2026", order="month_first") == [
        "2026-01-04",
        "2026-01-04",
        "2026-05-01",
    ]
    refused = read("13/04/2026", order="month_first")
    assert list(refused.values) == ["13/04/2026"]
    assert not refused.good.any()


def test_typed_cells_are_read_like_any_other() -> None:
    column = pd.Series(["2026-04-01T00:00:00", "46113", "01-04-2026"], dtype="str", index=[3, 5, 7])
    dates = read_dates(column, pd.Series([True, True, False], index=column.index), "auto")
    assert list(dates.values) == ["2026-04-01"] * 3
    assert list(dates.good.index) == [3, 5, 7]


# -- any dates ---------------------------------------------------------------------------------------------------------

days = st.dates(date(1970, 1, 1), date(2069, 12, 31))
DAY_FIRST = [
    "{0.day:02}-{0.month:02}-{0.year}",
    "{0.day}.{0.month}.{0.year}",
    "{0.day}/{0.month}-{1}",
    "{0.day:02}/{0.month:02}/{0.year}",
    "{0.day}/{0.month}/{1} 9:05",
    "{0.day}. {2} {0.year}",
    "{0.day} {3} {0.year}",
]
MONTH_FIRST = [
    "{0.month:02}/{0.day:02}/{0.year}",
    "{0.month}/{0.day}/{1}",
    "{0.month}/{0.day}/{0.year} 0:37",
    "{3} {0.day}, {0.year}",
]
EITHER = ["{0}", "{0.year}{0.month:02}{0.day:02}", "{0} 23:59:59", "{3} {0.day}, {0.year}"]


def written(day: date, form: str) -> str:
    return form.format(day, f"{day.year % 100:02}", in_danish(day), in_english(day))


@given(st.lists(days, min_size=1, max_size=8), st.sampled_from([DAY_FIRST + EITHER, MONTH_FIRST + EITHER]), st.data())
def test_any_column_is_read_as_meant_or_refused_never_wrong(
    meant: list[date], forms: list[str], data: st.DataObject
) -> None:
    form = st.sampled_from(forms)
    dates = read(*(written(day, data.draw(form)) for day in meant))
    assert (dates.good ^ dates.ambiguous).all()
    for value, day, good in zip(dates.values, meant, dates.good, strict=True):
        assert not good or value == day.isoformat()


clock_times = st.builds(datetime.combine, days, st.times())


@given(clock_times, st.integers(-12, 14), st.sampled_from(["%z", " %z"]))
def test_any_moment_is_the_day_it_was_in_denmark(moment: datetime, hours: int, zone: str) -> None:
    there = moment.replace(microsecond=0, tzinfo=timezone(timedelta(hours=hours)))
    here = there.astimezone(ZoneInfo("Europe/Copenhagen")).date()
    assert values(there.strftime(f"%Y-%m-%dT%H:%M:%S{zone}")) == [here.isoformat()]


@given(st.integers(20_000, 80_000))
def test_any_serial_number_of_a_spreadsheet(number: int) -> None:
    assert values(str(number)) == [(date(1899, 12, 30) + timedelta(days=number)).isoformat()]


noise = st.text(st.sampled_from(list("0123456789-/. :TZapm,")) | st.characters(exclude_categories=["Cs"]), max_size=14)


@given(st.lists(noise, max_size=6), st.sampled_from(["auto", "day_first", "month_first"]))
def test_anything_at_all_is_a_date_or_kept(cells: list[str], order: str) -> None:
    dates = read(*cells, order=order)
    for cell, value, good in zip(cells, dates.values, dates.good, strict=True):
        if good and cell:
            assert re.fullmatch(r"\d{4}-\d\d-\d\d", value)
            date.fromisoformat(value)
        else:
            assert value == cell
