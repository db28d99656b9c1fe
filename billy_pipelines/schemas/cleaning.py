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
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pycountry
from stdnum import ean as ean_number
from stdnum.dk import cvr
from stdnum.eu import vat as eu_vat
from stdnum.exceptions import InvalidFormat, InvalidLength, ValidationError

from billy_pipelines.schemas.whole_column import arrow, changed, mask_of, matches, text_series

PLACEHOLDER_CVR = frozenset({"12345678", "87654321", "11223344"} | {digit * 8 for digit in "0123456789"})
CLEAR_MARKS = frozenset({"#RYD", "#CLEAR"})

_CPR = re.compile(r"(?<!\d)\d{6}[-\u00ad\u2010-\u2015\u2212\uff0d]\d{4}(?!\d)")  # Word makes other dashes of a hyphen
_UNUSUAL = r"[^\x00-\x{9f}\x{a1}-\x{ac}\x{ae}-\x{17f}\x{2013}-\x{201e}\x{20ac}]"
"""Cells with a sign that is not in common Western text, which has nothing unseen in it and is in NFC as it is."""
_EDGE = r"(?:^[\s\x1c-\x1f\x85\p{Z}]|[\s\x1c-\x1f\x85\p{Z}]$)"
"""Cells that may have something to trim, by all that Python's `strip` takes."""
_GUARD = re.compile(r"^(?:'(?=[=+\-@\t\r\n\d])\s*)+")
_MONTH = "(?:jan|feb|mar|apr|maj|may|jun|jul|aug|sep|okt|oct|nov|dec)[a-z]*"
REWRITTEN = (
    r"(?:\+[0-9]+|0[0-9]+|[0-9]{12,}|[0-9]+(?:[.,][0-9]+)*%|[0-9]+(?:[.,][0-9]+)+|[0-9]+(?:[.,][0-9]+)?[eE][+-]?[0-9]+"
    r"|[0-9]{1,4}(?:[-/.:][0-9]{1,4}){1,2}"
    rf"|(?i:[0-9]{{1,2}}[-. ]*{_MONTH}|(?:[0-9]{{1,2}}[-. ]*)?{_MONTH}[-. ]*[0-9]{{1,4}}))"
)
"""Text that a spreadsheet makes something else of when it opens a CSV: 0800, +4512345678, 5790000000012, 1-2, maj 2026.
RE2 and Python read it alike."""
_KEPT = re.compile(rf'="({REWRITTEN})"')
"""The one form in which it leaves such text alone; our own exports write it."""
_INVISIBLE = "[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
_DANISH_VAT = re.compile(r"(?:DK|CVR|CVRNR|SENR|MOMSNR)+([0-9]{8})")
_DANISH_SE = re.compile("SE[0-9]{8}")
# HTML's own pattern for <input type=email>, with at least one dot in the domain: syntax only, nobody is asked.
_LABEL = r"[A-Za-z0-9À-ÖØ-öø-ÿ](?:[A-Za-z0-9À-ÖØ-öø-ÿ-]{0,61}[A-Za-z0-9À-ÖØ-öø-ÿ])?"
EMAIL_PATTERN = rf"[A-Za-z0-9À-ÖØ-öø-ÿ.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})+"


def clean_text(column: pd.Series[str]) -> pd.Series[str]:
    """Trimmed, NFC, no-break blanks as blanks, what cannot be seen and an apostrophe that protects a number or formula
    in a sheet removed; `="0800"`, which
    spreadsheets show as 0800, as that."""
    cells = arrow(column)
    # After the rest: what cannot be seen may stand between o and its dots.
    cells = changed(cells, matches(cells, _UNUSUAL), lambda some: pc.utf8_normalize(_seen(some), form="NFC"))
    cells = changed(cells, matches(cells, _EDGE), _stripped)
    cells = changed(cells, mask_of(pc.starts_with(cells, '="')), _without_kept)
    return text_series(changed(cells, mask_of(pc.starts_with(cells, "'")), _without_guard), column)


def _seen(cells: Any) -> Any:
    blanks = pc.replace_substring(cells, "\u00a0", " ")
    return pc.replace_substring_regex(blanks, _INVISIBLE, "")


def _stripped(cells: Any) -> Any:
    return pa.array([text.strip() for text in cells.to_pylist()], type=pa.large_string())


def _without_kept(cells: Any) -> Any:
    return pa.array([as_kept(text) or text for text in cells.to_pylist()], type=pa.large_string())


def as_kept(text: str) -> str:
    """What stands in a cell such as `="0800"`; '' for other cells."""
    found = _KEPT.fullmatch(text)
    return found[1] if found else ""


def _without_guard(cells: Any) -> Any:
    return pa.array([_GUARD.sub("", text) for text in cells.to_pylist()], type=pa.large_string())


def comparable(text: str | None) -> str:
    """Text as it is compared."""
    return " ".join(unicodedata.normalize("NFKC", text or "").casefold().split())


def comparable_column(column: pd.Series[str]) -> pd.Series[str]:
    """As `comparable`, a whole column at once."""
    cells = arrow(column)
    # Arrow knows small letters, not case folding, which differs for ß and beyond Western European letters.
    others = matches(cells, r"[^\x00-\x{de}\x{e0}-\x{ff}]")
    spaced = matches(cells, r"^\s|\s$|\s\s|[\t-\r\x1c-\x1f\x{85}\x{a0}]")
    plain = pc.utf8_lower(
        changed(cells, ~mask_of(pc.string_is_ascii(cells)), lambda some: pc.utf8_normalize(some, "NFKC"))
    )
    difficult = pa.array(others | spaced)
    folded = pa.array(list(map(comparable, cells.filter(difficult).to_pylist())), type=pa.large_string())
    return text_series(pc.replace_with_mask(plain, difficult, folded), column)


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
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text or "").upper())
    # Once more: an accent may have stood behind a blank.
    number = unicodedata.normalize("NFC", re.sub(r"[\s.:\-]", "", plain))
    danish = _DANISH_VAT.fullmatch(number)
    return danish.group(1) if danish else number


def without_se(number: str, country: str | None) -> str:
    """A cleaned number without the `SE` of a Danish SE number. Sweden's have twelve digits, so eight behind `SE` are a
    Danish firm's, unless the row says that it is from elsewhere."""
    return number[2:] if country in (None, "", "DK") and _DANISH_SE.fullmatch(number) else number


def full_width_as_plain(column: pd.Series[str]) -> pd.Series[str]:
    """NFKC where a cell is not ASCII: full-width digits, as East Asian keyboards write them, become plain ones."""
    cells = arrow(column)
    unusual = ~mask_of(pc.string_is_ascii(cells))
    if not unusual.any():
        return column
    return text_series(changed(cells, unusual, lambda some: pc.utf8_normalize(some, form="NFKC")), column)


def clean_vat_column(column: pd.Series[str]) -> pd.Series[str]:
    """As `clean_vat`, a whole column at once."""
    cells = arrow(column)
    return text_series(changed(cells, ~matches(cells, "^[0-9]*$"), _vat_numbers), column)


def _vat_numbers(cells: Any) -> Any:
    return pa.array([clean_vat(text) for text in cells.to_pylist()], type=pa.large_string())


def foreign_prefix(number: str) -> str:
    """The country a cleaned VAT number names in front, '' for a Danish one or none. Greece and Northern Ireland use
    codes of their own."""
    prefix = number[:2]
    known = re.fullmatch("[A-Z]{2}", prefix) and (prefix in ("EL", "XI") or country_code(prefix))
    return prefix if known and prefix != "DK" else ""


def is_vat_form(number: str, country: str) -> bool:
    """Whether a cleaned number can be a CVR number, or a foreign VAT number of its prefix or the row's country."""
    if re.fullmatch("[0-9]{8}", number):
        return True
    if foreign_prefix(number):
        return re.fullmatch("[A-Z]{2}(?=.*[0-9]{4})[0-9A-Z]{4,13}", number) is not None and _has_eu_form(number)
    return country not in ("", "DK") and re.fullmatch("(?=.*[0-9]{4})[0-9A-Z]{4,15}", number) is not None


def _has_eu_form(number: str) -> bool:
    """Whether a number behind the prefix of an EU country is as long and made as that country's are; True for other
    prefixes. Check digits are not judged: a wrong one rejects no Danish number either (rule B6)."""
    try:
        # A Swedish firm's further registrations end in 02 and up; the library knows 01 alone.
        eu_vat.validate(re.sub("^(SE[0-9]{10})[0-9]{2}$", r"\g<1>01", number))
    except (InvalidFormat, InvalidLength):
        return False
    except ValidationError:
        return True
    return True


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


_CVR_WEIGHTS = (1, 2, 3, 4, 5, 6, 7, 2)
"""Of the last digit, the one before it, and so on."""


def are_cvr(numbers: pd.Series[str]) -> npt.NDArray[np.bool_]:
    """As `is_cvr` for eight digits each, a whole column at once: python-stdnum takes 10 s for a million numbers. A test
    holds the two equal."""
    if numbers.empty:
        return np.zeros(0, dtype=bool)
    values: npt.NDArray[np.int64] = pc.cast(arrow(numbers), pa.int64()).to_numpy()
    total = np.zeros_like(values)
    for place, weight in enumerate(_CVR_WEIGHTS):
        total += weight * (values // 10**place % 10)
    fits: npt.NDArray[np.bool_] = total % 11 == 0
    return fits & (values >= 10_000_000) & ~numbers.isin(PLACEHOLDER_CVR).to_numpy(dtype=bool)


def vat_key(text: str | None, country: str | None) -> str | None:
    """What a CVR or VAT number is found by: a good CVR number, or a foreign number behind its country's prefix; None
    when it identifies nobody (rule B6). Eight digits from Finland can pass for a CVR number, so the country decides."""
    number = without_se(clean_vat(text), country)
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
