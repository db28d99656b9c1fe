"""What a file of the corpus is, and how it is read: from bytes to valid rows, without Billy and without a database."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from billy_pipelines.bulk.options import parse_options
from billy_pipelines.bulk.reading import Checked, check_rows, read_upload
from billy_pipelines.files.table import Limits, UnreadableFile
from billy_pipelines.schemas.registry import SCHEMAS


@dataclass(frozen=True)
class Case:
    """One file. `rows`: line -> cleaned row; `problems`: (line, column as in the file, code), warnings included."""

    name: str
    resource: str
    file: str
    content: bytes
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    problems: set[tuple[int, str, str]] = field(default_factory=set)
    source: dict[str, Any] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    options: dict[str, Any] = field(default_factory=dict)
    refused: str = ""
    """Code of the error when the file as a whole cannot be used."""


def checked(folder: Path, case: Case) -> Checked:
    """The case's file as it is understood.

    Raises:
        UnreadableFile
    """
    path = folder / case.file
    path.write_bytes(case.content)
    schema, options = SCHEMAS[case.resource], parse_options(case.options, "options")
    upload = read_upload(path, schema, options, Limits())
    return check_rows(upload, schema, options)


def assert_understood(folder: Path, case: Case) -> None:
    """Everything the case says, and nothing else."""
    if case.refused:
        try:
            checked(folder, case)
        except UnreadableFile as error:
            assert error.code == case.refused
            return
        raise AssertionError(f"{case.name} was read, but must be refused as {case.refused}")
    found = checked(folder, case)
    lines = found.upload.table.lines
    rows = {line: row for line, row in zip(lines, found.validated.rows, strict=True) if row is not None}
    assert rows == case.rows
    problems = {
        (lines[position], problem.column, problem.code)
        for position, several in found.validated.problems.items()
        for problem in several
    }
    assert problems == case.problems
    described = found.upload.described()
    assert {name: described[name] for name in case.source} == case.source
    assert set(found.upload.headers.unknown) == case.unknown
