"""One job per resource, in one process: a step of its own process costs 2 s, and the lease is held across steps."""

from __future__ import annotations

from typing import Any

import dagster as dg

from billy_pipelines import runs
from billy_pipelines.schemas.resource import Resource


def build_job(resource: Resource[Any]) -> dg.UnresolvedAssetJobDefinition:
    """The job that takes one upload of a resource through the whole chain."""
    return dg.define_asset_job(
        runs.job_name(resource.name),
        selection=dg.AssetSelection.groups(resource.name),
        executor_def=dg.in_process_executor,
        description=f"Bulk operations on {resource.name}: one partition is one dropped file.",
    )
