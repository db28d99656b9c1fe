"""Finding out what became of a create that got no clear answer, by reading Billy. Pure decisions, no I/O.

A new record of ours is one of the row's name that was not there when the job was planned, that no other row of the job
has made, and that holds what we sent, and nothing beside it that only people write: else a person may have made it, or
has worked on it since, and nobody can tell. Rows with equal contents are interchangeable, so it does not matter which
of them is given which record, only that no record is given twice. Rows that say more choose first: a row of a bare name
fits every record of that name, and would take the one that only a fuller row can have made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from billy_pipelines.bulk.matching import Register
from billy_pipelines.database.items import Item
from billy_pipelines.schemas.resource import Resource


@dataclass(frozen=True)
class Settled:
    """`record`: it was made, this is it. `suspects`: something is there that may be it; never send again.
    Neither: Billy does not have it."""

    item: Item
    record: Any = None
    suspects: Sequence[Any] = ()


def settle_creates(
    resource: Resource[Any],
    in_doubt: Iterable[Item],
    register: Register[Any],
    claimed_ids: set[str],
    changed_ids: Collection[str] = (),
) -> list[Settled]:
    """Decide each row in doubt against a complete, fresh listing. `claimed_ids` grows by the records given out;
    `changed_ids`: records that another job has written on since, whose content tells nothing of who made them."""

    def appeared(item: Item) -> list[Any]:
        before = set((item.before_image or {}).get("same_name_ids", []))
        found = register.same_name(item.item_data or {})
        return [record for record in found if record.id not in claimed_ids and record.id not in before]

    def fullness(item: Item) -> tuple[int, int]:
        # Counted on the record, because a default said aloud adds nothing to it; then on the row, because a country
        # said aloud fits fewer records than one left out.
        row = item.item_data or {}
        return _said(resource.as_record(row, "").image()), _said(row)

    items = list(in_doubt)
    made: dict[int, Any] = {}
    for item in sorted(items, key=fullness, reverse=True):
        row = item.item_data or {}
        exact = [r for r in appeared(item) if r.id not in changed_ids and _is_as_sent(resource, row, r)]
        if exact:
            # Of several, the one that says least beside what was sent: somebody else had more to say.
            each = [(key,) for key in resource.writable]
            nearest = min(exact, key=lambda r: _said_beside(resource, row, r, each))
            claimed_ids.add(nearest.id)
            made[item.item_index] = nearest
    return [
        Settled(item, made[item.item_index]) if item.item_index in made else Settled(item, suspects=appeared(item))
        for item in items
    ]


def _said_beside(resource: Resource[Any], row: Mapping[str, Any], record: Any, groups: Iterable[Sequence[str]]) -> int:
    """In how many of these groups of keys a record says something, and nothing was sent."""
    sent = resource.create_body(dict(row))
    return sum(any(getattr(record, k, None) for k in keys) and not any(map(sent.get, keys)) for keys in groups)


def _is_as_sent(resource: Resource[Any], row: Mapping[str, Any], record: Any) -> bool:
    return not resource.differences(row, record) and not _said_beside(resource, row, record, resource.by_hand)


def _said(value: Any) -> int:
    """How much a value says; what stands in the lines of an invoice counts like the rest."""
    if isinstance(value, Mapping):
        return sum(map(_said, value.values()))
    return sum(map(_said, value)) if isinstance(value, list | tuple) else bool(value)
