"""`billy check`: read and validate a file without Billy and without PostgreSQL."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from billy_pipelines.bulk.mending import RowToMend, write_rows_to_mend
from billy_pipelines.bulk.options import READING_FIELDS, JobOptions, OptionsError, parse_options
from billy_pipelines.bulk.reading import Checked, check_rows, limits_of, read_upload
from billy_pipelines.bulk.reports import understanding
from billy_pipelines.bulk.uploads import options_of
from billy_pipelines.cli.common import WRONG_USE, CommandFailed, command, print_json
from billy_pipelines.cli.option_flags import given, option_flags
from billy_pipelines.files.table import UnreadableFile
from billy_pipelines.schemas.codes import Problem
from billy_pipelines.schemas.registry import OPERATIONS, RESOURCES
from billy_pipelines.settings import Settings

_SHOWN = 20


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--resource", required=True, type=click.Choice(list(RESOURCES)), help="What the rows are.")
@click.option("--operation", default="import", show_default=True, type=click.Choice(OPERATIONS), help="What for.")
@click.option("--organization", default="default", show_default=True, help="Whose options and remembered columns hold.")
@click.option(
    "--rejected", type=click.Path(dir_okay=False, path_type=Path), help="Write the rows to mend there, as CSV."
)
@option_flags(READING_FIELDS)
@command
def check(
    file: Path,
    resource: str,
    operation: str,
    organization: str,
    rejected: Path | None,
    as_json: bool,
    **flags: Any,
) -> int:
    """Read and validate FILE, and say what is wrong with it. Sends nothing, needs nothing."""
    settings = Settings.from_environment()
    schema = RESOURCES[resource].schema
    try:
        beside, _ = options_of(file, folder=False)
        options = parse_options(
            {**settings.organization(organization).options, **beside, **given(flags, READING_FIELDS)}, "options"
        )
    except OptionsError as error:
        raise CommandFailed("bad_option", str(error), WRONG_USE) from error
    try:
        upload = read_upload(
            file,
            schema,
            options,
            limits_of(settings),
            operation=operation,
            mappings=settings.mappings_dir,
            organization=organization,
        )
    except UnreadableFile as error:
        raise CommandFailed(error.code, f"{file.name}: {error.text(options.language)}") from error
    checked = check_rows(upload, schema, options, operation)
    if rejected is not None:
        _write_rejected(rejected, checked)
    document = _document(file, resource, checked, options)
    if as_json:
        print_json(document)
    else:
        _show(document)
    return 3 if checked.rejected else 0


def _write_rejected(path: Path, checked: Checked) -> None:
    if path.exists():
        raise CommandFailed("exists", f"{path} exists already; remove it or name another file.")
    if not path.absolute().parent.is_dir():
        raise CommandFailed("no_folder", f"There is no folder {path.absolute().parent}.")
    lines, problems = checked.upload.table.lines, checked.validated.problems
    skipped = checked.upload.fields.excluded
    positions = [position for position in checked.validated.rejected.nonzero()[0].tolist() if position not in skipped]
    wrong = {position: [asdict(p) for p in problems.get(position, []) if not p.warning] for position in positions}
    write_rows_to_mend(path, checked.upload.table, (RowToMend(p, lines[p], wrong[p]) for p in positions))


def _document(file: Path, resource: str, checked: Checked, options: JobOptions) -> dict[str, Any]:
    table, problems = checked.upload.table, checked.validated.problems
    numbers = {name: number for number, name in enumerate(table.header, start=1)}
    return {
        "file": str(file),
        "resource": resource,
        "rows": len(table.lines),
        "valid": len(table.lines) - checked.rejected - checked.skipped,
        "rejected": checked.rejected,
        "skipped": checked.skipped,
        "errors": dict(checked.errors),
        "warnings": dict(checked.warnings),
        "source": checked.upload.described(),
        "columns": checked.upload.headers.fields,
        "unknown_columns": checked.upload.headers.unknown,
        "language": options.language.value,
        "problems": [
            _described(problem, position, table.lines[position], numbers)
            for position in sorted(problems)
            for problem in problems[position]
        ],
    }


def _described(problem: Problem, position: int, line: int, numbers: dict[str, int]) -> dict[str, Any]:
    """One problem: where (line of the file, row among the rows, column by name and number), what, how to mend it."""
    return {
        "line": line,
        "row": position + 1,
        "column": problem.column,
        "column_number": numbers.get(problem.column),
        "field": problem.field,
        "value": problem.value,
        "code": problem.code,
        "message": problem.message,
        "warning": problem.warning,
    }


def _plain(value: object) -> Text:
    """What stands in a file, for a terminal: no markup, and no sign that would steer it."""
    return Text("".join(sign if sign.isprintable() else " " for sign in str(value)))


def _show(document: dict[str, Any]) -> None:
    console = Console(highlight=False)
    skipped = f", {document['skipped']} skipped" if document["skipped"] else ""
    console.print(
        f"{document['rows']} rows, {document['valid']} valid, {document['rejected']} rejected{skipped}", markup=False
    )
    for line in understanding(document["source"]):
        if line:
            console.print(line, markup=False)
    for title, codes in (("rejected because", document["errors"]), ("warnings", document["warnings"])):
        if codes:
            counted = ", ".join(f"{code} {number}" for code, number in Counter(codes).most_common())
            console.print(f"{title}: {counted}", markup=False)
    problems = sorted(document["problems"], key=lambda problem: bool(problem["warning"]))  # what stops a row first
    table = Table("line", "column", "value", "code", "message")
    for problem in problems[:_SHOWN]:
        table.add_row(*(_plain(problem[key]) for key in ("line", "column", "value", "code", "message")))
    if problems:
        console.print(table)
    if len(problems) > _SHOWN:
        console.print(f"… and {len(problems) - _SHOWN} more; --json lists them all", markup=False)
