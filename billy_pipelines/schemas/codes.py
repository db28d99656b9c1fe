"""Every code a row can get, with its sentence: what happened and what to do. Codes are stable; texts may improve.

Sentences are filled with the row's own details. A code that is a warning never stops a row.
"""

from __future__ import annotations

from dataclasses import dataclass

HIDDEN = "•••"
"""What stands where a value must not be repeated (rule B23)."""


@dataclass(frozen=True)
class Problem:
    """One thing about one row. `value` is what stood in the cell, for the row's owner only."""

    code: str
    column: str = ""
    value: str = ""
    message: str = ""
    warning: bool = False


REJECTIONS: dict[str, str] = {
    "required": "{column} is missing. Fill it in.",
    "too_many_cells": "the line has {cells} cells, the header has {columns}. "
    "Look for a separator inside a value and put the value in quotes.",
    "email_form": "{value} is not an e-mail address. Write it as name@company.dk.",
    "country_unknown": "{value} is no country we know. Use a two-letter code such as DK, or the country's name.",
    "vat_form": "{value} has not the form of a Danish CVR number (eight digits) or a foreign VAT number.",
    "possible_cpr": "the cell looks like a CPR number. CPR numbers must not be sent to Billy; remove it.",
    "ean_form": "{value} is no EAN number: 13 digits, the last one a check digit.",
    "clear_not_allowed": "{column} cannot be cleared. Remove the mark, or give a value.",
    "duplicate_in_file": "the row means the same record as line {line}. Keep one of them.",
    "possible_duplicate": "Billy has a {kind} of the same name whose details differ ({fields}): {ids}. "
    "Give a number both have (contactNo, CVR, EAN, id), or use on_existing: create if it is another one.",
    "ambiguous_match": "more than one record in Billy fits: {ids}. Give the id of the one you mean.",
    "not_found": "there is no {kind} with {key} {value} in these books.",
    "already_exists": "{kind} {ids} exists already, and on_existing is fail.",
    "primary_person_unclear": "contact {ids} has {count} primary contact persons, so it is not clear whose e-mail to "
    "change. Mark one person as primary in Billy.",
}

WARNINGS: dict[str, str] = {
    "vat_check_digit": "{value} fails the check digits of a CVR number; it is sent as it is, but finds no record.",
    "vat_placeholder": "{value} is a placeholder, not a CVR number; it is never used to find a record.",
    "same_name_in_file": "line {line} has the same name but other details.",
}

SKIPS: dict[str, str] = {
    "exists": "exists already in Billy{differences}.",
    "archived": "exists in Billy but is archived; un-archive it there if it should be used again.",
    "supplier_only": "exists in Billy as a supplier only{differences}. "
    "Use on_existing: update to make it a customer too.",
}

FAILURES: dict[str, str] = {
    "billy_refused": "{message}",
    "changed_since_plan": "{fields} changed in Billy after the plan was made. Run the job again to plan anew.",
    "gone_since_plan": "the record was deleted in Billy after the plan was made.",
    "not_settled": "Billy gave no clear answer ({message}), so it may be in the books. Do nothing by hand: when "
    "the job goes on (`billy retry`, or the same file once more) it looks there first, and never sends twice.",
    "outcome_unknown": "Billy gave no clear answer ({message}). Look in Billy for {key} before doing anything: "
    "it may be there. It was not sent again.",
}


def sentence(code: str, **details: object) -> str:
    """The text for a code, with the details put in."""
    for catalogue in (REJECTIONS, WARNINGS, SKIPS, FAILURES):
        if code in catalogue:
            return catalogue[code].format(**details)
    raise KeyError(code)


def masked(value: str) -> str:
    """A value for logs and metadata: enough to recognise it by its owner, not enough to use (rule B23)."""
    text = value.strip()
    return (
        ""
        if not text
        else f"{text[0]}{'•' * min(len(text) - 1, 7)}"
        if len(text) < 12
        else f"{text[:2]}•••••{text[-1]}"
    )
