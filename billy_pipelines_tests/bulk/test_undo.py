"""Every resource and operation, taken back: the books are what they were before the job."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from billy_pipelines.database.jobs import list_jobs
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.taking_back import books, take_back
from billy_pipelines_tests.bulk.whole_jobs import SWITCHES, Office
from billy_pipelines_tests.contact_persons import CONTACT_PERSONS

LONG_AGO = "2026-01-02T08:00:00"
PERSONS = [
    {"name": "Bogholderiet", "email": "faktura@aeblehaven.example", "isPrimary": True},
    {"name": "Åse Ørsted", "email": "aase@aeblehaven.example", "isPrimary": False},
]
CONTACTS: list[dict[str, Any]] = [
    {
        "id": "c1",
        "name": "Æblehaven ApS",
        "contactNo": "1",
        "countryId": "DE",
        "cityText": "Ry",
        "street": "Prøvevej 1",
        "phone": "12345678",
        "fax": "11 11 11 11",
        "isCustomer": True,
        "paymentTermsMode": "net",
        "paymentTermsDays": 8,
        "contactPersons": PERSONS,
    },
    {"id": "c2", "name": "Bageriet A/S", "contactNo": "2", "isCustomer": True},
    {"id": "c3", "name": "Bageriet A/S", "contactNo": "3", "isCustomer": True, "isArchived": True},
    {"id": "c4", "name": "Cykler ApS", "contactNo": "4", "isSupplier": True, "isCustomer": True},
    *({"id": f"cx{n}", "name": f"Anden {n}", "isCustomer": True} for n in range(20)),
]
PRICES = [{"currencyId": "DKK", "unitPrice": 100}, {"currencyId": "EUR", "unitPrice": 14}]
PRODUCTS: list[dict[str, Any]] = [
    {"id": "p1", "name": "Blå vare", "productNo": "0001", "description": "Blå", "prices": PRICES},
    {"id": "p2", "name": "Rød vare", "productNo": "0002", "isArchived": True},
    {"id": "p3", "name": "Konsulenttime", "prices": [{"currencyId": "DKK", "unitPrice": 950}]},
    *({"id": f"px{n}", "name": f"Anden {n}", "productNo": f"9{n}"} for n in range(20)),
]
LINES = [
    {"productId": "p1", "quantity": 4, "unitPrice": 125.5, "description": "Uge 5", "priority": 0},
    {"productId": "p3", "quantity": 1, "unitPrice": 950, "priority": 1, "discountMode": "percent", "discountValue": 10},
]
INVOICES: list[dict[str, Any]] = [
    {
        "id": "i1",
        "contactId": "c1",
        "entryDate": "2026-02-03",
        "orderNo": "PO-1",
        "contactMessage": "Tak",
        "currencyId": "DKK",
        "taxMode": "excl",
        "paymentTermsMode": "net",
        "paymentTermsDays": 8,
        "lines": LINES,
    },
    *({"id": f"ix{n}", "contactId": "c4", "entryDate": "2026-02-04", "lines": LINES[:1]} for n in range(20)),
]
ROWS: dict[tuple[str, str], tuple[list[Mapping[str, Any]], dict[str, Any], list[str]]] = {
    ("customers", "import"): (
        [
            {"name": "Ny Kunde ApS", "contactNo": "10", "email": "ny@kunde.example", "invoiceEmail": "f@kunde.example"},
            {"name": "Bar Kunde ApS", "contactNo": "", "email": "", "invoiceEmail": ""},
            {
                "name": "Æblehaven ApS",
                "contactNo": "1",
                "email": "anden@aeblehaven.example",
                "invoiceEmail": "x@a.example",
            },
        ],
        {"on_existing": "update"},
        ["created", "created", "updated"],
    ),
    ("customers", "update"): (
        [
            {"contactNo": "1", "city": "Ribe", "email": "ny@aeblehaven.example", "paymentTerms": "Netto 30 dage"},
            {"contactNo": "2", "city": "Ry", "email": "post@bageriet.example", "paymentTerms": ""},
            {"contactNo": "3", "city": "Ans", "email": "", "paymentTerms": ""},
        ],
        {"on_archived": "restore"},
        ["updated", "updated", "updated"],
    ),
    ("customers", "delete"): ([{"contactNo": "2"}, {"contactNo": "1"}], {}, ["deleted", "archived"]),
    ("contacts", "import"): (
        [{"name": "Ny Leverandør ApS", "isSupplier": "true", "contactPersons": PERSONS}],
        {},
        ["created"],
    ),
    ("contacts", "update"): (
        [{"contactNo": "1", "contactPersons": [{"name": "Kun mig", "email": "mig@a.example", "isPrimary": True}]}],
        {},
        ["updated"],
    ),
    ("contacts", "delete"): ([{"contactNo": "3"}, {"contactNo": "4"}], {}, ["deleted", "archived"]),
    ("products", "import"): (
        [
            {"productNo": "0009", "name": "Ny vare", "unitPrice": "7.5", "description": "Ny"},
            {"productNo": "0001", "name": "Blå vare", "unitPrice": "125", "description": "Meget blå"},
        ],
        {"on_existing": "update"},
        ["created", "updated"],
    ),
    ("products", "update"): (
        [
            {"productNo": "0001", "unitPrice": "8", "currency": "USD", "description": ""},
            {"productNo": "0002", "unitPrice": "9", "currency": "DKK", "description": "Rød"},
        ],
        {"on_archived": "restore"},
        ["updated", "updated"],
    ),
    ("products", "delete"): (
        [{"productNo": "0001"}, {"productNo": "0002"}, {"productNo": "95"}],
        {},
        ["archived", "deleted", "deleted"],
    ),
    ("invoices", "import"): (
        [
            {"invoice": "1", "contactNo": "1", "entryDate": "2026-02-05", "productNo": "0001", "unitPrice": "10"},
            {"invoice": "2", "contactNo": "2", "entryDate": "2026-02-05", "productNo": "0001", "unitPrice": "20"},
            {"invoice": "1", "contactNo": "", "entryDate": "", "productNo": "90", "unitPrice": "5"},
        ],
        {},
        ["created", "created", "created"],
    ),
    ("invoices", "update"): (
        [{"id": "i1", "orderNo": "PO-2", "contactMessage": "Mange tak", "paymentTerms": "Løbende måned + 15"}],
        {},
        ["updated"],
    ),
    ("invoices", "delete"): ([{"id": "i1"}, {"id": "ix3"}], {}, ["deleted", "deleted"]),
}


def test_every_resource_and_operation_is_here() -> None:
    offered = {(each.name, operation) for each in RESOURCES.values() for operation in each.operations}
    assert offered == ROWS.keys()


@pytest.mark.parametrize(
    ("resource", "operation", "modes"),
    [
        *((resource, operation, SWITCHES[0]) for resource, operation in sorted(ROWS)),
        # Where lists hide archived records and bring no children, the reading differs, not the operation.
        *((resource, "delete", SWITCHES[1]) for resource in RESOURCES),
    ],
    ids=str,
)
def test_the_books_are_as_before(
    resource: str,
    operation: str,
    modes: dict[str, Any],
    settings: Settings,
    engine: Engine,
    sandbox: SandboxServer,
    tmp_path: Path,
) -> None:
    sandbox.sandbox.switch(**modes)
    for plural, records in (("contacts", CONTACTS), ("products", PRODUCTS), ("invoices", INVOICES)):
        sandbox.sandbox.add(plural, [{**record, "createdTime": LONG_AGO} for record in records])
    before = books(sandbox)
    rows, options, verdicts = ROWS[resource, operation]
    office = Office(settings, engine, sandbox, tmp_path, RESOURCES[resource])
    done = office.carry_out(operation, rows, **options)
    assert done.verdicts == verdicts
    assert books(sandbox) != before
    [job] = list_jobs(engine)
    written = len(sandbox.sandbox.ledger)
    shown = take_back(settings, engine, job.job_id, dry_run=True)
    assert (shown.job.status, shown.target.status) == ("planned", "completed")
    assert len(sandbox.sandbox.ledger) == written, "a dry run changed something"
    undone = take_back(settings, engine, job.job_id)
    assert undone.verdicts == ["reversed"] * len(rows), [row["message"] for row in undone.rows]
    assert (undone.job.status, undone.target.status) == ("completed", "undone")
    assert books(sandbox) == before


def test_a_fifth_resource_is_taken_back_by_the_same_engine(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.sandbox.add("contacts", CONTACTS)
    office = Office.of(CONTACT_PERSONS, settings, engine, sandbox, tmp_path, monkeypatch)
    ids = {str(each["email"]): str(each["id"]) for each in sandbox.sandbox.contact_persons}
    before = books(sandbox)
    files: list[tuple[str, list[dict[str, str]]]] = [
        ("import", [{"contactId": "c2", "name": "Bo Bæk", "email": "bo@bageriet.example"}]),
        ("update", [{"id": ids["aase@aeblehaven.example"], "name": "Åse Bæk"}]),
        ("delete", [{"id": ids["aase@aeblehaven.example"]}]),
    ]
    for operation, rows in files:
        office.carry_out(operation, rows, confirm_count=1)
        assert books(sandbox) != before
        assert take_back(settings, engine, list_jobs(engine)[0].job_id).verdicts == ["reversed"]
        assert books(sandbox) == before
