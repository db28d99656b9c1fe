"""Books before a history, and files on them: plain rows, rows that say little, twins, rows Billy has already, wrong
rows.

Whatever a row writes is found nowhere else in the history, so that the ledger tells whose doing a change was. Equal
rows are equal on purpose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from billy_pipelines_tests.campaign.shapes import LIKENESS, PLURALS, Plural, Row, Values

WIRE: dict[Plural, dict[str, str]] = {
    "contacts": {"name": "name", "contactNo": "contactNo", "city": "cityText", "address": "street"},
    "products": {"name": "name", "productNo": "productNo", "description": "description"},
    "invoices": {"orderNo": "orderNo", "contactMessage": "contactMessage"},
}
"""Field of a row -> key of the record, for the fields of LIKENESS."""
NUMBERS: dict[Plural, str] = {"contacts": "contactNo", "products": "productNo", "invoices": "id"}
"""What finds a record of the books."""
CREATED, UPDATED, REJECTED, SKIPPED = (frozenset({each}) for each in ("created", "updated", "rejected", "skipped"))
OF_EXISTING = {"skip": SKIPPED, "update": UPDATED, "fail": REJECTED, "create": CREATED}


@dataclass
class Books:
    """What Billy holds before, by plural; ids are chosen here, so that rows can name them."""

    records: dict[Plural, list[Values]] = field(default_factory=dict)

    def live(self, plural: Plural) -> list[Values]:
        return [record for record in self.records.get(plural, []) if not record.get("isArchived")]

    def archived(self, plural: Plural) -> list[Values]:
        return [record for record in self.records.get(plural, []) if record.get("isArchived")]


def make_books(random: Random, seed: int, *, contacts: int, products: int, invoices: int) -> Books:
    """Contacts of none to two persons, some archived; products of one or two prices; drafts of one or two lines."""
    books = Books({"contacts": [], "products": [], "invoices": []})
    for n in range(contacts):
        persons = [
            {"name": "Bogholderiet", "email": f"bog{n}@{seed}.example", "isPrimary": True},
            {"name": "Åse Prøvesen", "email": f"aase{n}@{seed}.example", "isPrimary": False},
        ][: random.choice((0, 1, 1, 2))]
        books.records["contacts"].append(
            {
                "id": f"ctc{seed}x{n}",
                "name": f"Bestående {seed}-{n} ApS",
                "contactNo": f"B{n}",
                "countryId": "DK",
                "cityText": random.choice(("Ry", "Høje Taastrup")),
                "isCustomer": True,
                "isArchived": random.random() < 0.1,
                "contactPersons": persons,
            }
        )
    for n in range(products):
        prices = [{"currencyId": "DKK", "unitPrice": 100 + n}, {"currencyId": "EUR", "unitPrice": 14 + n}]
        books.records["products"].append(
            {
                "id": f"prd{seed}x{n}",
                "name": f"Bestående vare {seed}-{n}",
                "productNo": f"V{n}",
                "isArchived": random.random() < 0.1,
                "prices": prices[: random.choice((1, 1, 2))],
            }
        )
    for n in range(invoices):
        lines = [
            {"productId": random.choice(books.live("products"))["id"], "quantity": k + 1, "unitPrice": 50 + n}
            for k in range(random.choice((1, 2)))
        ]
        books.records["invoices"].append(
            {
                "id": f"inv{seed}x{n}",
                "contactId": random.choice(books.live("contacts"))["id"],
                "entryDate": "2026-02-03",
                "orderNo": f"Bestående {seed}-{n}",
                "lines": lines,
            }
        )
    return books


@dataclass
class Pen:
    """Writes the rows of one file."""

    random: Random
    books: Books
    plural: Plural
    mark: str
    """Starts every value this file writes."""
    on_existing: str = "skip"
    written: int = 0

    def next(self) -> str:
        self.written += 1
        return f"{self.mark}{self.written}"

    def alike(self, cells: Mapping[str, str]) -> tuple[Any, ...]:
        """What a record made of these cells would have under LIKENESS."""
        wire = {key: cells.get(name) for name, key in WIRE[self.plural].items()}
        return tuple(wire[key] or None for key in LIKENESS[self.plural])

    def making(self, cells: Mapping[str, str], expected: frozenset[str] = frozenset()) -> Row:
        return Row(cells, self.alike(cells), expected=expected)


# -- import of contacts and products -----------------------------------------------------------------------------------


def _plain(pen: Pen) -> Row:
    mark = pen.next()
    if pen.plural == "products":
        cells = {"name": f"Vare {mark}", "productNo": mark, "unitPrice": f"{pen.written}.50", "description": mark}
        said = pen.random.sample(("productNo", "unitPrice", "description"), pen.random.choice((1, 2, 3, 3)))
    else:
        cells = {
            "name": f"Kunde {mark} ApS",
            "contactNo": mark,
            "city": f"By {mark}",
            "address": f"Prøvevej {pen.written}",
            "email": f"post@k{mark}.example",
            "phone": f"00{pen.written:06d}",
        }
        said = pen.random.sample([name for name in cells if name != "name"], pen.random.choice((1, 2, 4, 5)))
    return pen.making({name: cells[name] for name in cells if name == "name" or name in said}, CREATED)


def _bare(pen: Pen) -> Row:
    return pen.making({"name": f"Kun navn {pen.next()}"}, CREATED)


def _existing(pen: Pen) -> Row:
    """A record Billy has, found by its number or its name, with something new to say of it."""
    record, mark = pen.random.choice(pen.books.live(pen.plural)), pen.next()
    number = NUMBERS[pen.plural]
    cells = {"name": str(record["name"])}
    if pen.random.random() < 0.7:
        cells[number] = str(record[number])
    field_ = "description" if pen.plural == "products" else "city"
    cells[field_] = f"Nyt {mark}"
    wanted = {(str(pen.plural), WIRE[pen.plural][field_]): f"Nyt {mark}"} if pen.on_existing == "update" else {}
    # A person may delete the record meanwhile: then the row makes one.
    return Row(cells, pen.alike(cells), str(record["id"]), wanted, OF_EXISTING[pen.on_existing])


def _archived(pen: Pen) -> Row:
    if not pen.books.archived(pen.plural):
        return _bare(pen)
    record, number = pen.random.choice(pen.books.archived(pen.plural)), NUMBERS[pen.plural]
    cells = {"name": str(record["name"]), number: str(record[number])}
    # Where no list shows archived records, or `on_existing: create`, a row of one makes a new record.
    return Row(cells, pen.alike(cells), str(record["id"]))


def _wrong(pen: Pen) -> Row:
    mark = pen.next()
    cells = {"name": f"Forkert {mark}"}
    cells |= {"unitPrice": "gratis"} if pen.plural == "products" else {"email": "ingen@"}
    return pen.making(cells, REJECTED)


def _import_rows(pen: Pen, count: int) -> list[Row]:
    kinds: list[Callable[[Pen], Row]] = [_plain, _bare, _existing, _archived, _wrong]
    rows: list[Row] = []
    while len(rows) < count:
        if rows and pen.random.random() < 0.08:
            rows.append(_of_same_name(pen, rows))
            continue
        row = pen.random.choices(kinds, weights=(58, 14, 14, 4, 3))[0](pen)
        rows.append(row)
    # Of two rows of one record the one that names it best has it, wherever it stands.
    times = Counter(row.target for row in rows if pen.on_existing != "create")
    return [replace(row, expected=frozenset()) if row.target and times[row.target] > 1 else row for row in rows]


def _of_same_name(pen: Pen, rows: Sequence[Row]) -> Row:
    """A twin of an earlier row, or another firm of its name."""
    earlier = pen.random.choice(rows)
    if pen.random.random() < 0.5 or pen.plural != "contacts" or earlier.likeness is None:
        both = pen.on_existing == "create" and earlier.expected == CREATED
        return Row(earlier.cells, earlier.likeness, earlier.target, earlier.wanted, CREATED if both else frozenset())
    mark = pen.next()
    cells = {"name": earlier.cells["name"], "contactNo": mark, "email": f"anden@k{mark}.example", "city": f"By {mark}"}
    return pen.making(cells)


# -- import of invoices ------------------------------------------------------------------------------------------------


def _invoice_rows(pen: Pen, count: int) -> list[Row]:
    """Invoices of one to three rows, some equal to an earlier one but for their number in the file."""
    day = (datetime.now(UTC).date() + timedelta(days=3)).isoformat()
    contacts, products = pen.books.live("contacts"), pen.books.live("products")
    drafted: list[tuple[list[dict[str, str]], frozenset[str]]] = []
    rows: list[Row] = []
    while len(rows) < count:
        if drafted and pen.random.random() < 0.12:
            cells, expected = pen.random.choice(drafted)
        else:
            wrong = pen.random.random() < 0.04
            expected = REJECTED if wrong else CREATED
            cells = [
                {
                    "contactNo": "findes-ikke" if wrong else str(pen.random.choice(contacts)["contactNo"]),
                    "entryDate": day,
                    "orderNo": pen.next(),
                    "contactMessage": "Tak" if pen.random.random() < 0.5 else "",
                    "productNo": str(pen.random.choice(products)["productNo"]),
                    "quantity": str(pen.random.randint(1, 9)),
                    "unitPrice": str(pen.random.randint(10, 999)),
                }
            ]
            for _ in range(pen.random.choice((0, 0, 1, 2))):
                product = str(pen.random.choice(products)["productNo"])
                cells.append({"productNo": product, "unitPrice": str(pen.random.randint(10, 999)), "quantity": "1"})
            drafted.append((cells, expected))
        leader, number = len(rows), f"{len(rows) + 1}"
        for place, each in enumerate(cells):
            likeness = pen.alike(cells[0]) if place == 0 else None
            part_of = leader if place else None
            rows.append(Row({"invoice": number, **each}, likeness, expected=expected, part_of=part_of))
    return rows


# -- update and delete -------------------------------------------------------------------------------------------------


def _found_by(pen: Pen, record: Values) -> dict[str, str]:
    number = NUMBERS[pen.plural]
    return {number: str(record[number])} if pen.random.random() < 0.7 else {"id": str(record["id"])}


def _update_rows(pen: Pen, count: int) -> list[Row]:
    records = pen.books.live(pen.plural)
    rows = []
    for record in pen.random.sample(records, min(count, len(records))):
        mark = pen.next()
        cells = _found_by(pen, record)
        wanted: dict[tuple[str, str], Any] = {}
        if pen.plural == "contacts":
            cells["city"] = wanted["contacts", "cityText"] = f"By {mark}"
            if pen.random.random() < 0.4:
                cells["email"] = wanted["contactPersons", "email"] = f"ny@k{mark}.example"
        elif pen.plural == "products":
            cells["description"] = wanted["products", "description"] = f"Tekst {mark}"
            if pen.random.random() < 0.4:
                price = 5_000 + int(pen.random.random() * 1e6) + pen.written / 1_000
                cells["unitPrice"], wanted["productPrices", "unitPrice"] = f"{price:.3f}", round(price, 3)
        else:
            cells["contactMessage"] = wanted["invoices", "contactMessage"] = f"Besked {mark}"
        rows.append(Row(cells, None, str(record["id"]), wanted, UPDATED))
    return _with_strangers(pen, rows)


def _delete_rows(pen: Pen, count: int) -> list[Row]:
    records = pen.books.live(pen.plural)
    gone = frozenset({"deleted", "archived"})
    rows = [
        Row(_found_by(pen, record), None, str(record["id"]), expected=gone)
        for record in pen.random.sample(records, min(count, len(records)))
    ]
    return _with_strangers(pen, rows)


def _with_strangers(pen: Pen, rows: list[Row]) -> list[Row]:
    """Now and then a row of a record that nobody has, or of one that an earlier row means too."""
    for _ in range(pen.random.choice((0, 0, 1, 2))):
        number = NUMBERS[pen.plural]
        if pen.random.random() < 0.5:
            stranger = Row({**rows[0].cells, "id": "", number: f"findes-ikke-{pen.next()}"}, expected=REJECTED)
        else:
            # Rows of one invoice are parts of it, not two that mean the same.
            twin = frozenset() if pen.plural == "invoices" else REJECTED
            stranger = Row(rows[0].cells, None, rows[0].target, expected=twin)
        rows.insert(pen.random.randint(1, len(rows)), stranger)
    return rows


def make_rows(pen: Pen, operation: str, count: int) -> list[Row]:
    """About `count` rows for an operation."""
    if operation == "update":
        return _update_rows(pen, count)
    if operation == "delete":
        return _delete_rows(pen, count)
    return _invoice_rows(pen, count) if pen.plural == "invoices" else _import_rows(pen, count)


def plural_of(resource: str) -> Plural:
    return PLURALS[resource]
