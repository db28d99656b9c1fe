"""Snapshots as Dagster takes them: a night of an organization, what its page shows, and each way it can fail."""

from __future__ import annotations

import resource as limits
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from billy_pipelines import runs
from billy_pipelines.defs.nights import ORGANIZATIONS, today
from billy_pipelines.files.snapshots import newest_snapshot, snapshot_folder
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.settings import Settings
from billy_pipelines_tests.defs.nights import checks, failure, make_yesterdays, metadata, take

CUSTOMERS = [
    {
        "name": f"Nordlys nr. {n} ApS",
        "isCustomer": True,
        "phone": "70101010",
        "street": "Havnegade 4",
        "cityText": "Skagen",
    }
    for n in range(10)
]
WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


@pytest.fixture
def customers(sandbox: SandboxServer) -> list[str]:
    """Ids of ten customers in Billy."""
    return sandbox.sandbox.add_contacts(CUSTOMERS)


def visible(settings: Settings) -> list[str]:
    """What people see of the exports of customers: no half-written folder is among it."""
    folder = snapshot_folder(settings, "default", "customers", today()).parent
    return sorted(path.name for path in folder.glob("[!.]*"))


def test_one_run_takes_every_resource_of_an_organization(
    nightly: dg.DagsterInstance, settings: Settings, customers: list[str]
) -> None:
    result = take(nightly)
    assert result.success
    for resource in RESOURCES:
        snapshot = newest_snapshot(settings, "default", resource)
        assert snapshot is not None
        assert metadata(result, resource)["dagster/row_count"] == snapshot.manifest.records
        assert (snapshot.folder / f"{resource}-{today()}.csv").is_file()
    run = nightly.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags["dagster/priority"] == "-10", "an import, which somebody waits for, goes first"
    assert run.tags["billy/organization"] == "default", "it takes one of the organization's places"
    assert run.tags[runs.JOB_TAG].startswith("snapshots-"), "the sweep finds it when its process is gone"


def test_the_page_tells_rows_schema_paths_and_ten_rows_without_anything_personal_but_names(
    nightly: dg.DagsterInstance,
    settings: Settings,
    sandbox: SandboxServer,
    customers: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sandbox.sandbox.add_contacts(CUSTOMERS[:1])
    found = metadata(take(nightly, "customers"))
    assert found["dagster/row_count"] == 11
    assert {column.name: column.type for column in found["dagster/column_schema"].columns}["name"] == "string"
    assert found["requests"] > 0
    assert found["folder"] == str(snapshot_folder(settings, "default", "customers", today()))
    assert found["csv_file"].endswith(f"/customers-{today()}.csv")
    rows = [record.data for record in found["preview"].records]
    assert rows[0]["name"] == CUSTOMERS[0]["name"]
    assert len(rows) == 10
    assert not {"70101010", "Havnegade 4", "Skagen"} & {str(value) for row in rows for value in row.values()}
    monkeypatch.setenv("BILLY_PREVIEW_NAMES", "off")
    [row, *_] = metadata(take(nightly, "customers"))["preview"].records
    assert "Nordlys" not in str(row.data)


def test_what_changed_since_the_night_before_is_counted_and_written(
    nightly: dg.DagsterInstance, settings: Settings, sandbox: SandboxServer, customers: list[str]
) -> None:
    first = take(nightly, "customers")
    assert not {"added", "removed", "changed"} & metadata(first).keys(), "nothing is known to have changed, not nothing"
    assert checks(first) == {"row_count": (True, WARN), "unique_ids": (True, ERROR), "names": (True, WARN)}
    before = make_yesterdays(settings)
    sandbox.sandbox.add_contacts([{**CUSTOMERS[0], "name": "Helt Ny ApS"}])
    found = metadata(take(nightly, "customers"))
    assert (found["added"], found["removed"], found["changed"]) == (1, 0, 0)
    assert found["compared_with"] == (today() - timedelta(days=1)).isoformat()
    assert "Helt Ny ApS" in Path(found["changes_file"]).read_text(encoding="utf-8-sig")
    before.path("customers").write_bytes(b"PAR1")
    found = metadata(take(nightly, "customers"))
    assert "compared_with" not in found, "a damaged snapshot is not compared with, and stops no night"
    assert found["dagster/row_count"] == 11


def test_a_fifth_of_the_rows_gone_is_a_warning_and_so_is_a_record_without_a_name(
    nightly: dg.DagsterInstance, settings: Settings, sandbox: SandboxServer, customers: list[str]
) -> None:
    take(nightly, "customers")
    make_yesterdays(settings)
    for gone in customers[:2]:
        sandbox.sandbox.delete("contacts", gone)
    result = take(nightly, "customers")
    assert checks(result)["row_count"] == (True, WARN), "20 % are allowed"
    for gone in customers[2:4]:
        sandbox.sandbox.delete("contacts", gone)
    sandbox.sandbox.add_contacts([{"name": " ", "isCustomer": True}])
    result = take(nightly, "customers")
    assert result.success, "the files are what Billy has"
    assert checks(result) == {"row_count": (False, WARN), "unique_ids": (True, ERROR), "names": (False, WARN)}


def test_an_old_night_is_never_filled_with_todays_data(
    nightly: dg.DagsterInstance, settings: Settings, sandbox: SandboxServer, customers: list[str]
) -> None:
    result = take(nightly, "customers", days_ago=1)
    assert not result.success
    yesterday = today() - timedelta(days=1)
    assert failure(result) == (
        f"The night of {yesterday} cannot be taken any more: Billy only tells how things are now. "
        f"Launch {today()}|default instead. Nothing was read."
    )
    assert not sandbox.sandbox.requests
    assert not settings.data_dir.joinpath("exports").exists()


def test_a_failed_night_leaves_the_last_good_snapshot_and_says_which_that_is(
    nightly: dg.DagsterInstance, settings: Settings, sandbox: SandboxServer, customers: list[str]
) -> None:
    sandbox.sandbox.switch(faults=[{"kind": "5xx-before", "methods": ["GET"]}])
    result = take(nightly, "customers")
    assert "There is no snapshot of these customers yet." in failure(result)
    sandbox.sandbox.switch(faults=[])
    assert take(nightly, "customers").success
    last_good = make_yesterdays(settings)
    sandbox.sandbox.switch(faults=[{"kind": "5xx-before", "methods": ["GET"]}])
    result = take(nightly, "customers")
    assert not result.success
    assert failure(result).startswith("billy_unavailable: ")
    assert failure(result).endswith(
        f"The last good snapshot is of {last_good.manifest.day} (10 customers); nothing has touched it."
    )
    assert visible(settings) == [last_good.folder.name]
    sandbox.sandbox.switch(faults=[])
    assert take(nightly, "customers").success, "the next run heals"
    assert visible(settings) == [last_good.folder.name, today().isoformat()]


def test_a_429_is_waited_out(nightly: dg.DagsterInstance, sandbox: SandboxServer, customers: list[str]) -> None:
    sandbox.sandbox.switch(rate_limit="2/0.5", retry_after="seconds")
    result = take(nightly, "customers")
    assert result.success
    assert metadata(result)["dagster/row_count"] == 10


def test_what_a_person_can_put_right_is_said_in_words(
    nightly: dg.DagsterInstance, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value, says in (
        ("BILLY_ACCESS_TOKEN", "wrong-token", "token_refused: "),
        ("BILLY_ACCESS_TOKEN", "", "bad_setting: No access token for organization 'default'"),
        ("BILLY_API_URL", "http://127.0.0.1:9/v2", "billy_unavailable: "),
        ("BILLY_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none", "database_unavailable: "),
        ("BILLY_KEEP_IMAGES_DAYS", "soon", "bad_setting: BILLY_KEEP_IMAGES_DAYS is 'soon'"),
    ):
        with monkeypatch.context() as variable:
            variable.setenv(name, value)
            result = take(nightly, "customers")
        assert not result.success
        assert failure(result).startswith(says)
        [event] = [event for event in result.all_events if event.is_step_failure]
        assert event.step_failure_data.error is not None
        assert event.step_failure_data.error.cause is None, "no chain of causes, whose traces nobody reads"
        assert "wrong-token" not in str(event)
    nightly.add_dynamic_partitions(ORGANIZATIONS, ["gone"])
    of_another = failure(take(nightly, "customers", organization="gone"))
    assert of_another.startswith("bad_setting: There is no organization 'gone'.")
    assert visible(settings) == []


def test_a_disk_without_room_leaves_nothing_half_written(
    nightly: dg.DagsterInstance, settings: Settings, sandbox: SandboxServer
) -> None:
    """As on a full disk, here by a limit on the size of a file."""
    sandbox.sandbox.add_contacts({**CUSTOMERS[0], "name": f"{n * 7919 % 10_007} ApS"} for n in range(3_000))
    with file_size_limit(60_000):
        result = take(nightly, "customers")
    assert not result.success
    assert failure(result).startswith("cannot_write: ")
    assert visible(settings) == []
    assert take(nightly, "customers").success
    assert visible(settings) == [today().isoformat()]


@contextmanager
def file_size_limit(most: int) -> Iterator[None]:
    before = limits.getrlimit(limits.RLIMIT_FSIZE)
    limits.setrlimit(limits.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        limits.setrlimit(limits.RLIMIT_FSIZE, before)
