"""Taking back what a job did to a contact: which keys people write, and the row a deleted contact was."""

from __future__ import annotations

from typing import Any

from billy_pipelines.schemas.contact_meaning import FLAGS, PERSONS, TERMS, TERMS_KEYS, WIRE_KEYS
from billy_pipelines.schemas.payment_terms import Terms
from billy_pipelines.schemas.undoing import ChildList, Image, Undoing

_PERSONS = ChildList(PERSONS, "contactPersons", "contactPerson", "contactId", ("name", "email", "isPrimary"))


def _row(image: Image) -> dict[str, Any]:
    """Fields with a value, persons as the list that replaces all; nothing is said of the rest."""
    row = {
        field: str(bool(image[key])).lower() if field in FLAGS else image[key]
        for field, key in WIRE_KEYS.items()
        if image.get(key) not in (None, "")
    }
    if image.get("paymentTermsMode") in ("net", "netEndOfMonth"):
        row[TERMS] = Terms(image["paymentTermsMode"], image.get("paymentTermsDays") or 0).text
    if image.get(PERSONS):
        row[PERSONS] = [{key: person.get(key) for key in _PERSONS.keys} for person in image[PERSONS]]
        primary = next((person for person in image[PERSONS] if person.get("isPrimary") and person.get("email")), None)
        if primary:
            row["email"] = primary["email"]
    return row


CONTACTS_UNDO = Undoing(
    more_keys=(
        *("stateText", "cityId", "zipcodeId", "stateId", "fax", "currencyId"),
        *("isSalesTaxExempt", "defaultTaxRateId", "emailAttachmentDeliveryMode"),
    ),
    children=(_PERSONS,),
    names={key: field for field, key in WIRE_KEYS.items()} | dict.fromkeys(TERMS_KEYS, TERMS),
    row=_row,
)
