"""How a resource is exported: what is listed in Billy, what hangs on a record, and the rows of a file that it makes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.errors import Refused
from billy_pipelines.billy.listing import Page, Query, RawRecord, prove
from billy_pipelines.billy.models import Record
from billy_pipelines.settings import Organization

R = TypeVar("R", bound=Record)
FileRow = Mapping[str, str | None]
"""Field -> text as an import would clean it to (`1250.5`, `2026-04-01`, `true`); None or absent for nothing."""


@dataclass(frozen=True)
class Children:
    """Records that hang on another one and are listed with it."""

    field: str
    """Under which key a record has them: `contactPersons`, `lines`. Also the name of their table."""
    plural: str
    """Their own list: `contactPersons`, `invoiceLines`."""
    parent: str
    """Their key with the record's id, and the filter of their list."""
    model: type[Record]


async def _no_references(_client: BillyClient, _organization: Organization) -> None:
    return None


@dataclass(frozen=True)
class Export(Generic[R]):
    """What a snapshot of a resource holds, and how its files say it."""

    model: type[R]
    columns: tuple[str, ...]
    """Fields that `rows` fills, in the order of a file; all of them are columns of the resource's import files."""
    rows: Callable[[R, Any], list[FileRow]]
    """The rows of a record, by field; a function of the record and of what `references` brought."""
    query: Query
    """Asked with the list: what to include, a sort that works."""
    default_columns: tuple[str, ...] = ()
    """Those of an export that names none; empty: all."""
    children: Children | None = None
    belongs: Callable[[R], bool] = lambda _record: True
    """Which of the listed records are of this resource (customers among contacts)."""
    references: Callable[[BillyClient, Organization], Awaitable[Any]] = _no_references
    """What ids in a record stand for (numbers of accounts), read before the list."""


def number_text(value: float | None) -> str | None:
    """A number of Billy's as an import would clean it: a point, no needless zeros, no exponent."""
    if value is None:
        return None
    if value == int(value):
        return str(int(value))
    return f"{Decimal(str(value)):f}"


def flag_text(value: bool | None) -> str:
    """A flag; one that Billy does not send is not set."""
    return "true" if value else "false"


class _Picked:
    """Of each record of a list no more than somebody asks for."""

    def __init__(self, pick: Callable[[RawRecord], Any]) -> None:
        self._pick = pick
        self.found: dict[str, Any] = {}

    async def take(self, _reading: int, _place: int, page: Page) -> None:
        self.found |= {str(raw["id"]): self._pick(raw) for raw in page.records if raw.get("id")}

    def forget(self, before: int) -> None:
        """What is gone from Billy since does no harm: nothing refers to it."""


async def picked_list(
    client: BillyClient, plural: str, pick: Callable[[RawRecord], Any], query: Query, *, archived: bool
) -> dict[str, Any]:
    """Of each record of a list what `pick` takes, `archived` ones too; empty where Billy refuses the list.

    Memory holds what was picked and no more. Whether a list without `isArchived` has archived records is unknown, and
    unknown parameters are ignored (observed), so the answer is checked before it is believed.
    """
    keeper = _Picked(pick)
    try:
        await prove(lambda asked: client.page(plural, asked), query, keeper)
        if archived:
            only: Query = {**query, "isArchived": "true"}
            page = await client.first_page(plural, only)
            if page and all(raw.get("isArchived") for raw in page) and str(page[0].get("id")) not in keeper.found:
                await prove(lambda asked: client.page(plural, asked), only, keeper)
    except Refused as error:
        if error.status in (401, 429):
            raise
    return keeper.found
