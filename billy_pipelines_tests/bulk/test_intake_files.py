"""Taking a file in: recorded first, moved after, so that it is never lost (runtime.md section 3, B25)."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from sqlalchemy import Engine

from billy_pipelines.bulk import intake
from billy_pipelines.bulk.context import RESERVED_NAMES, job_folder
from billy_pipelines.bulk.intake import Received, Reception, Refused, receive
from billy_pipelines.bulk.reading import sha256_of
from billy_pipelines.bulk.verdicts import State
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.desk import CONTENT, Desk
from billy_pipelines_tests.bulk.jobs import run_job


@pytest.fixture
def desk(settings: Settings, engine: Engine, tmp_path: Path) -> Desk:
    return Desk(settings, engine, tmp_path)


class _Killed(BaseException):
    """The process ends here, as by kill -9: nothing that would tidy up runs."""


def _die_before_moving(desk: Desk, file: Path, **more: Any) -> None:
    """The job is on record; its process dies before it moves the file."""

    def dies(*_: object, **__: object) -> None:
        raise _Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "_put_away", dies)
        with pytest.raises(_Killed):
            desk.hand_in(file, **more)


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


# -- moved, or copied --------------------------------------------------------------------------------------------------


def test_b25_a_dropped_file_is_moved_and_only_its_owner_may_read_it(desk: Desk) -> None:
    file = desk.file()
    file.chmod(0o666)
    job = desk.hand_in(file).job
    assert not file.exists()
    assert desk.upload(job).read_text(encoding="utf-8") == CONTENT
    assert _mode(desk.upload(job)) == 0o600
    assert _mode(job_folder(desk.settings, job.job_id)) == _mode(desk.settings.jobs_dir) == 0o700


def test_b25_a_commands_argument_stays_where_it_is_and_a_private_copy_is_kept(desk: Desk) -> None:
    file = desk.file()
    file.chmod(0o644)
    job = desk.hand_in(file, keep=True).job
    assert file.read_text(encoding="utf-8") == CONTENT
    assert _mode(file) == 0o644
    assert desk.kept(job) == ["kunder.csv"]
    assert (sha256_of(desk.upload(job)), _mode(desk.upload(job))) == (job.upload_sha256, 0o600)


@pytest.mark.parametrize("state", [State.PROCESSING, State.FAILED, State.COMPLETED])
def test_an_identical_second_file_goes_to_the_jobs_folder_again(desk: Desk, state: State) -> None:
    job = desk.hand_in().job
    desk.change(job, status=state)
    second = desk.file("kunder (1).csv")
    desk.hand_in(second)
    assert not second.exists()
    again, first = desk.kept(job)
    assert (Path(again).parent.name, first) == ("again", "kunder.csv")
    path = job_folder(desk.settings, job.job_id) / again
    assert path.read_text(encoding="utf-8") == CONTENT
    assert (_mode(path), _mode(path.parent)) == (0o600, 0o700)


def test_every_identical_file_is_kept_however_many_come_at_the_same_moment(desk: Desk) -> None:
    job = desk.hand_in().job
    desk.change(job, status=State.COMPLETED)
    for _ in range(3):
        desk.hand_in()
    assert len(desk.kept(job)) == 4


def test_a_command_repeated_leaves_no_further_copies(desk: Desk) -> None:
    job = desk.hand_in(keep=True).job
    desk.change(job, status=State.COMPLETED)
    assert desk.hand_in(keep=True).reception is Reception.REPEATED
    assert desk.kept(job) == ["kunder.csv"]


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_text("name\nAnden\n")])
def test_an_upload_that_is_gone_or_changed_comes_back_with_the_same_file(desk: Desk, damage: Any) -> None:
    job = desk.hand_in().job
    damage(desk.upload(job))
    failed = run_job(desk.settings, desk.engine, job.job_id)
    assert (failed.status, failed.errors[-1]["code"][:7]) == ("failed", "upload_")
    assert desk.hand_in().reception is Reception.RESUMED
    assert run_job(desk.settings, desk.engine, job.job_id).status == "completed"


@pytest.mark.parametrize("name", [*sorted(RESERVED_NAMES), "æ" * 120 + ".csv", "a\nb.csv", " .csv", "\udcff.csv"])
def test_b23_whatever_a_file_is_called_it_is_kept_beside_the_jobs_own_files(desk: Desk, name: str) -> None:
    file = desk.folder / name
    file.write_text(CONTENT, encoding="utf-8")
    job = desk.hand_in(file).job
    assert not file.exists()
    [kept] = desk.kept(job)
    assert kept not in RESERVED_NAMES
    assert "\n" not in kept
    assert sha256_of(desk.upload(job)) == job.upload_sha256


def test_a_jobs_own_files_never_take_the_place_of_its_upload(desk: Desk) -> None:
    job = desk.hand_in(desk.file("results.csv")).job
    run_job(desk.settings, desk.engine, job.job_id)
    assert desk.kept(job) == ["plan.csv", "plan.md", "report.md", "results.csv", "upload-results.csv"]
    assert sha256_of(desk.upload(job)) == job.upload_sha256


# -- the process dies between recording and moving ---------------------------------------------------------------------


@pytest.mark.parametrize("again", [False, True])
def test_a_move_cut_off_by_a_crash_is_finished_by_whoever_sees_the_file_next(desk: Desk, again: bool) -> None:
    file = desk.file()
    _die_before_moving(desk, file, again=again)
    [job_id] = desk.jobs()
    assert file.exists()
    assert desk.kept(desk.job(job_id)) == []
    received = desk.hand_in(file, again=again)
    assert (received.reception, received.job.launches) == (Reception.FOLLOWED, 1)
    assert desk.jobs() == [job_id]
    assert not file.exists()
    assert desk.kept(received.job) == ["kunder.csv"]


def test_b20_a_crash_after_again_makes_no_third_job(desk: Desk) -> None:
    first = desk.hand_in().job
    desk.change(first, status=State.COMPLETED)
    file = desk.file()
    _die_before_moving(desk, file, again=True)
    received = desk.hand_in(file, again=True)
    assert received.job.job_id == f"{first.job_id}-2"
    assert desk.jobs() == [f"{first.job_id}-2", first.job_id]
    assert desk.kept(received.job) == desk.kept(first) == ["kunder.csv"]


def test_a_job_run_before_its_file_arrived_says_so_and_resumes_when_it_does(desk: Desk) -> None:
    file = desk.file()
    _die_before_moving(desk, file)
    [job_id] = desk.jobs()
    row = run_job(desk.settings, desk.engine, job_id)
    assert (row.status, row.errors[-1]["code"]) == ("failed", "upload_missing")
    assert desk.hand_in(file).reception is Reception.RESUMED
    assert run_job(desk.settings, desk.engine, job_id).counts["created"] == 1


def test_a_copy_cut_off_by_a_crash_is_never_taken_for_the_upload(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(_: int) -> None:
        raise _Killed

    file = desk.file()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", dies)
        with pytest.raises(_Killed):
            desk.hand_in(file, keep=True)
    [job_id] = desk.jobs()
    assert not desk.upload(desk.job(job_id)).exists()
    job = desk.hand_in(file, keep=True).job
    assert (job.job_id, sha256_of(desk.upload(job))) == (job_id, job.upload_sha256)
    assert desk.kept(job) == ["kunder.csv"]


# -- two at once -------------------------------------------------------------------------------------------------------


def _at_once(desk: Desk, files: list[Path], **more: Any) -> list[Received | None]:
    """What became of each file; None when somebody else had moved it away."""
    start = Barrier(len(files))

    def hand_in(file: Path) -> Received | None:
        start.wait()
        try:
            return desk.hand_in(file, **more)
        except FileNotFoundError:
            return None

    with ThreadPoolExecutor(len(files)) as threads:
        return list(threads.map(hand_in, files))


@pytest.mark.parametrize("keep", [True, False])
def test_the_same_content_handed_in_by_several_at_once_is_one_job(desk: Desk, keep: bool) -> None:
    files = [desk.file(f"kunder-{number}.csv") for number in range(4)]
    received = _at_once(desk, files, keep=keep)
    assert sorted(one.reception for one in received if one) == ["followed", "followed", "followed", "new"]
    [job_id] = desk.jobs()
    job = desk.job(job_id)
    assert job.launches == 1
    assert sha256_of(desk.upload(job)) == job.upload_sha256
    assert [file.exists() for file in files] == [keep] * 4


def test_two_copies_to_the_same_name_are_never_made_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    copy, meeting = shutil.copyfile, Barrier(2, timeout=0.5)
    met: list[int] = []

    def copy_when_another_does(source: Path, target: Path) -> None:
        with suppress(BrokenBarrierError):
            met.append(meeting.wait())
        copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", copy_when_another_does)
    received = _at_once(desk, [desk.file("a.csv"), desk.file("b.csv")], keep=True)
    assert met == []
    assert sorted(one.reception for one in received if one) == ["followed", "new"]


def test_one_file_seen_by_two_at_once_is_one_job_and_not_lost(desk: Desk) -> None:
    file = desk.file()
    _at_once(desk, [file, file])
    [job_id] = desk.jobs()
    job = desk.job(job_id)
    assert not file.exists()
    assert desk.kept(job) == ["kunder.csv"]
    assert sha256_of(desk.upload(job)) == job.upload_sha256


# -- what cannot become a job ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"organization": "vest"}, "There is no organization 'vest'. Known: default."),
        ({"resource": "kunder"}, "There is no resource 'kunder'. Known: customers"),
        ({"operation": "explode"}, "The operation 'explode' is not offered for customers. Offered: import"),
        ({"options": {"batchsize": 3}}, "options: batchsize: Extra inputs.*Known options: .*batch_size"),
        ({"options": {"on_existing": "maybe"}}, "options: on_existing: Input should be"),
        ({"options": {"max_error_rate": True}}, "options: max_error_rate"),
        ({"options": {"match_on": ["shoe size"]}}, "match_on: no such key: shoe size. Known keys: "),
    ],
)
def test_what_cannot_become_a_job_is_refused_with_what_to_do_and_stays(
    desk: Desk, changed: dict[str, Any], said: str
) -> None:
    file = desk.file()
    usual = {"organization": "default", "resource": "customers", "operation": "import", "options": {}}
    with pytest.raises(Refused, match=said):
        receive(desk.settings, desk.engine, file, **(usual | changed), launch=True)
    assert file.read_text(encoding="utf-8") == CONTENT
    assert desk.jobs() == []
