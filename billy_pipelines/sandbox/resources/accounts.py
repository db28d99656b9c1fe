"""Accounts, their groups and natures (billy-api.md 6.6)."""

from __future__ import annotations

from ..filters import flag, same
from ..names import ACCOUNT_GROUPS, ACCOUNT_NATURES, ACCOUNTS
from ..properties import FLAG, READONLY, TEXT, Property, belongs_to
from ..resource import NOT_IMITATED, WRITES, Resource, refusing

ACCOUNT = Resource(
    ACCOUNTS,
    "account",
    {
        "organizationId": READONLY,
        "name": Property(required=True),
        "accountNo": Property("integer"),
        "description": TEXT,
        "groupId": belongs_to("accountGroups", required=True),
        "natureId": belongs_to("accountNatures", immutable=True),
        "systemRole": READONLY,
        "currencyId": belongs_to("currencies", immutable=True),
        "taxRateId": belongs_to("taxRates"),
        "isPaymentEnabled": FLAG,
        "isBankAccount": Property("flag", default=False, immutable=True),
        "isArchived": FLAG,
        "bankName": READONLY,
        "bankRoutingNo": READONLY,
        "bankAccountNo": READONLY,
        "bankSwift": READONLY,
        "bankIban": READONLY,
    },
    filters={
        "isBankAccount": flag("unverified", "isBankAccount"),
        "isArchived": flag("unverified", "isArchived"),
        "systemRole": same("unverified", "systemRole"),
        "accountNo": same("unverified", "accountNo"),
    },
    natural_keys=("name", "accountNo"),
    used_by=(("products", "accountId"), ("bankPayments", "cashAccountId")),
    translated=True,
)

DESCRIPTIONS = (
    ACCOUNT,
    Resource(
        ACCOUNT_NATURES,
        "accountNature",
        {"name": TEXT},
        refused=refusing(*WRITES),  # every write (observed)
        translated=True,
    ),
    Resource(
        ACCOUNT_GROUPS,
        "accountGroup",
        {"organizationId": READONLY, "name": TEXT, "natureId": belongs_to("accountNatures")},  # our choice of keys
        refused=refusing(*WRITES, status=NOT_IMITATED),
        translated=True,
    ),
)
