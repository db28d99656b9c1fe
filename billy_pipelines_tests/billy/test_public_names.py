"""What other rooms may use of this one."""

from __future__ import annotations

import inspect
import re

from billy_pipelines import billy
from billy_pipelines.billy import errors

NAMES = {
    "Account",
    "BillyClient",
    "BillyError",
    "Budget",
    "Contact",
    "ContactPerson",
    "Granted",
    "Invoice",
    "InvoiceLine",
    "Limiter",
    "ListingUnstable",
    "NotFound",
    "NotSent",
    "Organization",
    "OutcomeUnknown",
    "Product",
    "ProductPrice",
    "RateLimited",
    "RateLimiter",
    "Record",
    "Refused",
    "SalesTaxRule",
    "SalesTaxRuleset",
    "Stale",
    "TaxRate",
    "TokenRefused",
    "Unavailable",
    "UnexpectedAnswer",
    "open_client",
    "refused_records",
    "writing_before",
}


def test_the_public_names_are_these() -> None:
    assert set(billy.__all__) == NAMES
    assert len(billy.__all__) == len(NAMES)
    assert all(inspect.getdoc(getattr(billy, name)) for name in billy.__all__)


def test_every_error_is_public_and_stands_in_the_tree() -> None:
    classes = {
        name for name, value in vars(errors).items() if inspect.isclass(value) and value.__module__ == errors.__name__
    }
    drawn = re.findall(r"^[│├└─ ]*(\w+)", errors.__doc__ or "", re.MULTILINE)
    assert classes <= NAMES
    assert sorted(classes) == sorted(name for name in drawn if name in NAMES)
    assert all(issubclass(getattr(errors, name), errors.BillyError) for name in classes)
