"""How much of a record the answer to a write holds (unverified in Billy): the switch `write_answers`."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from billy_pipelines.sandbox import Sandbox

CONTACT = {"name": "Æblehaven Prøve ApS", "countryId": "DK", "phone": "12345678"}
PERSON = {"name": "Bogholderiet", "email": "faktura@aeblehaven.example", "isPrimary": True}
LITTLE = {"id", "name"}
LITTLE_OF_A_PERSON = {"id", "name", "isPrimary", "contactId"}


@pytest.mark.parametrize(
    ("answers", "of_contact", "of_person"),
    [
        ("sent", {"id", *CONTACT}, {"id", "name", "email", "isPrimary"}),
        ("sparse", LITTLE, LITTLE_OF_A_PERSON),
    ],
)
def test_a_write_answers_with_as_much_as_is_switched(
    answers: str, of_contact: set[str], of_person: set[str], client: httpx.Client, sandbox: Sandbox
) -> None:
    sandbox.switch(write_answers=answers)
    body = client.post("/contacts", json={"contact": {**CONTACT, "contactPersons": [PERSON]}}).json()
    [contact], [person] = body["contacts"], body["contactPersons"]
    assert (contact.keys(), person.keys()) == (of_contact, of_person)
    assert client.get(f"/contacts/{contact['id']}").json()["contact"]["phone"] == "12345678"


@pytest.mark.parametrize(("answers", "keys"), [("sent", {"id", "phone"}), ("sparse", LITTLE)])
def test_so_do_changes_and_bulk_saves_which_repeat_client_ids(
    answers: str, keys: set[str], client: httpx.Client, sandbox: Sandbox
) -> None:
    [contact_id] = sandbox.add("contacts", [CONTACT])
    sandbox.switch(write_answers=answers)
    [changed] = client.put(f"/contacts/{contact_id}", json={"contact": {"phone": "2"}}).json()["contacts"]
    assert changed.keys() == keys
    item: dict[str, Any] = {"_clientId": 7, "id": contact_id, "phone": "3"}
    [saved] = client.patch("/contacts", json={"contacts": [item]}).json()["contacts"]
    assert (saved.keys(), saved["_clientId"]) == ({*keys, "_clientId"}, 7)
