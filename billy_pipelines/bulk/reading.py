"""From the upload to the journal: read the file, check every row, put every row on record."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from billy_pipelines.bulk.context import JobContext
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.planning import FROM_FILE, problem_dicts
from billy_pipelines.bulk.verdicts import VALID, Verdict
from billy_pipelines.database.jobs import update_job
from billy_pipelines.database.journal import NewItem
from billy_pipelines.files.headers import HeaderMap, map_headers
from billy_pipelines.files.table import Table, UnreadableFile, read_table
from billy_pipelines.schemas.codes import Problem, sentence
from billy_pipelines.schemas.resource import Resource


@dataclass(frozen=True)
class Upload:
    """A file read and its columns understood."""

    table: Table
    headers: HeaderMap


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_upload(path: Path, resource: Resource[Any]) -> Upload:
    """Read a file for a resource.

    Raises:
        UnreadableFile: the file as a whole cannot be used.
    """
    table = read_table(path)
    fields = {column.name: column.aliases for column in resource.columns}
    required = [column.name for column in resource.columns if column.required]
    return Upload(table, map_headers(table.header, fields, required))


def read_job_upload(job: JobContext) -> Upload:
    """Read the job's own upload and note what it is on the job.

    Raises:
        Halted: the file is gone, changed, or cannot be used.
    """
    if not job.upload.exists():
        raise Halted("upload_missing", f"The upload is gone: {job.upload}. Drop the file again.", resumable=False)
    if sha256_of(job.upload) != job.row.upload_sha256:
        raise Halted(
            "upload_changed",
            "The file was still being written when it was taken, or changed since. Drop it again when it is complete.",
            resumable=False,
        )
    try:
        upload = read_upload(job.upload, job.resource)
    except UnreadableFile as error:
        # Without the file's name: it can hold anything, and this text goes into Dagster's log (rule B23).
        raise Halted(error.code, str(error), resumable=False) from error
    source = {
        "delimiter": upload.table.delimiter,
        "columns": upload.headers.fields,
        "unknown_columns": upload.headers.unknown,
    }
    update_job(job.engine, job.job_id, total_items=len(upload.table.lines), source=source)
    return upload


@dataclass(frozen=True)
class Checked:
    """Every row of a file judged: new journal items in the order of the file, and how often each code came."""

    items: list[NewItem]
    errors: Counter[str]
    warnings: Counter[str]

    @property
    def rejected(self) -> int:
        """Rows that validation refused."""
        return sum(item.status == Verdict.REJECTED for item in self.items)


def check_rows(upload: Upload, resource: Resource[Any], blank_means: str) -> Checked:
    """Validate all rows at once; a column in a problem is named as in the file."""
    table, headers = upload.table, upload.headers
    fields = pd.DataFrame({field: table.cells[column] for field, column in headers.fields.items()})
    validated = resource.validate(fields, blank_means)
    items: list[NewItem] = []
    errors: Counter[str] = Counter()
    warnings: Counter[str] = Counter()
    for position, line in enumerate(table.lines):
        problems = [replace(p, column=headers.column_of(p.column)) for p in validated.problems.get(position, [])]
        row = validated.rows[position]
        if position in table.oversized:
            cells = len(table.header) + len(table.oversized[position])
            text = sentence("too_many_cells", cells=cells, columns=len(table.header))
            problems.append(Problem("too_many_cells", message=text))
            row = None
        warnings.update(problem.code for problem in problems if problem.warning)
        wrong = [problem for problem in problems if not problem.warning]
        errors.update(problem.code for problem in wrong)
        items.append(
            NewItem(
                item_index=position,
                line=line,
                item_data=row,
                status=VALID if row is not None else Verdict.REJECTED,
                natural_key=resource.label(row) if row is not None else None,
                error_code=wrong[0].code if wrong else None,
                error=" | ".join(f"{problem.column}: {problem.message}".strip(": ") for problem in wrong) or None,
                details=problem_dicts(problems, FROM_FILE) or None,
            )
        )
    return Checked(items, errors, warnings)


def check_job_rows(job: JobContext, upload: Upload) -> Checked:
    """Validate the job's rows and put all of them on record."""
    checked = check_rows(upload, job.resource, job.options.blank_means)
    job.journal.insert(checked.items)
    update_job(job.engine, job.job_id, warnings=dict(checked.warnings))
    return checked
