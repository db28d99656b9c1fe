"""Cells that hold one of a few words: yes or no, one of a column's choices, a currency.

Only words that mean the same in every column count. `aktiv` is none: under "Arkiveret" it would say the opposite of
what it says under "Aktiv".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

import pandas as pd
import pycountry

from billy_pipelines.schemas.whole_column import by_word

_BOOLEANS = {
    **dict.fromkeys(("ja", "j", "yes", "y", "true", "sand", "sandt", "1", "x", "✓", "✔"), "true"),
    **dict.fromkeys(("nej", "n", "no", "false", "falsk", "0"), "false"),
}
_CURRENCY_NAMES = {
    **dict.fromkeys(("kr", "dkr", "krone", "kroner", "danskekroner"), "DKK"),
    **dict.fromkeys(("€", "euro", "euros"), "EUR"),
    **dict.fromkeys(("$", "us$", "dollar", "dollars"), "USD"),
    **dict.fromkeys(("£", "pund", "pounds"), "GBP"),
}
_NO_CURRENCIES = frozenset({"XXX", "XTS"})
"""Codes ISO 4217 keeps for "none" and for tests."""


def read_booleans(column: pd.Series[str]) -> tuple[pd.Series[str], pd.Series[bool]]:
    """`true` or `false` for what says so, and where that went well; blanks stay blank, other cells keep their text."""
    return by_word(column, lambda text: _BOOLEANS.get(text.casefold(), ""))


def read_choices(
    column: pd.Series[str], choices: Mapping[str, tuple[str, ...]]
) -> tuple[pd.Series[str], pd.Series[bool]]:
    """The permitted value each cell means, compared without regard to case, blanks, accents and signs.

    `choices`: permitted value -> other ways to write it. Returns values and where that went well, as `read_booleans`.

    Raises:
        ValueError: two permitted values can be written the same way.
    """
    meanings: dict[str, str] = {}
    for value, others in choices.items():
        for spelling in (value, *others):
            folded = _folded(spelling)
            if meanings.setdefault(folded, value) != value:
                raise ValueError(f"{spelling!r} means both {meanings[folded]!r} and {value!r}")
    return by_word(column, lambda text: meanings.get(_folded(text), ""))


def read_currencies(column: pd.Series[str]) -> tuple[pd.Series[str], pd.Series[bool]]:
    """ISO 4217 codes for codes in any case, names and signs; values and where that went well, as `read_booleans`."""
    return by_word(column, _currency)


def is_currency(code: str) -> bool:
    """Whether this is the ISO 4217 code of a currency."""
    return code in _currency_codes()


def _folded(text: str) -> str:
    """Letters and digits only; signs alone stay what they are. A number stays the number it is: `2,5 %` is no `25`,
    `25,0` is one."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    apart = re.sub(r"(?<=\d)[.,]0+(?!\d)", "", apart)
    kept = re.sub(
        r"(?:(?<=\d)([.,])(?=\d)|^\s*([-\u2212])(?=\s*\d)|[\W_])", lambda sign: sign[1] or sign[2] or "", apart
    )
    return kept or re.sub(r"\s", "", apart)


def _currency(text: str) -> str:
    code = text.upper()
    return code if code in _currency_codes() else _CURRENCY_NAMES.get(re.sub(r"[\s.]", "", text.casefold()), "")


@lru_cache(maxsize=1)
def _currency_codes() -> frozenset[str]:
    return frozenset(currency.alpha_3 for currency in pycountry.currencies) - _NO_CURRENCIES
