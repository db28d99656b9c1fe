"""The undo of a history: one in three has one. Of a job at its end or as its turns left it, with an office that went on
working, and with faults, kills and stops of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from billy_pipelines_tests.campaign.shapes import Edit, Event, File, Turn, Undo
from billy_pipelines_tests.campaign.trouble import make_edits, make_events, make_faults, make_moment

SHARE = 1 / 3
EARLY = 0.3
DESCRIBING = {"contacts": ("phone", "street"), "products": ("description",), "invoices": ("contactMessage",)}
"""What a person changes in records that a job has made."""


def make_undo(random: Random, files: Sequence[File], kills_postgres: bool) -> Undo | None:
    """None for most histories."""
    if random.random() >= SHARE:
        return None
    number = random.randrange(len(files))
    file = files[number]
    turns: list[Turn] = []
    for place in range(random.choice((1, 1, 2, 2, 3))):
        first: Any = "twice" if random.random() < 0.2 else "drop"
        how: Any = first if place == 0 else random.choice(("drop", "retry"))
        events = make_events(random, files, (number,), kills_postgres, processes=2 if how == "twice" else 1)
        if file.operation == "update" and random.random() < 0.6:
            events += [
                Event("person", make_moment(random, len(file.rows)), edit=e) for e in _edits_of_children(random, file)
            ]
        turns.append(Turn(how, (number,), tuple(events), swept=random.random() < 0.7))
    edits = _edits(random, file) if random.random() < 0.6 else []
    lines = ""
    if random.random() < 0.2:
        first_line = random.randint(2, len(file.rows))
        lines = f"{first_line}-{random.randint(first_line, len(file.rows) + 1)}"
    early = random.random() < EARLY
    faults = make_faults(random, [file])
    only = random.choice(("created", "updated")) if random.random() < 0.15 else ""
    return Undo(number, early, tuple(turns), tuple(faults), tuple(edits), lines, only, random.random() < 0.25)


def _edits(random: Random, file: File) -> list[Edit]:
    """What people did with the job's records, and beside them, before it is taken back."""
    edits: list[Edit] = []
    for _ in range(random.choice((1, 2, 3, 5))):
        if file.operation == "import" and random.random() < 0.8:
            edits.append(_edit_of_made(random, file))
        elif file.operation == "delete" and random.random() < 0.5:
            edits += _there_again(random, file)
        else:
            edits += make_edits(random, [file])
    if file.operation == "update" and random.random() < 0.4:
        edits += _edits_of_children(random, file)[:2]
    return edits


def _edit_of_made(random: Random, file: File) -> Edit:
    what: Any = random.choice(("change_made", "change_made", "use_made", "delete_made"))
    number = random.randint(0, 200)
    if file.plural == "invoices" and what == "use_made":
        return Edit("change_made", file.plural, values={"state": "approved"}, number=number)
    values = {random.choice(DESCRIBING[file.plural]): f"Rettet {random.randint(1, 10**6)}"}
    return Edit(what, file.plural, values=values if what == "change_made" else {}, number=number)


def _edits_of_children(random: Random, file: File) -> list[Edit]:
    """Persons, prices and lines of records that the job has changed: the undo may be in the middle of one just then."""
    targets = sorted({row.target for row in file.rows if row.target})
    values: dict[str, dict[str, Any]] = {
        "contacts": {"email": f"hånd{random.randint(1, 10**6)}@p.example"},
        "products": {"unitPrice": random.randint(10**6, 10**7)},
        "invoices": {"quantity": random.randint(100, 1000)},
    }
    return [
        Edit("change_child", file.plural, record_id, values[file.plural], number=random.randint(0, 1))
        for record_id in random.sample(targets, min(len(targets), 6))
    ]


def _there_again(random: Random, file: File) -> list[Edit]:
    """Somebody makes a record again that the job deleted, by the number its row named it by."""
    row = random.choice(file.rows)
    number = {"contacts": "contactNo", "products": "productNo", "invoices": ""}[file.plural]
    if not row.cells.get(number):
        return []
    values: dict[str, Any] = {number: row.cells[number], "name": f"Igen {row.cells[number]}"}
    return [Edit("add", file.plural, values={**values, **({"isCustomer": True} if file.plural == "contacts" else {})})]
