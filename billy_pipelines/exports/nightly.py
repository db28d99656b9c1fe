"""What follows a snapshot: its differences from the one before, and the files people open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from billy_pipelines.exports.changes import Changes, changes_between, write_changes
from billy_pipelines.exports.exporting import Exported, export_file
from billy_pipelines.files.snapshots import Snapshot, SnapshotDamaged, snapshots
from billy_pipelines.settings import Settings


@dataclass(frozen=True)
class Nightly:
    """A snapshot with what was made of it. `before` is the newest one of an earlier day that can be read."""

    snapshot: Snapshot
    before: Snapshot | None
    changes: Changes
    changes_file: Path
    files: dict[str, Exported]
    """Format -> file."""


def finish_night(settings: Settings, snapshot: Snapshot) -> Nightly:
    """Write the changes, and the organization's files, into the snapshot's folder.

    Raises:
        SnapshotDamaged: the snapshot itself cannot be read.
        SettingsError: its organization is not listed any more.
        OSError: a file cannot be written; the snapshot stands.
    """
    about = snapshot.manifest
    before, changes = _compared(settings, snapshot)
    changes_file, _ = write_changes(changes, snapshot)
    formats = settings.organization(about.organization).export_formats
    files = {str(name): export_file(snapshot, format=name, out=nightly_file(snapshot, name)) for name in formats}
    return Nightly(snapshot, before, changes, changes_file, files)


def nightly_file(snapshot: Snapshot, format_name: str) -> Path:
    """Where a night's file lies: its name says what it is wherever it is sent (`customers-2026-11-22.csv`)."""
    about = snapshot.manifest
    return snapshot.folder / f"{about.resource}-{about.day}.{format_name}"


def _compared(settings: Settings, snapshot: Snapshot) -> tuple[Snapshot | None, Changes]:
    """The changes since the last day whose snapshot can be read: one that is damaged must not stop the next."""
    about = snapshot.manifest
    for before in snapshots(settings, about.organization, about.resource):
        if before.manifest.day < about.day and before.manifest.billy_organization_id == about.billy_organization_id:
            try:
                return before, changes_between(before, snapshot)
            except SnapshotDamaged:
                snapshot.table(about.resource)  # it was not the new one
    return None, changes_between(None, snapshot)
