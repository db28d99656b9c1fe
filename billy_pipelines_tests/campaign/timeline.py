"""Every record's life as Billy's ledger tells it: who changed what, job, undo or person, and what it was in between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from billy_pipelines.sandbox import Change
from billy_pipelines.sandbox.state import IN_PROCESS
from billy_pipelines_tests.campaign.evidence import Evidence
from billy_pipelines_tests.campaign.shapes import Values

Actor = Literal["job", "undo", "person"]
PARENT = {"contactPersons": "contactId", "productPrices": "productId", "invoiceLines": "invoiceId"}
"""Records that hang on another one -> the key with its id."""
CONTENT = {
    "contactPersons": ("name", "email", "isPrimary"),
    "productPrices": ("currencyId", "unitPrice"),
    "invoiceLines": ("productId", "description", "quantity", "unitPrice"),
}
"""What people write of them."""
OF_ITSELF = frozenset({"id", "createdTime", "updatedTime", "accessCode", "downloadUrl", "organizationId"})
"""What Billy writes by itself, or a record that is made again cannot have as it was."""


@dataclass(frozen=True)
class Step:
    """One change of one record, with what it was before."""

    actor: Actor
    change: Change
    before: Values | None

    @property
    def after(self) -> Values | None:
        return self.change.record

    @property
    def delta(self) -> dict[str, tuple[Any, Any]]:
        """Key -> what it was and what it is, where they differ in meaning."""
        old, new = self.before or {}, self.after or {}
        keys = [key for key in {**old, **new} if key not in OF_ITSELF and not alike(old.get(key), new.get(key))]
        return {key: (old.get(key), new.get(key)) for key in keys}


@dataclass
class Timeline:
    """Steps by record, and by the record they hang on; a step of a child is in both."""

    own: dict[str, list[Step]] = field(default_factory=lambda: defaultdict(list))
    family: dict[str, list[Step]] = field(default_factory=lambda: defaultdict(list))
    parents: dict[str, str] = field(default_factory=dict)
    """Child -> the record it hangs on."""
    opening: Mapping[str, Values] = field(default_factory=dict)

    def undo(self) -> Iterable[Step]:
        """What the undo did, each step once."""
        return [step for steps in self.own.values() for step in steps if step.actor == "undo"]

    def children(self, record_id: str, before: int) -> list[str]:
        """What hung on a record before an entry of the ledger, as sorted contents."""
        there: dict[str, Values] = {
            child: self.opening[child]
            for child, parent in self.parents.items()
            if parent == record_id
            if child in self.opening
        }
        for step in self.family.get(record_id, ()):
            child = step.change.id
            if step.change.sequence >= before or child == record_id:
                continue
            if step.after is None:
                there.pop(child, None)
            else:
                there[child] = step.after
        return sorted(repr([plain(child.get(key)) for key in _content(child)]) for child in there.values())


def plain(value: Any) -> Any:
    """Nothing is spelt in several ways, and whole numbers too."""
    if value is None or value is False or value == "":
        return None
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def alike(left: Any, right: Any) -> bool:
    """Whether two values mean the same."""
    return bool(plain(left) == plain(right))


def _content(child: Values) -> tuple[str, ...]:
    return next(keys for plural, keys in CONTENT.items() if PARENT[plural] in child)


def timeline_of(evidence: Evidence) -> Timeline:
    """From Billy's ledger, and the books before it."""
    undone = evidence.undo.changes if evidence.undo else frozenset()
    line = Timeline(opening={**evidence.opening, **evidence.added})
    now: dict[str, Values] = dict(line.opening)
    for record_id, record in line.opening.items():
        parent = next((record[key] for plural, key in PARENT.items() if key in record and _is(plural, record)), None)
        if parent is not None:
            line.parents[record_id] = str(parent)
    for change in evidence.changes:
        person = change.request_id == IN_PROCESS
        actor: Actor = "person" if person else "undo" if change.sequence in undone else "job"
        step = Step(actor, change, now.get(change.id))
        if change.record is None:
            now.pop(change.id, None)
        else:
            now[change.id] = change.record
        if change.resource in PARENT:
            record = change.record or step.before or {}
            line.parents[change.id] = str(record.get(PARENT[change.resource]))
        line.own[change.id].append(step)
        line.family[line.parents.get(change.id, change.id)].append(step)
    return line


def _is(plural: str, record: Values) -> bool:
    return all(key in record for key in CONTENT[plural])
