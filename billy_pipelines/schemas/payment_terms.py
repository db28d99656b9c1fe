"""Payment terms as people write them: `Netto 8 dage`, `Løbende måned + 15`, `Kontant`, `Net 30`, a due date (rule B15).

A cell is cleaned to one spelling (`net 8`, `netEndOfMonth 15`, `date 2026-05-01`), which reads back as what it is. What
can mean two things is unknown: a bare `14` is a number of days in one program and the number of a term in another, and
`30 dage løbende måned` counts from the invoice's date for some, from the end of its month for others.
"""

from __future__ import annotations

import calendar
import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import pandas as pd

from billy_pipelines.schemas.row_schema import Context, Report
from billy_pipelines.schemas.whole_column import by_word

_DAY = r"(?:dages?|dg|days?|d)"
_CASH = re.compile(
    r"(?:net(?:to)? )?kontant(?: ?betaling)?|straks|cash|immediate(?:ly)?|(?:due )?(?:up)?on receipt|ved modtagelse"
)
_BEFORE = r"(?:(?:betaling|betales|betalingsfrist|forfalder|payment|due|terms|inden for|inden|within|senest|in|om) )*"
_AFTER = (
    r"(?: (?:net(?:to)?|kredit|credit|betaling|betalingsfrist|(?:fra|efter) fakturadato(?:en)?"
    r"|(?:from|after) (?:the )?invoice date))*"
)
_NET = re.compile(rf"{_BEFORE}(?:net(?:to)? ?(\d{{1,3}})(?: ?{_DAY})?|(\d{{1,3}}) ?{_DAY}){_AFTER}")
_MONTH = (
    r"(?:(?:løbende|loebende|løb|lbd|lb) ?(?:måned|maaned|mdr|md)|l ?m|netendofmonth|eom|(?:the )?end of (?:the )?month"
    r"|month end|current month)"
)
_END_OF_MONTH = re.compile(rf"(?:net(?:to)? )?{_MONTH}(?: ?(?:\+|plus|og)? ?(\d{{1,3}})(?: ?{_DAY})?)?(?: net(?:to)?)?")
_DATE = re.compile(
    r"(?:date |dato |forfald(?:er|sdato)? |due (?:date |on )?|senest |den )*"
    r"(?:(\d{4})-(\d{1,2})-(\d{1,2})|(\d{1,2})[-.](\d{1,2})[-.](\d{4}))"
)


@dataclass(frozen=True)
class Terms:
    """When an invoice is due. `mode` is spelled as Billy's `paymentTermsMode`."""

    mode: str
    """`net`: days after its date; `netEndOfMonth`: days after the end of its month; `date`: on a date."""
    days: int = 0
    date: str = ""
    """YYYY-MM-DD, with mode `date`."""

    @property
    def text(self) -> str:
        """The one spelling; `parse_terms` reads it back."""
        return f"{self.mode} {self.date or self.days}"

    def due(self, entry_date: str) -> str:
        """The due date of an invoice of that date, both YYYY-MM-DD."""
        if self.mode == "date":
            return self.date
        day = date.fromisoformat(entry_date)
        if self.mode == "netEndOfMonth":
            day = day.replace(day=calendar.monthrange(day.year, day.month)[1])
        return (day + timedelta(days=self.days)).isoformat()


@lru_cache(maxsize=10_000)
def parse_terms(text: str) -> Terms | None:
    """The terms a cell states, or None when it is not certain what they are."""
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    if found := _DATE.fullmatch(plain):
        return _on_date(*(int(part) for part in (found[1] or found[6], found[2] or found[5], found[3] or found[4])))
    plain = re.sub(r"[.,:;()]|(?<=\w)-(?=\w)", " ", plain)  # a minus stays: -14 is not 14
    plain = " ".join(plain.replace("+", " + ").split())
    if _CASH.fullmatch(plain):
        return Terms("net")
    if found := _NET.fullmatch(plain):
        return Terms("net", int(found[1] or found[2]))
    if found := _END_OF_MONTH.fullmatch(plain):
        return Terms("netEndOfMonth", int(found[1] or 0))
    return None


def _on_date(year: int, month: int, day: int) -> Terms | None:
    try:
        return Terms("date", date=date(year, month, day).isoformat())
    except ValueError:
        return None


def clean_terms(column: pd.Series[str], *, dates: bool) -> tuple[pd.Series[str], pd.Series[bool]]:
    """A column in the one spelling, and whether each cell is known (blanks are). Unknown cells keep their text.

    `dates`: whether a due date is among the terms; for a contact, whose terms hold for every invoice, it is not.
    """

    def spelled(text: str) -> str:
        terms = parse_terms(text)
        return terms.text if terms and (dates or terms.mode != "date") else ""

    return by_word(column, spelled)


def check_contact_terms(cleaned: pd.DataFrame, _: Context, report: Report) -> None:
    """Rule: a contact's payment terms in the one spelling."""
    if "paymentTerms" not in cleaned:
        return
    cleaned["paymentTerms"], known = clean_terms(cleaned["paymentTerms"], dates=False)
    for position in cleaned.index[~known]:
        report(int(position), "unknown_terms", "paymentTerms")
