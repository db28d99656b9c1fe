"""One organization's records in memory, and the only code that changes them. Checks are made before, in `writes`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from .chart import company_records
from .ledger import Operation
from .names import ORGANIZATIONS
from .record import Changed, Record, Values, billy_time, new_id
from .reference import reference_records
from .resource import Children
from .resources import RESOURCES
from .switches import Switches

Rows = dict[str, Record]


class Books:
    """The records of one organization: one table per resource, beside the reference lists all share."""

    def __init__(self, organization: Mapping[str, Any], vat_settled_until: date | None = None) -> None:
        self._seed = dict(organization)
        self._vat_settled_until = vat_settled_until
        self.organization_id = str(organization["id"])
        self.clear()

    def clear(self) -> None:
        """Back to a company that has its accounts and VAT, and has done nothing yet."""
        self._rows: dict[str, Rows] = {plural: {} for plural in RESOURCES} | reference_records()
        self._indexes: dict[tuple[str, str], dict[Any, dict[str, None]]] = {
            (resource.plural, key): {} for resource in RESOURCES.values() for key in resource.indexed
        }
        self._remembered: tuple[str, Values, Switches, list[Record]] | None = None
        self.in_use: set[str] = set()
        """Ids of records that something outside these tables needs: bills, say."""
        for plural, records in company_records(self._seed, self._vat_settled_until):
            for values in records:
                self.put(plural, None, values, Changed())

    @property
    def organization(self) -> Record:
        return self._rows[ORGANIZATIONS][self.organization_id]

    def records(self, plural: str) -> Rows:
        """A resource's records by id, oldest first; not to be altered."""
        return self._rows[plural]

    def where(self, plural: str, key: str, value: Any) -> list[Record]:
        """The records with this value under an indexed key, oldest first."""
        rows = self._rows[plural]
        return [rows[record_id] for record_id in self._indexes[plural, key].get(value, ())]

    def has(self, plural: str, key: str, value: Any) -> bool:
        """Whether any record has this value under an indexed key."""
        return bool(self._indexes[plural, key].get(value))

    def remembered(self, plural: str, asked: Values, switches: Switches) -> list[Record] | None:
        """The rows of the last list, if it was this one and nothing has changed since."""
        last = self._remembered
        if last is None or last[2] is not switches or last[:2] != (plural, asked):
            return None
        return last[3]

    def remember(self, plural: str, asked: Values, switches: Switches, rows: list[Record]) -> None:
        self._remembered = (plural, asked, switches, rows)

    def children(self, each: Children, parent_id: str) -> list[Record]:
        return self.where(each.plural, each.parent_key, parent_id)

    def save(
        self,
        plural: str,
        record_id: str | None,
        values: Values,
        children: Mapping[str, Sequence[Values]],
        switches: Switches,
    ) -> tuple[str, Changed]:
        """Create (`record_id` None) or change a record and what follows from it; `children` by the has-many's name."""
        changed = Changed()
        resource = RESOURCES[plural]
        record_id = resource.rules.store(self, switches, resource, record_id, values, children, changed)
        return record_id, changed

    def delete(self, plural: str, record_id: str, switches: Switches) -> Changed:
        """Delete a record and its children; nothing happens for an unknown id."""
        changed = Changed()
        record = self._rows[plural].get(record_id)
        if record is not None:
            self.take_out(plural, record, changed)
            RESOURCES[plural].rules.deleted(self, switches, record, changed)
        return changed

    def put(self, plural: str, record_id: str | None, values: Values, changed: Changed) -> str:
        """Store one record as it is: a new one with the keys that were not sent, or an old one with some replaced."""
        resource, rows = RESOURCES[plural], self._rows[plural]
        self._remembered = None
        operation: Operation = "create" if record_id is None else "update"
        if record_id is None:
            record_id = str(values.get("id") or new_id())  # only a seed brings its own
            after = {"id": record_id, **resource.blank, **values}
            if "organizationId" in resource.stamps:
                after["organizationId"] = self.organization_id
            if "createdTime" in resource.stamps and "createdTime" not in values:
                after["createdTime"] = billy_time()
            after.update(resource.rules.defaults(self, after))
            before: Values = {}
        else:
            before = rows[record_id].values
            after = {**before, **values}
        record = rows[record_id] = Record(after)
        for key in resource.indexed:
            self._index(plural, key, record_id, before.get(key), after[key])
        changed.save(operation, plural, record)
        return record_id

    def replace_children(self, each: Children, parent_id: str, rows: Sequence[Values], changed: Changed) -> None:
        """Other children for a parent: all it had are deleted, and these are new."""
        for record in self.children(each, parent_id):
            self.take_out(each.plural, record, changed)
        for values in rows:
            self.put(each.plural, None, {**values, each.parent_key: parent_id}, changed)

    def take_out(self, plural: str, record: Record, changed: Changed) -> None:
        """Remove a record, its children first."""
        resource, record_id = RESOURCES[plural], record.values["id"]
        self._remembered = None
        for each in resource.children:
            for child in self.children(each, record_id):
                self.take_out(each.plural, child, changed)
        for key in resource.indexed:
            self._index(plural, key, record_id, record.values[key], None)
        self.in_use.discard(record_id)
        del self._rows[plural][record_id]
        changed.delete(plural, record)

    def _index(self, plural: str, key: str, record_id: str, before: Any, after: Any) -> None:
        if before == after:
            return
        index = self._indexes[plural, key]
        if before:
            left = index[before]
            del left[record_id]
            if not left:
                del index[before]
        if after:
            index.setdefault(after, {})[record_id] = None
