"""The upload tree: which files are there, which have stopped changing, what their options are.

`data/uploads/<organization>/<resource>/<operation>/<file>`. Plain functions; the sensor only calls them.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from billy_pipelines.bulk.intake import Received, Reception, Refused, receive
from billy_pipelines.bulk.options import OptionsError, read_options_file
from billy_pipelines.files.writing import make_folder, write_text
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.settings import Settings

YOUNG_SECONDS = 1.5
"""A file that changed less than this ago may still be on its way."""
YOUNG_SECONDS_WITHOUT_END = 5.0
"""The same for one that does not end with a line end: most likely cut off in the middle."""
EMPTY_SECONDS = 15.0
"""Copying tools make an empty file first; one that stays empty becomes a job that says so."""
FILES_A_TICK = 200
NOTE_SUFFIX = ".note.txt"
OPTIONS_SUFFIX = ".options.yaml"
_NEVER = {"options.yaml", "desktop.ini", "thumbs.db", ".ds_store"}
_NEVER_SUFFIXES = (".tmp", ".part", ".crdownload", NOTE_SUFFIX, OPTIONS_SUFFIX)


@dataclass(frozen=True)
class Drop:
    """A file in the upload tree. The place is None where the folders are not those of the tree."""

    path: Path
    place: tuple[str, str, str] | None


def is_upload(path: Path) -> bool:
    """Whether a file is meant as an upload, by its name; links are never followed."""
    name = path.name.lower()
    return (
        not name.startswith((".", "~$"))
        and name not in _NEVER
        and not name.endswith(_NEVER_SUFFIXES)
        and not path.is_symlink()
        and path.is_file()
    )


def make_folders(settings: Settings) -> None:
    """Make the folders people drop files into, for every organization, resource and operation there is."""
    for organization in settings.organizations():
        for resource in RESOURCES.values():
            for operation in resource.operations:
                make_folder(settings.uploads_dir / organization / resource.name / operation)


def drops(settings: Settings) -> list[Drop]:
    """All uploads that lie in the tree now, oldest first; those that have a note already come last, so that a heap of
    files nobody can take never keeps others waiting."""
    root = settings.uploads_dir
    found = []
    for path in _walk(root):
        folders = path.relative_to(root).parts[:-1]
        place = (folders[0], folders[1], folders[2]) if len(folders) == 3 else None
        found.append(Drop(path, place))
    return sorted(found, key=lambda drop: (_is_file(_note_of(drop.path)), _changed_at(drop.path)))


def _walk(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink() and not entry.name.startswith("."):  # .Trash-1000, .snapshot
            yield from _walk(entry)
        elif is_upload(entry):
            yield entry


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def settle(found: list[Drop]) -> list[Drop]:
    """Those that have stopped changing. Young ones are looked at again after a moment, within the same tick."""
    before = {drop.path: _signature(drop.path) for drop in found}
    waits = [wait for drop in found if 0 < (wait := _patience(drop.path)) <= YOUNG_SECONDS]
    if waits:
        time.sleep(min(max(waits), YOUNG_SECONDS))
    return [
        drop
        for drop in found
        if before[drop.path] is not None and _signature(drop.path) == before[drop.path] and _patience(drop.path) <= 0
    ]


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _patience(path: Path) -> float:
    """How many seconds the file must stay as it is before it is taken."""
    try:
        stat = path.stat()
        needed = EMPTY_SECONDS if stat.st_size == 0 else _needed(path)
    except OSError:
        return EMPTY_SECONDS
    # The time of the last change to the file by this machine's clock: a copy may keep its original's modification time,
    # and one from a machine whose clock is ahead would wait until that time comes.
    return needed - (time.time() - stat.st_ctime)


def _needed(path: Path) -> float:
    try:
        with path.open("rb") as file:
            file.seek(-1, 2)
            return YOUNG_SECONDS if file.read(1) in b"\r\n" else YOUNG_SECONDS_WITHOUT_END
    except PermissionError:
        return YOUNG_SECONDS_WITHOUT_END  # taking it will say that it cannot be read


def options_of(path: Path, *, folder: bool = True) -> tuple[dict[str, Any], bool]:
    """Options for an upload: `options.yaml` of its folder, over which `<file>.options.yaml` wins; and `again`.

    Without `folder`, for a file named on the command line: its own only. What else lies there may be anybody's.

    Raises:
        OptionsError
    """
    options: dict[str, Any] = {}
    own = _beside(path, OPTIONS_SUFFIX)
    for source in (path.parent / "options.yaml", own) if folder else (own,):
        if _is_file(source) and not source.is_symlink():
            options |= read_options_file(source)
    again = options.pop("again", False)
    if not isinstance(again, bool):
        raise OptionsError("again must be true or false.")
    return options, again


def take(settings: Settings, engine: Engine, drop: Drop) -> Received | None:
    """Make one settled file a job, or leave a note beside it that says why not. Returns None with a note."""
    note = _note_of(drop.path)
    try:
        if drop.place is None:
            raise Refused(
                "Files are taken from uploads/<organization>/<resource>/<operation>/ only, "
                "for example uploads/default/customers/import/. Move this file there."
            )
        options, again = options_of(drop.path)
        organization, resource, operation = drop.place
        received = receive(
            settings,
            engine,
            drop.path,
            organization=organization,
            resource=resource,
            operation=operation,
            options=options,
            again=again,
            launch=True,
        )
    except (Refused, OptionsError) as error:
        _write_note(note, str(error))
        return None
    except FileNotFoundError:
        return None  # whoever dropped it has taken it away again
    except OSError as error:
        _write_note(note, f"The file cannot be taken: {error.strerror}. Make it readable and drop it again.")
        return None
    # Its options stand on the job now; left behind, they would speak for the next file of that name.
    _beside(drop.path, OPTIONS_SUFFIX).unlink(missing_ok=True)
    if received.reception is Reception.REPEATED or received.other_options:
        _write_note(note, received.sentence())
    else:
        note.unlink(missing_ok=True)
    return received


def _beside(path: Path, suffix: str) -> Path:
    """A file that belongs to another; a name that would grow too long for the file system (255 bytes) is cut."""
    room = 240 - len(suffix)
    name = path.name if len(os.fsencode(path.name)) <= room else os.fsdecode(os.fsencode(path.name)[:room])
    return path.with_name(name + suffix)


def _note_of(path: Path) -> Path:
    return _beside(path, NOTE_SUFFIX)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _write_note(note: Path, message: str) -> None:
    with contextlib.suppress(OSError):  # a folder nobody may write to; other files must not wait for it
        if not note.exists() or note.read_text(encoding="utf-8", errors="replace").strip() != message:
            write_text(note, message + "\n")
