"""What a valid row of a contact file is: a customer's columns, a supplier's, and contact persons."""

from __future__ import annotations

import json
from typing import Any

import pytest

from billy_pipelines.files.headers import folded
from billy_pipelines.schemas.contact_columns import CONTACT_COLUMNS
from billy_pipelines.schemas.contacts import CONTACTS_SCHEMA
from billy_pipelines_tests.schemas.checking import assert_well_described, codes, examples, fields_of_headers, judge

NAME = "Æblehaven Prøve ApS"
ANNA = {"name": "Anna Prøvesen", "email": "anna@aeblehaven.example", "isPrimary": True}
BO = {"name": "Bo Prøvesen", "email": "bo@aeblehaven.example", "isPrimary": False}


def contact(**fields: str) -> dict[str, str]:
    return {"name": NAME, **fields}


def row_of(fields: dict[str, str], **context: Any) -> dict[str, Any]:
    [row] = judge(CONTACTS_SCHEMA, fields, **context).rows
    assert row is not None
    return row


def test_columns_are_well_described_and_include_a_customers() -> None:
    assert_well_described(CONTACTS_SCHEMA)
    assert {column.name for column in CONTACT_COLUMNS} <= CONTACTS_SCHEMA.fields.keys()


@pytest.mark.parametrize("danish", [False, True])
def test_the_examples_of_the_template_are_valid(danish: bool) -> None:
    found = judge(CONTACTS_SCHEMA, *examples(CONTACTS_SCHEMA, danish=danish))
    assert not found.rejected.any()


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Leverandørnavn", "name"),
        ("Kundenavn", "name"),
        ("Leverandørnr.", "contactNo"),
        ("Kundenr.", "contactNo"),
        ("Er kunde", "isCustomer"),
        ("Er leverandør", "isSupplier"),
        ("Spærret", "isArchived"),
        ("Sprog", "language"),
        ("Betalingsbetingelse", "paymentTerms"),
        ("Betalingsbetingelser", "paymentTerms"),
        ("Kontaktpersoner", "contactPersons"),
    ],
)
def test_headers_people_write_are_known(header: str, field: str) -> None:
    assert fields_of_headers(CONTACTS_SCHEMA)[folded(header)] == field


def test_a_full_row_passes_cleaned() -> None:
    found = judge(
        CONTACTS_SCHEMA,
        contact(
            type="Virksomhed",
            isCustomer="ja",
            isSupplier="nej",
            isArchived="false",
            language="Dansk",
            paymentTerms="Løbende måned + 15 dage",
            expenseAccountNo="2110",
            expenseDescription="Kontorartikler",
            contactPersons=json.dumps([ANNA, BO]),
        ),
    )
    assert found.problems == {}
    assert list(found.rows) == [
        {
            "name": NAME,
            "type": "company",
            "isCustomer": "true",
            "isSupplier": "false",
            "isArchived": "false",
            "language": "da_DK",
            "paymentTerms": "netEndOfMonth 15",
            "expenseAccountNo": "2110",
            "expenseDescription": "Kontorartikler",
            "contactPersons": [ANNA, BO],
        }
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("virksomhed", "company"), ("Firma", "company"), ("privat", "person"), ("Privatperson", "person")],
)
def test_types_are_written_in_danish_too(written: str, meant: str) -> None:
    assert row_of(contact(type=written))["type"] == meant


@pytest.mark.parametrize(
    ("code", "column", "text"),
    [
        ("choice_unknown", "type", "forening af venner"),
        ("boolean_form", "isSupplier", "måske"),
        ("choice_unknown", "language", "Klingon"),
        ("unknown_terms", "paymentTerms", "14"),
        ("unknown_terms", "paymentTerms", "01-05-2026"),
        ("account_form", "expenseAccountNo", "Kontor"),
        ("list_form", "contactPersons", "Anna Prøvesen"),
        ("list_form", "contactPersons", '[{"phone": "00000000"}]'),
        ("list_form", "contactPersons", '[{"name": "Anna", "isPrimary": "måske"}]'),
        ("email_form", "contactPersons", '[{"name": "Anna", "email": "anna(at)aeblehaven"}]'),
        ("possible_cpr", "contactPersons", '[{"name": "Anna 010190-1234"}]'),
        ("vat_form", "vatNo", "1234567"),
    ],
)
def test_a_wrong_cell_is_rejected_by_its_code_and_column_alone(code: str, column: str, text: str) -> None:
    found = judge(CONTACTS_SCHEMA, contact(**{column: text}))
    assert codes(found) == [(code, column)]
    assert list(found.rows) == [None]


def test_a_persons_wrong_address_is_repeated_without_the_rest_of_the_list() -> None:
    persons = json.dumps([ANNA, {"name": "Bo", "email": "bo(at)x"}])
    [problem] = judge(CONTACTS_SCHEMA, contact(contactPersons=persons)).problems[0]
    assert "bo(at)x is no" in problem.message.replace("not an", "no")
    assert "Anna" not in problem.message


def test_b23_only_what_is_known_of_a_person_goes_on() -> None:
    persons = [{**ANNA, "phone": "+45 00 00 00 00", "note": "ringer sent"}, {"email": "bo@aeblehaven.example"}]
    assert row_of(contact(contactPersons=json.dumps(persons)))["contactPersons"] == [
        ANNA,
        {"name": "", "email": "bo@aeblehaven.example", "isPrimary": False},
    ]


def test_b3_more_than_one_primary_person_is_rejected() -> None:
    both = json.dumps([ANNA, BO | {"isPrimary": True}])
    assert codes(judge(CONTACTS_SCHEMA, contact(contactPersons=both))) == [
        ("several_primary_persons", "contactPersons")
    ]


def test_b3_an_email_of_its_own_must_be_that_of_the_primary_person() -> None:
    persons = json.dumps([ANNA, BO])
    same = judge(CONTACTS_SCHEMA, contact(email="ANNA@aeblehaven.example", contactPersons=persons))
    other = judge(CONTACTS_SCHEMA, contact(email="bo@aeblehaven.example", contactPersons=persons))
    nobody = judge(CONTACTS_SCHEMA, contact(email="c@aeblehaven.example", contactPersons=json.dumps([BO])))
    assert codes(same) == []
    assert codes(other) == [("several_primary_persons", "contactPersons")]
    assert codes(nobody) == []


def test_the_rules_of_a_customer_hold_too() -> None:
    found = judge(
        CONTACTS_SCHEMA,
        contact(contactNo="1", zipcode="800"),
        contact(contactNo="1", zipcode="8000"),
    )
    assert codes(found, 0) == [("zeros_lost", "zipcode")]
    assert codes(found, 1) == [("duplicate_in_file", "contactNo")]
