"""Invoices and their lines as Billy sends them (billy-api.md 6.3, 6.4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from billy_pipelines.billy.models import Record


class InvoiceLine(Record):
    """One line of an invoice. `discountMode`: `percent` (25 is 25 %) or `cash`, for the whole line (observed)."""

    invoiceId: str | None = None  # noqa: N815 - wire keys, as all below
    productId: str | None = None  # noqa: N815
    description: str | None = None
    quantity: float | None = None
    unitPrice: float | None = None  # noqa: N815
    amount: float | None = None
    tax: float | None = None
    taxRateId: str | None = None  # noqa: N815
    discountMode: str | None = None  # noqa: N815
    discountValue: float | None = None  # noqa: N815
    priority: float | None = None


class Invoice(Record):
    """An invoice or credit note. `lines` is None when the answer did not include them.

    `amount` is without tax (observed); `invoiceNo` may be missing on a draft (unverified).
    """

    type: str | None = None
    contactId: str | None = None  # noqa: N815
    attContactPersonId: str | None = None  # noqa: N815
    entryDate: str | None = None  # noqa: N815
    state: str | None = None
    sentState: str | None = None  # noqa: N815
    invoiceNo: str | None = None  # noqa: N815
    externalId: str | None = None  # noqa: N815
    orderNo: str | None = None  # noqa: N815
    taxMode: str | None = None  # noqa: N815
    currencyId: str | None = None  # noqa: N815
    exchangeRate: float | None = None  # noqa: N815
    amount: float | None = None
    tax: float | None = None
    grossAmount: float | None = None  # noqa: N815
    paymentTermsMode: str | None = None  # noqa: N815
    paymentTermsDays: int | None = None  # noqa: N815
    dueDate: str | None = None  # noqa: N815
    creditedInvoiceId: str | None = None  # noqa: N815
    contactMessage: str | None = None  # noqa: N815
    lineDescription: str | None = None  # noqa: N815
    lines: list[InvoiceLine] | None = None

    def with_lines(self, lines: Iterable[InvoiceLine]) -> Self:
        """The same invoice with its lines filled in, in the order they have on it."""
        own = list(lines)
        return self.model_copy(update={"lines": sorted(own, key=lambda line: (line.priority is None, line.priority))})

    @property
    def is_draft(self) -> bool:
        """Whether it can still be changed or deleted; an unknown state is taken for the one that forbids."""
        return self.state == "draft"
