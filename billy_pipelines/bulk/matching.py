"""Finding the record a row means (rules B5-B7); the order and trust of keys come from the resource's description."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from billy_pipelines.billy.models import Record
from billy_pipelines.bulk.spelling import Spellings
from billy_pipelines.schemas.resource import KeyKind, MatchKey, Resource, Row

R = TypeVar("R", bound=Record)
NUMBERS = (KeyKind.IDENTITY, KeyKind.SHARED)
"""Keys of which one value means one record, or few."""


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


class _Unmade(NamedTuple):
    """A row of the file, in place of the record it will become."""

    row: Row
    id: str


class Register(Generic[R]):
    """Present records, indexed by every match key. Records can be added as they come into being."""

    def __init__(self, resource: Resource[R], records: Iterable[R], match_on: Sequence[str] = ()) -> None:
        self._resource = resource
        self._by_name = {key.name: key for key in resource.match_keys}
        self._keys = chosen_keys(resource, match_on)
        settling = (KeyKind.CONTENT, KeyKind.WEAK)
        self._names = next((key for kind in settling for key in resource.match_keys if key.kind is kind), None)
        # Name and numbers are known whatever is matched on: settling depends on them.
        numbers = [key for key in resource.match_keys if key.kind in NUMBERS and not key.must_exist]
        self._numbers = {key.name: key for key in numbers}
        names = {self._names.name: self._names} if self._names else {}
        self._indexed = {key.name: key for key in self._keys} | self._numbers | names
        self._index: dict[str, dict[str, list[R | _Unmade]]] = {name: defaultdict(list) for name in self._indexed}
        self._spellings: Spellings | None = None
        self.size = 0
        for record in records:
            self.add(record)

    def add(self, record: R) -> None:
        """Make a record known."""
        self._add(record, record)

    def add_row(self, row: Row, made_up_id: str) -> None:
        """Make the record known that a row will become, without keeping it: 100,000 of them are 250 MB, their rows are
        there anyway, and hardly any is ever met again."""
        self._add(self._resource.as_record(row, made_up_id), _Unmade(row, made_up_id))

    def _add(self, record: R, kept: R | _Unmade) -> None:
        self.size += 1
        self._spellings = None
        for key in self._indexed.values():
            for value in key.of_record(record):
                if value:
                    self._index[key.name][value].append(kept)

    def _known(self, key: str, value: str) -> list[R]:
        """The records that have this key."""
        return [
            self._resource.as_record(each.row, each.id) if isinstance(each, _Unmade) else each
            for each in self._index[key].get(value, [])
        ]

    def replace(self, old: R, new: R) -> None:
        """Know a record in place of another."""
        for key in self._indexed.values():
            for value in filter(None, key.of_record(old)):
                self._index[key.name][value].remove(old)
        self.size -= 1
        self.add(new)

    def named_by(self, row: Row) -> R | None:
        """The record a row names by a strong key, if it is one."""
        for key in self._keys:
            if key.is_strong and (value := key.of_row(row)) and (found := self._known(key.name, value)):
                present = self._live(found)
                return present[0] if len({record.id for record in present}) == 1 else None
        return None

    def find(self, row: Row, *, strongest_only: bool = False) -> Match[R]:
        """The record the row means, by the first key that decides.

        `strongest_only`: the first key the row has a value for decides alone. A delete must not fall through to the
        name once the number it gave is gone: it would take another record of that name.
        """
        for key in self._keys:
            value = key.of_row(row)
            if not value:
                continue
            found = self._known(key.name, value)
            match = self._judge(key, row, self._live(found))
            if match is not None:
                return match
            if strongest_only or (key.must_exist and not found):
                return Match(key=key.name, obstacle="not_found")
        return Match()

    def _judge(self, key: MatchKey[R], row: Row, candidates: list[R]) -> Match[R] | None:
        if not candidates:
            return None
        if key.kind is KeyKind.IDENTITY:
            fitting = [record for record in candidates if not self._are_apart(key, row, record)]
            return _only(key, fitting) if fitting else None
        if key.kind is KeyKind.SHARED:
            # B6: no key where several have it, or the EAN differs: one public body has many EANs. Two that have a
            # customer number each are two departments of one firm, so there several have it.
            alone = len(candidates) == 1 and not self._are_apart(key, row, candidates[0])
            return _only(key, candidates) if alone else None
        fitting = [record for record in candidates if not self._resource.contradictions(row, record)]
        if fitting:
            return _only(key, fitting)
        fields = sorted({field for record in candidates for field in self._resource.contradictions(row, record)})
        return Match(key=key.name, obstacle="possible_duplicate", candidates=candidates, fields=fields)

    def _are_apart(self, key: MatchKey[R], row: Row, record: R) -> bool:
        """Whether row and record have numbers of their own that differ, so that this key proves nothing."""
        for own in (self._by_name[name] for name in key.apart):
            if value := own.of_row(row):
                present = [number for number in own.of_record(record) if number]
                if present and value not in present:
                    return True
        return False

    def _live(self, records: list[R]) -> list[R]:
        """Those that are not archived, or all where all are (rule B7)."""
        return [record for record in records if not self._resource.is_archived(record)] or records

    def same_name(self, row: Row) -> list[R]:
        """Every record of the row's name, live or archived, whatever is matched on."""
        value = self._names.of_row(row) if self._names else None
        return self._known(self._names.name, value) if self._names and value else []

    def alike(self, row: Row) -> list[R]:
        """Every record that may be the one a create of this row has made, whatever is matched on: of its name, of one
        that Billy may have made of its name, or with a number of its own.

        One that somebody shares a number with, or is called nearly like, is none where anything else contradicts.
        """
        if not self.size:
            return []
        found = {record.id: record for record in self.same_name(row)}
        for key in self._numbers.values():
            value = key.of_row(row)
            for record in self._known(key.name, value) if value else ():
                if key.is_strong or not self._resource.contradictions(row, record):
                    found.setdefault(record.id, record)
        for name in self._names_like(row):
            for record in self._known(self._names.name, name) if self._names else ():
                if not self._resource.contradictions(row, record):
                    found.setdefault(record.id, record)
        return list(found.values())

    def _names_like(self, row: Row) -> list[str]:
        """Names that Billy may have made of the row's, as they are compared."""
        names = self._names
        value = names.of_row(row) if names and names.kind is KeyKind.WEAK else None
        if not names or not value:
            return []
        if self._spellings is None:
            self._spellings = Spellings()
            for name in self._index[names.name]:
                self._spellings.add(name)
        return self._spellings.of(value)


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
