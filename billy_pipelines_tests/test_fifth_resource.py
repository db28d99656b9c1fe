"""Adding a resource is one description in one file plus registration: the fifth is `contact_persons.py` beside this.

Nothing else here or in the product knows of contact persons as something people import.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Engine

from billy_pipelines.bulk import uploads
from billy_pipelines.bulk.reading import Checked, check_rows, read_upload
from billy_pipelines.defs.assets import build_assets
from billy_pipelines.defs.jobs import build_job
from billy_pipelines.defs.session import JobSession
from billy_pipelines.files.columns_page import page
from billy_pipelines.files.table import Limits
from billy_pipelines.files.templates import FORMATS, write_template
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.schemas.reading_options import ReadingOptions
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import run_job
from billy_pipelines_tests.bulk.whole_jobs import SWITCHES, Office
from billy_pipelines_tests.contact_persons import CONTACT_PERSONS, SCHEMA
from billy_pipelines_tests.e2e.commands import environment

BOOKKEEPER = {"name": "Bogholderiet", "email": "faktura@aeblehaven.example", "isPrimary": True}
AASE = {"name": "Åse Ørsted", "email": "aase@aeblehaven.example", "isPrimary": False}
NEW = [
    {"contactId": "c1", "name": "Bogholderiet", "email": "FAKTURA@aeblehaven.example", "isPrimary": "nej"},
    {"contactId": "c1", "name": "Bo Bæk", "email": "bo@aeblehaven.example", "isPrimary": ""},
    {"contactId": "c2", "name": "", "email": "post@bageriet.example", "isPrimary": "ja"},
    {"contactId": "c9", "name": "Ida", "email": "ida@ukendt.example", "isPrimary": ""},
    {"contactId": "c1", "name": "Åse Ørsted", "email": "en.anden@aeblehaven.example", "isPrimary": ""},
]


@pytest.fixture
def office(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Office:
    """Books with a contact of two persons and an archived one of none. `Office.of` is the registration."""
    sandbox.sandbox.add_contacts(
        [
            {"id": "c1", "name": "Æblehaven ApS", "contactPersons": [BOOKKEEPER, AASE]},
            {"id": "c2", "name": "Bageriet A/S", "isArchived": True},
        ]
    )
    return Office.of(CONTACT_PERSONS, settings, engine, sandbox, tmp_path, monkeypatch)


@pytest.fixture(params=[*SWITCHES, {"include": "ignored"}], ids=str)
def any_billy(request: pytest.FixtureRequest, sandbox: SandboxServer) -> None:
    sandbox.sandbox.switch(**{**request.param, "archived_in_lists": "included"})


def persons(office: Office, contact_id: str) -> dict[str, tuple[str, bool]]:
    """A contact's persons in the books: address -> name, whether primary."""
    found = [each for each in office.records("contactPersons") if each["contactId"] == contact_id]
    return {str(each["email"]): (str(each["name"] or ""), bool(each["isPrimary"])) for each in found}


def person_id(office: Office, email: str) -> str:
    [found] = [str(each["id"]) for each in office.records("contactPersons") if each["email"] == email]
    return found


# -- in Billy ----------------------------------------------------------------------------------------------------------


def test_an_import_makes_persons_and_leaves_the_others_alone_b3(office: Office, any_billy: None) -> None:
    done = office.carry_out("import", NEW)
    assert done.actions == ["skipped", "create", "create", "rejected", "rejected"]
    assert done.verdicts == ["skipped", "created", "created", "rejected", "rejected"]
    assert done.codes == ["exists", "", "", "contact_unknown", "possible_duplicate"]
    assert persons(office, "c1") == {
        "faktura@aeblehaven.example": ("Bogholderiet", True),
        "aase@aeblehaven.example": ("Åse Ørsted", False),
        "bo@aeblehaven.example": ("Bo Bæk", False),
    }
    assert persons(office, "c2") == {"post@bageriet.example": ("", True)}
    assert office.carry_out("import", NEW[:3]).verdicts == ["skipped"] * 3


def test_an_update_changes_only_what_the_file_has_b1_b8(office: Office, any_billy: None) -> None:
    aase = person_id(office, "aase@aeblehaven.example")
    rows = [
        {"id": aase, "email": "ny@aeblehaven.example"},
        {"contactId": "c1", "email": "faktura@aeblehaven.example", "isPrimary": "ja"},
        {"contactId": "c1", "email": "ukendt@aeblehaven.example"},
    ]
    done = office.carry_out("update", rows)
    assert done.plan[0].changes == "email: aase@aeblehaven.example → ny@aeblehaven.example"
    assert (done.verdicts, done.codes) == (["updated", "unchanged", "rejected"], ["", "", "not_found"])
    assert persons(office, "c1")["ny@aeblehaven.example"] == ("Åse Ørsted", False)
    moved = office.carry_out("update", [{"id": aase, "contactId": "c2"}])
    assert moved.codes == ["contact_fixed"]


def test_a_delete_takes_what_it_names_b17(office: Office, any_billy: None) -> None:
    aase = person_id(office, "aase@aeblehaven.example")
    done = office.carry_out("delete", [{"id": aase}, {"id": "gone"}])
    assert (done.verdicts, done.codes) == (["deleted", "rejected"], ["", "not_found"])
    assert list(persons(office, "c1")) == ["faktura@aeblehaven.example"]
    assert office.carry_out("delete", [{"id": aase}]).codes == ["not_found"]


# -- files and folders -------------------------------------------------------------------------------------------------


def checked(path: Path, operation: str = "import") -> Checked:
    upload = read_upload(path, SCHEMA, ReadingOptions(), Limits(), operation=operation)
    return check_rows(upload, SCHEMA, ReadingOptions(), operation)


@pytest.mark.parametrize("language", ["en", "da"])
@pytest.mark.parametrize("form", FORMATS)
def test_its_template_is_valid_as_it_stands(tmp_path: Path, form: str, language: str) -> None:
    path = tmp_path / f"template.{form}"
    write_template(path, SCHEMA, form, language)
    found = checked(path)
    assert (list(found.upload.headers.unknown), dict(found.errors)) == ([], {})
    assert [row and row["contactId"] for row in found.validated.rows] == ["ctc0000000000000000001"] * 2


def test_its_rows_are_validated(tmp_path: Path) -> None:
    path = tmp_path / "personer.csv"
    path.write_text(
        "Kontakt id;Navn;E-mail;Primær\n"
        "c1;Bo;bo@b.example;ja\n"
        ";Ida;ida@b.example;\n"
        "c1;;;nej\n"
        "c1;Per;per(at)b;\n"
        "c1;Ole;ole@b.example;måske\n"
        "c1;Eva;eva@b.example, eva2@b.example;\n"
        "c1;Bo igen;BO@b.example;\n",
        encoding="utf-8",
    )
    found = checked(path)
    codes = [[problem.code for problem in found.validated.problems.get(row, [])] for row in range(7)]
    assert codes == [
        [],
        ["required"],
        ["needs_one_of"],
        ["email_form"],
        ["boolean_form"],
        ["email_form"],
        ["duplicate_in_file"],
    ]
    assert found.validated.rows[0] == {"contactId": "c1", "name": "Bo", "email": "bo@b.example", "isPrimary": "true"}


def test_its_columns_have_a_section_on_the_page() -> None:
    assert "## contactPersons\n" in page([SCHEMA])
    assert "| **`contactId`** | Kontakt id | text |" in page([SCHEMA])


def test_a_file_dropped_into_its_folder_becomes_a_job(office: Office) -> None:
    uploads.make_folders(office.settings)
    folder = office.settings.uploads_dir / "default" / "contactPersons"
    assert {each.name for each in folder.iterdir()} == {"import", "update", "delete"}
    (folder / "import" / "personer.csv").write_text("contactId;name\nc1;Bo Bæk\n", encoding="utf-8")
    [drop] = uploads.drops(office.settings)
    received = uploads.take(office.settings, office.engine, drop)
    assert received is not None
    assert (received.job.resource_type, received.job.operation) == ("contactPersons", "import")
    assert run_job(office.settings, office.engine, received.job.job_id).counts["created"] == 1


# -- Dagster and the command -------------------------------------------------------------------------------------------


def test_it_has_its_assets_and_its_job() -> None:
    assets = build_assets(CONTACT_PERSONS)
    job = dg.Definitions(
        assets=assets, jobs=[build_job(CONTACT_PERSONS)], resources={"session": JobSession()}
    ).resolve_job_def("bulk_contactPersons")
    names = ("rows", "valid_rows", "plan", "sync")
    assert [asset.key.path for asset in assets] == [["contactPersons", name] for name in names]
    assert {node.name for node in job.nodes} == {f"contactPersons__{name}" for name in names}
    assert dg.validate_run_config(job, {"ops": {"contactPersons__rows": {"config": {"dry_run": True}}}})


def billy(settings: Settings, *arguments: object) -> tuple[int, dict[str, Any]]:
    """Run `billy … --json` with the fifth resource in the registry: exit code and document."""
    command = [sys.executable, "-m", "billy_pipelines_tests.contact_persons", *map(str, arguments), "--json"]
    ended = subprocess.run(command, env=environment(settings), capture_output=True, text=True, timeout=120, check=False)
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


@pytest.mark.slow
def test_the_command_knows_it(office: Office, tmp_path: Path) -> None:
    """A process of its own each time, as in life: choices, definitions and folders are made from the registry."""
    template = tmp_path / "personer.csv"
    code, written = billy(office.settings, "template", "contactPersons", "--out", template, "--language", "da")
    assert (code, [each["name"] for each in written["columns"]][:2]) == (0, ["Kontakt id", "Navn"])
    code, found = billy(office.settings, "check", template, "--resource", "contactPersons")
    assert (code, found["rows"], found["valid"]) == (0, 2, 2)
    template.write_text(template.read_text("utf-8-sig").replace("ctc0000000000000000001", "c2"), "utf-8")
    code, job = billy(office.settings, "import", template, "--resource", "contactPersons")
    assert (code, job["resource"], job["counts"]["created"]) == (0, "contactPersons", 2)
    assert set(persons(office, "c2")) == {"faktura@aeblehaven.example", "aase@aeblehaven.example"}
