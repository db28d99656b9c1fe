"""A snapshot holds everything there is, nothing twice, whatever Billy's lists do, and is there whole or not at all."""

from __future__ import annotations

import json
import resource as limits
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from billy_pipelines.billy.models import SECRET_KEYS
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.exports.exporting import Format, columns_of, export_file
from billy_pipelines.files.snapshots import (
    Snapshot,
    check_files,
    newest_snapshot,
    snapshot_folder,
    snapshots,
    working_beside,
)
from billy_pipelines.files.unpacking import zip_archive
from billy_pipelines.sandbox import made_up_contacts
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines_tests.exports.books import DAY, Books

CHILDREN = {
    "customers": ("contacts", "contactPersons"),
    "contacts": ("contacts", "contactPersons"),
    "products": ("products", "productPrices"),
    "invoices": ("invoices", "invoiceLines"),
}
SWITCHES: tuple[dict[str, Any], ...] = (
    {},
    {"archived_in_lists": "hidden", "include": "ignored"},
    {"unlisted_sort": "refused", "unstable_paging": True},
)


@pytest.mark.parametrize("switches", SWITCHES)
def test_a_snapshot_holds_everything_there_is(full_books: Books, switches: dict[str, Any]) -> None:
    full_books.sandbox.sandbox.switch(**switches)
    for name, (plural, children) in CHILDREN.items():
        snapshot = full_books.snapshot(name)
        present = {
            str(each["id"]): each
            for each in full_books.records(plural)
            if name != "customers" or each["isCustomer"] is not False
        }
        records = snapshot.table(name).to_pylist()
        assert sorted(record["id"] for record in records) == sorted(present)
        export = RESOURCES[name].export
        assert export is not None and export.children is not None
        kept = snapshot.table(export.children.field).to_pylist()
        there = [each["id"] for each in full_books.records(children) if each[export.children.parent] in present]
        assert sorted(each["id"] for each in kept) == sorted(map(str, there))
        assert snapshot.manifest.rows[name] == len(present)
        assert snapshot.manifest.unread_children == 0
        for record in records:
            assert json.loads(record["json"])["id"] == record["id"]
        assert check_files(snapshot) == []


def test_more_than_one_unstable_page_is_read_until_it_is_whole(books: Books) -> None:
    contacts = list(made_up_contacts(2_300, 1))
    books.sandbox.sandbox.add_contacts(contacts)
    books.sandbox.sandbox.switch(unstable_paging=True, unlisted_sort="ignored")
    seen: list[tuple[int, int | None]] = []
    snapshot = books.snapshot("contacts", on_progress=lambda read, total: seen.append((read, total)))
    ids = snapshot.table("contacts", ["id"]).column("id").to_pylist()
    assert len(ids) == len(set(ids)) == len(contacts) == snapshot.manifest.rows["rows"]
    assert snapshot.table("contactPersons").num_rows == len(contacts)
    assert snapshot.manifest.passes > 1
    assert seen[-1][1] == len(contacts)


def test_an_empty_register_has_the_same_columns_as_a_full_one(books: Books, full_books: Books) -> None:
    full = {name: full_books.snapshot(name) for name in RESOURCES}
    for contact in full_books.records("invoices"):
        full_books.sandbox.sandbox.delete("invoices", str(contact["id"]))
    empty = full_books.snapshot("invoices", date(2026, 11, 26))
    assert empty.manifest.records == 0
    for table in ("invoices", "lines", "rows"):
        assert empty.table(table).schema == full["invoices"].table(table).schema


def test_secrets_reach_neither_a_snapshot_nor_an_export(full_books: Books, tmp_path: Path) -> None:
    contact = full_books.records("contacts")[0]
    secret = "hemmeligt-adgangstegn"
    full_books.sandbox.sandbox.change_contact(str(contact["id"]), accessCode=secret)
    invoice = full_books.records("invoices")[0]
    full_books.sandbox.sandbox.change("invoices", str(invoice["id"]), downloadUrl=f"https://sted.example/{secret}")
    words = (secret, *SECRET_KEYS)
    for name in RESOURCES:
        snapshot = full_books.snapshot(name)
        for path in snapshot.folder.glob("*.parquet"):
            told = str(snapshot.table(path.stem).to_pylist())
            assert not any(word in told for word in words), path
        assert not any(word in (snapshot.folder / "manifest.json").read_text() for word in words)
        for form in Format:
            out = tmp_path / f"{name}.{form}"
            export_file(snapshot, format=form, columns=columns_of(name), out=out)
            assert not any(word.encode() in content for content in _contents(out) for word in words), out


def _contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, unpacked where it is packed."""
    data = path.read_bytes()
    yield data
    if path.suffix == ".xlsx":
        with zip_archive(data) as archive:
            yield from (archive.read(name) for name in archive.namelist())


def test_a_night_that_fails_leaves_the_last_good_snapshot_and_no_half_one(books: Books) -> None:
    books.contact(name="Første", isCustomer=True)
    books.snapshot("contacts", date(2026, 11, 24))
    books.sandbox.sandbox.switch(revoked_after=2)
    with pytest.raises(Halted) as halted:
        books.snapshot("contacts", DAY)
    assert halted.value.code == "token_refused"
    assert _days(books) == [date(2026, 11, 24)]
    assert _folders(books) == ["2026-11-24"]
    books.sandbox.sandbox.switch(revoked_after=None)
    books.snapshot("contacts", DAY)
    assert _days(books) == [DAY, date(2026, 11, 24)]


def test_a_disk_that_takes_no_more_leaves_what_was_there(books: Books) -> None:
    books.sandbox.sandbox.add_contacts(list(made_up_contacts(200, 1)))
    before = books.snapshot("contacts")
    with _files_no_larger_than(3_000), pytest.raises(Halted) as halted:
        books.snapshot("contacts")
    assert halted.value.code in ("disk_full", "cannot_write")
    after = newest_snapshot(books.settings, "default", "contacts")
    assert after is not None
    assert after.manifest == before.manifest
    assert check_files(after) == []
    assert _folders(books) == ["2026-11-25"]


@contextmanager
def _files_no_larger_than(size: int) -> Iterator[None]:
    """As on a disk that is nearly full: files of this process grow to so many bytes and no further."""
    soft, hard = limits.getrlimit(limits.RLIMIT_FSIZE)
    limits.setrlimit(limits.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        limits.setrlimit(limits.RLIMIT_FSIZE, (soft, hard))


def test_the_same_day_again_replaces_the_snapshot(books: Books) -> None:
    books.contact(name="Første", isCustomer=True)
    assert books.snapshot("contacts").manifest.records == 1
    books.contact(name="Anden", isCustomer=True)
    assert books.snapshot("contacts").manifest.records == 2
    assert [snapshot.manifest.records for snapshot in snapshots(books.settings, "default", "contacts")] == [2]


def test_what_a_killed_run_left_is_cleared_away_and_its_victim_put_back(books: Books) -> None:
    books.contact(name="Første", isCustomer=True)
    folder = books.snapshot("contacts").folder
    folder.rename(folder.with_name(f".{folder.name}.old"))  # killed between the two renames
    half = folder.with_name(f".{folder.name}.part")
    half.mkdir()
    (half / "contacts.parquet").write_bytes(b"PAR1 half")
    assert _days(books) == []
    with working_beside(folder):
        assert _days(books) == [DAY]
        assert not list(half.iterdir())
    assert _folders(books) == [folder.name]


def test_two_runs_do_not_take_the_same_snapshot_at_once(books: Books) -> None:
    with working_beside(snapshot_folder(books.settings, "default", "contacts", DAY)), pytest.raises(Halted) as halted:
        books.snapshot("contacts")
    assert halted.value.code == "snapshot_busy"


def test_another_companys_token_takes_no_snapshot(books: Books) -> None:
    books.snapshot("contacts", date(2026, 11, 24))
    with books.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE billy.billy_organizations SET billy_organization_id = 'en-anden'")
    with pytest.raises(Halted) as halted:
        books.snapshot("contacts")
    assert halted.value.code == "wrong_organization"
    assert _days(books) == [date(2026, 11, 24)]


def test_a_folder_without_a_whole_snapshot_is_none(books: Books) -> None:
    good = books.snapshot("contacts", date(2026, 11, 23))
    for day, damage in ((24, "manifest.json"), (25, "contacts.parquet")):
        bad = books.snapshot("contacts", date(2026, 11, day))
        (bad.folder / damage).unlink()
    (good.folder.parent / "2026-11-26").mkdir()
    assert _days(books) == [date(2026, 11, 23)]


def test_snapshots_are_their_owners_alone(books: Books) -> None:
    folder = books.snapshot("contacts").folder
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (folder, folder.parent)} == {0o700}


def _days(books: Books) -> list[date]:
    found: list[Snapshot] = snapshots(books.settings, "default", "contacts")
    return [snapshot.manifest.day for snapshot in found]


def _folders(books: Books) -> list[str]:
    """What stands in the resource's folder, hidden or not."""
    folder = books.settings.data_dir / "exports" / "default" / "contacts"
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")
