"""Rows to mend, dropped again: mended they pass, untouched they fail again, and nothing about them has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
import yaml
from sqlalchemy import Engine

from billy_pipelines.bulk.context import JobContext, load_job
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import run_job, take_in


class Office:
    """Somebody who hands in files and mends what comes back."""

    def __init__(self, settings: Settings, engine: Engine, folder: Path) -> None:
        self.settings, self.engine, self.folder = settings, engine, folder

    def hand_in(self, content: bytes, name: str = "fil.csv", **options: Any) -> JobContext:
        file = self.folder / name
        file.write_bytes(content)
        job = run_job(self.settings, self.engine, take_in(self.settings, self.engine, file, **options).job.job_id)
        return load_job(self.settings, self.engine, job.job_id)

    def codes(self, job: JobContext) -> list[str | None]:
        return [item.error_code for item in job.journal.items()]


@pytest.fixture
def office(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> Office:
    return Office(settings, engine, tmp_path)


def test_a_row_with_a_hidden_value_fails_until_somebody_types_it(office: Office) -> None:
    job = office.hand_in(b"Navn;Mail\nBo 010190-1234;bo@b.example\n")
    assert office.codes(job) == ["possible_cpr"]
    rejected = (job.folder / "rejected.csv").read_bytes()
    assert b"010190" not in rejected
    assert office.codes(office.hand_in(rejected)) == ["hidden_value"]
    assert office.codes(office.hand_in(rejected.replace("•••;bo@".encode(), b"Bo;bo@"))) == [None]


def test_a_row_with_too_many_cells_fails_until_somebody_puts_it_right(office: Office) -> None:
    job = office.hand_in(b"Navn;Adresse;Postnr.\nHansen; Bo;Vej 1;8000\n")
    assert office.codes(job) == ["too_many_cells"]
    rejected = (job.folder / "rejected.csv").read_bytes()
    assert "••• Vej 1;8000".encode() in rejected, "nothing of the row is lost"
    assert office.codes(office.hand_in(rejected)) == ["hidden_value"]


def test_a_number_that_is_a_name_keeps_its_point(office: Office) -> None:
    path = office.folder / "varer.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["Varenr.", "Varenavn", "Salgspris"])
        sheet.write_row(1, 0, [10.5, "", 12.5])
    job = office.hand_in(path.read_bytes(), "varer.xlsx", resource="products")
    rejected = (job.folder / "rejected.csv").read_text(encoding="utf-8-sig")
    assert rejected.splitlines()[1].startswith("10.5;;12,5;2;Varenavn;")


def test_what_options_said_holds_for_the_mended_rows(office: Office) -> None:
    content = b"Varenr.;Varenavn;Pris\n1;A;100\n2;;200\n"
    chosen = {"set": {"currency": "EUR"}, "prices_include_vat": "true", "decimal": "comma"}
    job = office.hand_in(content, "varer.csv", resource="products", **chosen)
    assert office.codes(job)[1] == "required"
    header, row = (job.folder / "rejected.csv").read_text(encoding="utf-8-sig").splitlines()
    assert header.startswith("Varenr.;Varenavn;Pris;currency;taxMode;line;")
    assert row.startswith("2;;200;EUR;incl;3;")
    beside = yaml.safe_load((job.folder / "rejected.csv.options.yaml").read_text(encoding="utf-8"))
    assert beside == {"decimal": "comma"}
