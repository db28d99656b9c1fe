"""The upload tree: what is taken and when, what is not and why, and that nothing is ever lost (B20, B25)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from billy_pipelines.bulk import uploads
from billy_pipelines.bulk.intake import Received
from billy_pipelines.bulk.uploads import EMPTY_SECONDS, YOUNG_SECONDS, YOUNG_SECONDS_WITHOUT_END, Drop
from billy_pipelines.bulk.verdicts import State
from billy_pipelines.database.tables import jobs
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.desk import CONTENT, Desk
from billy_pipelines_tests.bulk.jobs import run_job

CUT_OFF = CONTENT.rstrip("\n")
NORD = "organizations: [{name: nord, options: {batch_size: 7}, policy: {batch_size: 20, on_existing: [skip, update]}}]"


class Tree(Desk):
    """The upload tree as a person sees it: files are put in, and a note may appear beside them."""

    def put(self, place: str = "default/customers/import/kunder.csv", content: str | bytes = CONTENT) -> Path:
        path = self.settings.uploads_dir / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def put_organizations(self, content: str = NORD) -> None:
        self.settings.data_dir.mkdir(exist_ok=True)
        (self.settings.data_dir / "organizations.yaml").write_text(content)

    def seen(self) -> list[str]:
        return [str(drop.path.relative_to(self.settings.uploads_dir)) for drop in uploads.drops(self.settings)]

    def lying(self) -> set[str]:
        root = self.settings.uploads_dir
        return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}

    def take(self, path: Path) -> Received | None:
        [drop] = [drop for drop in uploads.drops(self.settings) if drop.path == path]
        return uploads.take(self.settings, self.engine, drop)


def note_of(path: Path) -> str:
    return path.with_name(path.name + ".note.txt").read_text(encoding="utf-8")


@pytest.fixture
def tree(settings: Settings, engine: Engine, tmp_path: Path) -> Tree:
    return Tree(settings, engine, tmp_path)


class Clock:
    """Time that passes only where somebody waits; `meanwhile` is what happens then."""

    def __init__(self) -> None:
        self.waited = 0.0
        self.meanwhile: Callable[[], object] = lambda: None

    def time(self) -> float:
        return time.time() + self.waited

    def sleep(self, seconds: float) -> None:
        self.waited += seconds
        self.meanwhile()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(uploads, "time", clock)
    return clock


# -- the folders -------------------------------------------------------------------------------------------------------


def test_b25_there_is_a_private_folder_for_every_organization_resource_and_operation(tree: Tree) -> None:
    tree.put_organizations("organizations: [{name: nord}, {name: syd}]")
    uploads.make_folders(tree.settings)
    uploads.make_folders(tree.settings)
    root = tree.settings.uploads_dir
    folders = [path for path in root.rglob("*") if path.is_dir()]
    places = {path.relative_to(root).parts for path in folders if len(path.relative_to(root).parts) == 3}
    wanted = {(o, r.name, operation) for o in ("nord", "syd") for r in RESOURCES.values() for operation in r.operations}
    assert places == wanted
    assert {path.stat().st_mode & 0o777 for path in (root, *folders)} == {0o700}


NO_UPLOADS = {
    *(".kunder.csv", "~$kunder.csv", "kunder.csv.part", "kunder.csv.PART", "kunder.tmp", "kunder.csv.crdownload"),
    *("kunder.csv.note.txt", "kunder.csv.options.yaml", "options.yaml"),
    *("desktop.ini", "Desktop.INI", "Thumbs.db", ".DS_Store"),
}


def test_files_that_no_person_means_as_an_upload_are_ignored_and_stay(tree: Tree) -> None:
    places = {f"default/customers/import/{name}" for name in NO_UPLOADS}
    for place in places:
        tree.put(place)
    assert tree.seen() == []
    assert tree.lying() == places


def test_every_other_name_is_an_upload(tree: Tree) -> None:
    names = {"kunder.csv", "kunder", "kunder.TXT", "note.txt", "part", "my options.yaml", "Kunder æøå (1).csv"}
    for name in names:
        tree.put(f"default/customers/import/{name}")
    assert {Path(name).name for name in tree.seen()} == names


def test_b25_links_are_never_followed(tree: Tree) -> None:
    folder = tree.put("default/customers/import/kunder.csv").parent
    elsewhere = tree.file("elsewhere.csv")
    outside = tree.folder / "outside"
    outside.mkdir()
    (outside / "inside.csv").write_text(CONTENT)
    (folder / "link.csv").symlink_to(elsewhere)
    (folder / "broken.csv").symlink_to(tree.folder / "nothing")
    (tree.settings.uploads_dir / "linked").symlink_to(outside)
    assert tree.seen() == ["default/customers/import/kunder.csv"]


def test_b25_an_options_file_that_is_a_link_is_not_read(tree: Tree) -> None:
    path = tree.put()
    secret = tree.file("secret.yaml", "batch_size: 77\n")
    path.with_name("options.yaml").symlink_to(secret)
    assert uploads.options_of(path) == ({}, False)


def test_uploads_come_oldest_first_and_those_with_a_note_last(tree: Tree) -> None:
    for age, name in enumerate(["new", "middle", "refused", "old"]):
        path = tree.put(f"default/customers/import/{name}.csv")
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    tree.put("default/customers/import/old.csv.note.txt", "why")
    assert [Path(name).stem for name in tree.seen()] == ["refused", "middle", "new", "old"]


def test_without_a_tree_there_are_no_uploads(settings: Settings) -> None:
    assert uploads.drops(settings) == []
    assert uploads.settle([]) == []


# -- files that still change -------------------------------------------------------------------------------------------


def settled(tree: Tree) -> list[str]:
    return [drop.path.name for drop in uploads.settle(uploads.drops(tree.settings))]


def test_a_file_that_has_just_been_written_is_taken_after_a_moment(tree: Tree, clock: Clock) -> None:
    tree.put()
    assert settled(tree) == ["kunder.csv"]
    assert 0 < clock.waited <= YOUNG_SECONDS


def test_a_file_that_has_been_lying_there_is_taken_at_once(tree: Tree, clock: Clock) -> None:
    tree.put()
    clock.waited = YOUNG_SECONDS
    assert settled(tree) == ["kunder.csv"]
    assert clock.waited == YOUNG_SECONDS


def _grow(path: Path) -> None:
    with path.open("a") as file:
        file.write("Anden ApS;Ry\n")


def _replace(path: Path) -> None:
    other = path.with_name(".other.part")
    other.write_bytes(path.read_bytes())
    other.replace(path)


@pytest.mark.parametrize("change", [_grow, _replace, Path.unlink])
def test_a_file_that_changes_meanwhile_is_not_taken(tree: Tree, clock: Clock, change: Callable[[Path], object]) -> None:
    path = tree.put()

    def meanwhile() -> None:
        change(path)
        clock.waited += YOUNG_SECONDS  # a busy machine wakes up late: by its age alone the file would pass now

    clock.meanwhile = meanwhile
    assert settled(tree) == []
    assert clock.waited > YOUNG_SECONDS


def test_a_file_whose_last_line_does_not_end_is_given_more_time(tree: Tree, clock: Clock) -> None:
    tree.put(content=CUT_OFF)
    assert settled(tree) == []
    assert clock.waited == 0, "one unfinished file must not hold up the tick"
    clock.waited = YOUNG_SECONDS_WITHOUT_END
    assert settled(tree) == ["kunder.csv"]


def test_an_empty_file_is_taken_only_when_it_stays_empty(tree: Tree, clock: Clock) -> None:
    tree.put(content="")
    clock.waited = EMPTY_SECONDS - YOUNG_SECONDS - 1
    assert settled(tree) == []
    clock.waited = EMPTY_SECONDS
    assert settled(tree) == ["kunder.csv"]


@pytest.mark.parametrize("years", [-20, 20])
def test_what_counts_is_when_the_file_came_and_not_the_time_it_carries(tree: Tree, clock: Clock, years: int) -> None:
    path = tree.put()
    carried = time.time() + years * 365 * 86400
    os.utime(path, (carried, carried))
    clock.meanwhile = lambda: _grow(path)
    assert settled(tree) == [], "taken although it has only just come"
    clock.waited += YOUNG_SECONDS
    assert settled(tree) == ["kunder.csv"]


# -- taking ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [CONTENT, CUT_OFF, "\ufeff" + CONTENT.replace("\n", "\r\n")])
def test_a_file_becomes_a_job_and_leaves_the_tree(tree: Tree, content: str) -> None:
    received = tree.take(tree.put(content=content))
    assert received
    assert tree.lying() == set()
    assert tree.upload(received.job).read_bytes() == content.encode()
    assert run_job(tree.settings, tree.engine, received.job.job_id).counts["created"] == 1


def test_a_file_of_no_bytes_becomes_a_job_that_says_so(tree: Tree) -> None:
    received = tree.take(tree.put(content=""))
    assert received
    row = run_job(tree.settings, tree.engine, received.job.job_id)
    assert (row.status, row.errors[-1]["code"]) == ("failed", "empty_file")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("vest/customers/import/kunder.csv", "There is no organization 'vest'. Known: default."),
        ("default/kunder/import/kunder.csv", "There is no resource 'kunder'. Known: customers"),
        ("default/customers/explode/kunder.csv", "The operation 'explode' is not offered for customers."),
        ("kunder.csv", "Files are taken from uploads/<organization>/<resource>/<operation>/ only"),
        ("default/customers/kunder.csv", "Move this file there."),
        ("default/customers/import/2026/kunder.csv", "Move this file there."),
        (f"vest/customers/import/{'a' * 251}.csv", ""),
    ],
)
def test_a_file_in_no_known_place_stays_and_a_note_says_why(tree: Tree, place: str, said: str) -> None:
    path = tree.put(place)
    assert tree.take(path) is None
    assert path.read_text(encoding="utf-8") == CONTENT
    [note] = tree.lying() - {place}
    assert note.endswith(".note.txt")
    assert said in (tree.settings.uploads_dir / note).read_text(encoding="utf-8")
    assert (tree.settings.uploads_dir / note).stat().st_mode & 0o777 == 0o600
    assert tree.jobs() == []


def test_a_file_that_has_been_taken_away_again_leaves_no_note(tree: Tree) -> None:
    path = tree.put()
    drop = Drop(path, ("default", "customers", "import"))
    path.unlink()
    assert uploads.take(tree.settings, tree.engine, drop) is None
    assert tree.lying() == set()


def test_b20_a_repeated_file_leaves_a_note_with_job_and_way_out_until_another_comes(tree: Tree) -> None:
    first = tree.take(tree.put())
    assert first
    tree.change(first.job, status=State.COMPLETED)
    path = tree.put()
    second = tree.take(path)
    assert second
    assert note_of(path).strip() == second.sentence()
    assert first.job.job_id in note_of(path)
    assert not path.exists()
    assert tree.take(tree.put(content=CONTENT + "Ny ApS;Ry\n"))
    assert tree.lying() == set()


def test_a_thousand_files_at_once_become_a_thousand_jobs(tree: Tree, clock: Clock) -> None:
    for number in range(1000):
        tree.put(f"default/customers/import/kunder {number}.csv", f"name\nKunde {number}\n")
    ticks = 0
    while waiting := uploads.drops(tree.settings)[: uploads.FILES_A_TICK]:
        for drop in uploads.settle(waiting):
            assert uploads.take(tree.settings, tree.engine, drop) is not None
        ticks += 1
    assert ticks == 1000 // uploads.FILES_A_TICK
    with tree.engine.connect() as connection:
        uploaded = connection.execute(select(jobs.c.upload_name)).scalars().all()
    assert sorted(uploaded) == sorted(f"kunder {number}.csv" for number in range(1000))
    assert tree.lying() == set()
