"""The programs whose exports are recognised, by resource. Details come from domain.md section 1.

A profile's signature is specific enough never to fit a list somebody made: a false recognition would give plain names
another meaning.
"""

from __future__ import annotations

from collections.abc import Mapping

from billy_pipelines.schemas import profiles_books as books
from billy_pipelines.schemas import profiles_shops as shops
from billy_pipelines.schemas.row_schema import Profile

CONTACTS = (
    books.OWN_EXPORT,
    books.ECONOMIC_CUSTOMERS,
    books.RACKBEAT_CUSTOMERS,
    books.UNICONTA_DEBTORS,
    books.C5_CUSTOMERS,
    books.DINERO_CONTACTS,
    books.CRM_CUSTOMERS,
    books.OUTLOOK_CONTACTS,
    books.OUTLOOK_CONTACTS_DA,
    books.GOOGLE_CONTACTS,
    books.GOOGLE_CONTACTS_OLD,
    shops.SHOPIFY_CUSTOMERS,
)

PROFILES: Mapping[str, tuple[Profile, ...]] = {
    "customers": CONTACTS,
    "contacts": CONTACTS,
    "products": (
        books.ECONOMIC_PRODUCTS,
        shops.SHOPIFY_PRODUCTS,
        shops.WOOCOMMERCE_PRODUCTS,
        shops.WOOCOMMERCE_PRODUCTS_DA,
        shops.DANDOMAIN_PRICES,
    ),
    "invoices": (
        shops.SHOPIFY_ORDERS,
        shops.WOOCOMMERCE_ORDERS,
        shops.SMARTWEB_ORDERS,
        books.JOURNAL_INVOICES,
        books.TIME_SYSTEM,
    ),
}
"""Resource -> profiles."""
