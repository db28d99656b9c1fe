"""A night is a day in Denmark and an organization: the partitions of snapshots, and who asks for them when.

Organizations are a dynamic dimension, not read when the code is loaded: a changed `organizations.yaml` counts without a
restart. The schedule adds those it finds; a sensor does so every minute, so that a person need not wait for the night.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import dagster as dg

from billy_pipelines.schemas.resource import COPENHAGEN
from billy_pipelines.settings import Settings

ORGANIZATIONS = "billy_organizations"
"""Names of dynamic partitions are global to the instance (dagster #29693), hence the prefix."""
TIMEZONE = "Europe/Copenhagen"
FIRST_DAY = "2026-11-01"
"""No snapshot is older; the UI lists every day since."""

NIGHTS = dg.MultiPartitionsDefinition(
    {
        # Today's partition exists from midnight on: what is read is the present, not a day that is over.
        "date": dg.DailyPartitionsDefinition(start_date=FIRST_DAY, timezone=TIMEZONE, end_offset=1),
        "organization": dg.DynamicPartitionsDefinition(name=ORGANIZATIONS),
    }
)


@dataclass(frozen=True)
class Night:
    """One partition of every snapshot."""

    day: date
    organization: str

    @property
    def key(self) -> dg.MultiPartitionKey:
        return dg.MultiPartitionKey({"date": self.day.isoformat(), "organization": self.organization})


def today() -> date:
    """The day it is in Denmark."""
    return datetime.now(COPENHAGEN).date()


def night_of(tags: Mapping[str, str]) -> Night | None:
    """The night a run is about, by its tags; None for a run that is about none."""
    day, organization = tags.get("dagster/partition/date"), tags.get("dagster/partition/organization")
    return Night(date.fromisoformat(day), organization) if day and organization else None


def requests_for(scheduled: datetime, now: datetime, organizations: list[str]) -> list[dg.RunRequest] | dg.SkipReason:
    """A run for each organization; none for a night that is over (`billy up` was down), which today's data is not."""
    day = scheduled.astimezone(COPENHAGEN).date()
    if day != now.astimezone(COPENHAGEN).date():
        return dg.SkipReason(f"The night of {day} is over, and Billy only tells how things are now.")
    nights = [Night(day, name) for name in organizations]
    return [
        dg.RunRequest(run_key=night.key, partition_key=night.key, tags={"billy/organization": night.organization})
        for night in nights
    ]


@dg.sensor(
    name="organizations",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes the organizations of organizations.yaml partitions of the snapshots.",
)
def organizations_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Those that are gone stay: their nights may still be there."""
    known = set(context.instance.get_dynamic_partitions(ORGANIZATIONS))
    new = sorted(set(Settings.from_environment().organizations()) - known)
    if not new:
        return dg.SkipReason("No new organizations.")
    adding = dg.DynamicPartitionsDefinition(name=ORGANIZATIONS).build_add_request(new)
    return dg.SensorResult(dynamic_partitions_requests=[adding])
