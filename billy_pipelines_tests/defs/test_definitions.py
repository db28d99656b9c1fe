"""A snapshot of everything Dagster is told: what others see in the UI, schedule against, and call by name."""

from __future__ import annotations

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
                "partitions": getattr(graph.get(key).partitions_def, "name", None),
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
                sorted(job.name for job in sensor.jobs),
            )
            for sensor in repository.sensor_defs
        },
        "schedules": [schedule.name for schedule in repository.schedule_defs],
    }


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

    assert _snapshot() == {
        "assets": {name: asset for resource in resources for name, asset in chain(resource).items()},
        "checks": {
            f"{resource}/{name}": blocking
            for resource in resources
            for name, blocking in (("plan:error_rate", True), ("sync:rows_accounted_for", False))
        },
        "jobs": ["apply_plan", *jobs],
        "sensors": {"uploads": (1, dg.DefaultSensorStatus.RUNNING, jobs)},
        "schedules": [],
    }


def test_a_job_runs_in_one_process() -> None:
    """A process per step costs 2 s each, and the writer lock must be held from plan to sync."""
    job = defs.resolve_job_def("bulk_customers")
    assert job.executor_def.name == "in_process"


def test_options_are_given_to_the_first_asset_only() -> None:
    """R9: the launchpad shows one block, with a default for every option."""
    job = defs.resolve_job_def("bulk_customers")
    checked = dg.validate_run_config(job, {"ops": {"customers__rows": {"config": {"batch_size": 5}}}})
    assert checked["ops"]["customers__rows"]["config"]["on_existing"] == "skip"
    schemas = {node.name: node.definition.config_schema.config_type for node in job.nodes}
    assert [name for name, schema in schemas.items() if hasattr(schema, "fields")] == ["customers__rows"]
