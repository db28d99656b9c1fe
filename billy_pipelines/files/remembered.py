"""What the columns of a kind of file mean, once somebody has said so: kept per organization, as YAML people can read.

A kind of file is a resource and a set of column names, however they are ordered and spelled.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from billy_pipelines.files.names import folded
from billy_pipelines.files.writing import make_folder, write_text

MAX_BYTES = 128 * 1024
"""Of an organization's file: room for twice what an options file may hold, read in 0.3 s. The mappings said longest ago
are forgotten to stay below it."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_HEADING = "# What columns mean in files with these sets of names. Written by Billy Pipelines; any may be removed.\n"

Mappings = dict[str, dict[str, str]]


class MappingsDamaged(ValueError):
    """The file of remembered mappings cannot be read; it is left as it is. The text says which file and why."""


def recall(folder: Path, organization: str, resource: str, header: Iterable[str]) -> dict[str, str]:
    """The mapping that was confirmed for these column names (column -> field, '' not used); empty when none was.

    Raises:
        MappingsDamaged: the organization's file is no file of mappings.
    """
    return _read(_path(folder, organization)).get(_key(resource, header), {})


def remember(folder: Path, organization: str, resource: str, header: Iterable[str], mapping: Mapping[str, str]) -> None:
    """Keep a confirmed mapping in place of an earlier one; an empty one forgets it. Several processes may write.

    Raises:
        MappingsDamaged: the organization's file is no file of mappings; nothing is written.
        ValueError: the mapping alone is larger than such a file may be.
    """
    path = _path(folder, organization)
    make_folder(folder)
    with _alone(path):
        kept = _read(path)
        key = _key(resource, header)
        kept.pop(key, None)
        if mapping:
            kept[key] = dict(mapping)
        write_text(path, _fitting(kept))


def _path(folder: Path, organization: str) -> Path:
    if not _NAME.fullmatch(organization):
        raise ValueError(f"{organization!r} is no name of an organization.")
    return folder / f"{organization}.yaml"


def _key(resource: str, header: Iterable[str]) -> str:
    names = sorted(folded(name) or name for name in header)
    return f"{resource}-{hashlib.sha256(json.dumps(names).encode()).hexdigest()}"


def _fitting(kept: Mappings) -> str:
    texts = [_text({key: mapping}) for key, mapping in kept.items()]
    sizes = [len(text.encode()) for text in texts]
    room, first = MAX_BYTES - len(_HEADING), len(texts)
    while first > 0 and sizes[first - 1] <= room:
        first -= 1
        room -= sizes[first]
    if texts and first == len(texts):
        raise ValueError(f"The mapping is larger than the {MAX_BYTES // 1024} KB that are kept.")
    return _HEADING + "".join(texts[first:])


def _text(kept: Mappings) -> str:
    # Line ends of Unicode (U+0085) come back as blanks unless they are escaped, which makes ø unreadable.
    readable = all(name.isprintable() for mapping in kept.values() for name in mapping)
    return str(yaml.safe_dump(kept, allow_unicode=readable, sort_keys=False, width=1000))


def _read(path: Path) -> Mappings:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise MappingsDamaged(f"The remembered mappings in {path} cannot be read: {error.strerror}.") from error
    if len(content) > MAX_BYTES:
        raise MappingsDamaged(f"The remembered mappings in {path} are larger than {MAX_BYTES // 1024} KB.")
    try:
        kept = yaml.load(content.decode(), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise MappingsDamaged(f"The remembered mappings in {path} are no YAML: {reason}") from error
    kept = {} if kept is None else kept
    if not _is_mappings(kept):
        raise MappingsDamaged(f"{path} does not hold remembered mappings: columns and the fields they are.")
    return kept


class _Loader(yaml.SafeLoader):
    """YAML without aliases, which can unfold into gigabytes (rule B25)."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not allowed")
        return super().compose_node(parent, index)


def _is_mappings(kept: Any) -> bool:
    return isinstance(kept, dict) and all(
        isinstance(key, str)
        and isinstance(mapping, dict)
        and all(isinstance(text, str) for pair in mapping.items() for text in pair)
        for key, mapping in kept.items()
    )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes from changing the file between reading and writing it."""
    lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
