"""How the sandbox behaves: every switch with its values.

A switch exists where Billy's behaviour is unknown or contested, or where a client has to survive something. Values are
checked here; what they do is done elsewhere.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from .fault import Fault
from .names import Plural


def _checked_latency(value: str) -> str:
    low, high = _span(value)
    if low > high:
        raise ValueError("the first number of a latency range is the smaller one")
    return value


def _span(value: str) -> tuple[float, float]:
    low, _, high = value.partition("-")
    return float(low), float(high or low)


def _checked_rate(value: str) -> str:
    count, _, window = value.partition("/")
    if int(count) < 1 or float(window) <= 0:
        raise ValueError("a rate limit needs at least one request in a window above 0 seconds")
    return value


_NUMBER = r"\d+(?:\.\d+)?"
Latency = Annotated[str, StringConstraints(pattern=rf"^{_NUMBER}(?:-{_NUMBER})?$"), AfterValidator(_checked_latency)]
RateLimit = Annotated[str, StringConstraints(pattern=rf"^\d+/{_NUMBER}$"), AfterValidator(_checked_rate)]


class Switches(BaseModel):
    """Everything that can be switched. Immutable: `with_changes` gives a new, checked set."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    latency: Latency = Field(default="0", description='seconds per answer: fixed ("0.3") or random ("0.2-0.4")')
    rate_limit: RateLimit | None = Field(
        default=None, description='requests per window of seconds and token ("100/60"), or null for none'
    )
    rate_burst: int | None = Field(
        default=None, ge=1, description="so many at once and the rest evenly: the limit as a bucket, not as a window"
    )
    retry_after: Literal["none", "seconds", "date", "zero"] = Field(
        default="none", description="form of Retry-After on a 429; zero says `0` whatever the wait"
    )

    # lists
    unstable_paging: bool = Field(default=False, description="unsorted lists are reshuffled for every page (observed)")
    unlisted_sort: Literal["accepted", "ignored", "refused"] = Field(
        default="accepted", description="sortProperty that Billy does not list: any on contacts, say (unverified)"
    )
    unproven_filters: Literal["archived-only", "honoured", "ignored"] = Field(
        default="archived-only", description="filters that clients send and nobody has seen work (unverified)"
    )
    include: Literal["honoured", "ignored"] = Field(default="honoured", description="include=contact.contactPersons")
    sideload_ids: Literal["singular", "relation"] = Field(
        default="singular", description="key of side-loaded ids: contactPersonIds (observed) or contactPersonsIds"
    )
    archived_in_lists: Literal["included", "hidden"] = Field(
        default="included", description="archived records in a list without an isArchived filter (unknown in Billy)"
    )
    missing_status: Literal[404, 400, 422] = Field(
        default=404, description="status of GET and PUT of an id that there is not (unverified)"
    )
    page_size_above_1000: Literal["clamp", "error"] = Field(default="clamp", description="unknown in Billy")
    system_names: Literal["by-language", "renamed"] = Field(
        default="by-language",
        description="names of accounts, rulesets and tax rates: Danish, English with Accept-Language en_US, or unusual",
    )

    # writes
    undeclared_properties: Literal["ignored", "refused"] = Field(
        default="ignored", description="keys in a body that the resource does not have (unknown in Billy)"
    )
    organization_id: Literal["accepted", "refused"] = Field(
        default="accepted", description="organizationId in a body; refused says `must not be set` (unverified)"
    )
    write_answers: Literal["complete", "sent", "sparse"] = Field(
        default="complete",
        description="records in the answer to a write (unverified): whole; id and the keys that were sent; or ids, "
        "names, state and isPrimary alone",
    )
    stored_names: Literal["as-sent", "cut", "without-emoji", "ascii", "squeezed"] = Field(
        default="as-sent",
        description="how names are kept (unknown in Billy): cut after 40 characters, without those above 16 bits, "
        "in ASCII (ø as oe), or with each run of blanks as one",
    )
    price_decimals: int | None = Field(
        default=None, ge=0, description="decimals with which unit prices are kept (unknown in Billy), or null for all"
    )
    bulk_save: Literal["atomic", "partial", "partial-200", "unavailable", "unavailable-401", "unavailable-404"] = Field(
        default="atomic",
        description="PATCH of many records (unknown in Billy): all or none; the good ones, with 422 or with a 200 that "
        "does not name the others; unavailable answers 405",
    )
    bulk_delete: Literal["all-or-nothing", "partial"] = Field(
        default="all-or-nothing", description="one undeletable id fails all, or is left out; unknown ids are skipped"
    )
    contact_in_use: Literal["refused", "allowed"] = Field(
        default="refused", description="DELETE of a contact with invoices, or marked as in use (unverified)"
    )
    product_in_use: Literal["refused", "allowed"] = Field(
        default="refused", description="DELETE of a product on invoice lines (unknown in Billy)"
    )
    kept_status: Literal[422, 400, 403, 404, 409] = Field(
        default=422, description="status of a DELETE that is refused (unknown in Billy)"
    )

    # invoices
    invoice_number: Literal["at-approval", "at-create"] = Field(
        default="at-approval", description="when an invoice without a number gets one (contested)"
    )
    draft_edit: Literal["refused", "ignored", "accepted"] = Field(
        default="refused", description="entryDate, invoiceNo and lines in a PUT (documented as not accepted, contested)"
    )
    approved_invoices: Literal["locked", "editable"] = Field(
        default="locked", description="PUT of an approved invoice's contents and lines (unknown in Billy)"
    )
    approved_invoice_delete: Literal["refused", "allowed"] = Field(
        default="refused", description="DELETE of an invoice that is no draft (unverified)"
    )
    settled_vat_period: Literal["refused", "allowed"] = Field(
        default="refused", description="approval of an invoice dated in a settled VAT period (unknown in Billy)"
    )
    customer_flag: Literal["ignored", "required"] = Field(
        default="ignored", description="an invoice's contact must have isCustomer (unknown in Billy)"
    )
    external_id: Literal["kept", "ignored"] = Field(
        default="kept", description="externalId in the body of an invoice (unknown in Billy)"
    )

    # trouble
    revoked_after: int | None = Field(
        default=None, ge=0, description="tokens are good for so many more requests (0: revoked now), then 401"
    )
    forbidden_resource: Plural | None = Field(default=None, description="every request for it answers 403")
    faults: tuple[Fault, ...] = Field(default=(), description="what goes wrong, see Fault")

    @model_validator(mode="before")
    @classmethod
    def _plain_numbers(cls, given: Any) -> Any:
        """`latency=0.3` is as good as `latency="0.3"`."""
        if isinstance(given, dict) and type(given.get("latency")) in (int, float):
            return {**given, "latency": f"{given['latency']:.6f}".rstrip("0").rstrip(".")}
        return given

    def with_changes(self, changes: dict[str, Any]) -> Self:
        """A new set with some switches changed.

        Raises:
            pydantic.ValidationError: a name or a value that does not exist.
        """
        return self.model_validate({**self.model_dump(), **changes})

    @property
    def latency_range(self) -> tuple[float, float]:
        """Seconds, lowest and highest."""
        return _span(self.latency)

    @property
    def rate(self) -> tuple[int, float] | None:
        """Requests per window of seconds."""
        if self.rate_limit is None:
            return None
        count, _, window = self.rate_limit.partition("/")
        return int(count), float(window)
