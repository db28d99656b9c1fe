"""The Billy API: client, records, errors, rate limit. Knows nothing of jobs or files.

    async with open_client(api_url, token, RateLimiter(budget, offload)) as billy:
        company = await billy.organization()

This list is what other rooms may use; everything else in here may change.
"""

from billy_pipelines.billy.client import BillyClient, Limiter, open_client, writing_before
from billy_pipelines.billy.errors import (
    BillyError,
    ListingUnstable,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Stale,
    TokenRefused,
    Unavailable,
    UnexpectedAnswer,
    refused_records,
)
from billy_pipelines.billy.invoice_models import Invoice, InvoiceLine
from billy_pipelines.billy.models import (
    Account,
    Contact,
    ContactPerson,
    Organization,
    Product,
    ProductPrice,
    Record,
    SalesTaxRule,
    SalesTaxRuleset,
    TaxRate,
)
from billy_pipelines.billy.rate_limit import Budget, Granted, RateLimiter

__all__ = [
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
]
