"""Records as Billy sends them (billy-api.md section 6). Unknown keys are kept, secrets dropped (rule B24)."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SECRET_KEYS = frozenset({"accessCode", "downloadUrl"})


class Record(BaseModel):
    """Any record: an id, and keys that may come and go with Billy's versions."""

    # Numbers where texts are expected: official samples and real payloads differ on `invoiceNo` (billy-api.md 6.3).
    model_config = ConfigDict(extra="allow", frozen=True, coerce_numbers_to_str=True)

    id: str

    @model_validator(mode="before")
    @classmethod
    def _drop_secrets(cls, data: Any) -> Any:
        if isinstance(data, dict) and not SECRET_KEYS.isdisjoint(data):
            return {key: value for key, value in data.items() if key not in SECRET_KEYS}
        return data

    def image(self) -> dict[str, Any]:
        """The record as JSON, for the journal."""
        return self.model_dump(mode="json")


class ContactPerson(Record):
    """A person of a contact; e-mail addresses live here and nowhere else (documented)."""

    contactId: str | None = None  # noqa: N815 - wire keys, as all below
    name: str | None = None
    email: str | None = None
    isPrimary: bool | None = None  # noqa: N815


class Contact(Record):
    """A customer or supplier. `contactPersons` is None when the answer did not include them."""

    name: str | None = None
    type: str | None = None
    countryId: str | None = None  # noqa: N815
    street: str | None = None
    cityText: str | None = None  # noqa: N815
    zipcodeText: str | None = None  # noqa: N815
    phone: str | None = None
    contactNo: str | None = None  # noqa: N815
    registrationNo: str | None = None  # noqa: N815
    ean: str | None = None
    isCustomer: bool | None = None  # noqa: N815
    isSupplier: bool | None = None  # noqa: N815
    isArchived: bool | None = None  # noqa: N815
    contactPersons: list[ContactPerson] | None = None  # noqa: N815

    @property
    def emails(self) -> list[str]:
        """The persons' addresses, as Billy has them."""
        return [person.email for person in self.contactPersons or [] if person.email]

    def with_persons(self, persons: list[ContactPerson]) -> Self:
        """The same contact with its persons filled in."""
        return self.model_copy(update={"contactPersons": persons})


class Organization(Record):
    """The company a token belongs to."""

    name: str | None = None
    registrationNo: str | None = None  # noqa: N815


class Paging(BaseModel):
    """`meta.paging` of a list (documented); the addresses in it are never followed (rule B25)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    page: int | None = None
    pageCount: int | None = Field(default=None)  # noqa: N815
    pageSize: int | None = None  # noqa: N815
    total: int | None = None
