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

_CPR = re.compile(r"(?<!\d)\d{6}[-\u00ad\u2010-\u2015\u2212]\d{4}(?!\d)")  # Word makes other dashes of a hyphen
_INVISIBLE = "[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
_DANISH_VAT = re.compile(r"(?:DK|CVR|CVRNR|SENR|MOMSNR)+(\d{8})")
# HTML's own pattern for <input type=email>, with at least one dot in the domain: syntax only, nobody is asked.
_LABEL = r"[A-Za-z0-9À-ÖØ-öø-ÿ](?:[A-Za-z0-9À-ÖØ-öø-ÿ-]{0,61}[A-Za-z0-9À-ÖØ-öø-ÿ])?"
EMAIL_PATTERN = rf"[A-Za-z0-9À-ÖØ-öø-ÿ.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})+"


def clean_text(column: pd.Series[str]) -> pd.Series[str]:
    """Trimmed, NFC, no-break blanks as blanks, what cannot be seen and an apostrophe that protects a number or formula
    in a sheet removed."""
    text = column.str.replace("\u00a0", " ", regex=False).str.replace(_INVISIBLE, "", regex=True)
    text = text.str.normalize("NFC").str.strip()  # after the rest: what cannot be seen may stand between o and its dots
    return text.str.replace(r"^(?:'(?=[=+\-@\t\r\n\d])\s*)+", "", regex=True)


def comparable(text: str | None) -> str:
    """Text as it is compared."""
    return " ".join(unicodedata.normalize("NFKC", text or "").casefold().split())


def comparable_phone(text: str | None) -> str:
    """A phone number as it is compared."""
    digits = re.sub(r"\D", "", text or "")
    if len(digits) > 8:
        digits = digits.removeprefix("00")  # how one dials abroad; in front of fewer digits it is part of the number
    return digits[2:] if len(digits) == 10 and digits.startswith("45") else digits


def comparable_postcode(text: str | None) -> str:
    """A postcode as it is compared."""
    return re.sub(r"^DK-?|\s", "", (text or "").upper())


def clean_vat(text: str | None) -> str:
    """A CVR or VAT number without decoration; a Danish one loses its `DK`, a foreign one keeps its prefix (rule B6)."""
    number = re.sub(r"[\s.:\-]", "", (text or "").upper())
    danish = _DANISH_VAT.fullmatch(number)
    return danish.group(1) if danish else number


def foreign_prefix(number: str) -> str:
    """The country a cleaned VAT number names in front, '' for a Danish one or none. Greece and Northern Ireland use
    codes of their own."""
    prefix = number[:2]
    known = re.fullmatch("[A-Z]{2}", prefix) and (prefix in ("EL", "XI") or country_code(prefix))
    return prefix if known and prefix != "DK" else ""


def is_vat_form(number: str, country: str) -> bool:
    """Whether a cleaned number can be a CVR number, or a foreign VAT number of its prefix or the row's country."""
    if re.fullmatch(r"\d{8}", number):
        return True
    if foreign_prefix(number) and re.fullmatch(r"[A-Z]{2}(?=.*\d{4})[0-9A-Z]{4,13}", number):
        return True
    return country not in ("", "DK") and re.fullmatch(r"(?=.*\d{4})[0-9A-Z]{4,15}", number) is not None


def is_possible_cpr(text: str) -> bool:
    """Whether text holds something of the form dddddd-dddd (rule B23)."""
    return _CPR.search(text) is not None


def is_possible_cpr_in_vat(text: str, country: str) -> bool:
    """Whether a cell of a CVR column may hold a CPR number: ten digits, whatever stands around them (rule B23).

    Swedish company numbers have that form too, so abroad only those count that begin with a date; and numbers behind a
    foreign prefix are what the prefix says.
    """
    dashed, digits = _CPR.search(text), re.sub(r"\D", "", text)
    prefix = foreign_prefix(clean_vat(text))
    number = dashed.group() if dashed else digits if len(digits) == 10 and not prefix else ""
    if not number:
        return False
    begins_with_date = 1 <= int(number[:2]) <= 31 and 1 <= int(number[2:4]) <= 12
    return begins_with_date or (country in ("", "DK") and not prefix)


@lru_cache(maxsize=100_000)
def is_cvr(number: str) -> bool:
    """Whether a cleaned number is a CVR number that may be used as a key: check digits right, no placeholder (B6)."""
    return number not in PLACEHOLDER_CVR and bool(cvr.is_valid(number))


def vat_key(text: str | None, country: str | None) -> str | None:
    """What a CVR or VAT number is found by: a good CVR number, or a foreign number behind its country's prefix; None
    when it identifies nobody (rule B6). Eight digits from Finland can pass for a CVR number, so the country decides."""
    number = clean_vat(text)
    if country and country != "DK" and number and not foreign_prefix(number):
        number = country + number
    if not foreign_prefix(number):
        return number if is_cvr(number) else None
    return number if len(set(re.sub(r"\D", "", number))) > 1 else None


@lru_cache(maxsize=100_000)
def is_ean(number: str) -> bool:
    """Whether a number is an EAN-13 with the right check digit (rule B15)."""
    return re.fullmatch("[0-9]{13}", number) is not None and bool(ean_number.is_valid(number))


@lru_cache(maxsize=10_000)
def country_code(text: str) -> str | None:
    """The ISO code for a code or an English or Danish name; None when there is no such country."""
    if re.fullmatch(r"[A-Za-z]{2}", text) and text.upper() not in USUAL_NAMES:
        return text.upper() if pycountry.countries.get(alpha_2=text.upper()) else None
    return _country_names().get(comparable(text))


USUAL_NAMES = {
    "UK": "GB",
    "United Kingdom": "GB",
    "Great Britain": "GB",
    "England": "GB",
    "Skotland": "GB",
    "Scotland": "GB",
    "Wales": "GB",
    "Nordirland": "GB",
    "Northern Ireland": "GB",
    "Nederlandene": "NL",
    "Luxemburg": "LU",
    "Czech Republic": "CZ",
    "Turkey": "TR",
    "Tyrkiet": "TR",
    "Russia": "RU",
    "Rusland": "RU",
    "Sydkorea": "KR",
    "De Forenede Arabiske Emirater": "AE",
    "Emiraterne": "AE",
    "Amerika": "US",
    "De Forenede Stater": "US",
}
"""Names in daily use that ISO 3166 and its Danish translation do not have."""


@lru_cache(maxsize=1)
def _country_names() -> dict[str, str]:
    import gettext

    danish = gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=["da"], fallback=True)
    names = {comparable(name): code for name, code in USUAL_NAMES.items()}
    for country in pycountry.countries:
        spellings = [country.name, getattr(country, "common_name", country.name), country.alpha_3]
        for spelling in [*spellings, *(danish.gettext(spelling) for spelling in spellings)]:
            names.setdefault(comparable(spelling), country.alpha_2)
    return names
