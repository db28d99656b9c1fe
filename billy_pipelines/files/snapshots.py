"""Snapshots on disk: everything of one resource in one organization's books on one day, as Parquet with a manifest.

    data/exports/<organization>/<resource>/<YYYY-MM-DD>/
        manifest.json             what it is: whose books, when, how many rows, SHA-256 of each table
        <resource>.parquet        one row per record under Billy's own keys, and the record whole as `json`
        <children>.parquet        contactPersons, prices, lines: one row each, with the id of their record
        rows.parquet              the same records as the rows of an import file would say them, all text

A snapshot is written beside its place and moved there whole, so that nobody ever sees half of one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from billy_pipelines.files.writing import make_folder, write_text
from billy_pipelines.settings import Settings

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
ROWS = "rows"
"""Table of every snapshot: its records in the columns of an import file, as plain text (point, ISO date, true)."""
STAMP = "%Y-%m-%dT%H:%M:%SZ"
_COMPRESSION = "zstd"
_ROW_GROUP = 10_000
"""Rows written at once: with a thousand, a table of 100,000 customers takes three times as long to read."""


class SnapshotDamaged(Exception):
    """A table of a snapshot is missing or cannot be read."""


class SnapshotBusy(Exception):
    """Another process is writing a snapshot of this resource."""


class Manifest(BaseModel):
    """What a snapshot is."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format_version: int = FORMAT_VERSION
    organization: str
    """Our name of it, as in `organizations.yaml`."""
    billy_organization_id: str
    company_name: str
    resource: str
    day: date
    taken_at: datetime
    """UTC, whole seconds: when the reading began. It names the snapshot in exported files (`billySnapshot`)."""
    rows: dict[str, int] = {}
    """Table -> rows: the records under the resource's name, children and `rows` beside them."""
    sha256: dict[str, str] = {}
    """File name -> SHA-256 in hexadecimal."""
    requests: int = 0
    seconds: float = 0.0
    passes: int = 1
    """Readings of the list until distinct ids and Billy's total agreed; 1 on a good day."""
    unread_children: int = 0
    """Records whose children Billy would not tell (see `exports/taking.py`)."""

    @property
    def records(self) -> int:
        """How many records there are."""
        return self.rows.get(self.resource, 0)

    @property
    def stamp(self) -> str:
        """`taken_at` as exported files carry it: 2026-11-22T03:15:07Z."""
        return self.taken_at.astimezone(UTC).strftime(STAMP)


@dataclass(frozen=True)
class Snapshot:
    """One snapshot, read from disk as far as somebody asks."""

    folder: Path
    manifest: Manifest

    def path(self, name: str) -> Path:
        """Where a table is."""
        return self.folder / f"{name}.parquet"

    def table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """A table by name: the resource's (`customers`), its children's (`contactPersons`), or `rows`; all columns, or
        those named.

        Raises:
            SnapshotDamaged
        """
        try:
            return pq.read_table(self.path(name), columns=columns)
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(name, error) from error

    def batches(self, name: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """A table some ten thousand rows at a time.

        Raises:
            SnapshotDamaged
        """
        try:
            with pq.ParquetFile(self.path(name)) as file:
                yield from file.iter_batches(batch_size=50_000, columns=columns)
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(name, error) from error

    def _damaged(self, name: str, error: Exception) -> SnapshotDamaged:
        return SnapshotDamaged(
            f"The table {name!r} of the snapshot of {self.manifest.resource} of {self.manifest.day} cannot be read: "
            f"{type(error).__name__}. Take the snapshot again, or use another day's."
        )


def snapshots_root(settings: Settings) -> Path:
    """`data/exports`."""
    return settings.data_dir / "exports"


def snapshot_folder(settings: Settings, organization: str, resource: str, day: date) -> Path:
    """`data/exports/<organization>/<resource>/<YYYY-MM-DD>/`."""
    return snapshots_root(settings) / organization / resource / day.isoformat()


def snapshots(settings: Settings, organization: str, resource: str) -> list[Snapshot]:
    """Every whole snapshot, newest first. A folder without a manifest that can be read, or without one of its tables,
    is none."""
    folder = snapshots_root(settings) / organization / resource
    try:
        days = sorted((entry for entry in folder.iterdir() if _is_day(entry.name)), reverse=True)
    except OSError:
        return []
    return [snapshot for day in days if (snapshot := read_snapshot(day)) is not None]


def newest_snapshot(settings: Settings, organization: str, resource: str) -> Snapshot | None:
    """The newest whole snapshot, or None."""
    return next(iter(snapshots(settings, organization, resource)), None)


def read_snapshot(folder: Path) -> Snapshot | None:
    """The snapshot in a folder, or None when there is no whole one."""
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError):
        return None
    known = manifest.format_version == FORMAT_VERSION
    whole = known and all((folder / name).is_file() for name in manifest.sha256)
    return Snapshot(folder, manifest) if whole else None


def check_files(snapshot: Snapshot) -> list[str]:
    """Names of the snapshot's tables whose content is not what the manifest says."""
    wrong = []
    for name, wanted in snapshot.manifest.sha256.items():
        try:
            found = _sha256(snapshot.folder / name)
        except OSError:
            found = ""
        if found != wanted:
            wrong.append(name)
    return wrong


class SnapshotWriter:
    """Tables on their way to disk, in a folder nobody looks into."""

    def __init__(self, folder: Path, schemas: Mapping[str, pa.Schema]) -> None:
        self.folder = folder
        self._schemas = dict(schemas)
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._waiting: dict[str, list[pa.RecordBatch]] = {name: [] for name in schemas}
        self._rows = dict.fromkeys(schemas, 0)

    def add(self, name: str, rows: pa.RecordBatch | pa.Table) -> None:
        """Append rows to a table; they have its schema."""
        self._rows[name] += rows.num_rows
        waiting = self._waiting[name]
        waiting += rows.to_batches() if isinstance(rows, pa.Table) else [rows]
        if sum(batch.num_rows for batch in waiting) >= _ROW_GROUP:
            self._flush(name)

    def _flush(self, name: str) -> None:
        if name not in self._writers:
            self._writers[name] = pq.ParquetWriter(self._file(name), self._schemas[name], compression=_COMPRESSION)
        if self._waiting[name]:
            self._writers[name].write_table(pa.Table.from_batches(self._waiting[name]))
            self._waiting[name] = []

    def close(self) -> None:
        """Write what is left of every table, empty ones too."""
        for name in self._schemas:
            self._flush(name)
            self._writers[name].close()

    def abandon(self) -> None:
        """Close the files, whatever is in them."""
        for writer in self._writers.values():
            with suppress(Exception):
                writer.close()

    def seal(self, about: Manifest) -> Manifest:
        """Sync the tables and write the manifest, which is what makes a snapshot of them."""
        self.close()
        sums = {}
        for name in self._schemas:
            path = self._file(name)
            path.chmod(0o600)
            _sync(path)
            sums[path.name] = _sha256(path)
        manifest = about.model_copy(update={"rows": dict(self._rows), "sha256": sums})
        write_text(self.folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
        return manifest

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.parquet"


@contextmanager
def working_beside(folder: Path) -> Iterator[Path]:
    """An empty folder beside a snapshot's place, for this process alone; gone afterwards. What an earlier process left
    there when it was killed is cleared away first, and a snapshot it was about to replace is put back.

    Raises:
        SnapshotBusy: another process has it.
    """
    make_folder(folder.parent)
    beside, old = _beside(folder), _old(folder)
    with (folder.parent / ".lock").open("ab") as lock:
        os.fchmod(lock.fileno(), 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SnapshotBusy(f"Another run is taking the snapshot of {folder.parent.name} just now.") from error
        shutil.rmtree(beside, ignore_errors=True)
        if old.exists():
            if folder.exists():
                shutil.rmtree(old)
            else:
                old.rename(folder)
        beside.mkdir(mode=0o700)
        try:
            yield beside
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def put_in_place(beside: Path, folder: Path) -> None:
    """Move a finished snapshot to its place; one that was there goes."""
    old = _old(folder)
    _sync(beside)
    if folder.exists():
        folder.rename(old)
    beside.rename(folder)
    _sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def write_snapshot(folder: Path, about: Manifest, tables: Mapping[str, pa.Table]) -> Snapshot:
    """Write a whole snapshot; `rows` and `sha256` of `about` are filled in. Replaces one that was there.

    Raises:
        OSError: nothing was written; a snapshot that was there is as it was.
        SnapshotBusy
    """
    with working_beside(folder) as beside:
        writer = SnapshotWriter(beside, {name: table.schema for name, table in tables.items()})
        try:
            for name, table in tables.items():
                writer.add(name, table)
            manifest = writer.seal(about)
        except BaseException:
            writer.abandon()
            raise
        put_in_place(beside, folder)
    return Snapshot(folder, manifest)


def _beside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.part")


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _is_day(name: str) -> bool:
    try:
        return date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamped(text: str) -> datetime | None:
    """The time a `billySnapshot` cell says; None when it says none."""
    try:
        return datetime.strptime(text, STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
