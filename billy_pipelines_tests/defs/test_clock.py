"""What Dagster's daemons make of the nights: one tick of the schedule, and the verdict on who is late, at a given time.

The daemons' own code on a real instance and the real code; only the clock is held (Dagster's own `freeze_time`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.scheduler.instigation import InstigatorTick, TickStatus
from dagster._core.test_utils import freeze_time
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.freshness import FreshnessDaemon
from dagster._scheduler.scheduler import launch_scheduled_runs

from billy_pipelines import runs
from billy_pipelines.defs import exports
from billy_pipelines.defs.nights import ORGANIZATIONS, Night, today
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.schemas.resource import COPENHAGEN
from billy_pipelines.settings import Settings
from billy_pipelines_tests.defs.nights import take

WINTER, SPRING, SUMMER, AUTUMN = "2026-12-01", "2027-03-28", "2027-07-01", "2027-10-31"
"""Nights: the second and the last are those on which the clocks change."""
SNAPSHOTS = [dg.AssetKey([resource, "snapshot"]) for resource in RESOURCES]


def at(day: str, time: str, days: int = 0) -> datetime:
    """That time in Denmark."""
    return datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=COPENHAGEN) + timedelta(days=days)


@pytest.fixture
def location(nightly: dg.DagsterInstance) -> Iterator[WorkspaceProcessContext]:
    """Our code as the daemons see it, loaded into this process."""
    origin = InProcessCodeLocationOrigin(
        LoadableTargetOrigin(module_name=runs.DEFINITIONS_MODULE), location_name=runs.LOCATION
    )
    with WorkspaceProcessContext(nightly, InProcessWorkspaceLoadTarget(origin)) as context:
        yield context


@pytest.fixture
def two_organizations(nightly: dg.DagsterInstance, settings: Settings) -> None:
    """`default` and `nordhavn`."""
    settings.data_dir.mkdir(exist_ok=True)
    (settings.data_dir / "organizations.yaml").write_text("organizations: [{name: default}, {name: nordhavn}]")


@contextmanager
def clock(moment: datetime, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It is that time, for Dagster and for our schedule."""

    class Held(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return moment.astimezone(tz)

    with monkeypatch.context() as held, freeze_time(moment.astimezone(UTC)):
        held.setattr(exports, "datetime", Held)
        yield


# -- the schedule ------------------------------------------------------------------------------------------------------


def scheduler_looks(location: WorkspaceProcessContext, moment: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """One round of the scheduler daemon at that moment."""
    with clock(moment, monkeypatch):
        for error in launch_scheduled_runs(location, logging.getLogger("test"), moment.astimezone(UTC), {}):
            assert error is None, error


def ticks(location: WorkspaceProcessContext) -> list[InstigatorTick]:
    """Those of the schedule of snapshots, newest first."""
    schedule = location.create_request_context().get_code_location(runs.LOCATION).get_repository("__repository__")
    of = schedule.get_schedule("nightly_snapshots")
    return list(location.instance.get_ticks(of.get_remote_origin().get_id(), of.selector_id))


@pytest.mark.parametrize("night", [WINTER, SPRING, AUTUMN])
@pytest.mark.usefixtures("two_organizations")
def test_a_tick_at_a_quarter_past_four_starts_one_run_an_organization_that_takes_everything(
    nightly: dg.DagsterInstance, location: WorkspaceProcessContext, monkeypatch: pytest.MonkeyPatch, night: str
) -> None:
    for time in ("00:00", "02:15", "04:14:59"):
        scheduler_looks(location, at(night, time), monkeypatch)
    assert nightly.get_runs() == []
    assert ticks(location) == []
    for time in ("04:15", "04:15:30", "04:16", "05:15"):
        scheduler_looks(location, at(night, time), monkeypatch)

    started = {run.tags["dagster/partition"]: run for run in nightly.get_runs()}
    assert len(nightly.get_runs()) == len(started) == 2, "once each, however often the daemon looks"
    for organization in ("default", "nordhavn"):
        run = started[f"{night}|{organization}"]
        assert (run.job_name, run.status) == ("snapshots", dg.DagsterRunStatus.QUEUED)
        assert run.tags["dagster/partition/date"] == night
        assert run.tags["dagster/partition/organization"] == organization
        assert run.tags["billy/organization"] == organization
        assert run.tags["dagster/priority"] == "-10"
        assert run.tags["dagster/schedule_name"] == "nightly_snapshots"
        selected = nightly.get_execution_plan_snapshot(run.execution_plan_snapshot_id or "").step_keys_to_execute
        assert set(selected) == {f"{resource}__snapshot" for resource in RESOURCES}
    [tick] = ticks(location)
    assert tick.status is TickStatus.SUCCESS
    assert datetime.fromtimestamp(tick.timestamp, COPENHAGEN) == at(night, "04:15")
    assert set(tick.run_ids) == {run.run_id for run in started.values()}


@pytest.mark.parametrize(("back_at", "taken"), [("09:00", ["2026-12-04|default"]), ("01:00", [])])
def test_after_three_days_down_only_a_night_of_today_is_made_up_for(
    nightly: dg.DagsterInstance,
    location: WorkspaceProcessContext,
    monkeypatch: pytest.MonkeyPatch,
    back_at: str,
    taken: list[str],
) -> None:
    scheduler_looks(location, at(WINTER, "05:00"), monkeypatch)
    scheduler_looks(location, at(WINTER, back_at, days=3), monkeypatch)
    snapshots = nightly.get_runs(dg.RunsFilter(job_name="snapshots"))
    assert [run.tags["dagster/partition"] for run in snapshots] == taken
    [tick] = ticks(location)
    assert tick.status is (TickStatus.SUCCESS if taken else TickStatus.SKIPPED)
    if not taken:
        assert tick.skip_reason == "The night of 2026-12-03 is over, and Billy only tells how things are now."


# -- who is late -------------------------------------------------------------------------------------------------------


def taken(instance: dg.DagsterInstance, moment: datetime, organization: str = "default") -> None:
    """Every snapshot of an organization was taken at that moment: its run has reported so."""
    with freeze_time(moment.astimezone(UTC)):
        for key in SNAPSHOTS:
            instance.report_runless_asset_event(
                dg.AssetMaterialization(key, partition=Night(moment.date(), organization).key)
            )


def judged(location: WorkspaceProcessContext, moment: datetime) -> FreshnessState:
    """What every snapshot asset shows after the freshness daemon has looked at that moment; the same for all."""
    with freeze_time(moment.astimezone(UTC)):
        list(FreshnessDaemon().run_iteration(location))
    records = location.instance.get_freshness_state_records(SNAPSHOTS)
    [state] = {records[key].freshness_state for key in SNAPSHOTS}
    return state


@pytest.mark.parametrize("night", [WINTER, SPRING, SUMMER, AUTUMN])
def test_by_six_a_night_that_is_missing_is_red_and_green_again_once_it_is_there(
    nightly: dg.DagsterInstance, location: WorkspaceProcessContext, night: str
) -> None:
    taken(nightly, at(night, "04:20", days=-1))
    assert judged(location, at(night, "05:59:59")) is FreshnessState.PASS, "it still has time"
    assert judged(location, at(night, "06:00:01")) is FreshnessState.FAIL
    assert judged(location, at(night, "23:00")) is FreshnessState.FAIL
    taken(nightly, at(night, "23:30"))
    assert judged(location, at(night, "23:31")) is FreshnessState.PASS
    assert judged(location, at(night, "06:00:01", days=1)) is FreshnessState.FAIL, "yesterday evening's is not enough"


@pytest.mark.parametrize("night", [WINTER, SPRING, SUMMER, AUTUMN])
def test_a_night_that_was_taken_is_green_all_day(
    nightly: dg.DagsterInstance, location: WorkspaceProcessContext, night: str
) -> None:
    taken(nightly, at(night, "04:15:20"))
    for time, days in (("04:30", 0), ("06:00:01", 0), ("23:59", 0), ("05:59:59", 1)):
        assert judged(location, at(night, time, days)) is FreshnessState.PASS


def test_the_run_of_a_night_counts_as_its_word(nightly: dg.DagsterInstance, location: WorkspaceProcessContext) -> None:
    """A real one, of a partition; the other tests report what it would."""
    assert take(nightly).success
    assert judged(location, datetime.now(COPENHAGEN)) is FreshnessState.PASS
    day_after_tomorrow = at(today().isoformat(), "06:00:01", days=2)
    assert judged(location, day_after_tomorrow) is FreshnessState.FAIL


def test_the_daemon_that_judges_runs_under_our_instance(nightly: dg.DagsterInstance) -> None:
    """It is off unless `dagster.yaml` turns it on."""
    assert FreshnessDaemon.daemon_type() in nightly.get_required_daemon_types()


def test_what_dagster_cannot_tell(nightly: dg.DagsterInstance, location: WorkspaceProcessContext) -> None:
    """Documented in docs/exports.md; where this fails one day, Dagster has become better than our word."""
    assert judged(location, at(WINTER, "07:00")) is FreshnessState.UNKNOWN, "before the first night there ever was"
    nightly.add_dynamic_partitions(ORGANIZATIONS, ["nordhavn"])
    taken(nightly, at(WINTER, "04:20"), "nordhavn")
    assert judged(location, at(WINTER, "07:00")) is FreshnessState.PASS, "one organization's speaks for all"
