"""Finding out what became of a create that got no clear answer, by reading Billy. Pure decisions, no I/O.

A new record of ours is one of the row's name that was not there when the job was planned, that no other row of the job
has made, and that holds what we sent, and nothing beside it that only people write: else a person may have made it, or
has worked on it since, and nobody can tell. Rows with equal contents are interchangeable, so it does not matter which
of them is given which record, only that no record is given twice. Rows that say more choose first: a row of a bare name
fits every record of that name, and would take the one that only a fuller row can have made.

Nor is it known how Billy keeps what it is sent. A record in which only texts read otherwise, as Billy may have made
them of ours, is ours by a number, an e-mail address or a phone that was sent with them; by texts alone, a suspect.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from billy_pipelines.bulk.matching import Register
from billy_pipelines.bulk.spelling import may_be_shortened, may_be_stored_as
from billy_pipelines.database.items import Item
from billy_pipelines.schemas.resource import Change, Resource, Row

THERE_BEFORE = "same_name_ids"
"""In the before-image of a create: ids of the records that were alike when it was planned (`Register.alike`), which
settling must not take for ours. Named as in journals of when only the name was looked at."""


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

    def appeared(item: Item, found: Callable[[Row], Sequence[Any]]) -> list[Any]:
        before, records = there_before(item), found(item.item_data or {})
        return [record for record in records if record.id not in claimed_ids and record.id not in before]

    def fullness(item: Item) -> tuple[int, int]:
        # Counted on the record, because a default said aloud adds nothing to it; then on the row, because a country
        # said aloud fits fewer records than one left out.
        row = item.item_data or {}
        return _said(resource.as_record(row, "").image()), _said(row)

    items = list(in_doubt)
    fullest_first = sorted(items, key=fullness, reverse=True)
    made: dict[int, Any] = {}
    # What is as it was sent is given out first: what only may be so must not be another row's.
    for found, is_made_by in ((register.same_name, is_as_sent), (register.alike, _is_as_kept)):
        for item in fullest_first:
            if item.item_index in made:
                continue
            row = item.item_data or {}
            unclaimed = [record for record in appeared(item, found) if record.id not in changed_ids]
            if fitting := [record for record in unclaimed if is_made_by(resource, row, record)]:
                # Of several, the one that says least beside what was sent: somebody else had more to say.
                each = [(key,) for key in resource.writable]
                nearest = min(fitting, key=lambda record: _said_beside(resource, row, record, each))
                claimed_ids.add(nearest.id)
                made[item.item_index] = nearest
    return [
        Settled(item, made[item.item_index])
        if item.item_index in made
        else Settled(item, suspects=appeared(item, register.alike))
        for item in items
    ]


def there_before(item: Item) -> set[str]:
    """Ids of the records that were alike when the row was planned."""
    return set((item.before_image or {}).get(THERE_BEFORE, []))


def _said_beside(resource: Resource[Any], row: Row, record: Any, groups: Iterable[Sequence[str]]) -> int:
    """In how many of these groups of keys a record says something, and nothing was sent."""
    sent = resource.create_body(dict(row))
    return sum(any(getattr(record, k, None) for k in keys) and not any(map(sent.get, keys)) for keys in groups)


def is_as_sent(resource: Resource[Any], row: Row, record: Any) -> bool:
    """Whether a record holds what a create of this row sent, and nothing beside it that only people write."""
    return not _changed(resource, row, record) and not _said_beside(resource, row, record, resource.by_hand)


def _is_as_kept(resource: Resource[Any], row: Row, record: Any) -> bool:
    """The same where Billy may have kept some of the texts otherwise, and something else tells whose it is. By what
    several may share (an e-mail address, a phone) a text that a person may have made shorter is not ours."""
    changed = {change.field: change for change in _changed(resource, row, record)}
    same = {name for name in resource.known_by if row.get(name) and name not in changed}
    own = {key.name for key in resource.match_keys if key.is_strong}
    return (
        bool(same)
        and all(_is_respelled(row, change, is_own=bool(same & own)) for change in changed.values())
        and not _said_beside(resource, row, record, resource.by_hand)
    )


def _changed(resource: Resource[Any], row: Row, record: Any) -> list[Change]:
    """Differences that are more than the precision in which Billy keeps a number."""
    found = resource.differences(row, record)
    return [change for change in found if not resource.is_rounded(row, record, change)]


def _is_respelled(row: Row, change: Change, *, is_own: bool) -> bool:
    sent, present = row.get(change.field), change.old
    if not isinstance(sent, str) or not isinstance(present, str) or not may_be_stored_as(sent, present):
        return False
    return is_own or not may_be_shortened(sent, present)


def _said(value: Any) -> int:
    """How much a value says; what stands in the lines of an invoice counts like the rest."""
    if isinstance(value, Mapping):
        return sum(map(_said, value.values()))
    return sum(map(_said, value)) if isinstance(value, list | tuple) else bool(value)
