"""Finding out what became of a create that got no clear answer, by reading Billy. Pure decisions, no I/O.

A new record of ours is one of the row's name that was not there when the job was planned, that no other row of the job
has made, and that holds what we sent. Rows with equal contents are interchangeable, so it does not matter which of
them is given which record, only that no record is given twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from billy_pipelines.bulk.matching import Register
from billy_pipelines.database.journal import Item
from billy_pipelines.schemas.resource import Resource


@dataclass(frozen=True)
class Settled:
    """`record`: it was made, this is it. `suspects`: something is there that may be it; never send again.
    Neither: Billy does not have it."""

    item: Item
    record: Any = None
    suspects: Sequence[Any] = ()


def settle_creates(
    resource: Resource[Any], in_doubt: Iterable[Item], register: Register[Any], claimed_ids: set[str]
) -> list[Settled]:
    """Decide each row in doubt against a complete, fresh listing. `claimed_ids` grows by the records given out."""
    settled = []
    for item in in_doubt:
        row = item.item_data or {}
        before = set((item.before_image or {}).get("same_name_ids", []))
        appeared = [
            record for record in register.same_name(row) if record.id not in claimed_ids and record.id not in before
        ]
        exact = [record for record in appeared if not resource.differences(row, record)]
        if exact:
            claimed_ids.add(exact[0].id)
            settled.append(Settled(item, exact[0]))
        else:
            settled.append(Settled(item, suspects=appeared))
    return settled
