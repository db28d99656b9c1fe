"""What a job leaves for people: each row once, its own cells back to mend and drop again, nothing private, nothing that
runs in a spreadsheet."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from billy_pipelines.bulk import reports
from billy_pipelines.bulk.context import JobContext, load_job
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.files.table import ERROR_COLUMNS
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import run_job, take_in

CPR = "010190-1234"
HEADER = ["Noter", "Firmanavn", "Mail", "By", "CPR-nr", "CVR"]


class Office:
    """Somebody who drops files, waits for the end and opens what lies in the job's folder."""

    def __init__(self, settings: Settings, engine: Engine, folder: Path) -> None:
        self.settings, self.engine, self.folder = settings, engine, folder

    def run(self, content: str | bytes, name: str = "kunder.csv", **options: object) -> JobContext:
        file = self.folder / name
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.job(
            run_job(self.settings, self.engine, take_in(self.settings, self.engine, file, **options).job.job_id)
        )

    def job(self, row: JobRow) -> JobContext:
        return load_job(self.settings, self.engine, row.job_id)


@pytest.fixture
def office(settings: Settings, engine: Engine, tmp_path: Path) -> Office:
    return Office(settings, engine, tmp_path)


@pytest.fixture
def no_umask() -> Iterator[None]:
    """A shell that lets everybody read what it makes."""
    before = os.umask(0)
    yield
    os.umask(before)


def csv_text(*rows: list[str], header: list[str] | None = None, delimiter: str = ";") -> str:
    return "".join(
        delimiter.join('"' + cell.replace('"', '""') + '"' if set(cell) & set(';,"\n') else cell for cell in row) + "\n"
        for row in [header or HEADER, *rows]
    )


def table(job: JobContext, name: str, delimiter: str = ";") -> list[list[str]]:
    with (job.folder / name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))


def column(job: JobContext, name: str, title: str) -> list[str]:
    header, *rows = table(job, name)
    return [row[header.index(title)] for row in rows]


def ids(job: JobContext, name: str) -> list[str]:
    """Billy ids as a reader has them: one in 64 begins with a minus, which the file protects with an apostrophe."""
    return [cell.removeprefix("'") for cell in column(job, name, "billy_id")]


def files_of(job: JobContext) -> set[str]:
    return {path.name for path in job.folder.iterdir()}


# -- results.csv -------------------------------------------------------------------------------------------------------


def test_results_has_each_row_once_in_the_order_and_with_the_line_of_the_file(
    office: Office, sandbox: SandboxServer
) -> None:
    [there] = sandbox.sandbox.add_contacts([{"name": "Gammel ApS", "cityText": "Ry", "isCustomer": True}])
    content = csv_text(
        ["to\nlinjer", "Ny ApS", "", "", "", ""],
        ["", "Gammel ApS", "", "Ribe", "", ""],
        ["", "", "", "", "", ""],
        ["", "Forkert ApS", "x@", "", "", ""],
        ["", "Advaret ApS", "", "", "", "12345678"],
        ["", "Ny ApS", "", "", "", ""],
    )
    job = office.run(content)
    header, *rows = table(job, "results.csv")
    assert header == ["line", "key", "verdict", "billy_id", "code", "message", "warnings"]
    assert [(row[0], row[1], row[2], row[4]) for row in rows] == [
        ("2", "Ny ApS", "created", ""),
        ("4", "Gammel ApS", "skipped", "exists"),
        ("6", "Forkert ApS", "rejected", "email_form"),
        ("7", "Advaret ApS", "created", ""),
        ("8", "Ny ApS", "rejected", "duplicate_in_file"),
    ]
    made = {contact["name"]: contact["id"] for contact in sandbox.sandbox.contacts}
    assert ids(job, "results.csv") == [made["Ny ApS"], there, "", made["Advaret ApS"], ""]
    assert "differs: city" in rows[1][5]
    assert rows[2][5].startswith("Mail: ")
    assert rows[3][6].startswith("CVR: 12345678 is a placeholder")
    assert len(rows) == job.row.counts["total"] == 5


def test_rows_a_job_never_came_to_are_unprocessed_in_its_results(office: Office, sandbox: SandboxServer) -> None:
    sandbox.sandbox.switch(revoked_after=0)
    job = office.run(csv_text(["", "A ApS", "", "", "", ""], ["", "B ApS", "", "", "", ""]))
    assert job.row.status == "failed"
    assert column(job, "results.csv", "verdict") == ["unprocessed", "unprocessed"]
    assert table(job, "unprocessed.csv")[0] == [*HEADER, *ERROR_COLUMNS]
    assert column(job, "unprocessed.csv", "Firmanavn") == ["A ApS", "B ApS"]


def test_files_of_an_earlier_end_go_when_no_row_ends_that_way_any_more(office: Office, sandbox: SandboxServer) -> None:
    sandbox.sandbox.switch(revoked_after=0)
    job = office.run(csv_text(["", "A ApS", "", "", "", ""]))
    assert "unprocessed.csv" in files_of(job)
    sandbox.sandbox.switch(revoked_after=None)
    run_job(office.settings, office.engine, job.job_id)
    assert files_of(job) == {"kunder.csv", "plan.csv", "plan.md", "results.csv", "report.md"}
    assert column(job, "results.csv", "verdict") == ["created"]


def test_a_file_that_cannot_be_read_leaves_a_report_that_says_why(office: Office) -> None:
    job = office.run(b'navn\n"S\xf8ren\n')
    assert table(job, "results.csv")[1:] == []
    report = (job.folder / "report.md").read_text(encoding="utf-8")
    assert "broken_quotes" in report
    assert "line 2" in report


def test_plan_tells_old_and_new(office: Office, sandbox: SandboxServer) -> None:
    [there] = sandbox.sandbox.add_contacts([{"name": "Gammel ApS", "cityText": "Ry", "phone": "1", "isCustomer": True}])
    content = "name;city;phone;address\nGammel ApS;Ribe;#RYD;Åvej 2\nNy ApS;;;\n"
    job = office.run(content, on_existing="update", dry_run=True)
    assert column(job, "plan.csv", "action") == ["update", "create"]
    assert ids(job, "plan.csv") == [there, ""]
    changes = column(job, "plan.csv", "changes")[0]
    assert set(changes.split("; ")) == {"city: Ry → Ribe", "phone: 1 → ∅", "address: ∅ → Åvej 2"}


# -- rejected.csv ------------------------------------------------------------------------------------------------------

REJECTED = [
    ['husk; "rabat"', "Æblehaven ApS", "x@", " 007 ", "", "1"],
    ["to\nlinjer", "", "a@b.example", "Ry", "", ""],
]


@pytest.mark.parametrize("delimiter", [";", ","])
def test_rejected_has_the_original_columns_and_cells_in_their_order_and_why(office: Office, delimiter: str) -> None:
    good = ["", "God ApS", "", "", "", ""]
    job = office.run(csv_text(REJECTED[0], good, REJECTED[1], delimiter=delimiter))
    header, *rows = table(job, "rejected.csv", delimiter)
    assert header == [*HEADER, "line", "column", "value", "code", "message"]
    assert [row[: len(HEADER)] for row in rows] == REJECTED
    first, second = (dict(zip(ERROR_COLUMNS, row[len(HEADER) :], strict=True)) for row in rows)
    assert (first["line"], first["column"], first["value"]) == ("2", "Mail | CVR", "x@ | 1")
    assert first["code"] == "email_form | vat_form"
    assert first["message"].count(" | ") == 1
    assert (second["line"], second["column"], second["code"]) == ("4", "Firmanavn", "required")


def test_rejected_can_be_mended_and_dropped_again(office: Office, sandbox: SandboxServer) -> None:
    job = office.run(csv_text(*REJECTED, ["", "God ApS", "", "", "", ""]))
    text = (job.folder / "rejected.csv").read_bytes().decode("utf-8-sig")
    unchanged = office.run(text, "rejected.csv")
    assert unchanged.job_id != job.job_id
    assert column(unchanged, "rejected.csv", "code") == ["email_form | vat_form", "required"]
    assert table(unchanged, "rejected.csv")[0] == [*HEADER, *ERROR_COLUMNS], "the error columns do not pile up"
    mended = (
        text.replace(";x@;", ";x@b.example;", 1).replace(";1;2;", ";;2;", 1).replace('linjer";;', 'linjer";Ny ApS;')
    )
    last = office.run(mended, "rejected mended.csv")
    assert last.row.counts["created"] == 2
    assert "rejected.csv" not in files_of(last)
    assert sorted(str(c["name"]) for c in sandbox.sandbox.contacts) == ["God ApS", "Ny ApS", "Æblehaven ApS"]
    assert {str(c["cityText"]) for c in sandbox.sandbox.contacts} == {"None", "Ry", "007"}


def test_the_cells_no_column_holds_can_be_put_back_from_rejected(office: Office) -> None:
    job = office.run("name;city\nA ApS;Ry;Ribe;x\nB ApS;Ry\n")
    [row] = table(job, "rejected.csv")[1:]
    assert row[:4] == ["A ApS", "••• Ry;Ribe;x", "2", ""]
    assert row[5] == "too_many_cells"


def test_without_its_upload_a_job_still_tells_how_its_rows_ended(office: Office) -> None:
    job = office.run(csv_text(*REJECTED))
    job.upload.write_text("name\nNoget andet\n", encoding="utf-8")
    assert reports.table_of(job) is None
    reports.write_results(job, reports.table_of(job))
    assert column(job, "results.csv", "verdict") == ["rejected", "rejected"]
    assert "rejected.csv" not in files_of(job), "rows of another file would stand beside these errors"


# -- nothing that runs, nothing private --------------------------------------------------------------------------------


def test_no_cell_of_any_file_is_run_by_a_spreadsheet(office: Office, sandbox: SandboxServer) -> None:
    evil = '=HYPERLINK("http://x.example")'
    quoted = '"\'=HYPERLINK(""http://x.example"")"'
    header = ["=cmd()", "name", "email", "city"]
    job = office.run(
        csv_text(["@SUM(A1)", evil, "", ""], ["+cmd|x", "Forkert", evil, "-2+3+cmd"], ["", evil, "", ""], header=header)
    )
    for name in ("plan.csv", "results.csv", "rejected.csv"):
        cells = [cell for row in table(job, name) for cell in row]
        assert not [cell for cell in cells if cell[:1] in "=@\t\r" and cell], name
        assert not [cell for cell in cells if cell[:1] in "+-" and cell.strip("+-0123456789 ")], name
    assert table(job, "rejected.csv")[1][:4] == ["'+cmd|x", "Forkert", f"'{evil}", "'-2+3+cmd"]
    mended = (job.folder / "rejected.csv").read_bytes().decode("utf-8-sig").replace("Forkert;" + quoted, "Rettet;", 1)
    office.run(mended, "mended.csv")
    cities = {str(contact["name"]): contact["cityText"] for contact in sandbox.sandbox.contacts}
    assert cities == {evil: None, "Rettet": "-2+3+cmd"}, "the apostrophe is for spreadsheets only and never sent"


@pytest.mark.usefixtures("no_umask")
def test_b25_everything_in_a_jobs_folder_is_for_its_owner_only(office: Office) -> None:
    job = office.run(csv_text(*REJECTED))
    modes = {path.name: path.stat().st_mode & 0o777 for path in job.folder.iterdir()}
    names = ["kunder.csv", "plan.csv", "plan.md", "results.csv", "rejected.csv", "report.md"]
    assert modes == dict.fromkeys(names, 0o600)
    for folder in (job.folder, job.folder.parent):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_b23_a_cpr_number_stands_in_the_upload_only(office: Office, sandbox: SandboxServer) -> None:
    job = office.run(
        csv_text(
            [f"født {CPR}", "A ApS", "x@", "", "0202021234", ""],
            ["", "B ApS", f"{CPR}@x.example", "", "", "0303031234"],
            [CPR, "C ApS", "", "", CPR, ""],
            header=HEADER,
        )
    )
    everything = "".join(
        path.read_text(encoding="utf-8") for path in job.folder.iterdir() if path.name != job.upload.name
    )
    for number in (CPR, "0202021234", "0303031234", "010190"):
        assert number not in everything
    assert [row[:6] for row in table(job, "rejected.csv")[1:]] == [
        ["•••", "A ApS", "x@", "", "•••", ""],
        ["", "B ApS", "•••", "", "", "•••"],
    ]
    assert CPR not in str(job.journal.items())
    assert CPR not in str(reports.reject_rows(job))


def test_b23_the_run_page_gets_the_first_rejected_rows_with_masked_values(office: Office) -> None:
    rows = [["", f"Kunde {n}", f"hemmelig.adresse{n}", "", "", ""] for n in range(60)]
    job = office.run(csv_text(*rows))
    shown = reports.reject_rows(job)
    assert [row["line"] for row in shown] == list(range(2, 52))
    assert {(row["column"], row["code"]) for row in shown} == {("Mail", "email_form")}
    assert "hemmelig" not in str(shown)
    assert shown[7]["value"] == "he•••••7"
    assert shown[7]["message"].startswith("he•••••7 is not an e-mail address")


# -- report.md ---------------------------------------------------------------------------------------------------------


def test_the_report_tells_whose_books_how_many_and_why(office: Office, sandbox: SandboxServer) -> None:
    company = sandbox.sandbox.books.organization.values
    job = office.run(csv_text(*REJECTED, ["", "God ApS", "", "", "", "12345678"]))
    report = (job.folder / "report.md").read_text(encoding="utf-8")
    assert report.startswith(f"# {job.job_id}: completed_with_errors\n")
    assert f"books of {company['name']} (CVR {company['registrationNo']})" in report
    for line in (
        "| total | 3 |",
        "| created | 1 |",
        "| rejected | 2 |",
        "| email_form | 1 |",
        "| vat_placeholder | 1 |",
    ):
        assert line in report.splitlines(), line
    assert "| failed |" not in report
    assert "rejected.csv and drop that file again" in report
    assert "Columns not used: `Noter`." in report
    assert "Columns left out on purpose: `CPR-nr` (CPR numbers must not be sent to Billy)." in report


def test_a_column_name_from_the_file_is_no_link_in_the_report(office: Office) -> None:
    job = office.run("name;![x](http://x.example/?`a)\nA ApS;1\n")
    report = (job.folder / "report.md").read_text(encoding="utf-8")
    assert "Columns not used: `![x](http://x.example/? a)`." in report
