"""Whose books are these? Compared before anything is planned or written (rule B2, runtime.md section 4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Engine

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.models import Organization as Company
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.database.jobs import mirror_organization, organizations_of_company, record_organization
from billy_pipelines.settings import Organization, Settings, is_loopback

T = TypeVar("T")


class Offload(Protocol):
    """Runs a blocking call off the event loop."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]: ...


async def check_books(
    settings: Settings, engine: Engine, organization: Organization, client: BillyClient, offload: Offload
) -> Company:
    """Compare the token's company and the API's address with those on record, recording them at first use. A company
    has one name here: the writer lock, the rate and what is known of its jobs go by that name, and under two names
    the same rows would be written twice at once.

    Returns the company.

    Raises:
        Halted: `wrong_organization`.
        BillyError: Billy cannot say.
    """
    company = await client.organization()
    await offload(lambda: _record(settings, engine, organization, company))
    return company


def compare_with_record(
    connection: Connection, settings: Settings, organization: Organization, company: Company
) -> None:
    """Whether the company is the one that is on record under the organization's name, and under no other name.

    What is found holds until the transaction ends.

    Raises:
        Halted: `wrong_organization`.
    """
    name, variable = organization.name, organization.token_variable
    row = mirror_organization(connection, name)
    known = organization.billy_organization_id or row.billy_organization_id
    if known and known != company.id:
        raise Halted(
            "wrong_organization",
            f"The access token of {name!r} ({variable}) opens the books of {company.name} (id {company.id}), but "
            f"{name!r} is {row.company_name or 'another company'} (id {known}). Nothing was written. Put the right "
            "token into that variable.",
        )
    if row.api_url and row.api_url != settings.api_url and not _same_demo(row.api_url, settings.api_url):
        raise Halted(
            "wrong_organization",
            f"{name!r} is on record at {row.api_url}, but BILLY_API_URL is {settings.api_url}. Nothing was "
            "written. Use another data folder (BILLY_DATA_DIR) for another Billy.",
        )
    holder = _holder(connection, settings, company) or name
    if holder != name:
        raise Halted(
            "wrong_organization",
            f"The access token of {name!r} ({variable}) opens the books of {company.name} (id {company.id}), which are "
            f"on record as {holder!r}; one company has one name here. Nothing was written. If {name!r} is another "
            f"company, put its own token into {variable}. If it is the same one, list it in organizations.yaml as "
            f"{holder!r} only, its old name, and hand its files in there. If {holder!r} is another company and had "
            f"this token by mistake, write billy_organization_id, the id of its own company, into its entry.",
        )


def _holder(connection: Connection, settings: Settings, company: Company) -> str | None:
    """The name the company goes by. The oldest of several; one that is pinned to another company had it by mistake."""
    pins = {each.name: each.billy_organization_id for each in settings.organizations().values()}
    names = organizations_of_company(connection, company.id)
    return next((name for name in names if pins.get(name) in (None, company.id)), None)


def titled(company: Company) -> str:
    """A company's name and CVR number, for plan and report."""
    return f"{company.name or company.id} (CVR {company.registrationNo or 'not given'})"


def _record(settings: Settings, engine: Engine, organization: Organization, company: Company) -> None:
    with engine.begin() as connection:
        compare_with_record(connection, settings, organization, company)
        record_organization(
            connection,
            organization.name,
            api_url=settings.api_url,
            billy_organization_id=company.id,
            company_name=company.name,
            registration_no=company.registrationNo,
        )


def _same_demo(left: str, right: str) -> bool:
    """The sandbox takes a free port each time; the organization's id still has to agree."""
    return is_loopback(left) and is_loopback(right)
