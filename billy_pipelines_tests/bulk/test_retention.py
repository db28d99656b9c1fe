"""How long a job's files and images are kept, by class (rule B26): pure arithmetic over its row."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billy_pipelines.bulk.retention import (
    files_kept_until,
    images_kept_until,
    is_open,
    retention_class,
    too_late_to_undo,
    was_pruned,
)
from billy_pipelines.bulk.verdicts import State
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.settings import Keep, Organization, Settings, SettingsError

DONE = datetime(2026, 5, 4, 10, tzinfo=UTC)


def job(resource: str = "customers", status: str = "completed", ended: datetime = DONE, **more: Any) -> JobRow:
    values: dict[str, Any] = {
        "job_id": "a-job",
        "organization": "default",
        "resource_type": resource,
        "operation": "import",
        "status": status,
        "progress": 100.0,
        "total_items": 1,
        "upload_name": "file.csv",
        "upload_sha256": "0" * 64,
        "dagster_run_id": None,
        "launches": 0,
        "launch_wanted": False,
        "message": None,
        "created_at": ended,
        "started_at": ended,
        "completed_at": ended,
        "updated_at": ended,
        "errors": [],
        **{name: {} for name in ("counts", "planned", "warnings", "options", "source")},
    }
    return JobRow.model_validate({**values, **more})


@pytest.fixture
def plain(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


def organizations(settings: Settings, text: str) -> None:
    (settings.data_dir / "organizations.yaml").write_text(
        f"organizations:\n  - name: default\n{text}", encoding="utf-8"
    )


@pytest.mark.parametrize(
    ("resource", "files", "images"),
    [("customers", 30, 90), ("contacts", 30, 90), ("products", 90, 90), ("invoices", 90, 90)],
)
def test_files_of_people_are_kept_30_days_and_everything_else_90(
    plain: Settings, resource: str, files: int, images: int
) -> None:
    assert files_kept_until(plain, job(resource)) == DONE + timedelta(days=files)
    assert images_kept_until(plain, job(resource)) == DONE + timedelta(days=images)


def test_a_job_that_approved_invoices_is_kept_whole_for_five_years_after_its_financial_year(plain: Settings) -> None:
    approving = job("invoices", options={"approve": True})
    first_day_without = datetime(2031, 12, 31, 23, tzinfo=UTC)  # 1 January 2032 in Copenhagen
    assert files_kept_until(plain, approving) == images_kept_until(plain, approving) == first_day_without
    dated_next_year = date(2027, 1, 2)
    assert files_kept_until(plain, approving, latest_entry=dated_next_year).date() == date(2033, 1, 1)
    assert retention_class(job("invoices", "planned", options={"approve": True})) == "other", "a plan approved nothing"


@pytest.mark.parametrize(
    ("ends", "last_day"), [("06-30", date(2031, 6, 30)), ("04-30", date(2032, 4, 30)), ("02-29", date(2032, 2, 29))]
)
def test_the_financial_year_is_the_organizations_own(plain: Settings, ends: str, last_day: date) -> None:
    organizations(plain, f"    financial_year_ends: {ends}\n")
    until = files_kept_until(plain, job("invoices", options={"approve": True}))
    assert (until - timedelta(seconds=1)).date() == last_day


@given(
    ended=st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    ends=st.dates(date(2024, 1, 1), date(2024, 12, 31)),
)
def test_no_approved_invoice_is_kept_for_less_than_five_years_or_more_than_six(ended: datetime, ends: date) -> None:
    class OneOrganization(Settings):
        def organizations(self) -> dict[str, Organization]:
            return {"default": Organization(name="default", financial_year_ends=ends.strftime("%m-%d"))}

    until = files_kept_until(OneOrganization(data_dir=Path()), job("invoices", ended=ended, options={"approve": True}))
    assert timedelta(days=5 * 365) < until - ended < timedelta(days=6 * 366 + 1)


def test_the_environment_and_then_the_organization_change_the_times(tmp_path: Path) -> None:
    settings = Settings.from_environment(
        {"BILLY_DATA_DIR": str(tmp_path), "BILLY_KEEP_UPLOADS_DAYS": "10", "BILLY_KEEP_CONTACT_UPLOADS_DAYS": "7"}
    )
    organizations(settings, "    keep: {contact_uploads_days: 3}\n")
    assert settings.keep_for("default") == Keep(uploads_days=10, contact_uploads_days=3)
    assert settings.keep_for("one-that-left") == Keep(uploads_days=10, contact_uploads_days=7)


@pytest.mark.parametrize(("name", "value"), [("UPLOADS_DAYS", "0"), ("IMAGES_DAYS", "soon"), ("APPROVED_YEARS", "4")])
def test_a_time_that_is_none_or_against_the_law_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"BILLY_KEEP_{name} is '{value}'"):
        Settings.from_environment({f"BILLY_KEEP_{name}": value})


@pytest.mark.parametrize(
    ("status", "completed_at", "wanted", "open_"),
    [
        *((state, DONE, False, True) for state in (State.INTERRUPTED, State.FAILED, State.CANCELLED, State.UNDOING)),
        *((state, None, False, True) for state in (State.PENDING, State.VALIDATING, State.PROCESSING, State.PLANNED)),
        (State.PLANNED, DONE, False, False),
        (State.PLANNED, DONE, True, True),  # applied; its run is about to start
        *((state, DONE, False, False) for state in (State.COMPLETED, State.COMPLETED_WITH_ERRORS)),
        *((state, DONE, False, False) for state in (State.UNDONE, State.UNDONE_PARTLY)),
    ],
)
def test_a_job_that_can_go_on_is_open(status: str, completed_at: datetime | None, wanted: bool, open_: bool) -> None:
    assert is_open(job(status=status, completed_at=completed_at, launch_wanted=wanted)) is open_


def test_undo_is_too_late_when_the_images_are_old_or_gone(plain: Settings) -> None:
    assert not too_late_to_undo(plain, job(), now=DONE + timedelta(days=89))
    assert too_late_to_undo(plain, job(), now=DONE + timedelta(days=90))
    gone = job(source={"pruned": {"images": "2026-08-02T03:30:00+00:00"}})
    assert was_pruned(gone)
    assert too_late_to_undo(plain, gone, now=DONE), "whatever the settings say now"
    assert not too_late_to_undo(plain, job(source={"pruned": {"files": "2026-06-03T03:30:00+00:00"}}), now=DONE)


def test_a_retry_makes_a_job_young_again(plain: Settings) -> None:
    retried = job(updated_at=DONE + timedelta(days=20))
    assert files_kept_until(plain, retried) == DONE + timedelta(days=50)
