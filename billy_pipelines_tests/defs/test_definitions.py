"""A snapshot of everything Dagster is told: what others see in the UI, schedule against, and call by name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg

from billy_pipelines.definitions import defs


def _snapshot() -> dict[str, Any]:
    repository = defs.get_repository_def()
    graph = repository.asset_graph
    return {
        "assets": {
            key.to_user_string(): {
                "needs": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
                "group": graph.get(key).group_name,
                "partitions": _partitions(graph.get(key).partitions_def),
            }
            for key in graph.get_all_asset_keys()
        },
        "checks": {
            f"{key.asset_key.to_user_string()}:{key.name}": graph.get_check_spec(key).blocking
            for key in graph.asset_check_keys
        },
        "jobs": sorted(name for name in repository.job_names if not name.startswith("__")),
        "sensors": {
            sensor.name: (
                sensor.minimum_interval_seconds,
                sensor.default_status,
                sorted(target.job_name for target in sensor.targets),
            )
            for sensor in repository.sensor_defs
        },
        "schedules": {
            schedule.name: (
                schedule.job_name,
                schedule.cron_schedule,
                schedule.execution_timezone,
                schedule.default_status,
            )
            for schedule in repository.schedule_defs
        },
    }


def _partitions(partitions: dg.PartitionsDefinition[Any] | None) -> Any:
    """The name of dynamic partitions; of those of two dimensions, what each is."""
    if isinstance(partitions, dg.MultiPartitionsDefinition):
        return {each.name: _partitions(each.partitions_def) for each in partitions.partitions_defs}
    if isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        return (partitions.cron_schedule, partitions.timezone, partitions.end_offset)
    return getattr(partitions, "name", None)


def test_the_definitions() -> None:
    resources = ("customers", "contacts", "products", "invoices")
    jobs = sorted(f"bulk_{resource}" for resource in resources)

    def chain(resource: str) -> dict[str, Any]:
        def asset(*needs: str) -> dict[str, Any]:
            return {"needs": list(needs), "group": resource, "partitions": "billy_uploads"}

        return {
            f"{resource}/rows": asset(),
            f"{resource}/valid_rows": asset(f"{resource}/rows"),
            f"{resource}/plan": asset(f"{resource}/valid_rows"),
            f"{resource}/sync": asset(f"{resource}/plan"),
        }

    snapshot = {
        "needs": [],
        "group": "snapshots",
        "partitions": {"date": ("0 0 * * *", "Europe/Copenhagen", 1), "organization": "billy_organizations"},
    }
    assert _snapshot() == {
        "assets": {
            **{name: asset for resource in resources for name, asset in chain(resource).items()},
            **{f"{resource}/snapshot": snapshot for resource in resources},
        },
        "checks": {
            f"{resource}/{name}": blocking
            for resource in resources
            for name, blocking in (
                ("plan:error_rate", True),
                ("sync:rows_accounted_for", False),
                ("snapshot:row_count", False),
                ("snapshot:unique_ids", False),
                ("snapshot:names", False),
            )
        },
        "jobs": ["apply_plan", *jobs, "maintenance", "snapshots", "undo"],
        "sensors": {
            "uploads": (1, dg.DefaultSensorStatus.RUNNING, [*jobs, "undo"]),
            "organizations": (60, dg.DefaultSensorStatus.RUNNING, []),
        },
        "schedules": {
            "nightly_snapshots": ("snapshots", "15 4 * * *", "Europe/Copenhagen", dg.DefaultScheduleStatus.RUNNING),
            "nightly_maintenance": ("maintenance", "30 5 * * *", "Europe/Copenhagen", dg.DefaultScheduleStatus.RUNNING),
        },
    }


def test_every_job_loads_as_the_web_server_loads_it() -> None:
    # Two of one name, an op and a job, are found out here and nowhere before the UI asks.
    assert {job.name for job in defs.get_repository_def().get_all_jobs()} >= {"apply_plan", "undo", "snapshots"}


def test_a_job_runs_in_one_process() -> None:
    """A process per step costs 2 s each, and the writer lock must be held from plan to sync."""
    for name in ("bulk_customers", "snapshots", "maintenance", "apply_plan", "undo"):
        assert defs.resolve_job_def(name).executor_def.name == "in_process"
    launched_from_an_assets_page = defs.resolve_implicit_global_asset_job_def()
    assert launched_from_an_assets_page.executor_def.name == "in_process"


def test_a_snapshot_is_late_at_six() -> None:
    graph = defs.get_repository_def().asset_graph
    for resource in ("customers", "contacts", "products", "invoices"):
        policy = graph.get(dg.AssetKey([resource, "snapshot"])).freshness_policy
        assert policy == dg.FreshnessPolicy.cron("0 6 * * *", timedelta(hours=2), "Europe/Copenhagen")


def test_options_are_given_to_the_first_asset_only() -> None:
    """R9: the launchpad shows one block, with a default for every option."""
    job = defs.resolve_job_def("bulk_customers")
    checked = dg.validate_run_config(job, {"ops": {"customers__rows": {"config": {"batch_size": 5}}}})
    assert checked["ops"]["customers__rows"]["config"]["on_existing"] == "skip"
    schemas = {node.name: node.definition.config_schema.config_type for node in job.nodes}
    assert [name for name, schema in schemas.items() if hasattr(schema, "fields")] == ["customers__rows"]
