"""The one Definitions object."""

import dagster as dg

from billy_pipelines.defs.apply import apply_plan
from billy_pipelines.defs.assets import build_assets
from billy_pipelines.defs.jobs import build_job
from billy_pipelines.defs.sensors import build_sensor
from billy_pipelines.defs.session import JobSession
from billy_pipelines.schemas.registry import RESOURCES

_jobs = [build_job(resource) for resource in RESOURCES.values()]

defs = dg.Definitions(
    assets=[asset for resource in RESOURCES.values() for asset in build_assets(resource)],
    jobs=[*_jobs, apply_plan],
    sensors=[build_sensor(_jobs)],
    resources={"session": JobSession()},
)
