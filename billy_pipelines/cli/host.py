"""`billy up`, `billy down`, `billy env`: the product as running processes."""

from __future__ import annotations

import shlex

import click

from billy_pipelines.cli.common import command, database, print_json
from billy_pipelines.settings import Settings

port_option = click.option("--port", type=click.IntRange(1, 65535), help="Of the UI.  [default: 3000, or a free one]")


@click.command()
@port_option
@command
def up(port: int | None, as_json: bool) -> int:
    """Start everything: PostgreSQL (unless BILLY_DATABASE_URL is set), the UI, the sensor. Ctrl-C ends it."""
    from billy_pipelines.host.up import up as start

    return start(Settings.from_environment(), port=port, say=lambda text: click.echo(text, err=as_json))


@click.command()
@command
def down(as_json: bool) -> int:
    """End a running `billy up`, or what one that was killed has left behind."""
    from billy_pipelines.host.down import down as end

    return end(Settings.from_environment(), say=lambda text: click.echo(text, err=as_json))


@click.command()
@command
def env(as_json: bool) -> int:
    """Print the variables plain Dagster commands need: eval "$(billy env)"."""
    from billy_pipelines import runs

    settings = Settings.from_environment()
    with database(settings) as opened:
        runs.prepare_home(settings)
        variables = runs.instance_environment(settings, opened)
    if as_json:
        print_json(variables)
    else:
        for name, value in variables.items():
            click.echo(f"export {name}={shlex.quote(value)}")
    return 0
