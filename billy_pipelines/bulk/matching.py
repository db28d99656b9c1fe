"""Finding the record a row means (rules B5-B7); the order and trust of keys come from the resource's description."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from billy_pipelines.billy.models import Record
from billy_pipelines.schemas.resource import KeyKind, MatchKey, Resource, Row

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Match(Generic[R]):
    """What was found for a row. At most one of `record` and `obstacle` is set; neither means: nothing fits."""

    record: R | None = None
    key: str = ""
    obstacle: str = ""
    """`ambiguous_match`, `possible_duplicate` or `not_found`."""
    candidates: Sequence[R] = ()
    fields: Sequence[str] = ()
    """Fields that contradict, for `possible_duplicate`."""


class Register(Generic[R]):
    """Present records, indexed by every match key. Records can be added as they come into being."""

    def __init__(
        self, resource: Resource[R], records: Iterable[R], match_on: Sequence[str] = (), *, of_file: bool = False
    ) -> None:
        """`of_file`: the records are rows of one file, in which a shared key that comes twice is none any more."""
        self._resource = resource
        self._own_numbers = ("contactNo", "ean") if of_file else ("ean",)
        self._keys = chosen_keys(resource, match_on)
        settling = (KeyKind.CONTENT, KeyKind.WEAK)
        self._names = next((key for kind in settling for key in resource.match_keys if key.kind is kind), None)
        # The name is known by whatever is matched on: settling depends on it.
        self._indexed = {key.name: key for key in (*self._keys, *([self._names] if self._names else []))}
        self._index: dict[str, dict[str, list[R]]] = {name: defaultdict(list) for name in self._indexed}
        self.size = 0
        for record in records:
            self.add(record)

    def add(self, record: R) -> None:
        """Make a record known."""
        self.size += 1
        for key in self._indexed.values():
            for value in key.of_record(record):
                if value:
                    self._index[key.name][value].append(record)

    def find(self, row: Row, *, strongest_only: bool = False) -> Match[R]:
        """The record the row means, by the first key that decides.

        `strongest_only`: the first key the row has a value for decides alone. A delete must not fall through to the
        name once the number it gave is gone: it would take another record of that name.
        """
        for key in self._keys:
            value = key.of_row(row)
            if not value:
                continue
            found = self._index[key.name].get(value, [])
            live = [record for record in found if not self._resource.is_archived(record)]
            match = self._judge(key, row, live or found)
            if match is not None:
                return match
            if strongest_only or (key.must_exist and not found):
                return Match(key=key.name, obstacle="not_found")
        return Match()

    def _judge(self, key: MatchKey[R], row: Row, candidates: list[R]) -> Match[R] | None:
        if not candidates:
            return None
        if key.kind is KeyKind.IDENTITY:
            return _only(key, candidates)
        if key.kind is KeyKind.SHARED:
            # B6: no key where several have it, or the EAN differs: one public body has many EANs. Two rows of a file
            # with a customer number each are two departments of one firm, so there several have it.
            alone = len(candidates) == 1 and not self._numbered_apart(row, candidates[0])
            return _only(key, candidates) if alone else None
        fitting = [record for record in candidates if not self._resource.contradictions(row, record)]
        if fitting:
            return _only(key, fitting)
        fields = sorted({field for record in candidates for field in self._resource.contradictions(row, record)})
        return Match(key=key.name, obstacle="possible_duplicate", candidates=candidates, fields=fields)

    def _numbered_apart(self, row: Row, record: R) -> bool:
        """Whether row and record have numbers of their own (not only a shared one) that differ."""
        for key in self._resource.match_keys:
            if key.name in self._own_numbers and (value := key.of_row(row)):
                present = [number for number in key.of_record(record) if number]
                if present and value not in present:
                    return True
        return False

    def same_name(self, row: Row) -> list[R]:
        """Every record of the row's name, live or archived, whatever is matched on."""
        value = self._names.of_row(row) if self._names else None
        return list(self._index[self._names.name].get(value, [])) if self._names and value else []


def _only(key: MatchKey[R], candidates: Sequence[R]) -> Match[R]:
    if len({record.id for record in candidates}) == 1:
        return Match(candidates[0], key.name)
    return Match(key=key.name, obstacle="ambiguous_match", candidates=candidates)


def chosen_keys(resource: Resource[R], match_on: Sequence[str]) -> list[MatchKey[R]]:
    """The resource's match keys, or those named in `match_on`, in that order.

    Raises:
        ValueError: a name that is no match key.
    """
    usable = [key for key in resource.match_keys if key.kind is not KeyKind.CONTENT]
    if not match_on:
        return usable
    by_name = {key.name: key for key in usable}
    unknown = [name for name in match_on if name not in by_name]
    if unknown:
        raise ValueError(f"match_on: no such key: {', '.join(unknown)}. Known keys: {', '.join(by_name)}.")
    return [by_name[name] for name in match_on]
