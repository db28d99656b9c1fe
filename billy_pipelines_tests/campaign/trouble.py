"""What goes wrong in a history: the ways Billy may be, its faults, what happens to processes and books meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from billy_pipelines_tests.campaign.shapes import Edit, Event, File, Moment, Plural, Row, Turn

SWITCHES: dict[str, tuple[Any, ...]] = {
    "archived_in_lists": ("included", "hidden"),
    "unlisted_sort": ("accepted", "ignored", "refused"),
    "unproven_filters": ("archived-only", "honoured", "ignored"),
    "include": ("honoured", "ignored"),
    "sideload_ids": ("singular", "relation"),
    "unstable_paging": (False, True),
    "page_size_above_1000": ("clamp", "error"),
    "system_names": ("by-language", "renamed"),
    "undeclared_properties": ("ignored", "refused"),
    "organization_id": ("accepted", "refused"),
    "bulk_save": ("atomic", "partial", "partial-200", "unavailable", "unavailable-404", "unavailable-401"),
    "bulk_delete": ("all-or-nothing", "partial"),
    "contact_in_use": ("refused", "allowed"),
    "product_in_use": ("refused", "allowed"),
    "draft_edit": ("refused", "ignored", "accepted"),
    "customer_flag": ("ignored", "required"),
    "external_id": ("kept", "ignored"),
    "invoice_number": ("at-approval", "at-create"),
    "write_answers": ("complete", "sent", "sparse"),
}
"""The ways billy-api.md section 10 leaves open; the first of each is the sandbox's default."""
CAME_LATER = frozenset({"write_answers"})
"""Drawn by themselves, so that everything else of a seed's history stays what it was."""
CERTAIN_FAULTS = ("5xx-before", "5xx-after", "reset-before", "reset-after", "reset-mid")
FORMS = ("empty", "cut", "html")
STATUSES = (500, 502, 503, 504)
LATENCIES = ("0", "0-0.01", "0.005-0.03", "0.02-0.05", "0.1-0.3")
HELD = 2.5
"""Seconds a request is held by `timeout-after`: longer than the engine waits for an answer in a campaign."""


def make_switches(random: Random, seed: int) -> dict[str, Any]:
    switches = {}
    for name, values in SWITCHES.items():
        draw = Random(f"{name}-{seed}") if name in CAME_LATER else random
        switches[name] = draw.choice(values[1:]) if draw.random() < 0.3 else values[0]
    return switches


def make_limit(random: Random) -> dict[str, Any]:
    if random.random() < 0.75:
        return {}
    return {"rate_limit": random.choice(("15/0.5", "40/1", "60/1")), "retry_after": make_retry_after(random)}


def make_retry_after(random: Random) -> str:
    return random.choice(("none", "seconds", "date", "zero"))


def make_faults(random: Random, files: Sequence[File]) -> list[dict[str, Any]]:
    """None to five kinds at once, each with a share of the requests, with every nth, or with one record (poison)."""
    faults: list[dict[str, Any]] = []
    for _ in range(random.choice((0, 1, 1, 2, 2, 3, 4, 5))):
        kind = random.choice((*CERTAIN_FAULTS, *CERTAIN_FAULTS, "bad-json-before", "bad-json-after", "timeout-after"))
        fault: dict[str, Any] = {"kind": kind}
        if kind.startswith("5xx"):
            fault |= {"status": random.choice(STATUSES), "body": random.choice(("json", "json", "html"))}
        if kind.startswith("bad-json"):
            fault["form"] = random.choice(FORMS)
        if kind == "timeout-after":
            faults.append({**fault, "seconds": HELD, "every": random.randint(5, 15), "limit": random.choice((1, 1, 2))})
            continue
        if random.random() < 0.15:
            faults.append({**fault, **_poison(random, files)})
            continue
        fault |= (
            {"share": random.choice((0.01, 0.03, 0.06, 0.1))}
            if random.random() < 0.7
            else {"every": random.randint(4, 25)}
        )
        if random.random() < 0.2 and kind.startswith(("5xx", "reset")):
            fault["methods"] = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        faults.append(fault)
    if random.random() < 0.15:
        faults.append({"kind": "422", **_poison(random, files)})
    return faults


def _poison(random: Random, files: Sequence[File]) -> dict[str, Any]:
    """The fault is always with one record, until the faults are switched off."""
    row = random.choice(random.choice(files).rows)
    wanted = [str(value) for value in row.wanted.values() if isinstance(value, str)]
    if row.likeness:
        return {"body_contains": str(row.likeness[0])}
    return {"body_contains": wanted[0]} if wanted else {"record": row.target or "nobody"}


# -- turns -------------------------------------------------------------------------------------------------------------


def make_turns(random: Random, files: Sequence[File], kills_postgres: bool) -> list[Turn]:
    together = len(files) == 2 and random.random() < 0.6
    turns: list[Turn] = []
    for group in [(0, 1)] if together else [(number,) for number in range(len(files))]:
        first = "twice" if len(group) == 1 and random.random() < 0.12 else "drop"
        rounds = random.choice((1, 1, 2, 2, 3))
        for number in range(rounds):
            how: Any = first if number == 0 else random.choice(("drop", "retry"))
            events = make_events(random, files, group, kills_postgres, processes=2 if how == "twice" else len(group))
            turns.append(Turn(how, group, tuple(events), swept=random.random() < 0.7))
    return turns


def make_events(
    random: Random, files: Sequence[File], group: Sequence[int], kills_postgres: bool, processes: int
) -> list[Event]:
    rows = sum(len(files[number].rows) for number in group)
    events: list[Event] = []
    if random.random() < 0.65:
        events.append(Event("kill", make_moment(random, rows, marks=True), process=random.randrange(processes)))
    elif random.random() < 0.6:
        events.append(Event("stop", make_moment(random, rows), process=random.randrange(processes)))
    if kills_postgres:
        down = random.choice((0.0, 0.3, 1.5))
        events.append(Event("postgres", make_moment(random, rows), down, whole=random.random() < 0.5))
    if random.random() < 0.1:
        events.append(Event("revoke", make_moment(random, rows), random.choice((0.3, 30.0))))
    if random.random() < 0.1:
        events.append(Event("outage", make_moment(random, rows), random.choice((0.5, 4.0))))
    if random.random() < 0.12:
        storm = Event(
            "storm", make_moment(random, rows), random.choice((0.5, 1.5)), retry_after=make_retry_after(random)
        )
        events.append(storm)
    if random.random() < 0.35:
        events += [
            Event("person", random.choice((make_moment(random, rows), Moment("seconds", 0.0))), edit=edit)
            for edit in make_edits(random, [files[number] for number in group])
        ]
    return events


def make_moment(random: Random, rows: int, *, marks: bool = False) -> Moment:
    what = random.choice(("requests", "requests", "changes", "seconds", *(("marks", "marks") if marks else ())))
    if what == "seconds":
        return Moment("seconds", round(random.uniform(0.0, 1.2), 3))
    if what == "marks":
        return Moment(
            "marks", random.choice((1, 2, 3, 4, 5, 6, 8, 12, 20)), random.choice(("before", "within", "after"))
        )
    return Moment(what, random.randint(1, max(2, int(rows * 0.9))))


def make_edits(random: Random, files: Sequence[File]) -> list[Edit]:
    """A person changes, deletes or makes records that a file is about."""
    file = random.choice(files)
    plural: Plural = file.plural
    edits = []
    for _ in range(random.choice((1, 1, 2, 3))):
        row = random.choice(file.rows)
        if row.target is None:
            edits.append(
                _rival(random, file, row) if row.likeness and plural != "invoices" else _taken_back(random, file)
            )
        elif random.random() < 0.25:
            edits.append(Edit("delete", plural, row.target))
        else:
            key = {"contacts": "cityText", "products": "description", "invoices": "contactMessage"}[plural]
            other = {"contacts": "street", "products": "suppliersProductNo", "invoices": "orderNo"}[plural]
            value = f"Rettet i hånden {random.randint(1, 10**6)}"
            edits.append(Edit("change", plural, row.target, {random.choice((key, other)): value}))
    return edits


def _rival(random: Random, file: File, row: Row) -> Edit:
    """A person makes a record of the very name that the file is about to make."""
    body: dict[str, Any] = {"name": row.cells["name"]}
    body |= {"countryId": "DK", "cityText": "Esbjerg"} if file.plural == "contacts" else {"description": "I hånden"}
    return Edit("add", file.plural, values=body)


def _taken_back(random: Random, file: File) -> Edit:
    return Edit("delete_made", file.plural, number=random.randint(0, 50))
