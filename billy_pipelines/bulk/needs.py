"""What rows say of records that are missing, each record once, found by the keys that tell rows of a file apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from billy_pipelines.bulk.matching import Register, chosen_keys
from billy_pipelines.database.items import Item
from billy_pipelines.schemas.cleaning import comparable
from billy_pipelines.schemas.resource import Missing, Resource


@dataclass
class Need:
    """One record that rows need."""

    row: dict[str, Any]
    """What all of them say of it."""
    record: Any
    """The record it will be, as rows are compared with it."""
    index: int | None = None
    """Its place in the sub-job, once it is on record there."""
    nearest: str = ""
    lines: set[int] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    """Those of the missing records that it stands for (`on_the_way.key_of`)."""
    unclear: set[str] = field(default_factory=set)
    """Fields in which rows contradict each other, so that it cannot be made."""
    left_out: set[str] = field(default_factory=set)
    """Fields in which rows differ and may, and which are not said therefore."""

    def is_complete(self, resource: Resource[Any]) -> bool:
        """Whether rows say all that a new record needs, and the same."""
        said = all(self.row.get(column.name) for column in resource.columns if column.required)
        return said and not self.unclear


class Needs:
    """What is needed of one resource, in the order in which rows first name it."""

    def __init__(self, resource: Resource[Any], loose: Sequence[tuple[str, ...]], there: Sequence[Item]) -> None:
        """`there`: the rows of its sub-job, which stay as they are."""
        self._resource = resource
        self._loose = loose
        names = [key.name for key in chosen_keys(resource, []) if not key.must_exist]
        self._register: Register[Any] = Register(resource, [], names)
        self._by_key: dict[str, Need] = {}
        self.all: list[Need] = []
        for item in there:
            self._new(dict(item.item_data or {}), item.item_index)

    def add(self, missing: Missing, key: str, line: int) -> None:
        """A row of that line needs the record; `key` stands for all that the row says of it."""
        need = self._by_key.get(key)
        if need is None:
            need = self._by_key[key] = self._found(missing)
            need.keys.add(key)
            need.nearest = need.nearest or missing.nearest
            if need.index is None:
                self._merge(need, missing.row)
        need.lines.add(line)

    def _found(self, missing: Missing) -> Need:
        match = self._register.find(missing.row)
        if match.record is not None:
            return self.all[int(match.record.id)]
        if match.obstacle == "ambiguous_match":
            # Two rows before were told apart, and this one fits both.
            need = Need(dict(missing.row), None, unclear={match.key})
            self.all.append(need)
            return need
        return self._new(dict(missing.row))

    def _new(self, row: dict[str, Any], index: int | None = None) -> Need:
        need = Need(row, self._resource.as_record(row, str(len(self.all))), index)
        self._register.add(need.record)
        self.all.append(need)
        return need

    def _merge(self, need: Need, row: dict[str, Any]) -> None:
        """What a further row says: blanks are filled in, what differs is left out or makes it unclear."""
        said = dict(need.row)
        for name, value in row.items():
            if name in need.left_out:
                continue
            if not said.get(name) or not value:
                said[name] = value or said.get(name)
            elif comparable(str(said[name])) != comparable(str(value)):
                group = next((fields for fields in self._loose if name in fields), ())
                need.left_out.update(group)
                if not group:
                    need.unclear.add(name)
        said = {name: value for name, value in said.items() if name not in need.left_out}
        if said != need.row and need.record is not None:
            record = self._resource.as_record(said, need.record.id)
            self._register.replace(need.record, record)
            need.record = record
        need.row = said
