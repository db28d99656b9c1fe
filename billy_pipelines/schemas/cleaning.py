"""Cleaning and comparing values, column by column. What counts as equal is written down here and nowhere else.

- names, streets, towns: Unicode NFKC, any case, runs of blanks as one (`ApS` = `aps`)
- phone: digits only, without the country code 45 (`+45 12 34 56 78` = `12345678`)
- postcode: without blanks and a leading `DK-`
- CVR and VAT numbers: without blanks, dots, dashes; Danish ones without `DK`
- e-mail: any case
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import pandas as pd
import pycountry
from stdnum import ean as ean_number
from stdnum.dk import cvr

PLACEHOLDER_CVR = frozenset({"12345678", "87654321", "11223344"} | {digit * 8 for digit in "0123456789"})
CLEAR_MARKS = frozenset({"#RYD", "#CLEAR"})

_CPR = re.compile(r"(?<!\d)\d{6}-\d{4}(?!\d)")
_TEN_DIGITS = re.compile(r"\d{10}")
# HTML's own pattern for <input type=email>, with at least one dot in the domain: syntax only, nobody is asked.
_LABEL = r"[A-Za-z0-9À-ÖØ-öø-ÿ](?:[A-Za-z0-9À-ÖØ-öø-ÿ-]{0,61}[A-Za-z0-9À-ÖØ-öø-ÿ])?"
EMAIL_PATTERN = rf"[A-Za-z0-9À-ÖØ-öø-ÿ.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})+"


def clean_text(column: pd.Series[str]) -> pd.Series[str]:
    """Trimmed, NFC, no-break blanks as blanks, an apostrophe that protects a number or formula in a sheet removed."""
    text = column.str.normalize("NFC").str.replace("\u00a0", " ", regex=False).str.strip()
    return text.str.replace(r"^'(?=[=+\-@\t\d])", "", regex=True)


def comparable(text: str | None) -> str:
    """Text as it is compared."""
    return " ".join(unicodedata.normalize("NFKC", text or "").casefold().split())


def comparable_phone(text: str | None) -> str:
    """A phone number as it is compared."""
    digits = re.sub(r"\D", "", text or "")
    digits = digits.removeprefix("00")
    return digits[2:] if len(digits) == 10 and digits.startswith("45") else digits


def comparable_postcode(text: str | None) -> str:
    """A postcode as it is compared."""
    return re.sub(r"^DK-?|\s", "", (text or "").upper())


def clean_vat(text: str | None) -> str:
    """A CVR or VAT number without decoration; a Danish one loses its `DK`, a foreign one keeps its prefix (rule B6)."""
    number = re.sub(r"[\s.\-]", "", (text or "").upper())
    return number[2:] if re.fullmatch(r"DK\d{8}", number) else number


def is_vat_form(number: str, country: str) -> bool:
    """Whether a cleaned number can be a CVR number, or a foreign VAT number of its prefix or the row's country."""
    if re.fullmatch(r"\d{8}", number):
        return True
    if re.fullmatch(r"(?!DK)[A-Z]{2}[0-9A-Z]{4,13}", number) and re.search(r"\d{4}", number):
        return True
    return country not in ("", "DK") and re.fullmatch(r"(?=.*\d{4})[0-9A-Z]{4,15}", number) is not None


def is_possible_cpr(text: str) -> bool:
    """Whether text holds something of the form dddddd-dddd (rule B23)."""
    return _CPR.search(text) is not None


def is_possible_cpr_in_vat(text: str, country: str) -> bool:
    """Whether a cell of a CVR column may hold a CPR number: ten digits, with or without a dash (rule B23).

    Swedish company numbers have that form too, so abroad only those count that begin with a date.
    """
    digits = re.sub(r"[\s.\-]", "", text)
    if not _TEN_DIGITS.fullmatch(digits):
        return False
    begins_with_date = 1 <= int(digits[:2]) <= 31 and 1 <= int(digits[2:4]) <= 12
    return country in ("", "DK") or begins_with_date


@lru_cache(maxsize=100_000)
def is_cvr(number: str) -> bool:
    """Whether a cleaned number is a CVR number that may be used as a key: check digits right, no placeholder (B6)."""
    return number not in PLACEHOLDER_CVR and bool(cvr.is_valid(number))


def is_vat_key(number: str) -> bool:
    """Whether a cleaned number identifies anybody: a good CVR number, or a foreign number with its prefix."""
    return is_cvr(number) if number.isdigit() else bool(re.match(r"[A-Z]{2}", number))


@lru_cache(maxsize=100_000)
def is_ean(number: str) -> bool:
    """Whether a number is an EAN-13 with the right check digit (rule B15)."""
    return len(number) == 13 and bool(ean_number.is_valid(number))


@lru_cache(maxsize=10_000)
def country_code(text: str) -> str | None:
    """The ISO code for a code or an English or Danish name; None when there is no such country."""
    if re.fullmatch(r"[A-Za-z]{2}", text):
        return text.upper() if pycountry.countries.get(alpha_2=text.upper()) else None
    return _country_names().get(comparable(text))


@lru_cache(maxsize=1)
def _country_names() -> dict[str, str]:
    import gettext

    danish = gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=["da"], fallback=True)
    names: dict[str, str] = {}
    for country in pycountry.countries:
        spellings = [country.name, getattr(country, "common_name", country.name), country.alpha_3]
        for spelling in [*spellings, *(danish.gettext(spelling) for spelling in spellings)]:
            names.setdefault(comparable(spelling), country.alpha_2)
    return names
