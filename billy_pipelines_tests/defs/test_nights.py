"""When nights are taken: the schedule over a year with its two odd nights, and organizations that come and go."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from billy_pipelines.definitions import defs
from billy_pipelines.defs.nights import NIGHTS, ORGANIZATIONS, requests_for, today
from billy_pipelines.schemas.resource import COPENHAGEN
from billy_pipelines.settings import Settings

SCHEDULES = [defs.resolve_schedule_def(name) for name in ("nightly_snapshots", "nightly_maintenance")]


def ticks(schedule: dg.ScheduleDefinition, first: datetime, last: datetime) -> list[datetime]:
    """The ticks of a schedule between two moments, as Dagster's daemon works them out, in Danish time."""
    found = []
    assert isinstance(schedule.cron_schedule, str)
    for moment in schedule_execution_time_iterator(
        first.timestamp(), schedule.cron_schedule, schedule.execution_timezone
    ):
        if moment > last:
            return found
        found.append(moment.astimezone(COPENHAGEN))
    return found


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)
def test_every_night_of_the_year_has_one_tick_also_the_two_on_which_the_clocks_change(
    schedule: dg.ScheduleDefinition,
) -> None:
    year = ticks(schedule, datetime(2026, 1, 1, tzinfo=COPENHAGEN), datetime(2026, 12, 31, 23, tzinfo=COPENHAGEN))
    nights = Counter(tick.date().isoformat() for tick in year)
    assert len(nights) == 365
    assert set(nights.values()) == {1}
    assert {(tick.hour, tick.minute) for tick in year} == {(4, 15) if schedule is SCHEDULES[0] else (5, 30)}
    offsets = {tick.date().isoformat(): tick.utcoffset() for tick in year}
    assert offsets["2026-03-28"] == timedelta(hours=1)
    assert offsets["2026-03-29"] == timedelta(hours=2), "03:00 came at once after 01:59"
    assert offsets["2026-10-25"] == timedelta(hours=1), "02:00 came twice"


def test_both_schedules_run_without_anybody_turning_them_on() -> None:
    assert {schedule.default_status for schedule in SCHEDULES} == {dg.DefaultScheduleStatus.RUNNING}


@pytest.mark.parametrize("night", ["2026-03-29", "2026-10-25", "2026-11-25"])
def test_a_tick_asks_for_one_run_for_each_organization(night: str) -> None:
    scheduled = datetime.fromisoformat(f"{night}T04:15").replace(tzinfo=COPENHAGEN)
    asked = requests_for(scheduled.astimezone(UTC), scheduled + timedelta(seconds=2), ["default", "nordhavn"])
    assert isinstance(asked, list)
    assert [request.partition_key for request in asked] == [f"{night}|default", f"{night}|nordhavn"]
    assert [request.tags["billy/organization"] for request in asked] == ["default", "nordhavn"]


def test_a_night_that_was_missed_is_made_up_for_the_same_day_and_no_later() -> None:
    """`billy up` was down at 04:15: its next start catches up on the last tick."""
    scheduled = datetime(2026, 11, 25, 4, 15, tzinfo=COPENHAGEN)
    assert isinstance(requests_for(scheduled, datetime(2026, 11, 25, 23, 59, tzinfo=COPENHAGEN), ["default"]), list)
    late = requests_for(scheduled, datetime(2026, 11, 26, 0, 1, tzinfo=COPENHAGEN), ["default"])
    assert isinstance(late, dg.SkipReason)
    assert late.skip_message == "The night of 2026-11-25 is over, and Billy only tells how things are now."


def test_an_organization_that_is_added_counts_without_a_restart(
    nightly: dg.DagsterInstance, settings: Settings
) -> None:
    sensor = defs.resolve_sensor_def("organizations")

    def look() -> dg.SensorResult | dg.SkipReason:
        found = sensor(dg.build_sensor_context(instance=nightly))
        assert isinstance(found, dg.SensorResult | dg.SkipReason)
        return found

    def tick() -> list[str]:
        now = datetime.combine(today(), datetime.min.time(), COPENHAGEN) + timedelta(hours=4, minutes=15)
        context = dg.build_schedule_context(
            instance=nightly, scheduled_execution_time=now, repository_def=defs.get_repository_def()
        )
        return [str(request.partition_key) for request in SCHEDULES[0].evaluate_tick(context).run_requests or []]

    assert isinstance(look(), dg.SkipReason)
    settings.data_dir.mkdir(exist_ok=True)
    (settings.data_dir / "organizations.yaml").write_text("organizations: [{name: default}, {name: nordhavn}]")
    found = look()
    assert isinstance(found, dg.SensorResult)
    [adding] = found.dynamic_partitions_requests or []
    assert (adding.partitions_def_name, list(adding.partition_keys)) == (ORGANIZATIONS, ["nordhavn"])
    assert tick() == [f"{today()}|default", f"{today()}|nordhavn"], "the schedule does not wait for the sensor"
    assert nightly.has_dynamic_partition(ORGANIZATIONS, "nordhavn")
    (settings.data_dir / "organizations.yaml").write_text("organizations: [{name: nordhavn}]")
    assert tick() == [f"{today()}|nordhavn"]


def test_todays_night_can_be_launched_by_hand_from_midnight_on(nightly: dg.DagsterInstance) -> None:
    keys = NIGHTS.get_partition_keys(dynamic_partitions_store=nightly)
    assert keys[-1] == f"{today()}|default"
