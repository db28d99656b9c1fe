"""Every resource the sandbox knows, by its plural name: one description each."""

from __future__ import annotations

from collections.abc import Mapping

from ..resource import Resource
from . import accounts, contacts, invoices, others, payments, products, reference, vat

RESOURCES: Mapping[str, Resource] = {
    resource.plural: resource
    for module in (reference, accounts, vat, contacts, products, invoices, payments, others)
    for resource in module.DESCRIPTIONS
}
