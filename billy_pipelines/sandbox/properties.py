"""What a contact, a contact person and an organization consist of, and the check of a body against it.

Keys, types and flags are Billy's (documented), with the additions seen on real records (observed). `email`, `city`,
`zipcode` and `vatNo` are not keys of a contact. What Billy answers to a wrong type is unknown: a 422 is our choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .reference import LOCALES, countries, currencies
from .switches import Switches


@dataclass(frozen=True)
class Property:
    """One key of a record. `choices` gives the permitted values of a choice or a belongs-to."""

    kind: Literal["text", "flag", "integer", "choice"] = "text"
    required: bool = False
    default: Any = None
    choices: Callable[[], Mapping[str, Any]] | None = None
    immutable: bool = False


def _one_of(*values: str) -> Callable[[], Mapping[str, Any]]:
    permitted = dict.fromkeys(values)
    return lambda: permitted


TEXT = Property()
FLAG = Property("flag", default=False)
TERMS = Property("choice", choices=_one_of("net", "netEndOfMonth", "date"))
COUNTRY = Property("choice", required=True, choices=countries)
CURRENCY = Property("choice", choices=currencies)
LOCALE = Property("choice", choices=lambda: LOCALES)

CONTACT: dict[str, Property] = {
    "type": Property("choice", default="company", choices=_one_of("company", "person")),
    "name": Property(required=True),
    "countryId": COUNTRY,
    "street": TEXT,
    "cityId": TEXT,
    "cityText": TEXT,
    "stateId": TEXT,
    "stateText": TEXT,
    "zipcodeId": TEXT,
    "zipcodeText": TEXT,
    "contactNo": TEXT,
    "phone": TEXT,
    "fax": TEXT,
    "currencyId": CURRENCY,
    "registrationNo": TEXT,
    "ean": TEXT,
    "localeId": LOCALE,
    "isCustomer": FLAG,  # Billy's default is unknown; false is our choice
    "isSupplier": FLAG,
    "paymentTermsMode": TERMS,
    "paymentTermsDays": Property("integer"),
    "accessCode": TEXT,
    "emailAttachmentDeliveryMode": TEXT,
    "isArchived": FLAG,
    "isSalesTaxExempt": FLAG,
    "defaultExpenseProductDescription": TEXT,
    "defaultExpenseAccountId": TEXT,
    "defaultTaxRateId": TEXT,
}

PERSON: dict[str, Property] = {
    "contactId": Property(required=True, immutable=True),
    "isPrimary": FLAG,
    "name": TEXT,  # one of name and e-mail is enough (observed)
    "email": TEXT,
}

ORGANIZATION: dict[str, Property] = {
    "name": Property(required=True),
    "ownerUserId": TEXT,
    "street": TEXT,
    "zipcode": TEXT,
    "city": TEXT,
    "phone": TEXT,
    "email": TEXT,
    "registrationNo": TEXT,
    "countryId": Property("choice", required=True, choices=countries, immutable=True),
    "baseCurrencyId": Property("choice", required=True, choices=currencies, immutable=True),
    "localeId": LOCALE,
    "fiscalYearEndMonth": Property("integer", default=12),
    "vatPeriod": TEXT,
    "hasVat": FLAG,
    "invoiceNoMode": TEXT,
    "nextInvoiceNo": Property("integer", default=1),
    "paymentTermsMode": TERMS,
    "paymentTermsDays": Property("integer"),
    "defaultTaxMode": Property("choice", choices=_one_of("incl", "excl")),
    "defaultSalesAccountId": TEXT,
    "defaultSalesTaxRulesetId": TEXT,
    "defaultInvoiceBankAccountId": TEXT,
    "defaultBankFeeAccountId": TEXT,
}

_HANDLED_ELSEWHERE = frozenset({"id", "_clientId", "createdTime", "organizationId", "contactPersons"})
"""Keys of no property table. `id` and `createdTime` are readonly; ignoring them in a body is our choice."""

_KINDS: dict[str, tuple[type, str]] = {
    "text": (str, "a text"),
    "flag": (bool, "true or false"),
    "integer": (int, "a whole number"),
    "choice": (str, "a text"),
}


def checked(
    body: Mapping[str, Any],
    properties: Mapping[str, Property],
    switches: Switches,
    organization_id: str,
    before: Mapping[str, Any] | None,
) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of a body that may be stored, and what is wrong with it as {key: text}.

    `before` is the record a PUT changes, None for a create: then required keys must be there.
    """
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for key, value in body.items():
        declared = properties.get(key)
        if declared is None:
            if key not in _HANDLED_ELSEWHERE and switches.undeclared_properties == "refused":
                problems[key] = "sandbox: no such property"
            continue
        problem = _problem(value, declared)
        if problem is None and declared.immutable and before is not None and before[key] != value:
            problem = "sandbox: cannot be changed"
        if problem is None:
            values[key] = value
        else:
            problems[key] = problem
    if before is None:
        for key, declared in properties.items():
            if declared.required and key not in values and key not in problems:
                problems[key] = "sandbox: needs a value"
    if "organizationId" in body:
        if switches.organization_id == "refused":
            problems["organizationId"] = "sandbox: organizationId must not be set"
        elif body["organizationId"] != organization_id:
            problems["organizationId"] = "sandbox: not the organization of this token"
    return values, problems


def _problem(value: Any, declared: Property) -> str | None:
    """What is wrong with a value; null clears a key (observed) unless it is required."""
    kind, wanted = _KINDS[declared.kind]
    if value is None:
        return "sandbox: needs a value" if declared.required else None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        return f"sandbox: must be {wanted}"
    if declared.required and isinstance(value, str) and not value.strip():
        return "sandbox: needs a value"
    if declared.choices is not None and value not in declared.choices():
        return "sandbox: not a permitted value"
    return None


def defaults(properties: Mapping[str, Property]) -> dict[str, Any]:
    """What a record has where nothing was sent."""
    return {key: declared.default for key, declared in properties.items()}
