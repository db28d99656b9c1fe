"""`billy template`: a file to fill in."""

from __future__ import annotations

from pathlib import Path

import click

from billy_pipelines.cli.common import WRONG_USE, CommandFailed, command, print_json
from billy_pipelines.files.templates import FORMATS, column_name, write_template
from billy_pipelines.schemas.reading_options import Language
from billy_pipelines.schemas.registry import RESOURCES


@click.command()
@click.argument("resource", type=click.Choice(list(RESOURCES)))
@click.option("--format", "form", type=click.Choice(FORMATS), help="[default: what --out ends with, or csv]")
@click.option("--language", default="en", show_default=True, type=click.Choice([str(one) for one in Language]))
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Where to write it.  [default: RESOURCE.FORMAT here]"
)
@command
def template(resource: str, form: str | None, language: str, out: Path | None, as_json: bool) -> int:
    """Write a file with the columns of RESOURCE and two example rows.

    As xlsx it has drop-down lists and a sheet that explains the columns; in Danish it has Danish column names, dates
    and decimal commas.
    """
    ending = out.suffix.lower().removeprefix(".") if out else ""
    meant = form or (ending if ending in FORMATS else "csv")
    if ending in FORMATS and ending != meant:
        message = f"--format {meant} and a file named .{ending} contradict each other."
        raise CommandFailed("bad_option", message, WRONG_USE)
    path = (out or Path(f"{resource}.{meant}")).absolute()
    if path.exists():
        raise CommandFailed("exists", f"{path} exists already; remove it or name another file with --out.")
    schema = RESOURCES[resource].schema
    write_template(path, schema, meant, language)
    if as_json:
        described = [
            {
                "name": column_name(column, language),
                "required": column.required,
                "description": (column.description_da if language == "da" else "") or column.description,
            }
            for column in schema.columns
        ]
        print_json({"file": str(path), "columns": described})
    else:
        click.echo(f"Wrote {path}")
    return 0
