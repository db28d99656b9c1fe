"""Filters of lists: what each parameter means, and how sure we are that Billy honours it.

Parameters that are no filter are ignored without an error (observed). A wrong value in a known filter is refused, by
one report with 404 (unverified).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .periods import period
from .properties import is_date
from .record import Values

if TYPE_CHECKING:
    from .books import Books

Predicate = Callable[[Values], bool]
Mark = Literal["documented", "observed", "unverified"]

_FLAGS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True)
class Filter:
    """One parameter. `meaning` turns its text into a test of a record's values, or raises ValueError."""

    mark: Mark
    meaning: Callable[[str, Books], Predicate]
    index: str | None = None
    """The indexed key that must equal the text: the index is asked instead."""


def same(mark: Mark, key: str, *, indexed: bool = False) -> Filter:
    """The key equals the text."""

    def meaning(text: str, books: Books) -> Predicate:
        return lambda values: values[key] is not None and str(values[key]) == text

    return Filter(mark, meaning, key if indexed else None)


def one_of(mark: Mark, key: str, *words: str) -> Filter:
    """The key equals one of some words; another word is refused."""

    def meaning(text: str, books: Books) -> Predicate:
        if text not in words:
            raise ValueError(text)
        return lambda values: values[key] == text

    return Filter(mark, meaning)


def flag(mark: Mark, key: str) -> Filter:
    """The key is true or false; null counts as false (our choice)."""

    def meaning(text: str, books: Books) -> Predicate:
        wanted = _FLAGS.get(text.lower())
        if wanted is None:
            raise ValueError(text)
        return lambda values: bool(values[key]) is wanted

    return Filter(mark, meaning)


def amount(mark: Mark, key: str) -> Filter:
    """The key equals a number."""

    def meaning(text: str, books: Books) -> Predicate:
        wanted = float(text)
        return lambda values: values[key] == wanted

    return Filter(mark, meaning)


def limit(mark: Mark, key: str, *, least: bool) -> Filter:
    """The key is a date or time not before, or not after, the one given; one without the other half is the whole day.

    Limits of a time use a blank between date and time (documented).
    """

    def meaning(text: str, books: Books) -> Predicate:
        if not is_date(text[:10]):
            raise ValueError(text)
        wanted = text.replace(" ", "T")
        length = len(wanted)
        if least:
            return lambda values: values[key] is not None and values[key][:length] >= wanted
        return lambda values: values[key] is not None and values[key][:length] <= wanted

    return Filter(mark, meaning)


def within(mark: Mark, key: str, *forms: str) -> Filter:
    """The key lies in a period, given in one of the forms."""

    def meaning(text: str, books: Books) -> Predicate:
        if text.partition(":")[0] not in forms:
            raise ValueError(text)
        first, last = (day.isoformat() for day in period(text, books.organization.values["fiscalYearEndMonth"] or 12))
        return lambda values: values[key] is not None and first <= values[key][:10] <= last

    return Filter(mark, meaning)


def search(mark: Mark, words: Callable[[Values, Books], list[Any]]) -> Filter:
    """`q`: the text occurs in one of a record's words, whatever the case (how Billy compares is unknown)."""

    def meaning(text: str, books: Books) -> Predicate:
        wanted = text.casefold()
        return lambda values: any(wanted in str(word).casefold() for word in words(values, books) if word is not None)

    return Filter(mark, meaning)
