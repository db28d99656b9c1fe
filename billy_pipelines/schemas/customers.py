"""Customers: contacts with the customer flag. The columns are those of the template, plus the keys of rule B5."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from billy_pipelines.billy.models import Contact
from billy_pipelines.schemas import contact_meaning as meaning
from billy_pipelines.schemas.cleaning import (
    CLEAR_MARKS,
    EMAIL_PATTERN,
    PLACEHOLDER_CVR,
    clean_text,
    clean_vat,
    country_code,
    is_cvr,
    is_ean,
    is_possible_cpr,
    is_possible_cpr_in_vat,
    is_vat_form,
)
from billy_pipelines.schemas.codes import HIDDEN, Problem, sentence
from billy_pipelines.schemas.resource import Change, Column, Resource, Validated

COLUMNS = (
    Column(
        "name",
        "Name of the company or person.",
        ("navn", "firmanavn", "kundenavn", "debitornavn", "kontonavn", "customer name", "company name"),
        required=True,
        may_clear=False,
        examples=("Æblehaven Prøve ApS", "Søren Prøvesen"),
    ),
    Column(
        "email",
        "E-mail address invoices go to; becomes the primary contact person's.",
        ("mail", "e-mail", "e-mailadresse", "mailadresse"),
        examples=("faktura@aeblehaven.example", "soeren@proevesen.example"),
    ),
    Column(
        "phone",
        "Telephone number, as text.",
        ("telefon", "tlf", "telefonnummer", "mobil"),
        examples=("+45 00 00 00 00", ""),
    ),
    Column("address", "Street and number.", ("adresse", "gade", "street"), examples=("Prøvevej 1", "Åvej 2")),
    Column("city", "Town.", ("by", "bynavn", "town"), examples=("Høje Taastrup", "Aarhus C")),
    Column(
        "zipcode",
        "Postcode, as text, so that leading zeros stay.",
        ("postnr", "postnummer", "zip", "postcode", "postal code"),
        examples=("2630", "8000"),
    ),
    Column(
        "country",
        "Two-letter code or name; DK for a new customer when blank.",
        ("land", "landekode", "country code"),
        may_clear=False,
        examples=("DK", "Danmark"),
    ),
    Column(
        "vatNo",
        "CVR number, or a foreign VAT number with its prefix.",
        ("cvr", "cvr-nr", "cvr nummer", "momsnr", "moms-nr", "se-nr", "registrationNo", "vat number"),
        may_clear=False,
        examples=("00000000", ""),
    ),
    Column(
        "contactNo",
        "Your own customer number.",
        ("kundenr", "kundenummer", "debitornr", "customer number"),
        may_clear=False,
    ),
    Column("ean", "EAN (GLN) number for electronic invoices, 13 digits.", ("ean-nr", "gln"), may_clear=False),
    Column("id", "Billy's id of an existing customer.", ("billy id",), may_clear=False),
)


def _check(code: str, test: Callable[[pd.Series[str]], pd.Series[bool]]) -> pa.Check:
    """A vectorised check that lets blanks pass and is known by its error code."""
    return pa.Check(lambda column: (column == "") | test(column), name=code, error=code)


def _by_value(test: Callable[[str], bool]) -> Callable[[pd.Series[str]], pd.Series[bool]]:
    """Judge each distinct value once: registers repeat countries and towns by the thousand."""

    def apply(column: pd.Series[str]) -> pd.Series[bool]:
        verdicts = {value: test(value) for value in column.unique()}
        return column.map(verdicts).astype(bool)

    return apply


_SCHEMA = pa.DataFrameSchema(
    {
        "name": pa.Column(str, pa.Check(lambda column: column != "", name="required", error="required")),
        "email": pa.Column(str, _check("email_form", lambda c: c.str.fullmatch(EMAIL_PATTERN)), required=False),
        "country": pa.Column(
            str, _check("country_unknown", _by_value(lambda value: country_code(value) is not None)), required=False
        ),
        "ean": pa.Column(str, _check("ean_form", _by_value(is_ean)), required=False),
    },
    strict=False,
    name="customers",
)


def validate(table: pd.DataFrame, blank_means: str) -> Validated:
    """Clean and check a table of text, all rows and all columns at once.

    Rows are told apart by their position; a problem carries the value as it stood in the file.
    """
    original = table.reset_index(drop=True)
    cleaned = seen = original.apply(clean_text)
    marks = cleaned.apply(lambda column: column.str.upper()).isin(CLEAR_MARKS)
    cleaned = cleaned.mask(marks, "")
    if "vatNo" in cleaned:
        cleaned["vatNo"] = cleaned["vatNo"].map(clean_vat)
    countries = cleaned.get("country", pd.Series("", index=cleaned.index)).map(lambda value: country_code(value) or "")
    personal = _personal_numbers(seen, countries)
    problems: dict[int, list[Problem]] = {}

    def report(position: int, code: str, column: str, *, warning: bool = False) -> None:
        if code != "possible_cpr" and (position, column) in personal:
            return  # whatever else is wrong with such a cell, saying so would repeat its value
        value = HIDDEN if code == "possible_cpr" else str(original.at[position, column])
        text = sentence(code, column=column, value=value)
        problems.setdefault(position, []).append(Problem(code, column, value, text, warning))

    for position, name in sorted(personal):
        report(position, "possible_cpr", name)
    for column in COLUMNS:
        if column.name in marks and not column.may_clear:
            for position in marks.index[marks[column.name]]:
                report(position, "clear_not_allowed", column.name)
    try:
        _SCHEMA.validate(cleaned, lazy=True)
    except SchemaErrors as errors:
        for case in errors.failure_cases.itertuples():
            if not marks.at[case.index, case.column]:
                report(int(case.index), str(case.check), str(case.column))
    if "vatNo" in cleaned:
        _check_vat(cleaned["vatNo"], countries, report)
    rejected = {position for position, found in problems.items() if any(not problem.warning for problem in found)}
    if "country" in cleaned:
        cleaned["country"] = countries
    return Validated(_rows(cleaned, marks, rejected, blank_means), problems)


def _personal_numbers(seen: pd.DataFrame, countries: pd.Series[str]) -> set[tuple[int, str]]:
    """Cells that may hold a CPR number, by position and column: refused, and masked everywhere (rule B23).

    They are judged without what cannot be seen, as they would be sent."""
    found = set()
    for name in seen.columns:
        likely = seen[name].str.contains(r"\d{6}\W\d{4}" if name != "vatNo" else r"(?:\d\D*){10}", regex=True)
        for position in seen.index[likely]:
            value = str(seen.at[position, name])
            in_vat = name == "vatNo" and is_possible_cpr_in_vat(value, str(countries.at[position]))
            if in_vat or (name != "vatNo" and is_possible_cpr(value)):
                found.add((int(position), str(name)))
    return found


def _check_vat(numbers: pd.Series[str], countries: pd.Series[str], report: Callable[..., None]) -> None:
    usual = numbers.str.fullmatch(r"\d{8}") | (numbers == "")
    for position in numbers.index[~usual]:
        if not is_vat_form(str(numbers.at[position]), str(countries.at[position])):
            report(position, "vat_form", "vatNo")
    danish = numbers.str.fullmatch(r"\d{8}") & countries.isin(["", "DK"])
    good = _by_value(is_cvr)(numbers)
    for position in numbers.index[danish & ~good]:
        placeholder = numbers.at[position] in PLACEHOLDER_CVR
        report(position, "vat_placeholder" if placeholder else "vat_check_digit", "vatNo", warning=True)


def _rows(
    cleaned: pd.DataFrame, marks: pd.DataFrame, rejected: set[int], blank_means: str
) -> list[dict[str, Any] | None]:
    clearable = {column.name for column in COLUMNS if column.may_clear}
    rows: list[dict[str, Any] | None] = []
    marked = set(marks.index[marks.any(axis=1)])
    for position, record in enumerate(cleaned.to_dict("records")):
        if position in rejected:
            rows.append(None)
            continue
        row: dict[str, Any] = {str(field): value for field, value in record.items() if value}
        if blank_means == "clear":
            row |= {str(field): None for field, value in record.items() if not value and field in clearable}
        elif position in marked:
            row |= {str(field): None for field in record if marks.at[position, field]}
        rows.append(row)
    return rows


CUSTOMERS = Resource[Contact](
    name="customers",
    singular="customer",
    endpoint="contacts",
    endpoint_singular="contact",
    family="contacts",
    operations=("import",),
    columns=COLUMNS,
    match_keys=meaning.MATCH_KEYS,
    validate=validate,
    read_all=meaning.read_all_contacts,
    read_one=meaning.read_one_contact,
    is_archived=lambda record: bool(record.isArchived),
    contradictions=meaning.contradictions,
    differences=meaning.differences,
    is_complete=meaning.is_complete,
    lacks_role=meaning.lacks_customer_role,
    role_change=Change(meaning.CUSTOMER_FLAG, False, True),
    update_obstacle=meaning.update_obstacle,
    create_body=meaning.create_body,
    as_record=meaning.row_as_contact,
    created_record=meaning.created_contact,
    write_update=meaning.write_contact_update,
    label=lambda row: str(row.get("name") or row.get("id") or ""),
)
