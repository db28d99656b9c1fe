"""Rules across the columns of a contact register's row, and what makes two rows of a file the same contact."""

from __future__ import annotations

import pandas as pd

from billy_pipelines.schemas.cleaning import (
    PLACEHOLDER_CVR,
    are_cvr,
    clean_vat,
    comparable,
    comparable_column,
    comparable_phone,
    comparable_postcode,
    is_vat_form,
    vat_key,
    without_se,
)
from billy_pipelines.schemas.row_schema import Context, Report, UniqueKey


def _countries(cleaned: pd.DataFrame) -> pd.Series[str]:
    return cleaned["country"] if "country" in cleaned else pd.Series("", index=cleaned.index, dtype="str")


def mend_se_numbers(cleaned: pd.DataFrame) -> None:
    """A Danish SE number is a CVR number by form, and is sent as one: without `SE`."""
    if "vatNo" not in cleaned:
        return
    numbers, countries = cleaned["vatNo"], _countries(cleaned)
    danish = numbers.str.startswith("SE") & countries.isin(["", "DK"])
    if danish.any():
        mended = numbers[danish].map(lambda number: without_se(number, None)).astype("str")
        cleaned["vatNo"] = mended.reindex(cleaned.index).fillna(numbers)


def check_vat(cleaned: pd.DataFrame, _: Context, report: Report) -> None:
    """The form of a CVR or VAT number in its row's country is an error, wrong check digits a warning (rule B6)."""
    if "vatNo" not in cleaned:
        return
    mend_se_numbers(cleaned)
    numbers, countries = cleaned["vatNo"], _countries(cleaned)
    eight = numbers.str.fullmatch("[0-9]{8}")
    for position in numbers.index[~eight & (numbers != "")]:
        if not is_vat_form(str(numbers.at[position]), str(countries.at[position])):
            report(int(position), "vat_form", "vatNo")
    danish = numbers[eight & countries.isin(["", "DK"])]
    wrong = danish[~are_cvr(danish)]
    placeholder = wrong.isin(PLACEHOLDER_CVR)
    for code, found in (("vat_placeholder", wrong[placeholder]), ("vat_check_digit", wrong[~placeholder])):
        for position in found.index.tolist():
            report(position, code, "vatNo", warning=True)


def mend_postcodes(cleaned: pd.DataFrame, _: Context, report: Report) -> None:
    """A Danish postcode has four digits; of one with three a spreadsheet took the zero (0800 Høje Taastrup)."""
    if "zipcode" not in cleaned:
        return
    short = cleaned["zipcode"].str.fullmatch("[0-9]{3}") & _countries(cleaned).isin(["", "DK"])
    mended = "0" + cleaned["zipcode"][short]
    for position, postcode in mended.items():
        report(int(str(position)), "zeros_lost", "zipcode", warning=True, mended=postcode)
    if not mended.empty:
        cleaned["zipcode"] = mended.reindex(cleaned.index).fillna(cleaned["zipcode"])


def _vat_keys(cleaned: pd.DataFrame) -> pd.Series[str]:
    """CVR and VAT numbers that identify somebody; worked out only for those that come twice."""
    numbers, countries = cleaned["vatNo"], _countries(cleaned)
    several = numbers[numbers.duplicated(keep=False) & (numbers != "")]
    keys = pd.Series("", index=numbers.index, dtype="str")
    for position in several.index:
        keys.at[position] = vat_key(str(numbers.at[position]), str(countries.at[position])) or ""
    return keys


def _names_and_emails(cleaned: pd.DataFrame) -> pd.Series[str]:
    names = comparable_column(cleaned["name"])
    several = names[names.duplicated(keep=False) & (names != "")]
    addresses = comparable_column(cleaned["email"].loc[several.index])
    keys = (several + "\n" + addresses).where(addresses != "", "")
    return keys.reindex(names.index).fillna("")


CONTACT_KEYS = (
    UniqueKey(("id",), lambda cleaned: cleaned["id"]),
    UniqueKey(("contactNo",), lambda cleaned: comparable_column(cleaned["contactNo"])),
    UniqueKey(("ean",), lambda cleaned: cleaned["ean"]),
    UniqueKey(("vatNo",), _vat_keys, contradicts={"ean": comparable, "contactNo": comparable, "id": comparable}),
    UniqueKey(("name", "email"), _names_and_emails, "name and email", contradicts={"contactNo": comparable}),
    UniqueKey(
        ("name",),
        lambda cleaned: comparable_column(cleaned["name"]),
        contradicts={
            "contactNo": comparable,
            "zipcode": comparable_postcode,
            "phone": comparable_phone,
            "vatNo": clean_vat,
            "ean": comparable,
            "email": comparable,
        },
    ),
)
"""The match keys of rule B5, as rows of one file are compared with each other."""
