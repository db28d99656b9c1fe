"""Books with everything in them that makes exported files go wrong, and the ways a test takes through an export."""

from __future__ import annotations

import asyncio
import csv
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from billy_pipelines.bulk.context import job_folder
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.exports.exporting import Exported, columns_of, export_file
from billy_pipelines.exports.taking import take_snapshot
from billy_pipelines.files.snapshots import Snapshot
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import run_job, take_in

DAY = date(2026, 11, 25)
HOSTILE = (
    "=1+1",
    "+SUM(A1:A2)",
    "-2+3",
    "@SUM(1)",
    '=HYPERLINK("https://sted.example";"klik")',
    'Med "anførsel"; og, komma',
    "To\nlinjer",
    "0800",
    "1-2",
    "maj 2026",
    "5790000000012",
    "1,5",
    "  blanke  ",
    "Æblehaven & Søn <ApS>",
    "'Apostrof",
    "+4500000000",
    "_x0041_",
)
"""Names that a spreadsheet runs, splits, trims or makes a number or date of."""


@dataclass(frozen=True)
class Books:
    """A sandbox's books, and the engine that exports from them and imports into them."""

    settings: Settings
    engine: Engine
    sandbox: SandboxServer

    def fill(self) -> None:
        """One of everything."""
        add = self.sandbox.sandbox.add
        for number, name in enumerate(HOSTILE, 1):
            self.contact(name=name, contactNo=f"00{number}", street=name, isCustomer=True, isArchived=number == 3)
        self.contact(
            name="Tre personer A/S",
            isCustomer=True,
            isSupplier=True,
            paymentTermsMode="net",
            paymentTermsDays=14,
            localeId="da_DK",
            registrationNo="99000007",
            ean="5790000000012",
            contactPersons=[
                {"name": "Anna Prøvesen", "email": "anna@tre.example", "isPrimary": True},
                {"name": "Bo", "email": "bo@tre.example"},
                {"name": "Uden mail"},
            ],
        )
        self.contact(
            name="Kun leverandør", isCustomer=False, isSupplier=True, countryId="DE", registrationNo="ikke et nr"
        )
        contacts = self.records("contacts")
        rulesets, accounts = self.records("salesTaxRulesets"), self.records("accounts")
        revenue = next(each for each in accounts if each["natureId"] == "revenue")
        products = [
            {"name": "Vare", "productNo": "0042", "prices": [{"currencyId": "DKK", "unitPrice": 125.5}]},
            {
                "name": "=2+2",
                "productNo": "1E5",
                "description": "To\nlinjer",
                "accountId": revenue["id"],
                "salesTaxRulesetId": rulesets[0]["id"],
                "prices": [{"currencyId": "EUR", "unitPrice": 17.255}, {"currencyId": "DKK", "unitPrice": 1.125}],
            },
            {"name": "Uden pris", "isArchived": True},
        ]
        add("products", products)
        ids = [each["id"] for each in self.records("products")]
        lines = [
            {"productId": ids[0], "quantity": 4, "unitPrice": 125.5, "description": "=1+1"},
            {
                "productId": ids[1],
                "quantity": 1.125,
                "unitPrice": 1000,
                "discountMode": "percent",
                "discountValue": 12.5,
            },
            {"productId": ids[0], "quantity": 1, "unitPrice": 50, "discountMode": "cash", "discountValue": 10},
        ]
        whose = contacts[0]["id"]
        terms = {"paymentTermsMode": "netEndOfMonth", "paymentTermsDays": 15}
        invoices: list[dict[str, Any]] = [
            {"contactId": whose, "entryDate": "2026-04-01", "state": "draft", "lines": lines, **terms},
            {"contactId": whose, "entryDate": "2026-03-04", "state": "approved", "lines": lines[:1], "orderNo": "0017"},
            {"contactId": contacts[2]["id"], "entryDate": "2026-05-06", "state": "draft", "lines": lines[1:2]},
            {
                "contactId": whose,
                "entryDate": "2026-05-07",
                "currencyId": "EUR",
                "exchangeRate": 7.46,
                "lines": lines[:2],
            },
        ]
        add("invoices", invoices)

    def contact(self, **keys: Any) -> str:
        """Put one contact into Billy; returns its id."""
        before = {each["id"] for each in self.records("contacts")}
        self.sandbox.sandbox.add_contacts([{"type": "company", "countryId": "DK", **keys}])
        return next(str(each["id"]) for each in self.records("contacts") if each["id"] not in before)

    def records(self, plural: str) -> list[dict[str, Any]]:
        """What is in Billy."""
        return self.sandbox.sandbox.records(plural)  # type: ignore[arg-type]

    def snapshot(self, resource: str, day: date = DAY, **how: Any) -> Snapshot:
        """Take one."""
        self.hurry()
        return asyncio.run(take_snapshot(self.settings, self.engine, "default", resource, day, **how))

    def export(
        self, snapshot: Snapshot, folder: Path, *, form: str = "csv", everything: bool = False, **how: Any
    ) -> Path:
        """Export it."""
        columns = columns_of(snapshot.manifest.resource) if everything else ()
        out = folder / f"{snapshot.manifest.resource}.{form}"
        done: Exported = export_file(snapshot, format=form, out=out, **{"columns": columns, **how})
        return done.path

    def drop(self, file: Path, resource: str, operation: str = "update", **options: Any) -> Done:
        """Hand a file in and carry it out."""
        received = take_in(
            self.settings, self.engine, file, resource=resource, operation=operation, again=True, **options
        )
        self.hurry()
        row = run_job(self.settings, self.engine, received.job.job_id)
        assert row.status not in ("failed", "cancelled"), row.errors
        with (job_folder(self.settings, row.job_id) / "results.csv").open(encoding="utf-8-sig", newline="") as opened:
            delimiter = row.source["delimiter"]
            return Done(row, list(csv.DictReader(opened, delimiter=delimiter)))

    def hurry(self) -> None:
        """The rate starts at 2/s on purpose; these tests are about something else."""
        statement = """
            INSERT INTO billy.billy_organizations (name, rate, rate_changed_at) VALUES ('default', 500, now())
            ON CONFLICT (name) DO UPDATE SET rate = 500, rate_changed_at = now(), rate_threshold = NULL
        """
        with self.engine.begin() as connection:
            connection.execute(text(statement))


@dataclass(frozen=True)
class Done:
    """A job that has ended, and its results row by row."""

    job: JobRow
    results: list[dict[str, str]]

    @property
    def verdicts(self) -> Counter[str]:
        """How often each came."""
        return Counter(result["verdict"] for result in self.results)

    @property
    def codes(self) -> list[str]:
        """The codes of the rows."""
        return [result["code"] for result in self.results]
