"""`billy doctor`: what works, what does not, what to do. Reads only."""

from __future__ import annotations

import asyncio
from typing import Any

import click
from rich.console import Console

from billy_pipelines.billy.client import open_client
from billy_pipelines.billy.errors import BillyError
from billy_pipelines.billy.rate_limit import RateLimiter
from billy_pipelines.bulk.group_commit import DatabaseThread
from billy_pipelines.cli.common import command, database, print_json
from billy_pipelines.database.connection import Database
from billy_pipelines.database.jobs import mirror_organization
from billy_pipelines.database.rate import RateRow
from billy_pipelines.settings import Organization, Settings, SettingsError

Finding = dict[str, Any]


@click.command()
@command
def doctor(as_json: bool) -> int:
    """Check the settings, PostgreSQL, and each organization's token against Billy."""
    settings = Settings.from_environment()
    findings: list[Finding] = []
    with database(settings) as opened:
        server = "embedded" if opened.embedded else "external"
        findings.append(_finding("postgresql", True, f"{server}, reachable, schema up to date"))
        for organization in settings.organizations().values():
            findings.append(_check_token(settings, opened, organization))
    if as_json:
        print_json({"ok": all(f["ok"] for f in findings), "findings": findings})
    else:
        console = Console(highlight=False)
        for finding in findings:
            console.print(
                f"{'ok    ' if finding['ok'] else 'WRONG '} {finding['check']}: {finding['message']}",
                markup=False,
                soft_wrap=True,
            )
    return 0 if all(finding["ok"] for finding in findings) else 1


def _finding(check: str, ok: bool, message: str) -> Finding:
    return {"check": check, "ok": ok, "message": message}


def _check_token(settings: Settings, opened: Database, organization: Organization) -> Finding:
    name = f"organization {organization.name}"
    try:
        token = settings.token(organization)
    except SettingsError as error:
        return _finding(name, False, str(error))
    with opened.engine.begin() as connection:
        mirror_organization(connection, organization.name)
    budget = RateRow(opened.engine, organization.name, settings.rate_ceiling(organization))
    try:
        return _finding(name, True, asyncio.run(_ask(settings.api_url, token, budget)))
    except BillyError as error:
        return _finding(name, False, f"{settings.api_url}: {error}")


async def _ask(api_url: str, token: str, budget: RateRow) -> str:
    thread = DatabaseThread()
    try:
        async with open_client(api_url, token, RateLimiter(budget, thread.run)) as client:
            company = await client.organization()
    finally:
        thread.close()
    return f"the token opens the books of {company.name} (CVR {company.registrationNo or 'not given'}, id {company.id})"
