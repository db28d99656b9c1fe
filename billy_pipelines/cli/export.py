"""`billy export`: a file out of the last snapshot, at once; with `--live` Billy is read first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from billy_pipelines.bulk.halted import Halted
from billy_pipelines.cli.common import WRONG_USE, CommandFailed, command, database, error_console, print_json
from billy_pipelines.exports.exporting import Exported, ExportError, Format, Locale, check_request, export_file
from billy_pipelines.exports.nightly import finish_night
from billy_pipelines.exports.taking import take_snapshot
from billy_pipelines.files.snapshots import Snapshot, SnapshotDamaged, newest_snapshot
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.schemas.resource import COPENHAGEN
from billy_pipelines.settings import Settings

_FORMATS = [str(each) for each in Format]
_RESOURCES = [name for name, resource in RESOURCES.items() if resource.export is not None]


@click.command()
@click.argument("resource", type=click.Choice(_RESOURCES))
@click.option("--organization", default="default", show_default=True, help="Whose books.")
@click.option("--format", "form", type=click.Choice(_FORMATS), help="[default: what --out ends with, or csv]")
@click.option("--filter", "filters", multiple=True, metavar="NAME=VALUE", help="Only rows that fit; all of several.")
@click.option("--columns", multiple=True, metavar="A,B,…", help="[default: the resource’s own]")
@click.option("--locale", default="da", show_default=True, type=click.Choice([str(each) for each in Locale]))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write it, in place of what is there.  [default: a new file here, named by organization and day]",
)
@click.option("--live", is_flag=True, help="Read Billy first, as today's snapshot, instead of taking the last one.")
@command
def export(
    resource: str,
    organization: str,
    form: str | None,
    filters: tuple[str, ...],
    columns: tuple[str, ...],
    locale: str,
    out: Path | None,
    live: bool,
    as_json: bool,
) -> int:
    """Write what Billy holds of RESOURCE to a file: from the last nightly snapshot, without asking Billy.

    In Danish form (the default) a CSV opens right in a Danish Excel. The file, edited, is one for `billy update`.
    """
    settings = Settings.from_environment()
    settings.organization(organization)
    meant = _format(form, out)
    if out is not None and not out.absolute().parent.is_dir():
        raise CommandFailed("no_folder", f"There is no folder {out.absolute().parent}.")
    wanted = [name.strip() for group in columns for name in group.split(",") if name.strip()]
    try:
        check_request(resource, format=meant, filters=filters, columns=wanted, locale=locale)
    except ExportError as error:
        raise CommandFailed("cannot_export", str(error), WRONG_USE) from error
    console = error_console()
    if live:
        snapshot = _read_billy(settings, organization, resource, console)
    else:
        snapshot = _last(settings, organization, resource)
    path = (out or Path(f"{organization}-{resource}-{snapshot.manifest.day}.{meant}")).absolute()
    if out is None and path.exists():
        raise CommandFailed("exists", f"{path} exists already; remove it or name the file with --out.")
    try:
        written = export_file(snapshot, format=meant, filters=filters, columns=wanted, locale=locale, out=path)
    except ExportError as error:
        raise CommandFailed("cannot_export", str(error), WRONG_USE) from error
    except SnapshotDamaged as error:
        raise CommandFailed("snapshot_damaged", str(error)) from error
    if as_json:
        print_json(_document(snapshot, written, meant, locale, live=live))
    else:
        console.print(_origin(snapshot, live=live), markup=False, soft_wrap=True)
        click.echo(f"Wrote {written.rows:,} rows to {written.path}")
    return 0


def _format(form: str | None, out: Path | None) -> str:
    ending = out.suffix.lower().removeprefix(".") if out else ""
    meant = form or (ending if ending in _FORMATS else "csv")
    if ending in _FORMATS and ending != meant:
        message = f"--format {meant} and a file named .{ending} contradict each other."
        raise CommandFailed("bad_option", message, WRONG_USE)
    return meant


def _last(settings: Settings, organization: str, resource: str) -> Snapshot:
    snapshot = newest_snapshot(settings, organization, resource)
    if snapshot is None:
        raise CommandFailed(
            "no_snapshot",
            f"There is no snapshot of {resource} of {organization} yet. `billy export {resource} --live` reads Billy "
            "now; `billy up` takes one every night at 04:15.",
        )
    return snapshot


def _read_billy(settings: Settings, organization: str, resource: str, console: Console) -> Snapshot:
    """Take today's snapshot, with its changes and its nightly files, which it replaces."""
    settings.token(settings.organization(organization))  # a missing token is said before PostgreSQL is started
    today = datetime.now(COPENHAGEN).date()
    with database(settings) as opened, _bar(console, f"reading {resource}") as show:
        try:
            snapshot = asyncio.run(
                take_snapshot(settings, opened.engine, organization, resource, today, on_progress=show)
            )
            finish_night(settings, snapshot)
        except Halted as error:
            raise CommandFailed(error.code, str(error)) from error
        except SnapshotDamaged as error:
            raise CommandFailed("snapshot_damaged", str(error)) from error
    return snapshot


@contextmanager
def _bar(console: Console, text: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on a terminal; elsewhere one line that says what is going on."""
    if not console.is_terminal:
        console.print(f"{text} …", markup=False)
        yield lambda _read, _total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=32), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(text, total=None)
        yield lambda read, total: progress.update(task, completed=read, total=total)


def _origin(snapshot: Snapshot, *, live: bool) -> str:
    """What the file is made of, and how old that is."""
    about = snapshot.manifest
    when = about.taken_at.astimezone(COPENHAGEN).strftime("%Y-%m-%d %H:%M")
    how = f"read just now with {about.requests} requests" if live else f"{_age(_seconds_old(snapshot))} old"
    return f"Snapshot of {when}, {how}: {about.records:,} {about.resource} of {about.company_name}."


def _seconds_old(snapshot: Snapshot) -> float:
    return max(0.0, (datetime.now(UTC) - snapshot.manifest.taken_at).total_seconds())


def _age(seconds: float) -> str:
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} seconds"


def _document(snapshot: Snapshot, written: Exported, meant: str, locale: str, *, live: bool) -> dict[str, Any]:
    about = snapshot.manifest
    return {
        "file": str(written.path),
        "rows": written.rows,
        "format": meant,
        "locale": locale,
        "organization": about.organization,
        "resource": about.resource,
        "seconds": round(written.seconds, 3),
        "live": live,
        "snapshot": {
            "day": about.day.isoformat(),
            "taken_at": about.stamp,
            "age_seconds": round(_seconds_old(snapshot)),
            "records": about.records,
            "requests": about.requests,
            "company": about.company_name,
            "billy_organization_id": about.billy_organization_id,
            "folder": str(snapshot.folder),
        },
    }
