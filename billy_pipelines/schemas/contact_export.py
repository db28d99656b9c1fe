"""How customers and contacts are exported: the columns of their import files out of a contact."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.models import Contact, ContactPerson
from billy_pipelines.schemas.contact_meaning import PERSONS, primaries_of
from billy_pipelines.schemas.contact_requests import INCLUDE_PERSONS
from billy_pipelines.schemas.export import Children, Export, FileRow, flag_text, picked_list
from billy_pipelines.schemas.payment_terms import Terms
from billy_pipelines.settings import Organization

_as_json = json.JSONEncoder(ensure_ascii=False).encode
_PERSONS = Children("contactPersons", "contactPersons", "contactId", ContactPerson)
_COMMON = (
    *("id", "name", "email", "phone", "address", "city", "zipcode", "country", "vatNo", "contactNo", "ean"),
    *("contactPerson", "type", "isArchived", "language", "paymentTerms"),
)
_ALL = (*_COMMON, "isCustomer", "isSupplier", "expenseAccountNo", "expenseDescription", PERSONS)


async def _accounts(client: BillyClient, _organization: Organization) -> Mapping[str, str]:
    """Id -> number of every account."""
    return await picked_list(client, "accounts", lambda raw: str(raw.get("accountNo") or ""), {}, archived=True)


def _rows(record: Contact, account_numbers: Mapping[str, str] | None) -> list[FileRow]:
    primaries = primaries_of(record)
    # An e-mail column means the primary person (rule B3); without one, the only address there is.
    emails = [primaries[0].email] if len(primaries) == 1 else record.emails if len(record.emails) == 1 else [None]
    row: dict[str, str | None] = {
        "id": record.id,
        "name": record.name,
        "email": emails[0],
        "phone": record.phone,
        "address": record.street,
        "city": record.cityText,
        "zipcode": record.zipcodeText,
        "country": record.countryId,
        "vatNo": record.registrationNo,
        "contactNo": record.contactNo,
        "ean": record.ean,
        "contactPerson": primaries[0].name if len(primaries) == 1 else None,
        "type": record.type,
        "isArchived": flag_text(record.isArchived),
        "language": record.localeId,
        "paymentTerms": terms_text(record.paymentTermsMode, record.paymentTermsDays),
        "isCustomer": flag_text(record.isCustomer),
        "isSupplier": flag_text(record.isSupplier),
        "expenseDescription": record.defaultExpenseProductDescription,
    }
    if account_numbers is not None:
        row["expenseAccountNo"] = account_numbers.get(record.defaultExpenseAccountId or "")
        named = [_person(person) for person in record.contactPersons or [] if person.name or person.email]
        row[PERSONS] = _as_json(named) if named else None
    return [row]


def _person(person: ContactPerson) -> dict[str, Any]:
    email = {"email": person.email} if person.email else {}
    return {"name": person.name or "", **email, "isPrimary": bool(person.isPrimary)}


def terms_text(mode: str | None, days: int | None) -> str | None:
    """Payment terms as rows spell them; None for those that hold for one invoice alone, or are unknown."""
    return Terms(mode, days or 0).text if mode in ("net", "netEndOfMonth") else None


CUSTOMERS_EXPORT = Export[Contact](
    model=Contact,
    columns=_COMMON,
    rows=_rows,
    query={"include": INCLUDE_PERSONS},
    default_columns=_COMMON[: _COMMON.index("contactNo")],
    children=_PERSONS,
    belongs=lambda record: record.isCustomer is not False,
)
CONTACTS_EXPORT = Export[Contact](
    model=Contact,
    columns=_ALL,
    rows=_rows,
    query={"include": INCLUDE_PERSONS},
    # Without the list of persons: it holds the e-mail once more, and somebody who edits one would have to edit both.
    default_columns=tuple(name for name in _ALL if name != PERSONS),
    children=_PERSONS,
    references=_accounts,
)
