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

    def __init__(self, resource: Resource[R], records: Iterable[R], match_on: Sequence[str] = ()) -> None:
        self._resource = resource
        self._keys = chosen_keys(resource, match_on)
        self._index: dict[str, dict[str, list[R]]] = {key.name: defaultdict(list) for key in self._keys}
        self.size = 0
        for record in records:
            self.add(record)

    def add(self, record: R) -> None:
        """Make a record known."""
        self.size += 1
        for key in self._keys:
            for value in key.of_record(record):
                if value:
                    self._index[key.name][value].append(record)

    def find(self, row: Row) -> Match[R]:
        """The record the row means, by the first key that decides."""
        for key in self._keys:
            value = key.of_row(row)
            if not value:
                continue
            found = self._index[key.name].get(value, [])
            live = [record for record in found if not self._resource.is_archived(record)]
            match = self._judge(key, row, live or found, bool(live))
            if match is not None:
                return match
            if key.must_exist and not found:
                return Match(key=key.name, obstacle="not_found")
        return Match()

    def _judge(self, key: MatchKey[R], row: Row, candidates: list[R], live: bool) -> Match[R] | None:
        if not candidates:
            return None
        if key.kind is KeyKind.IDENTITY:
            return _only(key, candidates)
        if key.kind is KeyKind.SHARED:
            return self._judge_shared(key, row, candidates)
        fitting = [record for record in candidates if not self._resource.contradictions(row, record)]
        if fitting:
            return _only(key, fitting)
        fields = sorted({field for record in candidates for field in self._resource.contradictions(row, record)})
        return Match(key=key.name, obstacle="possible_duplicate", candidates=candidates, fields=fields)

    def _judge_shared(self, key: MatchKey[R], row: Row, candidates: list[R]) -> Match[R] | None:
        """B6: a key only when a single live one has it and the EAN does not differ; one public body has many EANs."""
        same_ean = [record for record in candidates if "ean" not in self._resource.contradictions(row, record)]
        if len(candidates) == 1:
            return _only(key, same_ean) if same_ean else None
        if not same_ean:
            return None  # the row brings an EAN none of them has: another branch of the same body
        named = [record for record in same_ean if self._same_name(row, record)]
        return _only(key, named or same_ean)

    def _same_name(self, row: Row, record: R) -> bool:
        weak = next((key for key in self._resource.match_keys if key.kind is KeyKind.WEAK), None)
        return weak is not None and weak.of_row(row) in weak.of_record(record)

    def same_name(self, row: Row) -> list[R]:
        """Every record of the row's name, live or archived."""
        weak = next((key for key in self._keys if key.kind is KeyKind.WEAK), None)
        value = weak.of_row(row) if weak else None
        return list(self._index[weak.name].get(value, [])) if weak and value else []


def _only(key: MatchKey[R], candidates: Sequence[R]) -> Match[R]:
    if len({record.id for record in candidates}) == 1:
        return Match(candidates[0], key.name)
    return Match(key=key.name, obstacle="ambiguous_match", candidates=candidates)


def chosen_keys(resource: Resource[R], match_on: Sequence[str]) -> list[MatchKey[R]]:
    """The resource's match keys, or those named in `match_on`, in that order.

    Raises:
        ValueError: a name that is no match key.
    """
    if not match_on:
        return list(resource.match_keys)
    by_name = {key.name: key for key in resource.match_keys}
    unknown = [name for name in match_on if name not in by_name]
    if unknown:
        raise ValueError(f"match_on: no such key: {', '.join(unknown)}. Known keys: {', '.join(by_name)}.")
    return [by_name[name] for name in match_on]
