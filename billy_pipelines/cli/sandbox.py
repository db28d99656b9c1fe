"""`billy sandbox`: run the server that imitates Billy until Ctrl+C or SIGTERM."""

from __future__ import annotations

import json
import os
from typing import Any, get_args
from urllib.parse import urlsplit

import click
from pydantic import ValidationError

from billy_pipelines.sandbox import (
    OrganizationSeed,
    Sandbox,
    Switches,
    made_up_contacts,
    made_up_invoices,
    made_up_products,
    serve,
)
from billy_pipelines.sandbox.fault import FaultKind, parse_fault, parse_poison
from billy_pipelines.sandbox.state import DEFAULT_TOKEN


@click.command(epilog="Fault kinds: " + ", ".join(get_args(FaultKind)) + ".")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes any free port.")
@click.option(
    "--token",
    "tokens",
    multiple=True,
    default=(DEFAULT_TOKEN,),
    show_default=True,
    help="Each token given opens an organization of its own.",
)
@click.option("--latency", default="0.2-0.4", show_default=True, help="Seconds per answer: 0.3, or a range.")
@click.option("--rate-limit", metavar="N/SECONDS", help="Requests per window, such as 100/60.")
@click.option(
    "--retry-after", type=click.Choice(["none", "seconds", "date", "zero"]), default="none", show_default=True
)
@click.option(
    "--bulk-save", type=click.Choice(["atomic", "partial", "unavailable"]), default="atomic", show_default=True
)
@click.option("--archived-in-lists", type=click.Choice(["included", "hidden"]), default="included", show_default=True)
@click.option("--unstable-paging", is_flag=True, help="Reshuffle unsorted lists for every page.")
@click.option("--fault", "faults", multiple=True, metavar="KIND:SHARE", help="Such as 5xx-after:0.05; repeatable.")
@click.option(
    "--poison", multiple=True, metavar="RECORD=KIND", help="A record (name, number, id) and its fate, such as 0042=422."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the generator behind faults and latency.")
@click.option("--contacts", type=click.IntRange(0, 1_000_000), default=0, help="Start with so many made-up contacts.")
@click.option("--products", type=click.IntRange(0, 1_000_000), default=0, help="And so many made-up products.")
@click.option(
    "--invoices", type=click.IntRange(0, 1_000_000), default=0, help="And so many made-up invoices of 2025 for them."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
def sandbox(
    port: int,
    tokens: tuple[str, ...],
    faults: tuple[str, ...],
    poison: tuple[str, ...],
    seed: int,
    contacts: int,
    products: int,
    invoices: int,
    as_json: bool,
    **switches: Any,
) -> None:
    """Run a local server that imitates Billy.

    It holds made-up books in memory and forgets them when it ends. While it runs, GET /sandbox shows every switch and
    PUT /sandbox/switches changes them.
    """
    if invoices and not (contacts and products):
        raise click.UsageError("--invoices needs --contacts and --products to be for.")
    organizations: list[OrganizationSeed] = [{"token": token} for token in tokens]
    try:
        trouble = [*map(parse_fault, faults), *map(parse_poison, poison)]
        checked = Switches.model_validate({**switches, "faults": trouble})
        state = Sandbox(checked, organizations, seed)
    except ValidationError as error:
        first = error.errors()[0]
        raise click.UsageError(f"{'.'.join(map(str, first['loc']))}: {first['msg']} ({first['input']!r})") from error
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    customers = state.add("contacts", made_up_contacts(contacts, seed))
    wares = state.add("products", made_up_products(products, seed))
    state.add("invoices", made_up_invoices(invoices, customers, wares, seed))

    def announce(url: str) -> None:
        if as_json:
            text = json.dumps({"url": url, "token": tokens[0], "port": urlsplit(url).port, "pid": os.getpid()})
        else:
            text = (
                f"The sandbox listens on {url} (token {tokens[0]}). Ctrl+C ends it.\n"
                f"export BILLY_API_URL={url}\nexport BILLY_ACCESS_TOKEN={tokens[0]}"
            )
        print(text, flush=True)  # a pipe must have it now

    try:
        serve(state, port=port, on_started=announce)
    except OSError as error:
        raise click.ClickException(
            f"Port {port} cannot be used: {error.strerror}. Choose another with --port, or --port 0 for any free one."
        ) from error
