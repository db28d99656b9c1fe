"""`billy doctor`: what works, what does not, what to do. Reads only; which company is whose, the first job records."""

from __future__ import annotations

import asyncio
from typing import Any

import click
from rich.console import Console

from billy_pipelines.billy.client import open_client
from billy_pipelines.billy.errors import BillyError
from billy_pipelines.billy.models import Organization as Company
from billy_pipelines.billy.rate_limit import RateLimiter
from billy_pipelines.bulk.books import compare_with_record, titled
from billy_pipelines.bulk.group_commit import DatabaseThread
from billy_pipelines.bulk.halted import Halted
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
        companies: dict[str, str] = {}
        for organization in settings.organizations().values():
            findings.append(_check_token(settings, opened, organization, companies))
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


def _check_token(
    settings: Settings, opened: Database, organization: Organization, companies: dict[str, str]
) -> Finding:
    """`companies`: Billy's id of each company met so far -> the organization whose token opens it."""
    name = f"organization {organization.name}"
    try:
        token = settings.token(organization)
    except SettingsError as error:
        return _finding(name, False, str(error))
    with opened.engine.begin() as connection:
        mirror_organization(connection, organization.name)
    budget = RateRow(opened.engine, organization.name, settings.rate_ceiling(organization))
    try:
        company = asyncio.run(_ask(settings.api_url, token, budget))
        with opened.engine.begin() as connection:
            compare_with_record(connection, settings, organization, company)
    except BillyError as error:
        return _finding(name, False, f"{settings.api_url}: {error}")
    except Halted as error:
        return _finding(name, False, str(error))
    said = f"the token opens the books of {titled(company)}, id {company.id}"
    other = companies.setdefault(company.id, organization.name)
    if other != organization.name:  # neither has had a job yet
        return _finding(name, False, f"{said}, and so does that of {other!r}; list one company once")
    return _finding(name, True, said)


async def _ask(api_url: str, token: str, budget: RateRow) -> Company:
    thread = DatabaseThread()
    try:
        async with open_client(api_url, token, RateLimiter(budget, thread.run)) as client:
            return await client.organization()
    finally:
        thread.close()
