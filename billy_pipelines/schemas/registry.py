"""The resources people can import, update and delete: one line each."""

from __future__ import annotations

from typing import Any

from billy_pipelines.schemas.contacts import CONTACTS
from billy_pipelines.schemas.customers import CUSTOMERS
from billy_pipelines.schemas.invoices import INVOICES
from billy_pipelines.schemas.products import PRODUCTS
from billy_pipelines.schemas.resource import Resource
from billy_pipelines.schemas.row_schema import RowSchema

RESOURCES: dict[str, Resource[Any]] = {
    resource.name: resource for resource in (CUSTOMERS, CONTACTS, PRODUCTS, INVOICES)
}
SCHEMAS: dict[str, RowSchema] = {name: resource.schema for name, resource in RESOURCES.items()}
OPERATIONS = ("import", "update", "delete")
"""The operations the upload folders know; a resource says which of them it offers."""
