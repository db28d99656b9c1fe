"""Maintenance: each thing goes when its time is over (rule B26), and nothing goes that somebody may still need."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, text

from billy_pipelines.bulk.context import job_folder
from billy_pipelines.bulk.retention import FILES, IMAGES, too_late_to_undo, was_pruned
from billy_pipelines.bulk.verdicts import State
from billy_pipelines.database.jobs import update_job
from billy_pipelines.database.journal import Journal
from billy_pipelines.database.locks import Lease
from billy_pipelines.exports.maintenance import prune_jobs, prune_snapshots
from billy_pipelines.files.snapshots import MANIFEST, Manifest, newest_snapshot, snapshot_folder
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import take_in
from billy_pipelines_tests.exports.old_jobs import NOW, aged, done, reread

TODAY = NOW.date()


def test_a_contacts_jobs_files_go_after_30_days_its_images_after_90_and_what_it_did_stays(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    job = aged(engine, done(settings, engine, tmp_path), 29.9)
    folder = job_folder(settings, job.job_id)
    assert not prune_jobs(settings, engine).folders
    size = sum(path.stat().st_size for path in folder.rglob("*"))

    removed = prune_jobs(settings, engine, now=NOW + timedelta(days=1))
    assert (removed.folders, removed.bytes, removed.images_of_jobs) == (1, size, 0)
    assert not folder.exists()
    young = reread(engine, job)
    assert was_pruned(young, FILES)
    assert not was_pruned(young, IMAGES)
    assert not too_late_to_undo(settings, young)
    before = Journal(engine, job.job_id).items()
    assert all(item.item_data for item in before)

    removed = prune_jobs(settings, engine, now=NOW + timedelta(days=61))
    assert (removed.folders, removed.images_of_jobs, removed.rows) == (0, 1, 3)
    old = reread(engine, job)
    assert too_late_to_undo(settings, old)
    assert (old.status, old.counts, old.upload_sha256) == (job.status, job.counts, job.upload_sha256)
    after = Journal(engine, job.job_id).items()
    assert [(i.status, i.action, i.billy_id) for i in after] == [(i.status, i.action, i.billy_id) for i in before]
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM billy.billy_bulk_job_items LIMIT 1")).mappings().one()
    assert "kunde" not in str(dict(row)).lower(), "nothing of a person is left"
    assert {name for name, value in row.items() if value is None} >= {"item_data", "before_image", "after_image"}

    removed = prune_jobs(settings, engine, now=NOW + timedelta(days=62))
    assert (removed.folders, removed.images_of_jobs) == (0, 0), "what is gone is not counted again"


def test_the_same_file_dropped_after_that_is_still_known_and_books_nothing_twice(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    job = aged(engine, done(settings, engine, tmp_path), 100)
    prune_jobs(settings, engine)
    again = take_in(settings, engine, tmp_path / "kunder.csv")
    assert (again.job.job_id, str(again.reception)) == (job.job_id, "repeated")
    assert prune_jobs(settings, engine).folders == 1, "the copy that came with it goes with the next night"


def test_a_job_an_undo_of_it_and_what_was_made_on_its_way_go_together(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    """An undo that broke off needs the images of its job, and those of the contacts made on the way of it."""
    main = done(settings, engine, tmp_path)
    part = done(settings, engine, tmp_path, name="dele.csv", rows=2)
    undo = done(settings, engine, tmp_path, name="fortrudt.csv", rows=1)
    update_job(engine, part.job_id, part_of=main.job_id)
    update_job(engine, undo.job_id, undoes=main.job_id, status=State.INTERRUPTED)
    for job, days in ((main, 300), (part, 300), (undo, 20)):
        aged(engine, job, days)
    removed = prune_jobs(settings, engine)
    assert (removed.folders, removed.images_of_jobs, removed.closed) == (0, 0, set())

    update_job(engine, undo.job_id, status=State.COMPLETED)  # it has gone on, and ended, just now
    assert prune_jobs(settings, engine).folders == 0
    assert prune_jobs(settings, engine, now=NOW + timedelta(days=31)).folders == 3
    assert prune_jobs(settings, engine, now=NOW + timedelta(days=91)).images_of_jobs == 3


def test_a_job_somebody_is_at_work_on_is_left_alone(settings: Settings, engine: Engine, tmp_path: Path) -> None:
    """An undo begins with the lease; its state follows."""
    job = aged(engine, done(settings, engine, tmp_path), 3000)
    with Lease(engine, job.job_id) as lease:
        assert lease.take_job()
        assert prune_jobs(settings, engine).folders == 0
    assert prune_jobs(settings, engine).folders == 1


def test_what_approved_invoices_stays_for_five_years_also_when_they_are_dated_later(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    job = done(settings, engine, tmp_path)
    update_job(engine, job.job_id, resource_type="invoices", options={**job.options, "approve": True})
    year = TODAY.year
    with engine.begin() as connection:
        dated = f'{{"entryDate": "{year + 1}-01-02"}}'
        connection.execute(text("UPDATE billy.billy_bulk_job_items SET item_data = CAST(:d AS jsonb)"), {"d": dated})

    def removed_at(day: date) -> tuple[int, int]:
        found = prune_jobs(settings, engine, now=datetime.combine(day, datetime.min.time(), UTC))
        return found.folders, found.images_of_jobs

    assert removed_at(date(year + 6, 1, 2)) == (0, 0), "five years after the year of the job"
    assert removed_at(date(year + 6, 12, 31)) == (0, 0)
    assert removed_at(date(year + 7, 1, 1)) == (1, 1)


def test_a_folder_of_no_job_on_record_is_left_alone(settings: Settings, engine: Engine, tmp_path: Path) -> None:
    """The database may be another one; and a link leads to what is not ours."""
    stranger = settings.jobs_dir / "2020-01-01-default-customers-import-00000000"
    stranger.mkdir(parents=True)
    job = aged(engine, done(settings, engine, tmp_path), 3000)
    folder = job_folder(settings, job.job_id)
    elsewhere = folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(elsewhere)
    assert prune_jobs(settings, engine).folders == 0
    assert stranger.is_dir()
    assert any(elsewhere.iterdir())


# -- snapshots ---------------------------------------------------------------------------------------------------------


def night(settings: Settings, days_ago: int, organization: str = "default", resource: str = "customers") -> Path:
    """A whole snapshot as far as anybody can tell by its manifest, with a file made of it."""
    day = TODAY - timedelta(days=days_ago)
    folder = snapshot_folder(settings, organization, resource, day)
    folder.mkdir(parents=True)
    about = Manifest(
        organization=organization,
        billy_organization_id="org",
        company_name="Nordlys ApS",
        resource=resource,
        day=day,
        taken_at=NOW - timedelta(days=days_ago),
    )
    (folder / MANIFEST).write_text(about.model_dump_json(), encoding="utf-8")
    (folder / f"{resource}-{day}.csv").write_text("id;name\n", encoding="utf-8")
    return folder


def nights_left(settings: Settings) -> list[str]:
    return sorted(path.name for path in settings.data_dir.glob("exports/*/*/*"))


def test_nights_go_after_30_days_but_the_last_good_one_never(settings: Settings) -> None:
    old, edge, newest = night(settings, 32), night(settings, 30), night(settings, 5)
    removed = prune_snapshots(settings, now=NOW)
    assert (removed.nights, old.exists(), edge.exists()) == (1, False, True)
    removed = prune_snapshots(settings, now=NOW + timedelta(days=400))
    assert removed.nights == 1
    assert nights_left(settings) == [newest.name]
    found = newest_snapshot(settings, "default", "customers")
    assert found is not None
    assert found.folder == newest


def test_of_an_organization_that_is_not_listed_any_more_nothing_stays(settings: Settings) -> None:
    night(settings, 40, organization="gone")
    assert prune_snapshots(settings, now=NOW).nights == 1
    assert nights_left(settings) == []


def test_a_newer_night_that_is_not_whole_does_not_cost_the_last_good_one(settings: Settings) -> None:
    good, broken = night(settings, 50), night(settings, 40)
    (broken / MANIFEST).write_text("{", encoding="utf-8")
    assert prune_snapshots(settings, now=NOW).nights == 1
    assert nights_left(settings) == [good.name]


def test_what_a_killed_process_left_goes_and_a_snapshot_it_had_put_aside_comes_back(settings: Settings) -> None:
    replaced = night(settings, 3)
    aside = replaced.rename(replaced.with_name(f".{replaced.name}.old"))
    written = night(settings, 2)
    half = written.rename(written.with_name(f".{written.name}.part"))
    at_work = half.with_name(".being-written.part")
    at_work.mkdir()
    going = night(settings, 60)
    going.rename(going.with_name(f".removing-{going.name}"))
    for path in (aside, half):
        os.utime(path, (NOW.timestamp() - 100_000,) * 2)
    (half.parent / ".lock").touch()
    removed = prune_snapshots(settings, now=NOW)
    assert (removed.nights, removed.leftovers) == (0, 2)
    assert nights_left(settings) == sorted([replaced.name, at_work.name, ".lock"])
    assert newest_snapshot(settings, "default", "customers") is not None


def test_the_settings_of_the_organization_count(settings: Settings) -> None:
    (settings.data_dir).mkdir()
    (settings.data_dir / "organizations.yaml").write_text(
        "organizations:\n  - name: default\n  - name: brief\n    keep: {snapshots_days: 2}\n", encoding="utf-8"
    )
    for organization in ("default", "brief"):
        night(settings, 5, organization)
        night(settings, 1, organization)
    assert prune_snapshots(settings, now=NOW).nights == 1
