"""The one Definitions object."""

import dagster as dg

from billy_pipelines.defs.apply import apply_plan
from billy_pipelines.defs.assets import build_assets
from billy_pipelines.defs.exports import SnapshotSession, snapshot_assets, snapshots_job, snapshots_schedule
from billy_pipelines.defs.jobs import build_job
from billy_pipelines.defs.maintenance import maintenance_job, maintenance_schedule
from billy_pipelines.defs.nights import organizations_sensor
from billy_pipelines.defs.sensors import build_sensor
from billy_pipelines.defs.session import JobSession
from billy_pipelines.defs.undo import undo_job
from billy_pipelines.schemas.registry import RESOURCES

_jobs = [build_job(resource) for resource in RESOURCES.values()]

defs = dg.Definitions(
    assets=[*(asset for resource in RESOURCES.values() for asset in build_assets(resource)), *snapshot_assets],
    jobs=[*_jobs, apply_plan, undo_job, snapshots_job, maintenance_job],
    sensors=[build_sensor([*_jobs, undo_job]), organizations_sensor],
    schedules=[snapshots_schedule, maintenance_schedule],
    resources={"session": JobSession(), "nights": SnapshotSession()},
    executor=dg.in_process_executor,  # also for what is launched from an asset's page: a process per step costs 2 s
)
