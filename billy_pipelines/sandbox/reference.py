"""Countries, currencies and locales, whose ids are ISO codes (documented), Billy's five locales (documented), the five
account natures (observed) and the country groups that VAT rules need (one of our own).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import pycountry

from .names import ACCOUNT_NATURES, COUNTRIES, COUNTRY_GROUPS, CURRENCIES, LOCALES
from .record import Record

LOCALE_NAMES = {
    "da_DK": "Danish",
    "de_DE": "German",
    "en_US": "English",
    "fr_FR": "French",
    "nl_NL": "Dutch",
}

NATURES = {
    "asset": "Aktiver",
    "liability": "Passiver",
    "equity": "Egenkapital",
    "revenue": "Omsætning",
    "expense": "Udgifter",
}

EXCHANGE_RATES = {"DKK": 1, "EUR": 7.46, "GBP": 8.72, "NOK": 0.64, "SEK": 0.66, "USD": 6.85}
"""Made-up kroner per unit, the same on every day; Billy's own change. Other currencies have none here (our choice)."""

EU = "eu"
"""Id of the one country group (our choice: how Billy cuts and names them is unknown)."""
EU_COUNTRIES = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()  # noqa: SIM905 - readable
)


@cache
def countries() -> dict[str, Record]:
    """By ISO 3166 code of two letters; all books share the table, so a test that takes one out makes it unknown."""
    where_they_speak = {locale[-2:]: locale for locale in LOCALE_NAMES}
    return _by_id(
        {
            "id": each.alpha_2,
            "name": each.name,
            "icon": None,
            "hasStates": each.alpha_2 == "US",
            "hasFiniteStates": each.alpha_2 == "US",
            "hasFiniteZipcodes": False,
            "localeId": where_they_speak.get(each.alpha_2),
        }
        for each in pycountry.countries
    )


@cache
def reference_records() -> dict[str, dict[str, Record]]:
    """Plural name -> id -> record; every write to them answers 405 (observed)."""
    return {
        COUNTRIES: countries(),
        CURRENCIES: _by_id(
            {"id": each.alpha_3, "name": each.name, "exchangeRate": EXCHANGE_RATES.get(each.alpha_3)}
            for each in pycountry.currencies
        ),
        LOCALES: _by_id({"id": code, "name": name} for code, name in LOCALE_NAMES.items()),
        ACCOUNT_NATURES: _by_id({"id": code, "name": name} for code, name in NATURES.items()),
        COUNTRY_GROUPS: _by_id([{"id": EU, "name": "EU", "memberCountryIds": ",".join(sorted(EU_COUNTRIES))}]),
    }


def _by_id(rows: Iterable[dict[str, Any]]) -> dict[str, Record]:
    return {row["id"]: Record(row) for row in rows}
