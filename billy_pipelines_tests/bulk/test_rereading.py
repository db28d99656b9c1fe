"""Options that decide how a file is read: they change with its rows, as long as nothing of the job may be in Billy."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from billy_pipelines.billy.errors import TokenRefused
from billy_pipelines.bulk.applying import apply_plan
from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.intake import Reception, Refused
from billy_pipelines.bulk.lifecycle import begin
from billy_pipelines.bulk.options import DECIDING_ROWS
from billy_pipelines.bulk.undo import CannotUndo, begin_undo
from billy_pipelines.bulk.uploads import Drop, take
from billy_pipelines.bulk.writes import Writes
from billy_pipelines.cli.bulk import _checked
from billy_pipelines.cli.common import CommandFailed
from billy_pipelines.database.connection import Database
from billy_pipelines.database.jobs import JobRow, get_job, update_job
from billy_pipelines.sandbox import Fault, SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, run_job, run_job_async, take_in
from billy_pipelines_tests.bulk.test_undo_kept import Office

TWO_HEADERS = "name;city\nA ApS;Ry\nB ApS;Ry\nname;city\nC ApS;Ry\nD ApS;Ry\nE ApS;Ry\nF ApS;Ry\n"
OTHERWISE: dict[str, Any] = {
    "encoding": "cp1252",
    "delimiter": ",",
    "sheet": "Ark2",
    "header_line": 1,
    "profile": "none",
    "mapping": {"city": "address"},
    "set": {"country": "SE"},
    "decimal": "point",
    "date_order": "month_first",
    "inherit_blanks": "inherit",
    "prices_include_vat": "true",
    "repair_text": True,
    "blank_means": "clear",
}
CHANGEABLE: dict[str, Any] = {
    "language": "da",
    "on_existing": "update",
    "continue_on_error": False,
    "max_error_rate": 0.5,
    "bulk_save": "on",
    "batch_size": 3,
}


@pytest.fixture
def office(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> Office:
    return Office(settings, engine, sandbox, tmp_path)


def two_headers(office: Office) -> Path:
    path = office.folder / "kunder.csv"
    path.write_text(TWO_HEADERS, encoding="utf-8")
    return path


def sent_in_part(office: Office) -> JobRow:
    """A job that has read its file from the fourth line on; one of four rows was refused."""
    office.sandbox.switch(faults=[Fault(kind="422", resource="contacts", record="C ApS")])
    job_id = take_in(office.settings, office.engine, two_headers(office), header_line=4, max_error_rate=1.0).job.job_id
    row = run_job(office.settings, office.engine, job_id)
    assert (row.counts["created"], row.counts["failed"]) == (3, 1)
    office.sandbox.switch(faults=[])
    return row


def prices_csv(office: Office, count: int = 3) -> Path:
    rows = [{"name": f"Vare {n}", "productNo": str(n), "unitPrice": "1.250"} for n in range(count)]
    return customers_csv(office.folder / "varer.csv", rows)


def take_in_prices(office: Office, **options: Any) -> JobRow:
    return take_in(office.settings, office.engine, prices_csv(office), resource="products", **options).job


def prices(office: Office) -> list[float]:
    return [each["unitPrice"] for each in office.sandbox.records("productPrices")]


def retry(office: Office, job: JobRow, **options: Any) -> JobRow:
    return asyncio.run(run_job_async(office.settings, office.engine, job.job_id, options=options))


def refused_token(office: Office, job: JobRow) -> JobRow:
    """The job ends before anything of it has reached Billy."""

    async def refuse(*_: Any) -> None:
        raise TokenRefused(401, None, "the token was refused")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Writes, "send", refuse)
        row = run_job(office.settings, office.engine, job.job_id)
    assert (row.status, row.errors[-1]["code"]) == ("failed", "token_refused")
    return row


# -- something may be in Billy -----------------------------------------------------------------------------------------


def test_every_option_that_decides_what_a_file_says_stays_once_something_was_sent(office: Office) -> None:
    assert OTHERWISE.keys() == set(DECIDING_ROWS)
    job = sent_in_part(office)
    before = load_job(office.settings, office.engine, job.job_id).journal.items()
    requests = len(office.sandbox.requests)
    for name, value in OTHERWISE.items():
        with pytest.raises(
            Halted, match=rf"so {name} cannot be changed in it any more.*`billy undo {job.job_id}`"
        ) as no:
            begin(load_job(office.settings, office.engine, job.job_id), "run", {name: value, "batch_size": 7})
        assert (no.value.code, no.value.resumable) == ("bad_option", False)
    assert get_job(office.engine, job.job_id) == job, "a run that is refused changes nothing"
    assert load_job(office.settings, office.engine, job.job_id).journal.items() == before
    assert len(office.sandbox.requests) == requests


def test_the_others_change_with_any_retry(office: Office) -> None:
    job = sent_in_part(office)
    ended = retry(office, job, **CHANGEABLE, header_line=4)
    assert ended.options == {**job.options, **CHANGEABLE}
    assert (ended.status, ended.counts["created"], len(office.sandbox.contacts)) == ("completed", 4, 4)


def test_the_same_file_handed_in_to_be_read_otherwise_is_refused_and_stays_where_it_is(office: Office) -> None:
    job = sent_in_part(office)
    update_job(office.engine, job.job_id, status="cancelled")  # one that is completed is a repeat (B20)
    with pytest.raises(Refused, match="header_line cannot be changed in it any more"):
        take_in(office.settings, office.engine, two_headers(office), header_line=1)
    dropped = two_headers(office)
    (dropped.parent / "kunder.csv.options.yaml").write_text("header_line: 1\n")
    assert take(office.settings, office.engine, Drop(dropped, ("default", "customers", "import"))) is None
    assert dropped.exists()
    assert "header_line cannot be changed" in (dropped.parent / "kunder.csv.note.txt").read_text(encoding="utf-8")
    now = get_job(office.engine, job.job_id)
    assert now is not None
    assert (now.options, now.launch_wanted, now.status) == (job.options, False, "cancelled")


def test_billy_retry_says_so_before_it_starts_a_run(office: Office) -> None:
    job = sent_in_part(office)
    with pytest.raises(CommandFailed, match="header_line cannot be changed"):
        _checked(office.settings, Database(office.engine, None), job, {"header_line": 1})
    assert _checked(office.settings, Database(office.engine, None), job, {"batch_size": 3}) == {"batch_size": 3}


def test_it_is_said_in_the_jobs_language(office: Office) -> None:
    job = retry(office, sent_in_part(office), language="da")
    with pytest.raises(Halted, match="decimal kan ikke ændres i det mere"):
        begin(load_job(office.settings, office.engine, job.job_id), "run", {"decimal": "point"})


def test_the_way_out_is_an_undo_after_which_the_file_is_a_job_of_its_own(office: Office) -> None:
    office.sandbox.switch(faults=[Fault(kind="422", resource="products", record="Vare 2")])
    job = run_job(office.settings, office.engine, take_in_prices(office, decimal="comma").job_id)
    assert prices(office) == [1250, 1250]
    office.sandbox.switch(faults=[])
    update_job(office.engine, job.job_id, status="failed")
    with pytest.raises(Refused, match="`billy undo"):
        take_in_prices(office, decimal="point")
    assert office.take_back(job).target.status == "undone"
    again = take_in_prices(office, decimal="point")
    assert again.job_id != job.job_id
    assert run_job(office.settings, office.engine, again.job_id).counts["created"] == 3
    assert prices(office) == [1.25, 1.25, 1.25]


def test_where_there_is_nothing_to_take_back_again_is_the_way_out(office: Office) -> None:
    office.sandbox.switch(faults=[Fault(kind="422", resource="products")])
    job = run_job(office.settings, office.engine, take_in_prices(office, decimal="comma").job_id)
    office.sandbox.switch(faults=[])
    with pytest.raises(Halted, match="Where there is nothing to take back, add --again"):
        begin(load_job(office.settings, office.engine, job.job_id), "run", {"decimal": "point"})
    with pytest.raises(CannotUndo, match="changed nothing"):
        begin_undo(office.settings, office.engine, job.job_id, launch=False)
    again = take_in_prices(office, decimal="point", again=True)
    assert run_job(office.settings, office.engine, again.job_id).counts["created"] == 3
    assert prices(office) == [1.25, 1.25, 1.25]


def test_a_file_that_reads_otherwise_all_the_same_adds_no_rows_to_those_on_record(office: Office) -> None:
    """A newer version of this program may find other rows in a file than the one that began its job."""
    job = sent_in_part(office)
    update_job(office.engine, job.job_id, status="interrupted", options={**job.options, "header_line": 1})
    run_job(office.settings, office.engine, job.job_id)
    items = load_job(office.settings, office.engine, job.job_id).journal.items()
    assert [item.line for item in items] == [5, 6, 7, 8]
    assert len(office.sandbox.contacts) == len(office.names()) == 3


# -- nothing was sent --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["retry", "file"])
def test_as_long_as_nothing_was_sent_the_rows_are_read_anew(office: Office, how: str) -> None:
    job = refused_token(office, take_in_prices(office, decimal="comma"))
    if how == "file":
        received = take_in(office.settings, office.engine, prices_csv(office), resource="products", decimal="point")
        assert received.reception is Reception.RESUMED
        assert "Those given now hold" in received.sentence()
        ended = retry(office, job)
    else:
        ended = retry(office, job, decimal="point")
    assert (ended.status, ended.options["decimal"]) == ("completed", "point")
    assert prices(office) == [1.25, 1.25, 1.25]


@pytest.mark.parametrize("how", ["retry", "file"])
def test_a_plan_that_was_applied_is_no_plan_of_the_rows_that_are_read_now(office: Office, how: str) -> None:
    """The rows of the applied plan were kept, 1000 times too dear, and the option given now was said to hold."""
    job = run_job(office.settings, office.engine, take_in_prices(office, decimal="comma", dry_run=True).job_id)
    apply_plan(office.engine, job.job_id, launch=False)
    job = refused_token(office, job)
    if how == "file":
        job = take_in_prices(office, decimal="point")
    ended = retry(office, job, decimal="point")
    assert (ended.status, ended.applied_at, prices(office)) == ("completed", None, [1.25, 1.25, 1.25])


def test_a_delete_that_is_read_otherwise_waits_for_its_person_again(office: Office) -> None:
    office.there("contacts", *({"name": f"{name} ApS", "isCustomer": True} for name in "ABCDEF"))
    file = two_headers(office)
    how: dict[str, Any] = {"operation": "delete", "max_error_rate": 1.0, "confirm_count": 6}
    job = take_in(office.settings, office.engine, file, launch=True, header_line=4, **how).job
    assert run_job(office.settings, office.engine, job.job_id).status == "planned"
    apply_plan(office.engine, job.job_id, confirm_count=6, launch=False)
    refused_token(office, job)
    waiting = retry(office, job, header_line=1)
    assert (waiting.status, waiting.planned["delete"], len(office.sandbox.contacts)) == ("planned", 6, 6)
    apply_plan(office.engine, job.job_id, confirm_count=6, launch=False)
    assert retry(office, job).counts["deleted"] == 6


def test_a_typed_delete_with_its_columns_named_now_deletes_at_once(office: Office) -> None:
    """Its first reading stood for good: all rows were rejected again, whatever was given."""
    office.there("contacts", *({"name": "A ApS", "contactNo": number, "isCustomer": True} for number in "12"))
    file = customers_csv(office.folder / "slet.csv", [{"name": "A ApS", "Mrk.": "1"}])
    job = take_in(office.settings, office.engine, file, operation="delete", confirm_count=1).job
    assert run_job(office.settings, office.engine, job.job_id).errors[-1]["code"] == "too_many_rejected"
    given = {"mapping": {"Mrk.": "contactNo"}, "confirm_count": 1}
    again = take_in(office.settings, office.engine, file, operation="delete", **given)
    assert again.job.job_id == job.job_id
    assert run_job(office.settings, office.engine, job.job_id).counts["deleted"] == 1
    assert [each["contactNo"] for each in office.sandbox.contacts] == ["2"]
