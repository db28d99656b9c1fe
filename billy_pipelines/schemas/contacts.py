"""Contacts: customers and suppliers alike, with both flags and what a supplier has beside a customer's columns."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd

from billy_pipelines.billy.models import Contact
from billy_pipelines.schemas import contact_meaning as meaning
from billy_pipelines.schemas import contact_requests as requests
from billy_pipelines.schemas.cleaning import EMAIL_PATTERN, comparable
from billy_pipelines.schemas.contact_columns import CONTACT_COLUMNS, NEVER_USED
from billy_pipelines.schemas.contact_export import CONTACTS_EXPORT
from billy_pipelines.schemas.contact_rules import CONTACT_KEYS, check_vat, mend_postcodes
from billy_pipelines.schemas.contact_undo import CONTACTS_UNDO
from billy_pipelines.schemas.payment_terms import check_contact_terms
from billy_pipelines.schemas.profiles import PROFILES
from billy_pipelines.schemas.references import contact_in_use, contact_references, resolve_contact
from billy_pipelines.schemas.resource import Resource
from billy_pipelines.schemas.row_schema import Column, Context, Kind, Report, RowSchema
from billy_pipelines.schemas.shared_rules import Objects, only_digits, rewrite_list

PERSONS_EXAMPLE = '[{"name": "Anna Prøvesen", "email": "anna@aeblehaven.example", "isPrimary": true}]'

_SUPPLIERS_NAMES = {
    "name": ("leverandør", "leverandørnavn", "kreditornavn", "supplier", "supplier name", "vendor", "vendor name"),
    "contactNo": (
        "leverandørnr",
        "leverandørnummer",
        "kreditornr",
        "kreditornummer",
        "supplier number",
        "vendor number",
    ),
}
"""What a supplier's name and number are called, beside what a customer's are."""

COLUMNS = (
    *(
        replace(column, aliases=(*column.aliases, *_SUPPLIERS_NAMES.get(column.name, ())))
        for column in CONTACT_COLUMNS
        if column.name != "id"
    ),
    Column(
        "isCustomer",
        "Whether it can have invoices.",
        ("er kunde",),
        may_clear=False,
        examples=("true", "true"),
        kind=Kind.BOOLEAN,
        danish="Er kunde",
        description_da="Om kontakten kan få fakturaer.",
        danish_examples=("ja", "ja"),
    ),
    Column(
        "isSupplier",
        "Whether it can have bills.",
        ("er leverandør", "er kreditor", "is vendor"),
        may_clear=False,
        examples=("false", "true"),
        kind=Kind.BOOLEAN,
        danish="Er leverandør",
        description_da="Om I kan få regninger fra kontakten.",
        danish_examples=("nej", "ja"),
    ),
    Column(
        "expenseAccountNo",
        "Number of the account a supplier's bills are booked on.",
        ("udgiftskonto", "omkostningskonto", "standard udgiftskonto", "expense account", "default expense account"),
        may_clear=False,
        examples=("", "2110"),
        danish="Udgiftskonto",
        description_da="Nummeret på den konto, leverandørens regninger bogføres på.",
    ),
    Column(
        "expenseDescription",
        "Text a supplier's bills begin with.",
        ("udgiftstekst", "udgiftsbeskrivelse", "default expense description"),
        examples=("", "Kontorartikler"),
        danish="Udgiftstekst",
        description_da="Tekst, som leverandørens regninger begynder med.",
    ),
    Column(
        "contactPersons",
        "All contact persons, as JSON; the list replaces those there are.",
        ("kontaktpersoner", "contacts", "persons"),
        may_clear=False,
        kind=Kind.LIST,
        examples=(PERSONS_EXAMPLE.replace("anna@", "faktura@"), ""),
        danish="Kontaktpersoner",
        description_da="Alle kontaktpersoner, som JSON; listen erstatter dem, der er.",
    ),
    next(column for column in CONTACT_COLUMNS if column.name == "id"),
)


def check_expense_account(cleaned: pd.DataFrame, _: Context, report: Report) -> None:
    """Rule: the account is given by its number."""
    only_digits(cleaned, "expenseAccountNo", report)


def check_persons(cleaned: pd.DataFrame, _: Context, report: Report) -> None:
    """Rule: each person has a name or an e-mail address, and one at most is the primary one (rule B3).

    An e-mail in a column of its own is the primary person's, so a primary one in the list must have the same.
    """

    def known(position: int, objects: Objects) -> Objects:
        kept: Objects = []
        for one in objects:
            name, email = (str(one.get(key) or "").strip() for key in ("name", "email"))
            primary = one.get("isPrimary") or False
            if not (name or email) or not isinstance(primary, bool):
                raise ValueError(PERSONS_EXAMPLE)
            if email and not re.fullmatch(EMAIL_PATTERN, email):
                report(position, "email_form", "contactPersons", value=email)
            kept.append({"name": name} | ({"email": email} if email else {}) | {"isPrimary": primary})
        primaries = [person for person in kept if person["isPrimary"]]
        column = str(cleaned.at[position, "email"]) if "email" in cleaned else ""
        others = [person for person in primaries if comparable(person.get("email")) != comparable(column)]
        if len(primaries) > 1 or (column and others):
            report(position, "several_primary_persons", "contactPersons")
        return kept

    rewrite_list(cleaned, "contactPersons", known, report)


CONTACTS_SCHEMA = RowSchema(
    name="contacts",
    singular="contact",
    columns=COLUMNS,
    rules=(check_vat, mend_postcodes, check_contact_terms, check_expense_account, check_persons),
    unique=CONTACT_KEYS,
    profiles=PROFILES.get("contacts", ()),
    ignored=NEVER_USED,
)

CONTACTS = Resource[Contact](
    schema=CONTACTS_SCHEMA,
    endpoint="contacts",
    endpoint_singular="contact",
    family="contacts",
    operations=("import", "update", "delete"),
    match_keys=meaning.MATCH_KEYS,
    read_all=requests.read_all_contacts,
    read_one=requests.read_one_contact,
    is_archived=lambda record: bool(record.isArchived),
    contradictions=meaning.contradictions,
    differences=meaning.differences,
    is_complete=meaning.is_complete,
    update_obstacle=meaning.update_obstacle,
    create_body=meaning.create_body,
    as_record=meaning.row_as_contact,
    created_record=requests.created_contact,
    write_update=requests.write_contact_update,
    label=lambda row: str(row.get("name") or row.get("id") or ""),
    load_references=contact_references,
    resolve=resolve_contact,
    in_use=contact_in_use,
    writable=meaning.WRITABLE,
    by_hand=meaning.BY_HAND,
    known_by=meaning.KNOWN_BY,
    export=CONTACTS_EXPORT,
    undo=CONTACTS_UNDO,
)
