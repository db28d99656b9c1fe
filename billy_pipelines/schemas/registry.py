"""The resources people can import: one line each."""

from __future__ import annotations

from typing import Any

from billy_pipelines.schemas.customers import CUSTOMERS
from billy_pipelines.schemas.resource import Resource

RESOURCES: dict[str, Resource[Any]] = {resource.name: resource for resource in (CUSTOMERS,)}
OPERATIONS = ("import", "update", "delete")
"""The operations the upload folders know; a resource says which of them it offers."""
