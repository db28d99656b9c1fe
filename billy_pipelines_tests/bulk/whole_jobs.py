"""Whole jobs of any resource and operation: planned in a dry run, looked at, applied, and what became of each row."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from billy_pipelines.bulk.applying import apply_plan
from billy_pipelines.bulk.context import job_folder
from billy_pipelines.bulk.intake import receive
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.schemas.resource import Resource
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import run_job

SWITCHES: Sequence[dict[str, Any]] = (
    {},
    {"archived_in_lists": "hidden", "include": "ignored", "contact_in_use": "allowed", "product_in_use": "allowed"},
    {"unlisted_sort": "refused", "unstable_paging": True, "system_names": "renamed"},
    {"unlisted_sort": "ignored", "organization_id": "refused", "undeclared_properties": "refused"},
)
"""The modes that billy-api.md leaves open, several at a time where they do not touch each other."""
NEVER_SEEN: dict[str, Any] = {"archived_in_lists": "hidden", "unproven_filters": "ignored"}
"""No list shows an archived record there."""


@dataclass(frozen=True)
class Planned:
    """One line of plan.csv. `action` is what will be done, or the verdict where nothing will."""

    action: str
    changes: str
    code: str


@dataclass(frozen=True)
class Done:
    """A job that was planned, then applied; both by row, in the order of the file."""

    status: str
    plan: list[Planned]
    verdicts: list[str]
    codes: list[str]
    warnings: list[str]
    ids: list[str]

    @property
    def actions(self) -> list[str]:
        """What the plan said."""
        return [line.action for line in self.plan]


@dataclass(frozen=True)
class Office:
    """Where files of one resource are handed in."""

    settings: Settings
    engine: Engine
    sandbox: SandboxServer
    folder: Path
    resource: Resource[Any]

    @classmethod
    def of(
        cls,
        resource: Resource[Any],
        settings: Settings,
        engine: Engine,
        sandbox: SandboxServer,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Office:
        """An office for a resource, whether or not it is in the registry."""
        monkeypatch.setitem(RESOURCES, resource.name, resource)
        return cls(settings, engine, sandbox, folder, resource)

    def carry_out(self, operation: str, rows: Iterable[Mapping[str, Any]], **options: Any) -> Done:
        """Plan a file in a dry run, which must change nothing, then apply that plan."""
        before = len(self.sandbox.sandbox.ledger)
        job_id = self.plan(operation, rows, **options)
        assert len(self.sandbox.sandbox.ledger) == before, "a dry run changed something"
        return self.apply(job_id)

    def plan(self, operation: str, rows: Iterable[Mapping[str, Any]], **options: Any) -> str:
        """Hand a file in for a dry run; returns the job's id."""
        job_id = self._receive(operation, list(rows), {"max_error_rate": 1.0, **options, "dry_run": True})
        planned = run_job(self.settings, self.engine, job_id)
        assert planned.status == "planned", planned.errors
        return job_id

    def planned(self, job_id: str) -> list[Planned]:
        """A job's plan.csv."""
        return [Planned(line["action"], line["changes"], line["code"]) for line in self._lines(job_id, "plan.csv")]

    def apply(self, job_id: str) -> Done:
        """Carry out a job's plan, the number of its deletes confirmed."""
        plan = self.planned(job_id)
        number = sum(line.action in ("delete", "archive") for line in plan)
        apply_plan(self.engine, job_id, confirm_count=number, launch=False)
        row = run_job(self.settings, self.engine, job_id)
        results = self._lines(job_id, "results.csv")
        assert row.counts["total"] == len(results) == sum(n for name, n in row.counts.items() if name != "total")
        return Done(
            row.status,
            plan,
            [line["verdict"] for line in results],
            [line["code"] for line in results],
            [line["warnings"] for line in results],
            [line["billy_id"] for line in results],
        )

    def records(self, plural: str) -> list[dict[str, Any]]:
        """What is in the books."""
        return self.sandbox.sandbox.records(plural)

    def _receive(self, operation: str, rows: list[Mapping[str, Any]], options: dict[str, Any]) -> str:
        received = receive(
            self.settings,
            self.engine,
            self._file(rows),
            organization="default",
            resource=self.resource.name,
            operation=operation,
            options=options,
            again=True,
            keep=True,
            launch=False,
        )
        with self.engine.begin() as connection:  # the rate starts at 2/s on purpose
            connection.execute(
                text("UPDATE billy.billy_organizations SET rate = 500, rate_changed_at = now() WHERE rate IS NULL")
            )
        return received.job.job_id

    def _file(self, rows: list[Mapping[str, Any]]) -> Path:
        """CSV, or JSON where a value is a list."""
        if any(isinstance(value, list) for row in rows for value in row.values()):
            path = self.folder / "rows.json"
            path.write_text(json.dumps(rows), encoding="utf-8")
            return path
        path = self.folder / "rows.csv"
        columns = list(dict.fromkeys(name for row in rows for name in row))
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, delimiter=";", restval="")
            writer.writeheader()
            writer.writerows(rows)
        return path

    def _lines(self, job_id: str, name: str) -> list[dict[str, str]]:
        path = job_folder(self.settings, job_id) / name
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, delimiter=";"))
