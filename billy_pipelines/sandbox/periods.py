"""Periods in filters: `month:2026-02` and its like, as the first and the last day.

The names of the forms are documented, and so are the examples of all, dates, month, quarter, year and fiscalYear; how a
day, a half-year, `from` and `through` are spelled behind the colon is our choice.
"""

from __future__ import annotations

import calendar
from datetime import date

ALWAYS = (date.min, date.max)


def period(text: str, last_month: int = 12) -> tuple[date, date]:
    """The days from and to which a period value means. `last_month` ends the fiscal year, which has the name of the
    calendar year it ends in (our choice).

    Raises:
        ValueError: no such form, or no such date.
    """
    form, _, value = text.partition(":")
    if form == "all":
        return ALWAYS
    if form == "dates":
        start, _, end = value.partition("...")
        return date.fromisoformat(start), date.fromisoformat(end)
    if form == "day":
        return date.fromisoformat(value), date.fromisoformat(value)
    if form == "from":
        return date.fromisoformat(value), date.max
    if form == "through":
        return date.min, date.fromisoformat(value)
    if form == "month":
        year, number = _pair(value)
        return _months(year, number, 1)
    if form == "quarter":
        year, number = _pair(value)
        return _months(year, 3 * number - 2, 3)
    if form in ("halfYear", "half"):
        year, number = _pair(value)
        return _months(year, 6 * number - 5, 6)
    if form == "year":
        return _months(int(value), 1, 12)
    if form == "fiscalYear":
        year = int(value)
        first = date(year if last_month == 12 else year - 1, last_month % 12 + 1, 1)
        return first, date(year, last_month, calendar.monthrange(year, last_month)[1])
    raise ValueError(f"{text} is no period")


def _pair(value: str) -> tuple[int, int]:
    year, _, number = value.partition("-")
    return int(year), int(number)


def _months(year: int, month: int, count: int) -> tuple[date, date]:
    last = month + count - 1
    return date(year, month, 1), date(year, last, calendar.monthrange(year, last)[1])
