"""`billy check` as a bookkeeper uses it: no Billy, no PostgreSQL; where the errors are and what to do about them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from billy_pipelines.cli import main

GOOD_AND_BAD = "Navn;Mail;Tlf.\nÆblehaven ApS;a@b.example;=1+1\nBo;bo(at)b;\n".encode("cp1252")


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("BILLY_API_URL", "BILLY_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BILLY_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")  # touching it would fail
    monkeypatch.setenv("BILLY_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def file_of(folder: Path, content: bytes, name: str = "kunder.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def document(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json")
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def test_a_problem_says_where_it_is_what_it_is_and_what_to_do(tmp_path: Path) -> None:
    file = file_of(tmp_path, GOOD_AND_BAD)
    found = document("check", file, "--resource", "customers")
    assert (found["rows"], found["valid"], found["rejected"]) == (2, 1, 1)
    assert found["errors"] == {"email_form": 1}
    assert found["source"]["encoding"] == "cp1252"
    [problem] = found["problems"]
    assert problem == {
        "line": 3,
        "row": 2,
        "column": "Mail",
        "column_number": 2,
        "field": "email",
        "value": "bo(at)b",
        "code": "email_form",
        "message": "bo(at)b is not an e-mail address. Write it as name@company.dk.",
        "warning": False,
    }
    assert run("check", file, "--resource", "customers").exit_code == 3


def test_what_is_wrong_is_said_in_danish_when_asked(tmp_path: Path) -> None:
    found = document("check", file_of(tmp_path, GOOD_AND_BAD), "--resource", "customers", "--language", "da")
    assert found["problems"][0]["message"] == "bo(at)b er ikke en e-mailadresse. Skriv den som navn@firma.dk."
    refused = document("check", file_of(tmp_path, b""), "--resource", "customers", "--language", "da")
    assert refused["error"]["message"].endswith("der skal være en overskrift og mindst én række.")


def test_the_rows_to_mend_come_back_as_they_were_and_can_be_checked_again(tmp_path: Path) -> None:
    rejected = tmp_path / "rejected.csv"
    run("check", file_of(tmp_path, GOOD_AND_BAD), "--resource", "customers", "--rejected", rejected)
    with rejected.open(encoding="utf-8-sig", newline="") as opened:
        header, row = csv.reader(opened, delimiter=";")
    assert header == ["Navn", "Mail", "Tlf.", "line", "column", "value", "code", "message"]
    assert row[:7] == ["Bo", "bo(at)b", "", "3", "Mail", "bo(at)b", "email_form"]
    mended = file_of(tmp_path, rejected.read_bytes().replace(b"bo(at)b;", b"bo@b.example;", 1), "mended.csv")
    assert document("check", mended, "--resource", "customers")["rejected"] == 0


def test_options_come_as_flags_and_from_a_file_beside_it(tmp_path: Path) -> None:
    file = file_of(tmp_path, b"Medlem;Pris\nA;1.234\n", "varer.csv")
    arguments = ("check", file, "--resource", "products", "--mapping", "Medlem=name")
    assert document(*arguments)["errors"] == {"ambiguous_number": 1}
    assert document(*arguments, "--decimal", "comma")["errors"] == {}
    file_of(tmp_path, b"decimal: point\nmapping: {Medlem: name}\n", "varer.csv.options.yaml")
    assert document("check", file, "--resource", "products")["errors"] == {}
    assert run("check", file, "--resource", "products", "--mapping", "Medlem").exit_code == 2


def test_a_file_nobody_can_read_ends_with_one_code(tmp_path: Path) -> None:
    file = file_of(tmp_path, b"PK\x03\x04", "kunder.csv")
    assert document("check", file, "--resource", "customers")["error"]["code"] == "type_mismatch"
    assert run("check", file, "--resource", "customers").exit_code == 1


def test_a_screen_shows_what_stops_rows_and_how_the_file_was_read(tmp_path: Path) -> None:
    shown = run("check", file_of(tmp_path, GOOD_AND_BAD), "--resource", "customers").output
    assert "2 rows, 1 valid, 1 rejected" in shown
    assert "Windows-1252" in shown
    assert "email_form" in shown


def test_limits_are_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLY_MAX_ROWS", "1")
    found = document("check", file_of(tmp_path, GOOD_AND_BAD), "--resource", "customers")
    assert found["error"]["code"] == "too_many_rows"
    assert "BILLY_MAX_ROWS" in found["error"]["message"]


def test_nothing_is_written_beside_what_was_asked_for(tmp_path: Path, data_folder: Path) -> None:
    file = file_of(tmp_path, GOOD_AND_BAD)
    run("check", file, "--resource", "customers")
    assert not data_folder.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kunder.csv"]
