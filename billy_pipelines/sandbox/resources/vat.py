"""VAT: rulesets, rules, rates, and the periods of the VAT returns (billy-api.md 6.6).

The names of a return's keys stand in Billy's property table; what their values look like, above all of `isSettled`, is
unknown and our choice here.
"""

from __future__ import annotations

from ..filters import same
from ..names import RETURNS, RULES, RULESETS, TAX_RATES
from ..properties import FLAG, NUMBER, READONLY, TEXT, Property, belongs_to, choice
from ..resource import NOT_IMITATED, WRITES, Children, Resource, refusing

_READ_ONLY = refusing(*WRITES, status=NOT_IMITATED)

DESCRIPTIONS = (
    Resource(
        TAX_RATES,
        "taxRate",
        {
            "organizationId": READONLY,
            "name": TEXT,
            "abbreviation": TEXT,
            "description": TEXT,
            "rate": NUMBER,
            "appliesToSales": FLAG,
            "appliesToPurchases": FLAG,
            "isPredefined": FLAG,
            "isActive": FLAG,
            "netAmountMetaFieldId": TEXT,
        },
        refused=_READ_ONLY,
        translated=True,
    ),
    Resource(
        RULESETS,
        "salesTaxRuleset",
        {
            "organizationId": READONLY,
            "name": TEXT,
            "abbreviation": TEXT,
            "description": TEXT,
            "fallbackTaxRateId": belongs_to("taxRates"),
            "isPredefined": FLAG,
        },
        children=(Children("rules", RULES, "rulesetId", "ruleIds"),),
        filters={"abbreviation": same("unverified", "abbreviation")},
        refused=_READ_ONLY,
        translated=True,
    ),
    Resource(
        RULES,
        "salesTaxRule",
        {
            "rulesetId": belongs_to("salesTaxRulesets"),
            "countryId": belongs_to("countries"),
            "stateId": TEXT,
            "countryGroupId": belongs_to("countryGroups"),
            "contactType": choice("company", "person"),
            "taxRateId": belongs_to("taxRates"),
            "priority": Property("integer", default=0),
        },
        indexed=("rulesetId",),
        refused=_READ_ONLY,
        label=(),
    ),
    Resource(
        RETURNS,
        "salesTaxReturn",
        {
            "organizationId": READONLY,
            "createdTime": READONLY,
            "periodType": TEXT,
            "period": TEXT,
            "periodText": TEXT,
            "correctionNo": Property("integer"),
            "startDate": Property("date"),
            "endDate": Property("date"),
            "reportDeadline": Property("date"),
            "isSettled": FLAG,
            "isPaid": FLAG,
        },
        # POST and DELETE are refused (observed); Billy has a PUT that settles a period, which is not imitated.
        refused=refusing(*WRITES) | refusing("update", "save_many", status=NOT_IMITATED),
        label=("period",),
    ),
)
