"""A history from a seed: the same seed, the same history. Everything is drawn from one `random.Random(seed)`, but for
the undo: that has a stream of its own, so that the jobs of a seed are what they were before there were undos.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from billy_pipelines_tests.campaign.rows import Books, Pen, make_books, make_rows
from billy_pipelines_tests.campaign.shapes import PLURALS, Edit, Event, File, History, Row, Turn, Undo
from billy_pipelines_tests.campaign.trouble import (
    LATENCIES,
    SWITCHES,
    make_faults,
    make_limit,
    make_switches,
    make_turns,
)
from billy_pipelines_tests.campaign.undo_drawn import make_undo

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
NUMBERS = ("contactNo", "productNo")


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
    turns = make_turns(random, files, kills_postgres)
    touched = [event.edit for turn in turns for event in turn.events if event.edit is not None]
    faults = make_faults(random, files)
    undo = make_undo(Random(f"undo-{seed}"), files, kills_postgres)
    if undo is not None and undo.early:
        # Then the jobs that are still to be finished find what people did before it.
        touched += [
            *undo.edits,
            *(event.edit for turn in undo.turns for event in turn.events if event.edit is not None),
        ]
    return History(
        seed,
        {plural: tuple(records) for plural, records in books.records.items()},
        {"latency": random.choice(LATENCIES), **make_switches(random, seed), **make_limit(random)},
        tuple(faults),
        tuple(_undisturbed(file, files, touched) for file in files),
        tuple(turns),
        kills_postgres,
        undo,
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
    # A record that a person has made by the very number a row names stands in its way.
    numbers = {(key, edit.values[key]) for edit in edits for key in NUMBERS if edit.values.get(key)}

    def is_alone(row: Row) -> bool:
        alone = (row.target is None or row.target not in targets) and (row.cells.get("name") or "") not in names
        return alone and not any((key, row.cells.get(key)) in numbers for key in NUMBERS)

    return replace(file, rows=tuple(row if is_alone(row) else replace(row, expected=frozenset()) for row in file.rows))


def described(history: History) -> str:
    """A history in words, for whoever has to understand a violation."""
    unusual = {name: value for name, value in history.switches.items() if value != SWITCHES.get(name, (None,))[0]}
    lines = [f"seed {history.seed}: {', '.join(f'{name}={value}' for name, value in unusual.items())}"]
    lines += [f"  fault {dict(fault)}" for fault in history.faults]
    lines += [
        f"  file {number} {file.name}: {file.operation} {len(file.rows)} {file.resource}, {dict(file.options)}"
        for number, file in enumerate(history.files)
    ]
    lines += _turns_told(history.turns)
    if history.undo is not None:
        lines += _undo_told(history.undo)
    return "\n".join(lines)


def _turns_told(turns: Sequence[Turn]) -> Iterator[str]:
    for turn in turns:
        yield f"  turn {turn.how} {list(turn.files)}{'' if turn.swept else ' (not swept)'}"
        for event in turn.events:
            yield f"    {event.kind} at {event.moment.what} {event.moment.number:g} {_more(event)}".rstrip()


def _undo_told(undo: Undo) -> Iterator[str]:
    when = "as the turns left it" if undo.early else "at its end"
    first = f", lines {undo.lines or 'all'}, only {undo.only or 'everything'} first" if undo.some else ""
    yield f"  undo of file {undo.file} {when}{', planned only before' if undo.dry else ''}{first}"
    yield from (f"  fault {dict(fault)}" for fault in undo.faults)
    yield from (
        f"    before it: {edit.what} {edit.plural} {edit.record_id}{edit.number} {dict(edit.values)}"
        for edit in undo.edits
    )
    yield from _turns_told(undo.turns)


def _more(event: Event) -> str:
    if event.kind == "kill":
        return f"{event.moment.where if event.moment.what == 'marks' else ''} process {event.process}".strip()
    if event.edit is not None:
        return f"{event.edit.what} {event.edit.plural} {event.edit.record_id} {dict(event.edit.values)}"
    return f"for {event.seconds:g} s {event.retry_after if event.kind == 'storm' else ''}" if event.seconds else ""
