"""Reference lists: ISO codes as ids (documented), readable without a token (observed in Billy's client)."""

from __future__ import annotations

from ..names import COUNTRIES, COUNTRY_GROUPS, CURRENCIES, LOCALES
from ..properties import FLAG, NUMBER, TEXT, belongs_to
from ..resource import WRITES, Resource, refusing

_READ_ONLY = refusing(*WRITES)  # POST, PUT, DELETE (observed); PATCH is our choice

DESCRIPTIONS = (
    Resource(
        COUNTRIES,
        "country",
        {
            "name": TEXT,
            "icon": TEXT,
            "hasStates": FLAG,
            "hasFiniteStates": FLAG,
            "hasFiniteZipcodes": FLAG,
            "localeId": belongs_to("locales"),
        },
        refused=_READ_ONLY,
        public=True,
    ),
    Resource(COUNTRY_GROUPS, "countryGroup", {"name": TEXT, "memberCountryIds": TEXT}, refused=_READ_ONLY, public=True),
    Resource(CURRENCIES, "currency", {"name": TEXT, "exchangeRate": NUMBER}, refused=_READ_ONLY, public=True),
    Resource(LOCALES, "locale", {"name": TEXT}, refused=_READ_ONLY, public=True),
)
