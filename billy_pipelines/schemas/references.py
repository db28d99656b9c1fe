"""What rows of several resources refer to in the books, read once before planning: accounts, and what is in use.

VAT rulesets are in `vat_rulesets.py`. A list that this token or this Billy does not give ends no job: the rows that
need it are rejected with `reference_unavailable`, and what may be in use counts as in use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from billy_pipelines.billy.client import BillyClient, Roots
from billy_pipelines.billy.errors import Refused, UnexpectedAnswer
from billy_pipelines.billy.listing import Query, RawRecord
from billy_pipelines.billy.models import Account, Contact
from billy_pipelines.schemas.codes import Problem, sentence
from billy_pipelines.schemas.resource import PlanTerms, Resolved, Row

DELETE = "delete"
REVENUE = "revenue"
INCLUDE_LINES = "invoice.lines:embed"
NEAREST = 3
MOST_LINE_LISTS = 50
"""Where `include` brings no lines, those of so many invoices are asked for one by one: ten seconds at 5 a second."""
ENDING = (401, 429)
"""Refusals that are about the token or the rate, not about one list."""


# -- reading ---------------------------------------------------------------------------------------------------------


async def list_if_offered(
    client: BillyClient, plural: str, query: Query | None = None
) -> tuple[dict[str, RawRecord], Roots] | None:
    """A whole list, or None where Billy refuses this one: 403, 404, 405, and 400 without a filter were seen."""
    try:
        return await client.list(plural, query or {})
    except Refused as error:
        if error.status in ENDING:
            raise
        return None


async def list_with_archived(client: BillyClient, plural: str, query: Query) -> tuple[dict[str, RawRecord], Roots]:
    """A whole list, archived records included.

    Whether a list without `isArchived` holds them is unknown, and unknown parameters are ignored (observed): so they
    are asked for when none came, and the answer is checked before it is believed.
    """
    records, roots = await client.list(plural, query)
    if not any(record.get("isArchived") for record in records.values()):
        archived: Query = {**query, "isArchived": "true"}
        page = await client.first_page(plural, archived)
        if page and all(record.get("isArchived") for record in page):
            more, more_roots = await client.list(plural, archived)
            return records | more, [*roots, *more_roots]
    return records, roots


def embedded(
    records: Mapping[str, RawRecord], roots: Roots, *, relation: str, plural: str, parent: str
) -> dict[str, list[RawRecord]]:
    """Children by the id of their record, for those that the answers brought them for: under the relation's name, or
    side-loaded under the children's plural (billy-api.md section 3.4)."""
    beside: dict[str, dict[str, RawRecord]] = {}
    for root in roots:
        rows = root.get(plural)
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict) and row.get("id"):
                beside.setdefault(str(row.get(parent)), {})[str(row["id"])] = row
    found: dict[str, list[RawRecord]] = {}
    for record_id, record in records.items():
        rows = record.get(relation)
        if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
            found[record_id] = rows
        elif beside:
            found[record_id] = list(beside.get(record_id, {}).values())
    return found


def unavailable(what: str, field: str, value: str, language: str) -> Problem:
    """The row needs a list that Billy does not give."""
    text = sentence("reference_unavailable", language, what=what, value=value)
    return Problem("reference_unavailable", field, value, text)


# -- accounts --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Accounts:
    """The chart of accounts by number; None where it was refused or nobody needs it."""

    by_number: Mapping[str, tuple[Account, ...]] | None = None

    @classmethod
    def of(cls, accounts: Iterable[Account]) -> Accounts:
        by_number: dict[str, list[Account]] = {}
        for account in accounts:
            by_number.setdefault(_plain(account.accountNo or ""), []).append(account)
        return cls({number: tuple(same) for number, same in by_number.items() if number})

    def find(self, number: str, field: str, language: str, *, revenue: bool = False) -> Account | Problem:
        """The account of a number, or why the row cannot have it; `revenue`: it must be one of sales (documented)."""
        if self.by_number is None:
            return unavailable("accounts", field, number, language)
        present = self.by_number.get(_plain(number), ())
        live = [account for account in present if not account.isArchived]
        fitting = [account for account in live if not revenue or account.natureId in (None, REVENUE)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            ids = ", ".join(account.id for account in fitting)
            return Problem("ambiguous_match", field, number, sentence("ambiguous_match", language, ids=ids))
        code = "account_unknown" if not present else "account_not_revenue" if live else "account_archived"
        nearest = self._nearest(number, revenue=revenue)
        return Problem(code, field, number, sentence(code, language, value=number, nearest=nearest))

    def _nearest(self, number: str, *, revenue: bool) -> str:
        """The accounts the person may have meant, nearest number first."""
        usable = [
            account
            for same in (self.by_number or {}).values()
            for account in same
            if not account.isArchived and (not revenue or account.natureId in (None, REVENUE))
        ]
        wanted = int(_plain(number))
        numbered = [account for account in usable if (account.accountNo or "").isdecimal()]
        numbered.sort(key=lambda account: (abs(int(account.accountNo or 0) - wanted), int(account.accountNo or 0)))
        return ", ".join(f"{a.accountNo} {a.name or ''}".strip() for a in numbered[:NEAREST]) or "–"


def _plain(number: str) -> str:
    """An account number as it is compared; Billy's are whole numbers (documented)."""
    return number.strip().lstrip("0") or ("0" if number.strip() else "")


async def read_accounts(client: BillyClient) -> Accounts:
    """The chart of accounts, archived ones too."""
    try:
        records, _ = await list_with_archived(client, "accounts", {})
    except Refused as error:
        if error.status in ENDING:
            raise
        return Accounts()
    return Accounts.of(Account.model_validate(raw) for raw in records.values())


# -- what is in use --------------------------------------------------------------------------------------------------


async def products_in_use(client: BillyClient) -> frozenset[str] | None:
    """Ids of the products on lines of invoices, whatever their state; None where that cannot be told."""
    listed = await list_if_offered(client, "invoices", {"include": INCLUDE_LINES})
    if listed is None:
        return None
    invoices, roots = listed
    lines = embedded(invoices, roots, relation="lines", plural="invoiceLines", parent="invoiceId")
    missing = [invoice_id for invoice_id in invoices if not lines.get(invoice_id)]  # every invoice has one (documented)
    if len(missing) > MOST_LINE_LISTS:
        return None
    for invoice_id in missing:
        child_list = await list_if_offered(client, "invoiceLines", {"invoiceId": invoice_id})
        if child_list is None:
            return None
        lines[invoice_id] = [line for line in child_list[0].values() if line.get("invoiceId") == invoice_id]
    ids = [line.get("productId") for rows in lines.values() for line in rows]
    return frozenset(str(each) for each in ids if each)


async def contacts_in_use(client: BillyClient) -> frozenset[str] | None:
    """Ids of the contacts of invoices and bills, whatever their state; None where that cannot be told.

    Bills count as far as they can be read: that Billy keeps a contact for their sake is what integrators say
    (unverified), and then it refuses the delete itself.
    """
    invoices = await list_if_offered(client, "invoices")
    if invoices is None or not all(invoice.get("contactId") for invoice in invoices[0].values()):
        return None
    try:
        bills = await list_if_offered(client, "bills")
    except UnexpectedAnswer:
        bills = None
    records = [*invoices[0].values(), *(bills[0].values() if bills else [])]
    return frozenset(str(record["contactId"]) for record in records if record.get("contactId"))


# -- contacts --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ContactReferences:
    """What rows of contacts refer to, and for deletes which contacts are in use (None: any may be)."""

    accounts: Accounts = field(default_factory=Accounts)
    used: frozenset[str] | None = None


async def contact_usage_references(
    client: BillyClient, terms: PlanTerms, _fields: frozenset[str], _contacts: Sequence[Contact]
) -> ContactReferences:
    """For customers, who refer to nothing: which of them are in use, if some are to be deleted."""
    return ContactReferences(used=await contacts_in_use(client) if terms.operation == DELETE else None)


async def contact_references(
    client: BillyClient, terms: PlanTerms, fields: frozenset[str], contacts: Sequence[Contact]
) -> ContactReferences:
    """The same, with the accounts where a row names one."""
    if terms.operation != DELETE and "expenseAccountNo" in fields:
        return ContactReferences(accounts=await read_accounts(client))
    return await contact_usage_references(client, terms, fields, contacts)


def contact_in_use(record: Contact, references: ContactReferences | None) -> bool:
    """Whether a contact cannot be deleted; what cannot be told counts as in use."""
    return references is None or references.used is None or record.id in references.used


def resolve_contact(row: Row, references: ContactReferences, terms: PlanTerms) -> Resolved:
    """The row with the id of its expense account."""
    resolved: dict[str, Any] = {key: value for key, value in row.items() if key != "expenseAccountId"}
    if terms.operation == DELETE or not row.get("expenseAccountNo"):
        return Resolved(resolved)
    found = references.accounts.find(row["expenseAccountNo"], "expenseAccountNo", terms.language)
    if isinstance(found, Problem):
        return Resolved(resolved, (found,))
    return Resolved({**resolved, "expenseAccountId": found.id})
