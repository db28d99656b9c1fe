"""Which job is a file? The identity of runtime.md section 3, and that a repeat is never swallowed (B20)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import pytest
from sqlalchemy import Engine

from billy_pipelines.bulk import intake
from billy_pipelines.bulk.intake import Reception, Refused
from billy_pipelines.bulk.reading import sha256_of
from billy_pipelines.bulk.verdicts import State
from billy_pipelines.database.jobs import create_job, mirror_organization
from billy_pipelines.database.locks import Lease
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.desk import CONTENT, Desk

FOLLOW = (State.PENDING, State.VALIDATING, State.PLANNED, State.PROCESSING)
RESUME = (State.INTERRUPTED, State.FAILED, State.CANCELLED)
ANEW = (State.UNDONE, State.UNDONE_PARTLY)
REPEAT = (State.COMPLETED, State.COMPLETED_WITH_ERRORS)


@pytest.fixture
def desk(settings: Settings, engine: Engine, tmp_path: Path) -> Desk:
    return Desk(settings, engine, tmp_path)


# -- every state of a known job (runtime.md section 3) -----------------------------------------------------------------


def test_every_state_is_answered_in_one_of_five_ways() -> None:
    assert sorted((*FOLLOW, *RESUME, *ANEW, *REPEAT, State.UNDOING)) == sorted(State)


def test_a_file_nobody_has_seen_becomes_a_job_that_waits_for_its_run(desk: Desk) -> None:
    file = desk.file()
    received = desk.hand_in(file)
    job = received.job
    assert (received.reception, received.other_options) == (Reception.NEW, ())
    assert (job.status, job.launch_wanted, job.launches, job.upload_name) == ("pending", True, 1, "kunder.csv")
    assert job.upload_sha256 == sha256_of(desk.upload(job))
    assert not file.exists()


@pytest.mark.parametrize("state", FOLLOW)
def test_a_job_that_runs_is_followed_and_not_started_again(desk: Desk, state: State) -> None:
    first = desk.hand_in().job
    desk.change(first, status=state)
    second = desk.hand_in()
    assert (second.reception, second.job.job_id, second.job.launches) == (Reception.FOLLOWED, first.job_id, 1)
    assert desk.jobs() == [first.job_id]
    assert f"run right now as job {first.job_id}" in second.sentence()


def test_while_a_job_is_taken_back_its_file_waits_where_it_is(desk: Desk) -> None:
    """Followed, it would be moved away although nobody is going to import it."""
    first = desk.hand_in().job
    desk.change(first, status=State.UNDOING)
    file = desk.file()
    with pytest.raises(Refused, match="is being taken back right now"):
        desk.hand_in(file)
    assert file.exists()
    desk.change(first, status=State.UNDONE)
    assert desk.hand_in(file).reception is Reception.NEW


@pytest.mark.parametrize("state", RESUME)
def test_a_job_that_stopped_is_resumed(desk: Desk, state: State) -> None:
    first = desk.hand_in().job
    desk.change(first, status=state, launch_wanted=False)
    second = desk.hand_in()
    assert (second.reception, second.job.job_id) == (Reception.RESUMED, first.job_id)
    assert (second.job.launch_wanted, second.job.launches) == (True, 2)
    assert desk.jobs() == [first.job_id]
    assert "is resumed where it stopped" in second.sentence()


@pytest.mark.parametrize("state", ANEW)
def test_after_an_undo_the_same_file_is_a_new_job_with_a_number(desk: Desk, state: State) -> None:
    first = desk.hand_in().job
    desk.change(first, status=state)
    second = desk.hand_in()
    assert (second.reception, second.job.job_id) == (Reception.NEW, f"{first.job_id}-2")
    desk.change(second.job, status=state)
    assert desk.hand_in().job.job_id == f"{first.job_id}-3"


def test_after_a_dry_run_the_same_file_is_a_new_job_with_a_number(desk: Desk) -> None:
    first = desk.hand_in(dry_run=True).job
    desk.change(first, status=State.PLANNED)
    second = desk.hand_in()
    assert (second.reception, second.job.job_id) == (Reception.NEW, f"{first.job_id}-2")


@pytest.mark.parametrize("state", REPEAT)
def test_b20_a_repeat_sends_nothing_and_is_answered_with_job_date_and_the_way_to_run_it_again(
    desk: Desk, state: State
) -> None:
    first = desk.hand_in().job
    desk.change(first, status=state, launch_wanted=False, created_at=datetime(2026, 6, 30, 22, 5, tzinfo=UTC))
    second = desk.hand_in()
    assert (second.reception, second.job.launch_wanted, second.job.launches) == (Reception.REPEATED, False, 1)
    assert desk.jobs() == [first.job_id]
    for said in (f"2026-07-01 00:05 as job {first.job_id} ({state})", "Nothing was sent", "--again", "again: true"):
        assert said in second.sentence()


@pytest.mark.parametrize("state", [*FOLLOW, *RESUME, *ANEW, *REPEAT])
def test_b20_again_makes_a_new_job_whatever_became_of_the_first(desk: Desk, state: State) -> None:
    first = desk.hand_in().job
    desk.change(first, status=state)
    second = desk.hand_in(again=True)
    assert (second.reception, second.job.job_id) == (Reception.NEW, f"{first.job_id}-2")
    assert desk.upload(second.job).read_text(encoding="utf-8") == CONTENT


def test_the_newest_job_answers_and_an_undone_one_hides_no_older_one(desk: Desk) -> None:
    first = desk.hand_in().job
    desk.change(first, status=State.COMPLETED)
    second = desk.hand_in(again=True).job
    desk.change(second, status=State.COMPLETED)
    assert desk.hand_in().job.job_id == second.job_id
    desk.change(second, status=State.UNDONE)
    third = desk.hand_in()
    assert (third.reception, third.job.job_id) == (Reception.REPEATED, first.job_id)


@pytest.mark.parametrize("dry", [True, False])
def test_a_dry_run_is_never_resumed_as_a_real_job_nor_the_other_way_round(desk: Desk, dry: bool) -> None:
    first = desk.hand_in(dry_run=dry).job
    desk.change(first, status=State.FAILED)
    assert desk.hand_in(dry_run=not dry).job.job_id == f"{first.job_id}-2"
    assert desk.job(first.job_id).model_dump(include={"status", "options", "launches"}) == {
        "status": "failed",
        "options": first.options,
        "launches": 1,
    }


# -- a job that nobody starts ------------------------------------------------------------------------------------------


def test_a_pending_job_whose_process_died_before_its_run_is_resumed(desk: Desk) -> None:
    first = desk.hand_in(launch=False).job
    assert desk.hand_in().reception is Reception.FOLLOWED
    desk.make_old(first)
    resumed = desk.hand_in()
    assert (resumed.reception, resumed.job.launch_wanted) == (Reception.RESUMED, True)


def test_a_pending_job_that_the_sensor_will_start_is_not_asked_for_twice(desk: Desk) -> None:
    desk.make_old(desk.hand_in().job)
    assert (again := desk.hand_in()).reception is Reception.FOLLOWED
    assert again.job.launches == 1


def test_a_pending_job_that_a_process_holds_is_followed_however_old(desk: Desk) -> None:
    first = desk.hand_in(launch=False).job
    desk.make_old(first)
    with Lease(desk.engine, first.job_id) as lease:
        assert lease.take_job()
        assert desk.hand_in().reception is Reception.FOLLOWED


# -- other options (B20) -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.PROCESSING, State.COMPLETED])
def test_b20_other_options_than_the_first_time_are_named_and_change_nothing(desk: Desk, state: State) -> None:
    first = desk.hand_in(on_existing="update", batch_size=5).job
    desk.change(first, status=state)
    second = desk.hand_in(on_existing="update", max_error_rate=0.0)
    assert second.other_options == ("batch_size 10 instead of 5", "max_error_rate 0.0 instead of 0.05")
    assert "Its options differ: batch_size 10 instead of 5, max_error_rate 0.0 instead of 0.05." in second.sentence()
    assert second.job.options == first.options


def test_b20_on_a_resume_the_options_given_now_hold_and_the_others_stay(desk: Desk) -> None:
    first = desk.hand_in(on_existing="update", batch_size=5).job
    desk.change(first, status=State.FAILED)
    second = desk.hand_in(max_error_rate=0.5)
    assert second.job.options == {**first.options, "max_error_rate": 0.5}
    assert "max_error_rate 0.5 instead of 0.05" in second.other_options
    assert "Those given now hold, the rest stay" in second.sentence()


def test_the_organizations_options_lie_below_those_of_the_file(desk: Desk) -> None:
    desk.settings.data_dir.mkdir()
    (desk.settings.data_dir / "organizations.yaml").write_text(
        "organizations: [{name: nord, options: {on_existing: update, batch_size: 7}, policy: {batch_size: 20}}]"
    )
    options = desk.hand_in(organization="nord", batch_size=20).job.options
    assert (options["on_existing"], options["batch_size"]) == ("update", 20)
    with pytest.raises(Refused, match="batch_size is 21, but this organization's policy allows 20"):
        desk.hand_in(desk.file("for meget.csv", "name\nB\n"), organization="nord", batch_size=21)


# -- identity and id ---------------------------------------------------------------------------------------------------


def test_the_content_counts_and_not_the_name(desk: Desk) -> None:
    first = desk.hand_in(desk.file("a.csv")).job
    assert desk.hand_in(desk.file("b.csv")).job.job_id == first.job_id
    assert desk.hand_in(desk.file("a.csv", CONTENT + "\n")).job.job_id != first.job_id


def test_the_same_content_is_another_job_in_another_organization(desk: Desk) -> None:
    desk.settings.data_dir.mkdir()
    (desk.settings.data_dir / "organizations.yaml").write_text("organizations: [{name: nord}, {name: syd}]")
    received = [desk.hand_in(organization=name) for name in ("nord", "syd")]
    assert [one.reception for one in received] == [Reception.NEW, Reception.NEW]
    assert len(desk.jobs()) == 2


class _LateEvening(datetime):
    """Half past ten at night in London, in summer: the next day has begun in Copenhagen."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> _LateEvening:
        return cls(2026, 6, 30, 22, 30, tzinfo=UTC).astimezone(tz)


def test_b23_a_job_id_holds_the_day_in_copenhagen_and_the_content_but_never_the_files_name(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "datetime", _LateEvening)
    job = desk.hand_in(desk.file("Hans Hansen 010190-1234.csv")).job
    assert job.job_id == f"2026-07-01-default-customers-import-{job.upload_sha256[:8]}"


def test_a_job_id_has_at_most_100_characters_with_its_number_and_only_plain_ones(desk: Desk) -> None:
    sha256 = "5f2c" * 16
    with desk.engine.begin() as connection:
        mirror_organization(connection, "default")
        for number in range(1, 12):
            job_id = intake._free_id(connection, "o" * 40, "r" * 40, "import", sha256)
            assert len(job_id) <= 100
            assert re.fullmatch(r"[a-z0-9_-]+", job_id)
            assert job_id.endswith(f"-{number}") or number == 1
            values = {"organization": "default", "resource_type": "r", "operation": "import", "upload_name": "x"}
            create_job(connection, {"job_id": job_id, "upload_sha256": sha256, **values})
    assert len(desk.jobs()) == 11


def test_other_content_with_the_same_eight_digits_is_a_job_of_its_own(desk: Desk) -> None:
    first = desk.hand_in().job
    desk.change(first, upload_sha256=first.upload_sha256[:8] + "0" * 56, status=State.COMPLETED)
    second = desk.hand_in()
    assert (second.reception, second.job.job_id) == (Reception.NEW, f"{first.job_id}-2")
