"""Options beside an upload: whose win, what is wrong with them, and that nothing is lost over it (B20, B25)."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from billy_pipelines.bulk import uploads
from billy_pipelines.bulk.verdicts import State
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.desk import CONTENT
from billy_pipelines_tests.bulk.test_uploads import Tree, note_of


@pytest.fixture
def tree(settings: Settings, engine: Engine, tmp_path: Path) -> Tree:
    return Tree(settings, engine, tmp_path)


def _beside(path: Path, kind: str, content: str | bytes) -> Path:
    """An options file: of the whole `folder`, or of this `file`."""
    options = path.with_name("options.yaml" if kind == "folder" else f"{path.name}.options.yaml")
    options.write_bytes(content if isinstance(content, bytes) else content.encode())
    return options


def test_the_files_own_options_win_over_the_folders_and_those_over_the_organizations(tree: Tree) -> None:
    tree.put_organizations()
    path = tree.put("nord/customers/import/kunder.csv")
    _beside(path, "folder", "on_existing: update\nmax_error_rate: 0.5\n")
    _beside(path, "file", "\ufeffmax_error_rate: 0.25\nmatch_on: [vatNo]\n")
    received = tree.take(path)
    assert received
    options = received.job.options
    wanted = {"batch_size": 7, "on_existing": "update", "max_error_rate": 0.25, "match_on": ["vatNo"], "dry_run": False}
    assert {name: options[name] for name in wanted} == wanted


def test_the_files_own_options_go_with_it_and_the_folders_stay(tree: Tree) -> None:
    path = tree.put()
    _beside(path, "folder", "batch_size: 5\n")
    _beside(path, "file", "batch_size: 6\n")
    assert tree.take(path)
    assert tree.lying() == {"default/customers/import/options.yaml"}
    received = tree.take(tree.put(content=CONTENT + "Ny ApS;Ry\n"))
    assert received
    assert received.job.options["batch_size"] == 5


@pytest.mark.parametrize("content", ["", "# nothing yet\n", "---\n"])
def test_an_options_file_that_says_nothing_changes_nothing(tree: Tree, content: str) -> None:
    path = tree.put()
    _beside(path, "file", content)
    assert uploads.options_of(path) == ({}, False)


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_b20_again_beside_the_file_makes_a_new_job(tree: Tree, kind: str) -> None:
    first = tree.take(tree.put())
    assert first
    tree.change(first.job, status=State.COMPLETED)
    path = tree.put()
    _beside(path, kind, "again: true\n")
    second = tree.take(path)
    assert second
    assert second.job.job_id == f"{first.job.job_id}-2"
    assert "again" not in second.job.options


def test_b20_other_options_for_a_job_that_runs_are_named_in_a_note(tree: Tree) -> None:
    assert tree.take(tree.put())
    path = tree.put()
    _beside(path, "file", "batch_size: 3\n")
    assert tree.take(path)
    assert "Its options differ: batch_size 3 instead of 10." in note_of(path)


BAD = [
    ("on_existing: [", "cannot be read as YAML"),
    ("batch_size: &many 3\nmax_error_rate: *many\n", "aliases (*name) are not allowed"),
    ("batch_size: 3\n" + "#" * 64 * 1024, "is larger than 64 KB"),
    ("[" * 5000, "nested too deeply"),
    (b"on_existing: \xff", "cannot be read as YAML"),
    ("on_existing: !!python/object/apply:os.getcwd []", "cannot be read as YAML"),
    ("on_existing: 2026-02-31", "cannot be read as YAML"),
    ("- on_existing", "must hold lines such as 'on_existing: update'"),
    ("1: update", "must hold lines such as 'on_existing: update'"),
    ("batchsize: 3", "Known options: encoding"),
    ("batch_size: 0", "batch_size: Input should be greater than or equal to 1"),
    ("max_error_rate: yes", "max_error_rate: Input should be a valid number"),
    ("again: maybe", "again must be true or false"),
    ("match_on: [shoeSize]", "match_on: no such key: shoeSize"),
]


@pytest.mark.parametrize(
    ("kind", "content", "said"), [("folder", *BAD[0]), ("folder", *BAD[1]), *(("file", *bad) for bad in BAD)]
)
def test_b25_options_that_cannot_be_used_are_named_and_the_file_waits(
    tree: Tree, kind: str, content: str | bytes, said: str
) -> None:
    path = tree.put()
    options = _beside(path, kind, content)
    assert tree.take(path) is None
    assert said in note_of(path)
    assert path.read_text(encoding="utf-8") == CONTENT
    assert options.read_bytes() == (content if isinstance(content, bytes) else content.encode())
    assert tree.jobs() == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("batch_size: 21", "batch_size is 21, but this organization's policy allows 20"),
        ("on_existing: create", "on_existing is 'create', but this organization's policy allows ['skip', 'update']"),
    ],
)
def test_b25_options_cannot_exceed_the_organizations_policy(tree: Tree, content: str, said: str) -> None:
    tree.put_organizations()
    path = tree.put("nord/customers/import/kunder.csv")
    _beside(path, "file", content)
    assert tree.take(path) is None
    assert said in note_of(path)
    assert path.exists()
    assert tree.jobs() == []


def test_b25_a_policy_holds_for_options_that_are_left_out_too(tree: Tree) -> None:
    tree.put_organizations("organizations: [{name: nord, policy: {max_error_rate: 0.01}}]")
    path = tree.put("nord/customers/import/kunder.csv")
    assert tree.take(path) is None
    assert "max_error_rate is 0.05, but this organization's policy allows 0.01" in note_of(path)
    _beside(path, "folder", "max_error_rate: 0.01")
    assert tree.take(path)


def test_once_mended_the_file_is_taken_and_its_note_goes(tree: Tree) -> None:
    path = tree.put()
    _beside(path, "file", "batch_size: 0")
    assert tree.take(path) is None
    written = path.with_name(path.name + ".note.txt").stat()
    assert tree.take(path) is None
    assert path.with_name(path.name + ".note.txt").stat() == written, "a note is written once, not at every tick"
    _beside(path, "file", "batch_size: 4")
    received = tree.take(path)
    assert received
    assert received.job.options["batch_size"] == 4
    assert tree.lying() == set()
