"""The plural names of Billy's resources as the sandbox knows them."""

from __future__ import annotations

from typing import Final, Literal

Plural = Literal[
    "accountGroups",
    "accountNatures",
    "accounts",
    "balanceModifiers",
    "bankAccounts",
    "bankPayments",
    "cities",
    "contactBalancePostings",
    "contactPersons",
    "contacts",
    "countries",
    "countryGroups",
    "currencies",
    "files",
    "invoiceLateFees",
    "invoiceLines",
    "invoiceReminders",
    "invoices",
    "locales",
    "organizations",
    "postings",
    "productPrices",
    "products",
    "salesTaxPayments",
    "salesTaxReturns",
    "salesTaxRules",
    "salesTaxRulesets",
    "states",
    "taxRates",
    "users",
    "zipcodes",
]

ACCOUNT_GROUPS: Final = "accountGroups"
ACCOUNT_NATURES: Final = "accountNatures"
ACCOUNTS: Final = "accounts"
MODIFIERS: Final = "balanceModifiers"
PAYMENTS: Final = "bankPayments"
PERSONS: Final = "contactPersons"
CONTACTS: Final = "contacts"
COUNTRIES: Final = "countries"
COUNTRY_GROUPS: Final = "countryGroups"
CURRENCIES: Final = "currencies"
LINES: Final = "invoiceLines"
INVOICES: Final = "invoices"
LOCALES: Final = "locales"
ORGANIZATIONS: Final = "organizations"
PRICES: Final = "productPrices"
PRODUCTS: Final = "products"
RETURNS: Final = "salesTaxReturns"
RULES: Final = "salesTaxRules"
RULESETS: Final = "salesTaxRulesets"
TAX_RATES: Final = "taxRates"
