"""A process that is killed while it writes a snapshot: nobody sees what it had, and the next one clears it away."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from billy_pipelines.files.snapshots import check_files, newest_snapshot, snapshots
from billy_pipelines.sandbox import made_up_contacts
from billy_pipelines.schemas.resource import COPENHAGEN
from billy_pipelines_tests.e2e.commands import billy, finish, start
from billy_pipelines_tests.exports.books import Books
from billy_pipelines_tests.support import wait_until

STARTING_SECONDS = 60.0
MANY = 24_000
"""Contacts: rows reach the disk ten thousand at a time, and more must be to come."""


def test_a_process_killed_while_it_writes_a_snapshot_leaves_the_last_good_one(books: Books, tmp_path: Path) -> None:
    today = datetime.now(COPENHAGEN).date()
    books.contact(name="Første ApS", isCustomer=True)
    good = books.snapshot("contacts", today)
    books.sandbox.sandbox.add_contacts(made_up_contacts(MANY, 1))
    part = good.folder.with_name(f".{today}.part")

    with _taking_a_snapshot(books) as process:
        half = wait_until(lambda: _with_rows(part), STARTING_SECONDS)
        assert process.poll() is None, "it is still at it"
        process.kill()
        code, _, _ = finish(process)
    assert code == -9
    assert half.exists(), "what it had written is still there"
    assert half.read_bytes()[-4:] != b"PAR1", "and it is half a table"

    assert _visible(good.folder.parent) == [str(today)]
    newest = newest_snapshot(books.settings, "default", "contacts")
    assert newest is not None
    assert newest.manifest == good.manifest
    assert check_files(newest) == []
    code, told, _ = billy(books.settings, "export", "contacts", "--out", tmp_path / "før.csv")
    assert (code, told["rows"], told["live"]) == (0, 1, False)
    assert "Første ApS" in (tmp_path / "før.csv").read_text(encoding="utf-8-sig")

    books.sandbox.sandbox.switch(latency=0)
    code, told, _ = billy(books.settings, "export", "contacts", "--live", "--out", tmp_path / "efter.csv")
    assert (code, told["rows"], told["live"]) == (0, MANY + 1, True)
    assert [each.manifest.records for each in snapshots(books.settings, "default", "contacts")] == [MANY + 1]
    assert sorted(path.name for path in good.folder.parent.iterdir()) == [".lock", str(today)]


@contextmanager
def _taking_a_snapshot(books: Books) -> Iterator[subprocess.Popen[str]]:
    """A real process that reads Billy, which is slow."""
    books.hurry()
    books.sandbox.sandbox.switch(latency=0.3)
    process = start(books.settings, "export", "contacts", "--live", "--out", books.settings.data_dir / "aldrig.csv")
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            finish(process)


def _with_rows(part: Path) -> Path | None:
    """The half-written table, once there are rows in it; before that there are four bytes."""
    return next((path for path in part.rglob("contacts.parquet") if path.stat().st_size > 10_000), None)


def _visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("[!.]*"))
