"""Resources of which only the refusals are imitated (billy-api.md 2.3): their lists are empty, whatever was booked.

What Billy offers beyond the refusals seen answers 501.
"""

from __future__ import annotations

from ..names import Plural
from ..resource import NOT_IMITATED, WRITES, Resource, refusing

_NEVER_WRITTEN: tuple[tuple[Plural, str], ...] = (
    ("cities", "city"),
    ("contactBalancePostings", "contactBalancePosting"),
    ("postings", "posting"),
    ("states", "state"),
    ("zipcodes", "zipcode"),
)
_ELSE = refusing(*WRITES, status=NOT_IMITATED)

DESCRIPTIONS = (
    *(
        Resource(plural, singular, refused=refusing(*WRITES))  # POST, PUT, DELETE or every write (observed)
        for plural, singular in _NEVER_WRITTEN
    ),
    Resource("bankAccounts", "bankAccount", refused=_ELSE | refusing("list")),
    Resource(
        "files",
        "file",
        # A company token may not list them: one report of a 403.
        refused=_ELSE | refusing("update", "delete", "delete_many") | refusing("list", status=403),
    ),
    Resource("invoiceLateFees", "invoiceLateFee", refused=_ELSE | refusing("delete_many")),
    Resource("invoiceReminders", "invoiceReminder", refused=_ELSE | refusing("delete_many")),
    Resource("salesTaxPayments", "salesTaxPayment", refused=_ELSE | refusing("delete", "delete_many")),
    Resource("users", "user", refused=_ELSE | refusing("create", "delete", "delete_many")),
)
