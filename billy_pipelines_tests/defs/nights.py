"""What tests of the nightly jobs share: a run of a night, what it says, and making it yesterday's."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from sqlalchemy import Engine, text

from billy_pipelines.database.jobs import mirror_organization
from billy_pipelines.definitions import defs
from billy_pipelines.defs.nights import Night, today
from billy_pipelines.files.snapshots import MANIFEST, Snapshot, read_snapshot, snapshot_folder
from billy_pipelines.settings import Settings


def skip_slow_start(engine: Engine) -> None:
    """The rate starts at 2/s on purpose; tests of other things begin where it has grown to its ceiling."""
    with engine.begin() as connection:
        mirror_organization(connection, "default")
        connection.execute(
            text("UPDATE billy.billy_organizations SET rate = 500, rate_changed_at = now(), next_permit_at = now()")
        )


def take(
    instance: dg.DagsterInstance, *resources: str, days_ago: int = 0, organization: str = "default"
) -> dg.ExecuteInProcessResult:
    """Run a night of some resources, or of all, as the daemon would."""
    return defs.resolve_job_def("snapshots").execute_in_process(
        partition_key=Night(today() - timedelta(days=days_ago), organization).key,
        asset_selection=[dg.AssetKey([resource, "snapshot"]) for resource in resources] or None,
        instance=instance,
        raise_on_error=False,
    )


def failure(result: dg.ExecuteInProcessResult) -> str:
    """What the one step that failed says to a person."""
    [event] = [event for event in result.all_events if event.is_step_failure]
    data = event.step_failure_data.user_failure_data
    assert data is not None, event.step_failure_data
    assert data.description
    return data.description


def metadata(result: dg.ExecuteInProcessResult, resource: str = "customers") -> dict[str, Any]:
    """The metadata of a resource's snapshot, as plain values."""
    [event] = result.asset_materializations_for_node(f"{resource}__snapshot")
    return {name: value.value for name, value in event.metadata.items()}


def checks(result: dg.ExecuteInProcessResult) -> dict[str, tuple[bool, dg.AssetCheckSeverity]]:
    """How the checks of a night of one resource ended."""
    return {check.check_name: (check.passed, check.severity) for check in result.get_asset_check_evaluations()}


def make_yesterdays(settings: Settings, resource: str = "customers") -> Snapshot:
    """Today's snapshot becomes yesterday's: a night is not to be waited for."""
    day = today()
    folder = snapshot_folder(settings, "default", resource, day)
    before = folder.rename(folder.with_name((day - timedelta(days=1)).isoformat()))
    _change_manifest(before, day=(day - timedelta(days=1)).isoformat())
    snapshot = read_snapshot(before)
    assert snapshot is not None
    return snapshot


def _change_manifest(folder: Path, **values: Any) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **values}), encoding="utf-8")
