"""A fifth resource, contact persons, as a module beside `customers.py` would describe it: this file, and the line that
registers it.

`python -m billy_pipelines_tests.contact_persons …` is the `billy` command with that line in the registry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.errors import UnexpectedAnswer
from billy_pipelines.billy.models import ContactPerson
from billy_pipelines.schemas.cleaning import comparable, comparable_column
from billy_pipelines.schemas.codes import Problem, sentence
from billy_pipelines.schemas.contact_requests import read_all_contacts
from billy_pipelines.schemas.kinds import OTHER_EMAILS
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.schemas.resource import Change, KeyKind, MatchKey, PlanTerms, Resolved, Resource, Row
from billy_pipelines.schemas.row_schema import Column, Context, Kind, Report, RowSchema, UniqueKey
from billy_pipelines.schemas.undoing import Image, Undoing

PLURAL, SINGULAR = "contactPersons", "contactPerson"
TEXTS = ("name", "email")
PRIMARY = "isPrimary"

# -- its files ---------------------------------------------------------------------------------------------------------

COLUMNS = (
    Column(
        "contactId",
        "Billy's id of the contact the person belongs to.",
        ("kontakt id", "kunde id"),
        required=True,
        may_clear=False,
        examples=("ctc0000000000000000001", "ctc0000000000000000001"),
        danish="Kontakt id",
        description_da="Billys id for den kontakt, personen hører til.",
    ),
    Column(
        "name",
        "What the person is called.",
        ("navn", "kontaktperson"),
        examples=("Bogholderiet", ""),
        danish="Navn",
        description_da="Hvad personen hedder.",
    ),
    Column(
        "email",
        "Where invoices and reminders go.",
        ("e-mail", "mail"),
        examples=("faktura@aeblehaven.example", "aase@aeblehaven.example"),
        kind=Kind.EMAIL,
        danish="E-mail",
        description_da="Hvor fakturaer og rykkere sendes hen.",
    ),
    Column(
        PRIMARY,
        "Whether it is the contact's main person; false for a new one when blank.",
        ("primær", "hovedkontakt"),
        may_clear=False,
        examples=("true", ""),
        kind=Kind.BOOLEAN,
        danish="Primær",
        description_da="Om det er kontaktens hovedperson; nej for en ny, når feltet er tomt.",
    ),
    Column(
        "id",
        "Billy's id of an existing person.",
        ("billy id",),
        may_clear=False,
        danish="Billy id",
        description_da="Billys id for en person, der findes.",
    ),
)


def check_person(cleaned: pd.DataFrame, context: Context, report: Report) -> None:
    """Rule: a new person has a name or an address (one is enough: observed), and nobody has two addresses."""
    if OTHER_EMAILS in cleaned:
        for position in cleaned.index[cleaned[OTHER_EMAILS] != ""]:
            report(int(position), "email_form", "email")
    given = [name for name in TEXTS if name in cleaned]
    if context.operation == "import":
        for position in cleaned.index[(cleaned[given] == "").all(axis=1)]:
            report(int(position), "needs_one_of", (given or ["name"])[0], columns=", ".join(TEXTS))


def _of_one_contact(field: str) -> UniqueKey:
    def compared(cleaned: pd.DataFrame) -> pd.Series[str]:
        values = comparable_column(cleaned[field])
        return (cleaned["contactId"] + "\n" + values).where((values != "") & (cleaned["contactId"] != ""), "")

    return UniqueKey(("contactId", field), compared, f"contactId and {field}")


SCHEMA = RowSchema(
    name=PLURAL,
    singular=SINGULAR,
    columns=COLUMNS,
    rules=(check_person,),
    unique=(UniqueKey(("id",), lambda cleaned: cleaned["id"]), _of_one_contact("email")),
)

# -- what a row means --------------------------------------------------------------------------------------------------


def _pair(contact_id: str | None, text: str | None) -> str | None:
    return f"{contact_id}\n{comparable(text)}" if contact_id and comparable(text) else None


def _match_key(field: str, kind: KeyKind) -> MatchKey[ContactPerson]:
    return MatchKey(
        f"contactId and {field}",
        kind,
        lambda row: _pair(row.get("contactId"), row.get(field)),
        lambda record: [_pair(record.contactId, getattr(record, field)) or ""],
    )


MATCH_KEYS: tuple[MatchKey[ContactPerson], ...] = (
    MatchKey("id", KeyKind.IDENTITY, lambda row: row.get("id"), lambda record: [record.id], must_exist=True),
    _match_key("email", KeyKind.IDENTITY),
    _match_key("name", KeyKind.WEAK),
)


def contradictions(row: Row, record: ContactPerson) -> list[str]:
    """Two of one name at one contact are told apart by their addresses."""
    given, present = comparable(row.get("email")), comparable(record.email)
    return ["email"] if given and present and given != present else []


def differences(row: Row, record: ContactPerson) -> list[Change]:
    """Fields of the row that mean something else than what Billy has; None in the row clears."""
    changes = [
        Change(name, getattr(record, name), row[name])
        for name in ("contactId", *TEXTS)
        if name in row and comparable(row[name]) != comparable(getattr(record, name))
    ]
    present = str(bool(record.isPrimary)).lower()
    if PRIMARY in row and row[PRIMARY] != present:
        changes.append(Change(PRIMARY, present, row[PRIMARY]))
    return changes


def update_obstacle(row: Row, record: ContactPerson, _language: str) -> Problem | None:
    """A person stays at its contact: `contactId` is immutable (documented)."""
    if row.get("contactId") in (None, record.contactId):
        return None
    text = f"person {record.id} belongs to contact {record.contactId} and cannot move to another."
    return Problem("contact_fixed", "contactId", row["contactId"], text)


def _wire(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value == "true" if key == PRIMARY else value for key, value in values.items()}


def create_body(row: Row) -> dict[str, Any]:
    """The body of a new person."""
    given = {key: row[key] for key in ("contactId", *TEXTS, PRIMARY) if row.get(key)}
    return _wire({PRIMARY: "false", **given})


def resolve(row: Row, contact_ids: frozenset[str] | None, terms: PlanTerms) -> Resolved:
    """The row, if its contact is in the books."""
    contact_id = row.get("contactId")
    if contact_ids is None or contact_id is None or contact_id in contact_ids:
        return Resolved(dict(row))
    text = sentence("contact_unknown", terms.language, key="contactId", value=contact_id, nearest="–")
    return Resolved(dict(row), (Problem("contact_unknown", "contactId", contact_id, text),))


# -- the requests behind it --------------------------------------------------------------------------------------------


async def contact_ids(
    client: BillyClient, terms: PlanTerms, fields: frozenset[str], _persons: Sequence[ContactPerson]
) -> frozenset[str] | None:
    """The contacts new persons can belong to; None where nobody needs to know."""
    if terms.operation != "import" or "contactId" not in fields:
        return None
    return frozenset(contact.id for contact in await read_all_contacts(client))


async def read_all_persons(client: BillyClient) -> list[ContactPerson]:
    """Every person. Their list needs a contact (observed), so they come with the contacts, or contact by contact."""
    persons: list[ContactPerson] = []
    for contact in await read_all_contacts(client):
        if contact.contactPersons is not None:
            persons += [each.model_copy(update={"contactId": contact.id}) for each in contact.contactPersons]
        else:
            listed, _ = await client.list(PLURAL, {"contactId": contact.id})
            models = map(ContactPerson.model_validate, listed.values())
            persons += [each for each in models if each.contactId == contact.id]
    return persons


async def read_one_person(client: BillyClient, record_id: str) -> ContactPerson:
    """One person."""
    answer = await client.get(PLURAL, record_id, singular=SINGULAR)
    person = ContactPerson.model_validate(answer[SINGULAR])
    if person.id != record_id:
        raise UnexpectedAnswer(f"Billy was asked for person {record_id} and answered with {person.id}.")
    return person


async def write_update(
    client: BillyClient, record: ContactPerson, changes: list[Change], permitted: bool
) -> ContactPerson:
    """All changes in one PUT."""
    keys = _wire({change.field: change.new for change in changes})
    answer = await client.update(PLURAL, SINGULAR, record.id, keys, permitted=permitted)
    said = next(raw for raw in answer[PLURAL] if raw.get("id") == record.id)
    return ContactPerson.model_validate({**record.image(), **keys, **said})


def _row_again(image: Image) -> dict[str, Any]:
    """The row a deleted person was."""
    given = {key: image[key] for key in ("contactId", *TEXTS) if image.get(key)}
    return {**given, PRIMARY: str(bool(image.get(PRIMARY))).lower()}


CONTACT_PERSONS = Resource[ContactPerson](
    schema=SCHEMA,
    endpoint=PLURAL,
    endpoint_singular=SINGULAR,
    family="contacts",  # jobs of contacts and customers write the same records
    operations=("import", "update", "delete"),
    match_keys=MATCH_KEYS,
    read_all=read_all_persons,
    read_one=read_one_person,
    is_archived=lambda _record: False,
    contradictions=contradictions,
    differences=differences,
    is_complete=lambda _row, _record: True,
    update_obstacle=update_obstacle,
    create_body=create_body,
    as_record=lambda row, made_up_id: ContactPerson.model_validate({"id": made_up_id, **create_body(row)}),
    created_record=lambda answer: ContactPerson.model_validate(answer[PLURAL][0]),
    write_update=write_update,
    label=lambda row: str(row.get("email") or row.get("name") or row.get("id") or ""),
    load_references=contact_ids,
    resolve=resolve,
    archive=None,
    writable=(*TEXTS, PRIMARY),
    undo=Undoing(more_keys=("contactId",), row=_row_again),
)

if __name__ == "__main__":
    RESOURCES[CONTACT_PERSONS.name] = CONTACT_PERSONS

    from billy_pipelines.cli import main

    main()
