"""Countries, currencies and locales, whose ids are ISO codes (documented); Billy's locales are five (documented)."""

from __future__ import annotations

from functools import cache

import pycountry

LOCALES = {
    "da_DK": "Danish",
    "de_DE": "German",
    "en_US": "English",
    "fr_FR": "French",
    "nl_NL": "Dutch",
}


@cache
def countries() -> dict[str, str]:
    """Name by ISO 3166 code of two letters."""
    return {country.alpha_2: country.name for country in pycountry.countries}


@cache
def currencies() -> dict[str, str]:
    """Name by ISO 4217 code."""
    return {currency.alpha_3: currency.name for currency in pycountry.currencies}


def reference_lists() -> dict[str, dict[str, str]]:
    """Plural name -> {id: name}; every write to them answers 405 (observed)."""
    return {"countries": countries(), "currencies": currencies(), "locales": LOCALES}
