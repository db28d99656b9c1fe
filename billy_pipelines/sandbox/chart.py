"""A company that has done nothing yet: itself, a small Danish chart of accounts, its VAT set-up and VAT periods.

All of it is made up, in the manner of a Danish company. Ids follow from the organization's, so they differ between
companies (observed of rulesets) and stay when the sandbox starts again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from .names import ACCOUNT_GROUPS, ACCOUNTS, ORGANIZATIONS, RETURNS, RULES, RULESETS, TAX_RATES, Plural
from .periods import period
from .record import id_from
from .reference import EU

Row = dict[str, Any]

_GROUPS = (
    ("sales", "Omsætning", "Turnover", "revenue"),
    ("costs", "Udgifter", "Expenses", "expense"),
    ("assets", "Aktiver", "Assets", "asset"),
    ("equity", "Egenkapital", "Equity", "equity"),
    ("debts", "Gæld", "Debts", "liability"),
)
_BANK = {"isBankAccount": True, "isPaymentEnabled": True}
_ACCOUNTS: tuple[tuple[int, str, str, str, Row], ...] = (
    (1110, "Salg af varer/ydelser", "Sale of goods/services", "sales", {}),
    (1120, "Salg af varer til EU", "Sale of goods to the EU", "sales", {}),
    (1130, "Salg af ydelser til EU", "Sale of services to the EU", "sales", {}),
    (1140, "Eksport", "Exports", "sales", {}),
    (1150, "Momsfrit salg", "VAT-free sale", "sales", {}),
    (1310, "Vareforbrug", "Cost of goods", "costs", {}),
    (2210, "Husleje", "Rent", "costs", {}),
    (2740, "Bankgebyrer", "Bank fees", "costs", {}),
    (2810, "Kursdifferencer", "Currency differences", "costs", {"systemRole": "realizedCurrencyDifference"}),
    (5510, "Debitorer", "Accounts receivable", "assets", {"systemRole": "accountsReceivable"}),
    (5710, "Bank", "Bank", "assets", {**_BANK, "currencyId": "DKK"}),
    (5720, "Eurokonto", "Euro account", "assets", {**_BANK, "currencyId": "EUR"}),
    (6110, "Overført resultat", "Retained earnings", "equity", {}),
    (7210, "Kreditorer", "Accounts payable", "debts", {"systemRole": "accountsPayable"}),
    (7250, "Salgsmoms", "Output VAT", "debts", {}),
)
_TAX_RATES = (
    ("vat25", "Salgsmoms 25%", "Sales VAT 25%", 0.25, True),
    ("exempt", "Momsfri", "VAT-free", 0, True),
    ("eu-goods", "EU-varesalg", "EU sale of goods", 0, True),
    ("eu-services", "EU-ydelsessalg", "EU sale of services", 0, True),
    ("export", "Eksport uden moms", "Export without VAT", 0, True),
    ("bought25", "Købsmoms 25%", "Purchase VAT 25%", 0.25, False),
)
_RULESETS = (
    ("domestic", "Salg med moms", "Sale with VAT", "M", "export"),
    ("exempt", "Salg uden moms", "Sale without VAT", "F", "exempt"),  # F seen for the VAT-free set (observed)
    ("eu-goods", "Varer til EU", "Goods to the EU", "EUV", "eu-goods"),
    ("eu-services", "Ydelser til EU", "Services to the EU", "EUY", "eu-services"),
    ("export", "Salg uden for EU", "Sale outside the EU", "E", "export"),
)
_RULES: tuple[tuple[str, Row], ...] = (  # of the set `domestic`; no country where a group decides (our choice)
    ("vat25", {"countryId": "DK"}),
    ("eu-goods", {"countryGroupId": EU, "contactType": "company"}),
    ("vat25", {"countryGroupId": EU, "contactType": "person"}),
)

_ENGLISH = {
    "Passiver": "Liabilities",
    **{row[1]: row[2] for row in _GROUPS},
    **{row[1]: row[2] for row in _ACCOUNTS},
    **{row[1]: row[2] for row in _TAX_RATES},
    **{row[1]: row[2] for row in _RULESETS},
}


def translated(values: Mapping[str, Any], language: str) -> Row:
    """A record with the system's names in another language: `en_US`, or `renamed`, where nothing is called as usual."""
    if language == "en_US":
        return {**values, "name": _ENGLISH.get(values["name"], values["name"])}
    names = {key: f"Navn {id_from(values[key])[:6]}" for key in ("name", "abbreviation") if values.get(key)}
    return {**values, **names}


def company_records(seed: Mapping[str, Any], vat_settled_until: date | None) -> Iterator[tuple[Plural, Sequence[Row]]]:
    """The records of a new company by plural name; `seed` are values of its organization, with the id."""

    def key(kind: str, name: object) -> str:
        return id_from(f"{seed['id']}/{kind}/{name}")

    yield (
        ORGANIZATIONS,
        [
            {
                "hasVat": True,
                "vatPeriod": "quarter",
                "defaultTaxMode": "excl",
                "defaultSalesAccountId": key("account", 1110),
                "defaultSalesTaxRulesetId": key("ruleset", "domestic"),
                "defaultInvoiceBankAccountId": key("account", 5710),
                "defaultBankFeeAccountId": key("account", 2740),
                **seed,
            }
        ],
    )
    natures = {group: nature for group, _, _, nature in _GROUPS}
    yield (
        ACCOUNT_GROUPS,
        [{"id": key("group", group), "name": name, "natureId": nature} for group, name, _, nature in _GROUPS],
    )
    yield (
        ACCOUNTS,
        [
            {
                "id": key("account", number),
                "name": name,
                "accountNo": number,
                "groupId": key("group", group),
                "natureId": natures[group],
                **more,
            }
            for number, name, _, group, more in _ACCOUNTS
        ],
    )
    yield (
        TAX_RATES,
        [
            {
                "id": key("rate", code),
                "name": name,
                "rate": rate,
                "appliesToSales": sales,
                "appliesToPurchases": not sales,
                "isActive": True,
                "isPredefined": True,
            }
            for code, name, _, rate, sales in _TAX_RATES
        ],
    )
    yield (
        RULESETS,
        [
            {
                "id": key("ruleset", code),
                "name": name,
                "abbreviation": abbreviation,
                "fallbackTaxRateId": key("rate", rate),
                "isPredefined": True,
            }
            for code, name, _, abbreviation, rate in _RULESETS
        ],
    )
    yield (
        RULES,
        [
            {
                "id": key("rule", number),
                "rulesetId": key("ruleset", "domestic"),
                "taxRateId": key("rate", rate),
                "priority": number,
                **conditions,
            }
            for number, (rate, conditions) in enumerate(_RULES)
        ],
    )
    yield RETURNS, [{"id": key("return", each["period"]), **each} for each in _vat_periods(vat_settled_until)]


def _vat_periods(settled_until: date | None) -> Iterator[Row]:
    """The quarters of last year and this one. Their values and forms are our choice, see `resources.vat`."""
    this_year = datetime.now(UTC).year
    for year in (this_year - 1, this_year):
        for quarter in range(1, 5):
            first, last = period(f"quarter:{year}-{quarter}")
            deadline = (last + timedelta(days=62)).replace(day=1)
            yield {
                "periodType": "quarter",
                "period": f"{year}-{quarter}",
                "periodText": f"{quarter}. kvartal {year}",
                "correctionNo": 0,
                "startDate": first.isoformat(),
                "endDate": last.isoformat(),
                "reportDeadline": deadline.isoformat(),
                "isSettled": settled_until is not None and last <= settled_until,
                "isPaid": False,
            }
