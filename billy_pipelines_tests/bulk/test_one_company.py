"""One company has one name (rule B2): the writer lock, the rate and what is known of its jobs go by that name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, text

from billy_pipelines.bulk.intake import receive
from billy_pipelines.cli import main
from billy_pipelines.database.jobs import (
    JobRow,
    mirror_organization,
    organizations_of_company,
    record_organization,
)
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings, SettingsError
from billy_pipelines_tests.bulk.jobs import customers_csv, numbered, run_job
from billy_pipelines_tests.e2e.commands import environment

OTHER = "another-token"
TWO = "organizations: [{name: default}, {name: firma, token_variable: FIRMA_TOKEN}]"


class House:
    """Two names in `organizations.yaml`, whose tokens open the books of one company."""

    def __init__(self, settings: Settings, engine: Engine, sandbox: SandboxServer, folder: Path) -> None:
        self.settings = replace(settings, environ={**settings.environ, "FIRMA_TOKEN": OTHER})
        self.engine, self.sandbox, self.folder = engine, sandbox.sandbox, folder
        self.sandbox.books_by_token[OTHER] = self.sandbox.books_by_token[sandbox.token]
        self.company = self.sandbox.books_by_token[OTHER].organization_id
        self.list(TWO)

    def list(self, organizations: str) -> None:
        self.settings.data_dir.mkdir(exist_ok=True)
        (self.settings.data_dir / "organizations.yaml").write_text(organizations, encoding="utf-8")

    def hand_in(self, organization: str, count: int = 5) -> str:
        """The id of the job of a file of customers, the same one for everybody."""
        file = customers_csv(self.folder / "kunder.csv", numbered(count))
        place: dict[str, Any] = {"organization": organization, "resource": "customers", "operation": "import"}
        job = receive(self.settings, self.engine, file, **place, options={}, keep=True, launch=False).job
        with self.engine.begin() as connection:
            connection.execute(text("UPDATE billy.billy_organizations SET rate = 500, rate_changed_at = now()"))
        return job.job_id

    def run(self, job_id: str) -> JobRow:
        return run_job(self.settings, self.engine, job_id)

    def companies(self) -> dict[str, str | None]:
        """What is on record: name -> Billy's id of its company."""
        with self.engine.connect() as connection:
            found = connection.execute(text("SELECT name, billy_organization_id FROM billy.billy_organizations"))
            return {str(name): company for name, company in found}


@pytest.fixture
def house(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> House:
    return House(settings, engine, sandbox, tmp_path)


def error_of(row: JobRow) -> tuple[str, str]:
    return row.errors[-1]["code"], row.errors[-1]["message"]


def test_two_names_with_one_token_send_nothing(house: House) -> None:
    """To forget the variable in a second entry is enough for that."""
    house.list("organizations: [{name: default}, {name: firma}]")
    for job_id in [house.hand_in("default"), house.hand_in("firma")]:
        with pytest.raises(SettingsError, match=r"'firma'.*BILLY_ACCESS_TOKEN.*the same access token"):
            house.run(job_id)
    assert house.sandbox.contacts == []


def test_a_company_that_is_on_record_under_another_name_is_refused(house: House) -> None:
    assert house.run(house.hand_in("default")).status == "completed"
    refused = house.run(house.hand_in("firma"))
    code, message = error_of(refused)
    assert (refused.status, code) == ("failed", "wrong_organization")
    assert all(word in message for word in ("'firma'", "FIRMA_TOKEN", "on record as 'default'", house.company))
    assert OTHER not in message
    assert len(house.sandbox.contacts) == 5
    assert house.companies() == {"default": house.company, "firma": None}


def test_of_two_first_jobs_at_once_one_is_refused(house: House) -> None:
    house.sandbox.switch(latency="0.05")
    jobs = [house.hand_in("default", 20), house.hand_in("firma", 20)]
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(house.run, jobs))
    assert sorted(row.status for row in rows) == ["completed", "failed"]
    [failed] = [row for row in rows if row.status == "failed"]
    assert error_of(failed)[0] == "wrong_organization"
    assert len(house.sandbox.contacts) == 20


def test_two_jobs_that_have_read_the_company_record_it_one_after_the_other(house: House) -> None:
    """Neither finds the other's row before it has been written; so they wait for each other."""
    with house.engine.connect() as first, house.engine.connect() as second:
        for connection, name in ((first, "default"), (second, "firma")):
            mirror_organization(connection, name)
        assert organizations_of_company(first, house.company) == []
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(organizations_of_company, second, house.company)
            record_organization(first, "default", billy_organization_id=house.company)
            first.commit()
            assert waiting.result(timeout=10) == ["default"]


def test_one_who_renames_an_organization_is_told_its_old_name(house: House) -> None:
    house.run(house.hand_in("default"))
    house.list("organizations: [{name: firma, token_variable: FIRMA_TOKEN}]")
    refused = house.run(house.hand_in("firma"))
    assert "list it in organizations.yaml as 'default' only, its old name" in error_of(refused)[1]
    house.list("organizations: [{name: default, token_variable: FIRMA_TOKEN}]")
    assert house.run(house.hand_in("default", 7)).counts["created"] == 2


def test_a_name_that_had_the_token_by_mistake_is_pinned_to_its_own_company(house: House) -> None:
    house.run(house.hand_in("default"))
    house.list(TWO.replace("{name: default}", "{name: default, billy_organization_id: its-own}"))
    assert house.run(house.hand_in("firma")).status == "completed"
    mistaken = house.run(house.hand_in("default", 6))
    assert error_of(mistaken)[0] == "wrong_organization", "by its token it is still the other company"


def test_of_two_names_on_record_before_this_was_checked_the_older_goes_on(house: House) -> None:
    jobs = [house.hand_in("default"), house.hand_in("firma", 6)]
    with house.engine.begin() as connection:
        connection.execute(
            text("UPDATE billy.billy_organizations SET billy_organization_id = :id"), {"id": house.company}
        )
    assert [house.run(job_id).status for job_id in jobs] == ["completed", "failed"]


@pytest.mark.parametrize("known", [False, True])
def test_doctor_says_that_two_names_are_one_company(house: House, monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    if known:
        house.run(house.hand_in("default"))
    for name, value in environment(house.settings).items():
        if name.startswith("BILLY_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("FIRMA_TOKEN", OTHER)
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 1, result.output
    assert "ok     organization default: " in result.output
    [said] = [line for line in result.output.splitlines() if line.startswith("WRONG  organization firma: ")]
    assert "'default'" in said


def test_doctor_says_that_two_names_have_one_token(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.list("organizations: [{name: default}, {name: firma}]")
    for name, value in environment(house.settings).items():
        if name.startswith("BILLY_"):
            monkeypatch.setenv(name, value)
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 1
    assert result.output.count("have the same access token") == 2
    assert house.settings.environ["BILLY_ACCESS_TOKEN"] not in result.output
