"""From the upload to the journal: read the file, check every row, put every row on record."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from billy_pipelines.bulk.context import JobContext
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.options import JobOptions, OnExisting
from billy_pipelines.bulk.planning import FROM_FILE, problem_dicts
from billy_pipelines.bulk.since_export import Exports, exports_of
from billy_pipelines.bulk.verdicts import VALID, Verdict
from billy_pipelines.database.items import NewItem
from billy_pipelines.database.jobs import update_job
from billy_pipelines.files.columns import Fields, apply_columns
from billy_pipelines.files.headers import HeaderMap, folded, known_headers, map_headers
from billy_pipelines.files.names import shown
from billy_pipelines.files.reading import read_table
from billy_pipelines.files.recognition import profile_for
from billy_pipelines.files.remembered import MappingsDamaged, recall, remember
from billy_pipelines.files.table import Hints, Limits, Table, UnreadableFile
from billy_pipelines.schemas.codes import HIDDEN, Problem
from billy_pipelines.schemas.reading_options import BlankMeans, ReadingOptions
from billy_pipelines.schemas.row_schema import Context, RowSchema, Validated
from billy_pipelines.schemas.validation import Unusable, validate
from billy_pipelines.settings import Settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Upload:
    """A file read and its columns understood."""

    table: Table
    headers: HeaderMap
    fields: Fields
    remembered: Mapping[str, str]
    """The mapping of columns that was confirmed for such a file before."""

    def described(self) -> dict[str, Any]:
        """How the file was understood, as the job keeps it."""
        return {
            **self.table.source.described(),
            "profile": self.headers.title,
            "columns": {field: self.headers.column_of(field) for field in self.fields.cells.columns},
            # Into Dagster's metadata too: a column can be named like a person (rule B23).
            "unknown_columns": {shown(name): near for name, near in self.headers.unknown.items()},
            "ignored_columns": {shown(name): why for name, why in self.headers.ignored.items()},
            "remembered_mapping": dict(self.remembered),
            "set_aside": [{"line": each.line, "what": each.what} for each in self.table.set_aside],
        }


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def limits_of(settings: Settings) -> Limits:
    """How large uploads may be."""
    return Limits(max_bytes=settings.max_file_mb * 1_000_000, max_rows=settings.max_rows)


def read_rows(path: Path, schema: RowSchema, options: ReadingOptions, limits: Limits) -> Table:
    """The file as a table of text.

    Raises:
        UnreadableFile: the file as a whole cannot be used.
    """
    names = known_headers(schema) | set(map(folded, options.mapping))
    hints = Hints(names, schema.name, schema.grouping.children if schema.grouping else "")
    return read_table(path, options, hints, limits)


def read_upload(
    path: Path,
    schema: RowSchema,
    options: ReadingOptions,
    limits: Limits,
    *,
    operation: str = "import",
    mappings: Path | None = None,
    organization: str = "default",
) -> Upload:
    """Read a file for a resource; `mappings` is the folder of what columns were confirmed to mean.

    Raises:
        UnreadableFile: the file as a whole cannot be used.
    """
    table = read_rows(path, schema, options, limits)
    try:
        known = recall(mappings, organization, schema.name, table.header) if mappings else {}
    except MappingsDamaged as error:
        raise UnreadableFile("mappings_damaged", reason=str(error)) from error
    profile = profile_for(schema, table.header, options)
    headers = map_headers(table.header, schema, options, profile=profile, remembered=known, operation=operation)
    used = {} if options.mapping else known
    return Upload(table, headers, apply_columns(table, headers, schema, profile, options), used)


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
    options = job.options
    try:
        upload = read_upload(
            job.upload,
            job.resource.schema,
            options,
            limits_of(job.settings),
            operation=job.row.operation,
            mappings=job.settings.mappings_dir,
            organization=job.row.organization,
        )
    except UnreadableFile as error:
        # Without the file's name: it can hold anything, and this text goes into Dagster's log (rule B23).
        raise Halted(error.code, error.text(options.language), resumable=False) from error
    update_job(job.engine, job.job_id, total_items=len(upload.table.lines), source=upload.described())
    return upload


def remember_mapping(job: JobContext, table: Table | None) -> None:
    """A mapping that has brought a job to its end is what such files mean from now on."""
    if table is None or not job.options.mapping:
        return
    try:
        remember(job.settings.mappings_dir, job.row.organization, job.resource.name, table.header, job.options.mapping)
    except (OSError, ValueError) as error:  # the rows are in the books; that a name is not remembered must not undo it
        _log.warning("the mapping of job %s is not remembered: %s", job.job_id, type(error).__name__)


@dataclass(frozen=True)
class Checked:
    """Every row of a file judged, and how often each code came."""

    upload: Upload
    validated: Validated
    errors: Counter[str]
    warnings: Counter[str]

    @property
    def rejected(self) -> int:
        """Rows that validation refused."""
        return int(self.validated.rejected.sum()) - self.skipped

    @property
    def skipped(self) -> int:
        """Rows that are no records to book (a refunded order)."""
        return len(self.upload.fields.excluded)

    def items(self, label: Callable[[Mapping[str, Any]], str]) -> Iterator[NewItem]:
        """New journal items in the order of the file; `label` names a row."""
        for position, (line, row) in enumerate(zip(self.upload.table.lines, self.validated.rows, strict=True)):
            problems = self.validated.problems.get(position, [])
            wrong = [problem for problem in problems if not problem.warning]
            yield NewItem(
                item_index=position,
                line=line,
                item_data=row,
                status=VALID
                if row is not None
                else Verdict.SKIPPED
                if position in self.upload.fields.excluded
                else Verdict.REJECTED,
                natural_key=self._key(position, row, problems, label),
                error_code=wrong[0].code if wrong else None,
                error=" | ".join(f"{problem.column}: {problem.message}".strip(": ") for problem in wrong) or None,
                details=problem_dicts(problems, FROM_FILE) or None,
                leader_index=row.get("part_of") if row is not None else None,
            )

    def _key(
        self,
        position: int,
        row: Mapping[str, Any] | None,
        problems: Sequence[Problem],
        label: Callable[[Mapping[str, Any]], str],
    ) -> str | None:
        """What people call the row; a rejected one too, unless a cell of it may hold a personal number."""
        if row is None:
            hidden = any(problem.value == HIDDEN for problem in problems)
            return None if hidden else label(self.validated.rows.cells(position)) or None
        return None if "part_of" in row else label(row)


def check_rows(
    upload: Upload,
    schema: RowSchema,
    options: ReadingOptions,
    operation: str = "import",
    exports: Exports | None = None,
) -> Checked:
    """Validate all rows at once; a column in a problem is named as in the file. `exports`: where rows of an update may
    come from, so that what stands wrong in Billy itself is no fault of theirs (rule B22)."""
    table, fields, headers = upload.table, upload.fields, upload.headers
    jobs = options if isinstance(options, JobOptions) else JobOptions()
    context = Context(
        operation=operation,
        blank_means=options.blank_means,
        decimal=fields.decimal,
        date_order=fields.date_order,
        decimal_fallback=fields.decimal_fallback,
        date_order_fallback=fields.date_order_fallback,
        prices_include_vat=fields.prices_include_vat,
        language=options.language,
        repair_text=options.repair_text,
        duplicates_allowed=jobs.on_existing is OnExisting.create,
        match_on=jobs.match_on,
        names={field: headers.column_of(field) for field in schema.fields},
        typed=fields.typed,
        lines=table.lines,
    )
    unusable = {
        position: Unusable(
            "too_many_cells", details={"cells": len(table.header) + len(cells), "columns": len(table.header)}
        )
        for position, cells in table.oversized.items()
    }
    unusable |= {
        position: Unusable("amount_not_taken", column, {"value": value})
        for position, (column, value) in fields.not_taken.items()
    }
    unusable |= {
        position: Unusable("excluded_by_profile", column, {"value": value})
        for position, (column, value) in fields.excluded.items()
    }
    validated = validate(schema, fields.cells, context, unusable)
    if exports is not None and operation == "update" and options.blank_means is BlankMeans.keep:
        mended = exports.without_known_faults(fields.cells, validated)
        validated = validated if mended is None else validate(schema, mended, context, unusable)
    problems = [problem for found in validated.problems.values() for problem in found]
    errors = Counter(problem.code for problem in problems if not problem.warning)
    warnings = Counter(problem.code for problem in problems if problem.warning)
    return Checked(upload, validated, errors, warnings)


def check_job_rows(job: JobContext, upload: Upload) -> Checked:
    """Validate the job's rows and put all of them on record.

    Rows of an earlier reading are replaced as long as nothing was sent and no person has applied their plan; after that
    they are the job's rows, and none is added to them: rows are known by their place in the file, and one that is read
    there now may be another.
    """
    checked = check_rows(upload, job.resource.schema, job.options, job.row.operation, exports_of(job))
    if job.row.applied_at is None:
        job.journal.forget_unsent()
    if not job.journal.counts():
        job.journal.insert(checked.items(job.resource.label))
    update_job(job.engine, job.job_id, warnings=dict(checked.warnings))
    return checked
