"""Bank payments and the balance modifiers they make, as far as an invoice's `balance` and `isPaid` need them
(billy-api.md 6.5). Payments of bills are not imitated, nor is the contact's balance that keeps what was paid too much.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import totals
from ..filters import flag, same
from ..invoice_values import balance_of
from ..names import ACCOUNTS, INVOICES, MODIFIERS, PAYMENTS
from ..properties import FLAG, READONLY, Property, belongs_to
from ..record import Changed, Values
from ..resource import WRITES, Case, Resource, Rules, refusing

if TYPE_CHECKING:
    from ..books import Books
    from ..switches import Switches

_SUBJECT = "invoice:"


class _Payment(Rules):
    def wrong(self, case: Case) -> dict[str, str]:
        """The statuses and conditions are our choice, where billy-api.md names none."""
        if case.before is not None:
            undone = case.before["isVoided"] and case.values.get("isVoided") is False
            return {"isVoided": "sandbox: is for good"} if undone else {}  # documented
        problems: dict[str, str] = {}
        given = case.values.get("associations")
        invoices = list(_invoices(case.books, given))
        if given is not None and (not given or len(invoices) < len(given)):
            problems["associations"] = "sandbox: needs invoices, each as {subjectReference: invoice:<id>}"
        elif any(invoice["state"] != "approved" for invoice in invoices):
            problems["associations"] = "sandbox: only approved invoices are paid"  # unknown in Billy
        elif len({invoice["currencyId"] for invoice in invoices}) > 1:
            problems["associations"] = "sandbox: all in one currency"  # documented
        account = case.books.records(ACCOUNTS).get(case.values.get("cashAccountId") or "")
        if account is not None:
            if not account.values["isPaymentEnabled"]:
                problems["cashAccountId"] = "sandbox: no payments on this account"
            subject = case.values.get("subjectCurrencyId") or (invoices[0]["currencyId"] if invoices else None)
            if (
                subject
                and account.values["currencyId"] not in (None, subject)
                and not case.values.get("cashExchangeRate")
            ):
                problems["cashExchangeRate"] = "sandbox: needed between two currencies"
        if case.values.get("feeAmount") and not case.values.get("feeAccountId"):
            problems["feeAccountId"] = "sandbox: needed with a fee"
        for key in ("cashAmount", "feeAmount", "cashExchangeRate"):
            if (case.values.get(key) or 0) < 0:
                problems[key] = "sandbox: must not be negative"
        return problems

    def store(
        self,
        books: Books,
        switches: Switches,
        resource: Resource,
        record_id: str | None,
        values: Values,
        children: Mapping[str, Sequence[Values]],
        changed: Changed,
    ) -> str:
        payment = {key: value for key, value in values.items() if key != "associations"}
        if record_id is not None:
            books.put(PAYMENTS, record_id, payment, changed)
            if payment.get("isVoided"):
                self._undo(books, record_id, changed)
            return record_id
        invoices = list(_invoices(books, values.get("associations")))
        if invoices:
            payment = {"contactId": invoices[0]["contactId"], "subjectCurrencyId": invoices[0]["currencyId"]} | payment
        payment["cashExchangeRate"] = payment.get("cashExchangeRate") or 1
        record_id = books.put(PAYMENTS, None, payment, changed)
        left = totals.exact(payment["cashAmount"]) / totals.exact(payment["cashExchangeRate"])
        left = totals.rounded(left) + totals.exact(payment.get("feeAmount") or 0)  # a fee helps to settle (documented)
        for invoice in invoices:
            part = min(left, totals.exact(invoice["balance"]))
            if part > 0:
                left -= part
                modifier = {
                    "modifierReference": f"bankPayment:{record_id}",
                    "subjectReference": f"{_SUBJECT}{invoice['id']}",
                    "amount": totals.wire(part),  # the sign is unknown: what the balance goes down by is our choice
                    "entryDate": payment.get("entryDate"),
                }
                books.put(MODIFIERS, None, modifier, changed)
                books.put(INVOICES, invoice["id"], balance_of(books, invoice), changed)
        return record_id

    def _undo(self, books: Books, payment_id: str, changed: Changed) -> None:
        for modifier in books.where(MODIFIERS, "modifierReference", f"bankPayment:{payment_id}"):
            books.put(MODIFIERS, modifier.values["id"], {"isVoided": True}, changed)
            invoice = books.records(INVOICES).get(modifier.values["subjectReference"].removeprefix(_SUBJECT))
            if invoice is not None:
                books.put(INVOICES, invoice.values["id"], balance_of(books, invoice.values), changed)


def _invoices(books: Books, associations: Any) -> Iterator[Values]:
    """The invoices that associations name; others are left out."""
    for each in associations or ():
        reference = each.get("subjectReference") if isinstance(each, dict) else None
        if isinstance(reference, str) and reference.startswith(_SUBJECT):
            invoice = books.records(INVOICES).get(reference.removeprefix(_SUBJECT))
            if invoice is not None:
                yield invoice.values


DESCRIPTIONS = (
    Resource(
        PAYMENTS,
        "bankPayment",
        {
            "organizationId": READONLY,
            "createdTime": READONLY,
            "entryDate": Property("date", required=True, immutable=True),
            "contactId": belongs_to("contacts", immutable=True),
            "cashAmount": Property("number", required=True, immutable=True),
            "cashSide": Property("choice", required=True, immutable=True, choices=frozenset({"debit", "credit"})),
            "cashAccountId": belongs_to("accounts", required=True, immutable=True),
            "cashExchangeRate": Property("number", immutable=True),
            "subjectCurrencyId": belongs_to("currencies", immutable=True),
            "feeAmount": Property("number", immutable=True),
            "feeAccountId": belongs_to("accounts", immutable=True),
            "isVoided": FLAG,
            "associations": Property("rows", required=True, immutable=True),
        },
        filters={"isVoided": flag("observed", "isVoided")},
        refused=refusing("delete", "delete_many"),  # observed
        label=("contactId",),
        natural_keys=(),
        indexed=("cashAccountId",),
        rules=_Payment(),
    ),
    Resource(
        MODIFIERS,
        "balanceModifier",
        {
            "modifierReference": READONLY,
            "subjectReference": READONLY,
            "amount": READONLY,
            "entryDate": READONLY,
            "realizedCurrencyDifference": READONLY,
            "isVoided": Property("flag", readonly=True, default=False),
        },
        filters={"subjectReference": same("unverified", "subjectReference", indexed=True)},
        refused=refusing(*WRITES),  # every write (observed)
        label=("subjectReference",),
        natural_keys=(),
        indexed=("subjectReference", "modifierReference"),
    ),
)
