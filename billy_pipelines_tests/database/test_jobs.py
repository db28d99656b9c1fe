"""Rows of jobs and organizations: found again by their identity, moved only from where they are expected to be."""

from __future__ import annotations

import select
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError, OperationalError

from billy_pipelines.database import jobs
from billy_pipelines.database.items import NewItem
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.database.journal import Journal

SHA = "5f2c" * 16


def add(engine: Engine, job_id: str, **values: Any) -> JobRow:
    """A job, each in a transaction and so at a time of its own."""
    identity = {"organization": "default", "resource_type": "customers", "operation": "import", "upload_sha256": SHA}
    with engine.begin() as connection:
        jobs.mirror_organization(connection, values.get("organization", "default"))
        jobs.create_job(connection, {"job_id": job_id, "upload_name": "kunder.csv", **identity, **values})
    return stored(engine, job_id)


def stored(engine: Engine, job_id: str) -> JobRow:
    row = jobs.get_job(engine, job_id)
    assert row is not None
    return row


# -- jobs --------------------------------------------------------------------------------------------------------------


def test_a_new_job_is_pending_and_empty(engine: Engine) -> None:
    row = add(engine, "a", options={"batch_size": 5}, source={"encoding": "utf-8"})
    assert (row.status, row.progress, row.total_items, row.launches, row.launch_wanted) == ("pending", 0, 0, 0, False)
    assert (row.counts, row.planned, row.warnings, row.errors) == ({}, {}, {}, [])
    assert (row.options, row.source) == ({"batch_size": 5}, {"encoding": "utf-8"})
    assert (row.started_at, row.completed_at, row.message, row.dagster_run_id) == (None, None, None, None)
    assert row.created_at.tzinfo is not None


def test_there_is_no_job_that_nobody_made(engine: Engine) -> None:
    assert jobs.get_job(engine, "a") is None


def test_a_job_belongs_to_an_organization_on_record_and_has_an_id_of_its_own(engine: Engine) -> None:
    add(engine, "a")
    with pytest.raises(IntegrityError):
        add(engine, "a")
    with pytest.raises(IntegrityError), engine.begin() as connection:
        values = {"resource_type": "customers", "operation": "import", "upload_name": "x", "upload_sha256": SHA}
        jobs.create_job(connection, {"job_id": "b", "organization": "nobody", **values})


def test_jobs_are_listed_newest_first_by_status_and_up_to_a_limit(engine: Engine) -> None:
    for job_id in "abc":
        add(engine, job_id)
    jobs.update_job(engine, "b", status="completed")
    assert [row.job_id for row in jobs.list_jobs(engine)] == ["c", "b", "a"]
    assert [row.job_id for row in jobs.list_jobs(engine, limit=2)] == ["c", "b"]
    assert [row.job_id for row in jobs.list_jobs(engine, statuses=["pending"])] == ["c", "a"]
    assert [row.job_id for row in jobs.list_jobs(engine, statuses=iter(["completed", "failed"]))] == ["b"]
    assert jobs.list_jobs(engine, statuses=[]) == []


def test_the_jobs_of_an_upload_are_those_with_all_four_parts_of_its_identity(engine: Engine) -> None:
    add(engine, "first")
    add(engine, "elsewhere", organization="another")
    add(engine, "other-resource", resource_type="products")
    add(engine, "other-operation", operation="delete")
    add(engine, "other-content", upload_sha256="0" * 64)
    add(engine, "second", upload_name="another-name.csv")
    with engine.connect() as connection:
        found = jobs.jobs_of_upload(connection, "default", "customers", "import", SHA)
    assert [row.job_id for row in found] == ["second", "first"]


def test_each_wish_for_a_run_has_a_number_of_its_own(engine: Engine) -> None:
    for job_id in "ab":
        add(engine, job_id)
    assert jobs.jobs_to_launch(engine) == []
    for job_id in ("b", "a", "a"):
        with engine.begin() as connection:
            jobs.want_launch(connection, job_id)
    assert [(row.job_id, row.launches) for row in jobs.jobs_to_launch(engine)] == [("a", 2), ("b", 1)]
    jobs.update_job(engine, "a", launch_wanted=False)
    with engine.begin() as connection:
        jobs.want_launch(connection, "a")
    assert stored(engine, "a").launches == 3


def test_a_change_tells_who_listens_which_job_it_was(engine: Engine) -> None:
    for job_id in "ab":
        add(engine, job_id)
    connection = engine.raw_connection()
    try:
        driver: Any = connection.driver_connection
        driver.autocommit = True
        driver.cursor().execute(f"LISTEN {jobs.CHANNEL}")
        jobs.update_job(engine, "b", progress=12.5)
        with engine.begin() as other:
            jobs.change_status(other, "a", expected=["pending"], new="validating")
        heard: list[str] = []
        while len(heard) < 2:
            assert select.select([driver], [], [], 10)[0], f"nothing more than {heard} was heard"
            driver.poll()
            heard += [note.payload for note in driver.notifies]
            driver.notifies.clear()
        assert heard == ["b", "a"]
    finally:
        connection.invalidate()
        connection.close()
    assert stored(engine, "b").progress == 12.5


def test_a_change_is_undone_with_its_transaction(engine: Engine) -> None:
    before = add(engine, "a")
    with pytest.raises(KeyboardInterrupt), engine.begin() as connection:
        jobs.update_job(connection, "a", status="processing", progress=50)
        jobs.want_launch(connection, "a")
        raise KeyboardInterrupt
    assert stored(engine, "a") == before


def test_a_job_moves_only_from_a_state_that_is_expected(engine: Engine) -> None:
    before = add(engine, "a")
    with engine.begin() as connection:
        assert not jobs.change_status(connection, "a", expected=["failed", "cancelled"], new="processing", progress=9)
        assert not jobs.change_status(connection, "nobody", expected=["pending"], new="processing")
    assert stored(engine, "a") == before
    with engine.begin() as connection:
        assert jobs.change_status(connection, "a", expected=["failed", "pending"], new="processing", message="nu")
    row = stored(engine, "a")
    assert (row.status, row.message) == ("processing", "nu")
    assert row.updated_at > before.updated_at


def test_errors_of_a_job_gather_in_their_order(engine: Engine) -> None:
    add(engine, "a")
    jobs.add_error(engine, "a", "billy_unavailable", "Intet svar")
    jobs.add_error(engine, "a", "token_refused", "Prøv et andet „token“")
    assert stored(engine, "a").errors == [
        {"code": "billy_unavailable", "message": "Intet svar"},
        {"code": "token_refused", "message": "Prøv et andet „token“"},
    ]


def test_an_error_with_signs_that_postgres_refuses_is_still_written_down(engine: Engine) -> None:
    add(engine, "a")
    jobs.add_error(engine, "a", "token_refused", "Billy said: no\x00 \ud83d")
    assert stored(engine, "a").errors == [{"code": "token_refused", "message": "Billy said: no\ufffd \ufffd"}]


def test_a_job_goes_with_its_items_and_no_others(engine: Engine) -> None:
    for job_id in "ab":
        add(engine, job_id)
        Journal(engine, job_id).insert([NewItem(0, 2, {"name": "Ø"}, "valid")])
    with engine.begin() as connection:
        jobs.delete_job(connection, "a")
    assert jobs.get_job(engine, "a") is None
    assert (Journal(engine, "a").counts(), Journal(engine, "b").counts()) == ({}, {"valid": 1})


# -- organizations -----------------------------------------------------------------------------------------------------


def test_an_organization_is_put_on_record_once(engine: Engine) -> None:
    with engine.begin() as connection:
        row = jobs.mirror_organization(connection, "default")
        assert (row.name, row.api_url, row.billy_organization_id) == ("default", None, None)
        jobs.record_organization(connection, "default", api_url="https://x.example/v2", billy_organization_id="org1")
        jobs.mirror_organization(connection, "another")
    with engine.begin() as connection:
        row = jobs.mirror_organization(connection, "default")
        assert (row.api_url, row.billy_organization_id) == ("https://x.example/v2", "org1")
        assert jobs.mirror_organization(connection, "another").api_url is None


def test_whose_books_they_are_is_decided_by_one_at_a_time(engine: Engine) -> None:
    with engine.begin() as first:
        jobs.mirror_organization(first, "default")
    with engine.begin() as first:
        jobs.mirror_organization(first, "default")
        with pytest.raises(OperationalError, match="lock timeout"), engine.begin() as second:
            second.execute(text("SET LOCAL lock_timeout = '50ms'"))
            jobs.mirror_organization(second, "default")
