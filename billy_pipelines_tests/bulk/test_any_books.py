"""Any file against any books, over HTTP: the dry run's plan.csv tells exactly what the books are after it is applied,
and what was accepted of the file, once more, finds nothing left to do.

What the books should be is worked out here, from the books before, plan.csv and the file; none of it by the product.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given
from hypothesis import settings as examples_with
from hypothesis import strategies as st
from sqlalchemy import Engine

from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.schemas.customers import CUSTOMERS
from billy_pipelines.schemas.products import PRODUCTS
from billy_pipelines.schemas.resource import Resource
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.whole_jobs import Done, Office, Planned

Record = dict[str, Any]
Records = dict[str, Record]
"""By id; a record's children stand in it, under their own name, without the keys nobody writes."""
Row = dict[str, str]

EXAMPLES = 150 if os.environ.get("HYPOTHESIS_PROFILE") == "search" else 3
"""For each of the eight jobs; one takes about 0.7 s."""
any_books = examples_with(
    max_examples=EXAMPLES,
    deadline=None,
    # A smaller example of a failure would be looked for until the test's time is over, and none be shown.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
JOBS = [
    ("import", {"on_existing": "skip"}),
    ("import", {"on_existing": "update"}),
    ("update", {}),
    ("delete", {}),
]
VERDICTS = {"create": "created", "update": "updated", "archive": "archived", "delete": "deleted"}
NOTHING = "∅"
ENTITIES = range(6)
"""Whom books and files are about. What names one of them stands at its number in the lists below."""
CLEAR = st.just("#RYD")


@dataclass(frozen=True)
class Kind:
    """What prediction needs to know of a resource: its keys, its children, what a new record of a row is."""

    resource: Resource[Any]
    keys: dict[str, tuple[str, ...]]
    """Field -> what the entities have in it."""
    fields: dict[str, st.SearchStrategy[str]]
    """Other fields of rows."""
    always: dict[str, st.SearchStrategy[Any]]
    sometimes: dict[str, st.SearchStrategy[Any]]
    """Other keys of records."""
    some_children: st.SearchStrategy[list[Record]]
    plural: str
    children: str
    """The plural of what hangs on a record."""
    children_name: str
    """The same in a body."""
    parent: str
    """The key that names its record."""
    child_keys: tuple[str, ...]
    wire: dict[str, str]
    """Field of a row -> key of a record, where it is a key."""
    change_child: Callable[[Record, str, str | None], None]
    """Carry out a change of a field that is no key of the record itself."""
    new: Callable[[Row], Record]
    """What a row makes, as far as the row and the defaults of rule B1 say."""


# -- customers ---------------------------------------------------------------------------------------------------------

PERSON = {"name": "Bogholderiet", "isPrimary": True}
AASE = {"name": "Åse", "email": "aase@prove.example", "isPrimary": False}
PHONES = st.sampled_from(["12345678", "+45 87 65 43 21", "87654321"])
CITIES = st.sampled_from(["Ry", "Høje Taastrup"])
EMAILS = st.sampled_from(["a@prove.example", "b@prove.example"])
COUNTRIES = st.sampled_from(["DK", "DE"])


def new_customer(row: Row) -> Record:
    values = {key: row[field] for field, key in CUSTOMER.wire.items() if row.get(field) not in (None, "", "#RYD")}
    email = row.get("email")
    persons = [{"name": row["name"], "email": email, "isPrimary": True}] if email else []
    return {"countryId": "DK", "type": "company", "isCustomer": True, "isSupplier": False, **values} | {
        "contactPersons": persons
    }


def change_primary_person(contact: Record, field: str, value: str | None) -> None:
    assert field == "email"
    primary = [person for person in contact["contactPersons"] if person["isPrimary"]]
    if primary:
        primary[0]["email"] = value
    else:
        contact["contactPersons"].append({"name": contact["name"], "email": value, "isPrimary": True})


CUSTOMER = Kind(
    CUSTOMERS,
    {
        "name": ("Æblehaven ApS", "Ærø Færge A/S", "Ørsted Tryk", "Ågade 3", "Café Æ", "S. Øe & Søn"),
        "contactNo": ("0017", "18", "19", "20", "A-21", "22"),
        "vatNo": ("99000007", "99000015", "12345678", "99000001", "99000023", "00000000"),
    },
    {"phone": PHONES | CLEAR, "city": CITIES | CLEAR, "email": EMAILS, "country": COUNTRIES},
    {"isCustomer": st.sampled_from([True, True, False])},
    {"phone": PHONES, "cityText": CITIES, "countryId": COUNTRIES},
    st.lists(EMAILS.map(lambda email: {**PERSON, "email": email}), max_size=1).flatmap(
        lambda persons: st.sampled_from([persons, [*persons, AASE]] if persons else [persons])
    ),
    "contacts",
    "contactPersons",
    "contactPersons",
    "contactId",
    ("name", "email", "isPrimary"),
    {
        "name": "name",
        "contactNo": "contactNo",
        "phone": "phone",
        "city": "cityText",
        "vatNo": "registrationNo",
        "country": "countryId",
        "isCustomer": "isCustomer",
        "isArchived": "isArchived",
    },
    change_primary_person,
    new_customer,
)

# -- products ----------------------------------------------------------------------------------------------------------

TEXTS = st.sampled_from(["Blå", "Pr. time"])
PRICES = st.sampled_from(["125.5", "950", "0.05"])
CURRENCIES = st.sampled_from(["DKK", "EUR"])


def new_product(row: Row) -> Record:
    values = {key: row[field] for field, key in PRODUCT.wire.items() if row.get(field) not in (None, "", "#RYD")}
    price = row.get("unitPrice")
    prices = [{"currencyId": row.get("currency") or "DKK", "unitPrice": number(price)}] if price else []
    return {**values, "isArchived": row.get("isArchived") == "ja", "productPrices": prices}


def change_price(product: Record, field: str, value: str | None) -> None:
    word, _, currency = field.partition(" ")
    assert word == "unitPrice"
    prices = [price for price in product["productPrices"] if price["currencyId"] != currency]
    product["productPrices"] = [*prices, {"currencyId": currency, "unitPrice": number(value)}]


def number(text: str | None) -> float:
    return float(Decimal(text or "nothing"))


PRODUCT = Kind(
    PRODUCTS,
    {
        "name": ("Blå prøvevare", "Rød prøvevare", "Rådgivning", "Kørsel", "Æske", "Øl, kasse"),
        "productNo": ("0042", "43", "44", "B-45", "46", "047"),
    },
    {
        "description": TEXTS | CLEAR,
        "unitPrice": PRICES,
        "currency": CURRENCIES,
        "isArchived": st.sampled_from(["ja", "nej"]),
    },
    {},
    {"description": TEXTS},
    st.dictionaries(CURRENCIES, PRICES).map(
        lambda prices: [{"currencyId": currency, "unitPrice": number(price)} for currency, price in prices.items()]
    ),
    "products",
    "productPrices",
    "prices",
    "productId",
    ("currencyId", "unitPrice"),
    {"name": "name", "productNo": "productNo", "description": "description", "isArchived": "isArchived"},
    change_price,
    new_product,
)

# -- books, predicted and real -----------------------------------------------------------------------------------------


def books(office: Office, kind: Kind) -> Records:
    """The books as they are."""
    found = {str(record["id"]): {**record, kind.children: []} for record in office.records(kind.plural)}
    for child in office.records(kind.children):
        found[child[kind.parent]][kind.children].append({key: child[key] for key in kind.child_keys})
    return found


def predicted(kind: Kind, before: Records, plan: list[Planned], rows: list[Row], ids: list[str]) -> Records:
    """The books after a plan. A new record has the id that the results name; of its other keys only those are known
    that its row or a default says."""
    after = deepcopy(before)
    for line, row, record_id in zip(plan, rows, ids, strict=True):
        if line.action == "create":
            assert record_id not in before
            after[record_id] = kind.new(row)
        elif line.action == "delete":
            del after[record_id]
        elif line.action in ("update", "archive"):
            carry_out(kind, after[record_id], line.changes)
    return after


def carry_out(kind: Kind, record: Record, changes: str) -> None:
    """Every `field: old → new` of a line of plan.csv; what the plan calls old must be there."""
    assert changes
    for change in changes.split("; "):
        field, _, values = change.partition(": ")
        old, new = (None if value == NOTHING else value for value in values.split(" → "))
        if field in kind.wire:
            key = kind.wire[field]
            assert plain(record[key]) == plain(old)
            record[key] = new.lower() == "true" if isinstance(record[key], bool) and new else new
        else:
            kind.change_child(record, field, new)


def plain(value: Any) -> str:
    """A value as plan.csv writes it; of booleans it has both spellings."""
    return "" if value is None else str(value).lower()


def compare(kind: Kind, real: Records, wanted: Records) -> None:
    assert real.keys() == wanted.keys()
    for record_id, record in wanted.items():
        known = {key: value for key, value in real[record_id].items() if key in record}
        assert sorted_children(kind, known) == sorted_children(kind, record)


def sorted_children(kind: Kind, record: Record) -> Record:
    return {**record, kind.children: sorted(record[kind.children], key=str)}


# -- books and files ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Example:
    """A file and the books it meets. Of tidy ones the keys of a row or a record all name one entity, which the books
    have once at most; in others anything can stand beside anything."""

    tidy: bool
    there: list[Record]
    used: set[int]
    """Which of the records an invoice names."""
    rows: list[Row]


def named(kind: Kind, entity: int | None) -> dict[str, st.SearchStrategy[str]]:
    """Keys of one entity, or of any of them."""
    return {
        field: st.sampled_from(values if entity is None else values[entity : entity + 1])
        for field, values in kind.keys.items()
    }


def records(kind: Kind, entity: int | None) -> st.SearchStrategy[Record]:
    keys = {kind.wire[field]: value for field, value in named(kind, entity).items()}
    archived = st.sampled_from([False, False, True])
    always = {"name": keys.pop("name"), "isArchived": archived, kind.children_name: kind.some_children, **kind.always}
    return st.fixed_dictionaries(always, optional={**keys, **kind.sometimes})


def rows_of(kind: Kind, operation: str, entity: int | None, ids: list[str]) -> st.SearchStrategy[Row]:
    """Rows about one entity, or about any; an update or delete can name a record by its id instead."""
    keys = named(kind, entity)
    keys["name"] |= keys["name"].map(str.lower)
    if operation == "import":
        name = keys.pop("name")
        return st.fixed_dictionaries({"name": name}, optional={**keys, **kind.fields})
    more = {} if operation == "delete" else kind.fields
    beside = {**keys, **more} if entity is None and operation == "update" else more
    by_id = st.fixed_dictionaries({"id": st.sampled_from([*ids, "gone"])}, optional=beside)
    return st.one_of([by_id, *(st.fixed_dictionaries({key: value}, optional=more) for key, value in keys.items())])


@st.composite
def examples(draw: st.DrawFn, kind: Kind, operation: str) -> Example:
    tidy = draw(st.booleans())
    some = st.lists(st.sampled_from(ENTITIES), min_size=3, max_size=6, unique=True)
    there = [draw(records(kind, entity if tidy else None)) for entity in draw(some)]
    ids = [f"r{at}" for at in range(len(there))]
    about = draw(some) + draw(st.lists(st.sampled_from(ENTITIES), max_size=2))
    rows = [draw(rows_of(kind, operation, entity if tidy else None, ids)) for entity in about]
    return Example(tidy, there, draw(st.sets(st.sampled_from(ENTITIES), max_size=3)), rows)


def fill(office: Office, kind: Kind, example: Example) -> None:
    """Empty the books and put the records of an example into them, with ids r0, r1, …"""
    sandbox = office.sandbox.sandbox
    sandbox.reset()
    present = sandbox.add(kind.plural, [{"id": f"r{at}", **body} for at, body in enumerate(example.there)])
    others = {"contactId": sandbox.add("contacts", [{"name": "En helt anden"}])[0]}
    others |= {"productId": sandbox.add("products", [{"name": "Noget helt andet"}])[0]}
    for at in sorted(example.used & set(range(len(present)))):
        names = {**others, kind.parent: present[at]}
        line = {"productId": names["productId"], "quantity": 1, "unitPrice": 10}
        sandbox.add("invoices", [{"contactId": names["contactId"], "lines": [line]}])


# -- the property ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("operation", "options"), JOBS, ids=str)
@pytest.mark.parametrize("kind", [CUSTOMER, PRODUCT], ids=lambda kind: kind.resource.name)
def test_a_plan_tells_the_books_after_it_and_leaves_nothing_to_be_done(
    kind: Kind,
    operation: str,
    options: dict[str, Any],
    settings: Settings,
    engine: Engine,
    sandbox: SandboxServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office.of(kind.resource, settings, engine, sandbox, tmp_path, monkeypatch)

    @any_books
    @given(examples(kind, operation))
    def whatever(example: Example) -> None:
        fill(office, kind, example)
        before = books(office, kind)
        job_id = office.plan(operation, example.rows, **options)
        assert books(office, kind) == before, "a dry run wrote"
        done = office.apply(job_id)
        for line, verdict in zip(done.plan, done.verdicts, strict=True):
            assert verdict == VERDICTS.get(line.action, line.action)
            event(f"{line.action} {line.code}")
        ids = [each.removeprefix("'") for each in done.ids]  # in front of one that a spreadsheet took for a formula
        compare(kind, books(office, kind), predicted(kind, before, done.plan, example.rows, ids))
        if example.tidy:
            nothing_left(office, operation, options, example.rows, done)

    whatever()


def nothing_left(office: Office, operation: str, options: dict[str, Any], rows: list[Row], first: Done) -> None:
    """What was accepted, once more, has nothing left to be done: so says a dry run, and what it says holds (above)."""
    accepted = [index for index, verdict in enumerate(first.verdicts) if verdict != "rejected"]
    if not accepted:
        return
    again = office.planned(office.plan(operation, [rows[index] for index in accepted], **options))
    for line, index in zip(again, accepted, strict=True):
        if first.verdicts[index] == "deleted":
            assert (line.action, line.code) == ("rejected", "not_found")
        else:
            assert line.action in ("unchanged", "skipped")
