"""Dates as people and programs write them: `01-04-2026`, `1/4-26`, `1. april 2026`, `5/31/2016 0:37`, as YYYY-MM-DD.

Whether day or month comes first is decided by the whole column. A date-time with a zone is the day it was in Denmark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from billy_pipelines.schemas.whole_column import (
    Mask,
    arrow,
    bool_series,
    changed,
    decide,
    mask_of,
    matches,
    text_series,
)

ZONE = "Europe/Copenhagen"


@dataclass(frozen=True)
class Dates:
    """A column of dates."""

    values: pd.Series[str]
    """YYYY-MM-DD; '' for blank; cells that were not read as they are."""
    good: pd.Series[bool]
    """Where `values` is a date or blank."""
    ambiguous: pd.Series[bool]
    """Cells that cannot be read because the column does not say how."""
    readings: tuple[str, str, str] | None
    """One of them, with what it is read day first and what month first."""


Days = npt.NDArray[np.datetime64]
Whole = npt.NDArray[np.int64]

_ENGLISH = "january|february|march|april|may|june|july|august|september|october|november|december"
_DANISH = "januar|februar|marts|april|maj|juni|juli|august|september|oktober|november|december"
_MONTHS = {
    name[:letters]: month
    for names in (_ENGLISH, _DANISH)
    for month, name in enumerate(names.split("|"), 1)
    for letters in (3, 9)
}
_MONTHS["sept"] = 9
_DANISH_ONLY = "(?i)^(?:januar|februar|marts|maj|juni|juli|okt|oktober)$"
_WEEKDAY = (
    r"(?:(?:man|tirs|ons|tors|fre|lør|søn)(?:dag)?|(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?)\.?"
)

_YEAR = "(?:19|20|21)[0-9]{2}"
_TIME = (
    r"(?:(?:t|,? +)(?:kl\.? ?)?(?P<hour>[01]?[0-9]|2[0-3])[:.](?P<minute>[0-5][0-9])(?:[:.][0-5][0-9](?:[.,][0-9]+)?)?"
    r" ?(?P<half>[ap]\.?m\.?)? ?(?:(?:utc|gmt)?(?P<zone>[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)|(?P<utc>z|utc|gmt))?)?$"
)
# A colon is never part of a date, so this can be cut off unseen; with a zone behind it the time counts.
_TIME_OF_DAY = r"(?i)(?:t|,? +)(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]+)?)?(?: ?[ap]\.?m\.?)?$"
_YEAR_FIRST = rf"(?i)^(?P<year>{_YEAR})[-/.](?P<month>[0-9]{{1,2}})[-/.](?P<day>[0-9]{{1,2}}){_TIME}"
_COMPACT = rf"(?i)^(?P<year>{_YEAR})(?P<month>[0-9]{{2}})(?P<day>[0-9]{{2}}){_TIME}"
_BETWEEN = " ?[-/.] ?| "
_YEAR_LAST = (
    rf"(?i)^(?P<day>[0-9]{{1,2}})(?P<sign>{_BETWEEN})(?P<month>[0-9]{{1,2}})(?P<sign2>{_BETWEEN})"
    rf"(?P<year>{_YEAR}|[0-9]{{2}}){_TIME}"
)
_NAME = r"(?P<name>[a-z]{3,9})"
_DAY_NAME = (
    rf"(?i)^(?:{_WEEKDAY},? +)?(?:den +|d\. ?)?(?P<day>[0-9]{{1,2}})(?P<dot>\.)?(?:st|nd|rd|th)?[ -]*(?:of +)?{_NAME}"
    rf"[.,]?[ -]*(?P<year>{_YEAR}|[0-9]{{2}}){_TIME}"
)
_NAME_DAY = (
    rf"(?i)^(?:{_WEEKDAY},? +)?{_NAME}\.?[ -]*(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th|\.)?(?:,? +|-)"
    rf"(?P<year>{_YEAR}|[0-9]{{2}}){_TIME}"
)
# 20000 is 3 October 1954, 80000 is 10 January 2119: what Excel shows of a date when the column is no date column.
_SERIAL = r"^(?P<serial>[2-7][0-9]{4}|80000)(?:[.,][0-9]+)?$"
_SERIAL_START = np.datetime64("1899-12-30", "D")
_NO_DAY = np.datetime64("NaT", "D")


def read_dates(column: pd.Series[str], typed: pd.Series[bool] | None, order: str) -> Dates:
    """Read a column of dates.

    Args:
        column: trimmed text.
        typed: cells that came as dates or numbers of their own; nothing they can look like is ambiguous.
        order: `day_first`, `month_first`, or `auto` for what the column shows: a day above 12, or signs and month names
            that only Danes write.
    """
    cells = arrow(column)
    short = changed(
        cells, matches(cells, _TIME_OF_DAY), lambda some: pc.replace_substring_regex(some, _TIME_OF_DAY, "")
    )
    encoded = short.dictionary_encode()  # a register has a thousand times fewer days than rows
    texts, places = encoded.dictionary, encoded.indices.to_numpy()
    said = _said(texts)
    first = said.days(day_first=True)
    second = said.days(day_first=False) if said.swaps.any() else first
    one, other = ~np.isnat(first), ~np.isnat(second)
    doubt = np.zeros(len(column), dtype=np.bool_)
    if order == "auto":
        two_ways = said.swaps & (said.month != said.day)
        for_first = (one & ~other) | (one & said.danish)
        for_second = other & ~one
        is_first, doubt = decide(for_first[places], for_second[places], (one & other & two_ways & ~said.danish)[places])
        doubt &= two_ways[places]  # a month's name tells how the others are written, and is clear itself
    else:
        is_first = order == "day_first"
    days = first if is_first else second

    read = (~np.isnat(days))[places] & ~doubt
    values = pa.array(days, type=pa.date32()).cast(pa.large_string()).take(encoded.indices)
    return Dates(
        values=text_series(values if read.all() else pc.if_else(pa.array(read), values, cells), column),
        good=bool_series(read | mask_of(pc.equal(cells, "")), column),
        ambiguous=bool_series(doubt, column),
        readings=_example(cells, places, said, doubt, (one & other)[places]),
    )


@dataclass(frozen=True)
class _Said:
    """What each of some different texts says, not knowing of the others."""

    year: Whole
    """0 where the text is no date."""
    month: Whole
    day: Whole
    """Month and day as they are day first."""
    swaps: Mask
    """Month and day are two numbers that may change places."""
    danish: Mask
    """Written as only Danes do: `1-4-2026`, `1.4.2026`, `1/4-26`, `1. april`, `marts`."""
    zoned: Mask
    minutes: Whole
    """With a zone: from the start of the day to the moment, by the clock of UTC."""

    def days(self, *, day_first: bool) -> Days:
        """The dates, NaT where there is none."""
        swap = self.swaps & (not day_first)
        days = _calendar(self.year, np.where(swap, self.day, self.month), np.where(swap, self.month, self.day))
        if self.zoned.any():
            moments = days[self.zoned].astype("datetime64[m]") + self.minutes[self.zoned].astype("timedelta64[m]")
            local = pd.DatetimeIndex(moments).tz_localize("UTC").tz_convert(ZONE).tz_localize(None)
            days[self.zoned] = local.to_numpy().astype("datetime64[D]")
        return days


def _said(texts: Any) -> _Said:
    count = len(texts)
    year, month, day, minutes = (np.zeros(count, dtype=np.int64) for _ in range(4))
    swaps, danish, zoned = (np.zeros(count, dtype=np.bool_) for _ in range(3))
    usual = changed(texts, ~mask_of(pc.string_is_ascii(texts)), _usual_signs)
    left = np.arange(count)
    for pattern in (_YEAR_FIRST, _COMPACT, _YEAR_LAST, _DAY_NAME, _NAME_DAY, _SERIAL):
        rest = usual.take(pa.array(left))
        hit = matches(rest, pattern)
        at, left = left[hit], left[~hit]
        if not len(at):
            continue
        parts = pc.extract_regex(rest.filter(pa.array(hit)), pattern)
        part = {name.name: pc.struct_field(parts, name.name) for name in parts.type}
        if pattern is _SERIAL:
            year[at], month[at], day[at] = _of_serial(_whole(part["serial"]))
            continue
        short = _whole(part["year"])
        year[at] = np.where(short >= 100, short, np.where(short < 70, 2000 + short, 1900 + short))
        day[at] = _whole(part["day"])
        month[at] = _month_numbers(part["name"]) if "name" in part else _whole(part["month"])
        swaps[at] = pattern is _YEAR_LAST
        danish[at] = _is_danish(part)
        zoned[at] = mask_of(pc.or_(pc.not_equal(part["zone"], ""), pc.not_equal(part["utc"], "")))
        minutes[at] = np.where(zoned[at], _minutes(part), 0)
    return _Said(year, month, day, swaps, danish, zoned, minutes)


def _usual_signs(texts: Any) -> Any:
    texts = pc.replace_substring_regex(texts, "[\u2010-\u2015\u2212]", "-")
    return pc.replace_substring_regex(texts, "[\u00a0\u2000-\u200a\u202f]", " ")


def _whole(digits: Any) -> Whole:
    """Text as whole numbers, 0 for ''."""
    numbers = pc.cast(pc.if_else(pc.equal(digits, ""), "0", digits), pa.int64())
    return np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.int64)


def _month_numbers(names: Any) -> Whole:
    return np.array([_MONTHS.get(name.lower(), 0) for name in names.to_pylist()], dtype=np.int64)


def _is_danish(part: Mapping[str, Any]) -> Mask:
    if "sign" in part:
        one, other = (pc.utf8_trim(part[name], " ") for name in ("sign", "sign2"))
        return matches(one, "[-.]") | mask_of(pc.not_equal(one, other))
    if "dot" in part:
        return mask_of(pc.equal(part["dot"], ".")) | matches(part["name"], _DANISH_ONLY)
    return np.zeros(len(part["year"]), dtype=np.bool_)


def _minutes(part: Mapping[str, Any]) -> Whole:
    """Minutes from the start of the written day to the moment, by the clock of UTC."""
    hour: Whole = _whole(part["hour"])
    half = part["half"]
    hour = np.where(matches(half, "(?i)^a"), hour % 12, np.where(matches(half, "(?i)^p"), hour % 12 + 12, hour))
    zone = pc.replace_substring(part["zone"], ":", "")
    behind = np.where(matches(zone, "^-"), -1, 1)
    offset = 60 * _whole(pc.utf8_slice_codeunits(zone, 1, 3)) + _whole(pc.utf8_slice_codeunits(zone, 3))
    minutes: Whole = hour * 60 + _whole(part["minute"]) - behind * offset
    return minutes


def _of_serial(serial: Whole) -> tuple[Whole, Whole, Whole]:
    days = _SERIAL_START + serial.astype("timedelta64[D]")
    months = days.astype("datetime64[M]")
    month_count = months.astype(np.int64)
    return 1970 + month_count // 12, month_count % 12 + 1, (days - months.astype("datetime64[D]")).astype(np.int64) + 1


def _calendar(year: Whole, month: Whole, day: Whole) -> Days:
    """The dates, NaT where the calendar has none such."""
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1).astype("timedelta64[D]")
    real = (year > 0) & (month >= 1) & (month <= 12) & (day >= 1) & (days.astype("datetime64[M]") == months)
    return np.where(real, days, _NO_DAY)


def _example(cells: Any, places: Whole, said: _Said, doubt: Mask, both: Mask) -> tuple[str, str, str] | None:
    """A cell in doubt as either order has it, one that really fits both if there is one; else an impossible date such
    as `2026-13-01` shows which it does not fit."""
    if not doubt.any():
        return None
    place = int(np.argmax(doubt & both) if (doubt & both).any() else np.argmax(doubt))
    at = places[place]
    year, month, day = int(said.year[at]), int(said.month[at]), int(said.day[at])
    return cells[place].as_py(), f"{year}-{month:02}-{day:02}", f"{year}-{day:02}-{month:02}"
