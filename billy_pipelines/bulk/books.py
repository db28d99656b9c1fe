"""Whose books are these? Compared before anything is planned or written (rule B2, runtime.md section 4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from sqlalchemy import Engine

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.models import Organization as Company
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.database.jobs import mirror_organization, record_organization
from billy_pipelines.settings import Organization, Settings, is_loopback

T = TypeVar("T")


class Offload(Protocol):
    """Runs a blocking call off the event loop."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]: ...


async def check_books(
    settings: Settings, engine: Engine, organization: Organization, client: BillyClient, offload: Offload
) -> Company:
    """Compare the token's company and the API's address with those on record, recording them at first use.

    Returns the company.

    Raises:
        Halted: `wrong_organization`.
        BillyError: Billy cannot say.
    """
    company = await client.organization()
    await offload(lambda: _compare(settings, engine, organization, company))
    return company


def titled(company: Company) -> str:
    """A company's name and CVR number, for plan and report."""
    return f"{company.name or company.id} (CVR {company.registrationNo or 'not given'})"


def _compare(settings: Settings, engine: Engine, organization: Organization, company: Company) -> None:
    name = organization.name
    pinned = organization.billy_organization_id
    with engine.begin() as connection:
        row = mirror_organization(connection, name)
        known = pinned or row.billy_organization_id
        if known and known != company.id:
            raise Halted(
                "wrong_organization",
                f"The access token of {name!r} ({organization.token_variable}) opens the books of {company.name} "
                f"(id {company.id}), but {name!r} is {row.company_name or 'another company'} (id {known}). Nothing was "
                "written. Put the right token into that variable.",
            )
        if row.api_url and row.api_url != settings.api_url and not _same_demo(row.api_url, settings.api_url):
            raise Halted(
                "wrong_organization",
                f"{name!r} is on record at {row.api_url}, but BILLY_API_URL is {settings.api_url}. Nothing was "
                "written. Use another data folder (BILLY_DATA_DIR) for another Billy.",
            )
        record_organization(
            connection,
            name,
            api_url=settings.api_url,
            billy_organization_id=company.id,
            company_name=company.name,
            registration_no=company.registrationNo,
        )


def _same_demo(left: str, right: str) -> bool:
    """The sandbox takes a free port each time; the organization's id still has to agree."""
    return is_loopback(left) and is_loopback(right)
