"""A history from a seed. Everything is drawn from one `random.Random(seed)`: the same seed, the same history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from billy_pipelines_tests.campaign.rows import Books, Pen, make_books, make_rows
from billy_pipelines_tests.campaign.shapes import PLURALS, Edit, Event, File, History, Moment, Plural, Row, Turn

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
}
"""The ways billy-api.md section 10 leaves open; the first of each is the sandbox's default."""
CERTAIN_FAULTS = ("5xx-before", "5xx-after", "reset-before", "reset-after", "reset-mid")
FORMS = ("empty", "cut", "html")
STATUSES = (500, 502, 503, 504)
LATENCIES = ("0", "0-0.01", "0.005-0.03", "0.02-0.05", "0.1-0.3")
JOBS: dict[tuple[str, str], int] = {
    ("customers", "import"): 26,
    ("contacts", "import"): 10,
    ("products", "import"): 12,
    ("invoices", "import"): 14,
    ("customers", "update"): 12,
    ("products", "update"): 7,
    ("invoices", "update"): 4,
    ("customers", "delete"): 7,
    ("products", "delete"): 4,
    ("invoices", "delete"): 4,
}
"""Resource and operation of a history's first file, with how often."""
HELD = 2.5
"""Seconds a request is held by `timeout-after`: longer than the engine waits for an answer in a campaign."""


def make_history(seed: int) -> History:
    """The history of a seed."""
    random = Random(seed)
    (resource, operation) = random.choices(list(JOBS), weights=list(JOBS.values()))[0]
    few = operation == "import"
    count = random.choice((20, 25, 30, 40, 40, 60, 90, 120))
    needed = 0 if few else count + 4
    books = make_books(
        random,
        seed,
        contacts=1_100 if _is_large(seed) else max(12, needed if PLURALS[resource] == "contacts" else 0),
        products=max(8, needed if PLURALS[resource] == "products" else 0),
        invoices=needed if PLURALS[resource] == "invoices" else random.choice((0, 6)),
    )
    files = [_file(random, seed, "a", resource, operation, count, books)]
    if random.random() < 0.45:
        files.append(_second(random, seed, files[0], books))
    kills_postgres = random.random() < 0.12
    turns = _turns(random, files, kills_postgres)
    touched = [event.edit for turn in turns for event in turn.events if event.edit is not None]
    faults = _faults(random, files)
    return History(
        seed,
        {plural: tuple(records) for plural, records in books.records.items()},
        {"latency": random.choice(LATENCIES), **_switches(random), **_limit(random)},
        tuple(faults),
        tuple(_undisturbed(file, files, touched) for file in files),
        tuple(turns),
        kills_postgres,
    )


def _is_large(seed: int) -> bool:
    """Whether Billy's list of contacts has a second page."""
    return seed % 25 == 12


# -- files -------------------------------------------------------------------------------------------------------------


def _file(random: Random, seed: int, name: str, resource: str, operation: str, count: int, books: Books) -> File:
    on_existing = random.choices(("skip", "update", "create", "fail"), weights=(5, 4, 2, 1))[0]
    options: dict[str, Any] = {
        "batch_size": random.choice((1, 2, 5, 10, 10, 25, 100)),
        "continue_on_error": random.random() < 0.85,
        "bulk_save": "on" if random.random() < 0.45 else "off",
        "max_error_rate": 1.0,
    }
    if operation == "import":
        options["on_existing"] = "skip" if resource == "invoices" else on_existing
    if operation == "delete":
        options["confirm_count"] = count + 4
    if random.random() < 0.15:
        options["dry_run"] = True
    pen = Pen(random, books, PLURALS[resource], f"{seed}{name}", str(options.get("on_existing", "skip")))
    return File(f"{seed}{name}.csv", resource, operation, options, tuple(make_rows(pen, operation, count)))


def _second(random: Random, seed: int, first: File, books: Books) -> File:
    """Another file: of other records, or of the very ones the first is about."""
    if random.random() < 0.3 or first.resource == "invoices":
        resource, operation = random.choice((("products", "import"), ("customers", "update"), ("products", "update")))
        return _file(random, seed, "b", resource, operation, 20, books)
    operation = random.choice(("import", "import", "update", "delete")) if first.operation != "import" else "import"
    second = _file(random, seed, "b", first.resource, operation, 20, books)
    if first.operation == operation == "import":
        shared = [row for row in first.rows if row.likeness and random.random() < 0.5]
        rows = [*second.rows, *shared]
        random.shuffle(rows)
        return replace(second, rows=tuple(rows))
    return second


def _undisturbed(file: File, files: Sequence[File], edits: Sequence[Edit]) -> File:
    """The file with expectations only for rows that nobody else has a hand in."""
    others = [row for other in files if other is not file for row in other.rows]
    targets = {row.target for row in others} | {edit.record_id for edit in edits}
    names = {row.cells.get("name") for row in others} | {edit.values.get("name") for edit in edits}
    if others and file is not files[0]:
        # Rows of the first file were mixed into it: which of two alike comes first is left open.
        names |= {name for name, times in Counter(row.cells.get("name") for row in file.rows).items() if times > 1}
        targets |= {name for name, times in Counter(row.target for row in file.rows).items() if times > 1}

    names.discard(None)

    def is_alone(row: Row) -> bool:
        return (row.target is None or row.target not in targets) and (row.cells.get("name") or "") not in names

    return replace(file, rows=tuple(row if is_alone(row) else replace(row, expected=frozenset()) for row in file.rows))


# -- trouble -----------------------------------------------------------------------------------------------------------


def _switches(random: Random) -> dict[str, Any]:
    return {
        name: random.choice(values[1:]) if random.random() < 0.3 else values[0] for name, values in SWITCHES.items()
    }


def _limit(random: Random) -> dict[str, Any]:
    if random.random() < 0.75:
        return {}
    return {"rate_limit": random.choice(("15/0.5", "40/1", "60/1")), "retry_after": _retry_after(random)}


def _retry_after(random: Random) -> str:
    return random.choice(("none", "seconds", "date", "zero"))


def _faults(random: Random, files: Sequence[File]) -> list[dict[str, Any]]:
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


def _turns(random: Random, files: Sequence[File], kills_postgres: bool) -> list[Turn]:
    together = len(files) == 2 and random.random() < 0.6
    turns: list[Turn] = []
    for group in [(0, 1)] if together else [(number,) for number in range(len(files))]:
        first = "twice" if len(group) == 1 and random.random() < 0.12 else "drop"
        rounds = random.choice((1, 1, 2, 2, 3))
        for number in range(rounds):
            how: Any = first if number == 0 else random.choice(("drop", "retry"))
            events = _events(random, files, group, kills_postgres, processes=2 if how == "twice" else len(group))
            turns.append(Turn(how, group, tuple(events), swept=random.random() < 0.7))
    return turns


def _events(
    random: Random, files: Sequence[File], group: Sequence[int], kills_postgres: bool, processes: int
) -> list[Event]:
    rows = sum(len(files[number].rows) for number in group)
    events: list[Event] = []
    if random.random() < 0.65:
        events.append(Event("kill", _moment(random, rows, marks=True), process=random.randrange(processes)))
    elif random.random() < 0.6:
        events.append(Event("stop", _moment(random, rows), process=random.randrange(processes)))
    if kills_postgres:
        down = random.choice((0.0, 0.3, 1.5))
        events.append(Event("postgres", _moment(random, rows), down, whole=random.random() < 0.5))
    if random.random() < 0.1:
        events.append(Event("revoke", _moment(random, rows), random.choice((0.3, 30.0))))
    if random.random() < 0.1:
        events.append(Event("outage", _moment(random, rows), random.choice((0.5, 4.0))))
    if random.random() < 0.12:
        storm = Event("storm", _moment(random, rows), random.choice((0.5, 1.5)), retry_after=_retry_after(random))
        events.append(storm)
    if random.random() < 0.35:
        events += [
            Event("person", random.choice((_moment(random, rows), Moment("seconds", 0.0))), edit=edit)
            for edit in _edits(random, [files[number] for number in group])
        ]
    return events


def _moment(random: Random, rows: int, *, marks: bool = False) -> Moment:
    what = random.choice(("requests", "requests", "changes", "seconds", *(("marks", "marks") if marks else ())))
    if what == "seconds":
        return Moment("seconds", round(random.uniform(0.0, 1.2), 3))
    if what == "marks":
        return Moment(
            "marks", random.choice((1, 2, 3, 4, 5, 6, 8, 12, 20)), random.choice(("before", "within", "after"))
        )
    return Moment(what, random.randint(1, max(2, int(rows * 0.9))))


def _edits(random: Random, files: Sequence[File]) -> list[Edit]:
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


def described(history: History) -> str:
    """A history in words, for whoever has to understand a violation."""
    unusual = {name: value for name, value in history.switches.items() if value != SWITCHES.get(name, (None,))[0]}
    lines = [f"seed {history.seed}: {', '.join(f'{name}={value}' for name, value in unusual.items())}"]
    lines += [f"  fault {dict(fault)}" for fault in history.faults]
    lines += [
        f"  file {number} {file.name}: {file.operation} {len(file.rows)} {file.resource}, {dict(file.options)}"
        for number, file in enumerate(history.files)
    ]
    for turn in history.turns:
        lines.append(f"  turn {turn.how} {list(turn.files)}{'' if turn.swept else ' (not swept)'}")
        lines += [
            f"    {event.kind} at {event.moment.what} {event.moment.number:g} {_more(event)}".rstrip()
            for event in turn.events
        ]
    return "\n".join(lines)


def _more(event: Event) -> str:
    if event.kind == "kill":
        return f"{event.moment.where if event.moment.what == 'marks' else ''} process {event.process}".strip()
    if event.edit is not None:
        return f"{event.edit.what} {event.edit.plural} {event.edit.record_id} {dict(event.edit.values)}"
    return f"for {event.seconds:g} s {event.retry_after if event.kind == 'storm' else ''}" if event.seconds else ""
