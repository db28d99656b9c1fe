"""`billy check`, `billy template`: files without Billy and without PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from billy_pipelines.bulk.reading import check_rows, read_upload
from billy_pipelines.bulk.verdicts import Verdict
from billy_pipelines.cli.common import CommandFailed, command, print_json
from billy_pipelines.files.table import UnreadableFile
from billy_pipelines.files.writing import write_rows
from billy_pipelines.schemas.registry import RESOURCES

_SHOWN = 20
_resource = click.option("--resource", required=True, type=click.Choice(list(RESOURCES)), help="What the rows are.")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_resource
@command
def check(file: Path, resource: str, as_json: bool) -> int:
    """Read and validate FILE, and say what is wrong with it. Sends nothing, needs nothing."""
    try:
        upload = read_upload(file, RESOURCES[resource])
    except UnreadableFile as error:
        raise CommandFailed(error.code, f"{file.name}: {error}") from error
    checked = check_rows(upload, RESOURCES[resource], "keep")
    problems = [
        {"line": item.line, **{key: problem[key] for key in ("column", "value", "code", "message", "warning")}}
        for item in checked.items
        for problem in (item.details if isinstance(item.details, list) else [])
    ]
    document = {
        "file": str(file),
        "resource": resource,
        "rows": len(checked.items),
        "valid": sum(item.status != Verdict.REJECTED for item in checked.items),
        "rejected": checked.rejected,
        "columns": upload.headers.fields,
        "unknown_columns": upload.headers.unknown,
        "problems": problems,
    }
    if as_json:
        print_json(document)
    else:
        console = Console(highlight=False)
        console.print(
            f"{document['rows']} rows, {document['valid']} valid, {document['rejected']} rejected", markup=False
        )
        problems.sort(key=lambda problem: bool(problem["warning"]))  # what stops a row comes first
        table = Table("line", "column", "value", "code", "message")
        for problem in problems[:_SHOWN]:
            table.add_row(str(problem["line"]), *(str(problem[key]) for key in ("column", "value", "code", "message")))
        if problems:
            console.print(table)
        if len(problems) > _SHOWN:
            console.print(f"… and {len(problems) - _SHOWN} more; --json lists them all", markup=False)
    return 3 if checked.rejected else 0


@click.command()
@click.argument("resource", type=click.Choice(list(RESOURCES)))
@click.option("--out", type=click.Path(path_type=Path), help="Where to write it.  [default: RESOURCE.csv here]")
@command
def template(resource: str, out: Path | None, as_json: bool) -> int:
    """Write a file with the columns of RESOURCE and two example rows."""
    columns = RESOURCES[resource].columns
    path = (out or Path(f"{resource}.csv")).absolute()
    if path.exists():
        raise CommandFailed("exists", f"{path} exists already; remove it or name another file with --out.")
    write_rows(path, [c.name for c in columns], [[c.examples[n] for c in columns] for n in (0, 1)])
    if as_json:
        described = [{"name": c.name, "required": c.required, "description": c.description} for c in columns]
        print_json({"file": str(path), "columns": described})
    else:
        click.echo(f"Wrote {path}")
    return 0
