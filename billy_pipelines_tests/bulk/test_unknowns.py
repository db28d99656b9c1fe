"""What is unknown of the real Billy, each way it may be: an import under faults is true and once in all of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from billy_pipelines.sandbox import Fault, SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import check_accounts, customers_csv, numbered, run_job, take_in

WAYS: dict[str, dict[str, Any]] = {
    "as assumed": {},
    "lists without persons": {"include": "ignored"},
    "unsorted lists reshuffled, sort ignored": {"unstable_paging": True, "unlisted_sort": "ignored"},
    "unsorted lists reshuffled, sort refused": {"unstable_paging": True, "unlisted_sort": "refused"},
    "unknown keys refused": {"undeclared_properties": "refused", "organization_id": "refused"},
    "archived hidden, no bulk": {"archived_in_lists": "hidden", "bulk_save": "unavailable"},
    "lists without persons, reshuffled": {"include": "ignored", "unstable_paging": True, "unlisted_sort": "ignored"},
}
UNCLEAR = [
    Fault(kind="5xx-after", methods=["POST", "PUT"], every=5),
    Fault(kind="reset-after", methods=["POST", "PUT"], every=7),
    Fault(kind="bad-json-after", methods=["POST", "PUT"], every=11),
]
OLD, NEW = 40, 40


@pytest.mark.parametrize("switches", WAYS.values(), ids=list(WAYS))
def test_an_import_over_half_known_customers_is_true_and_once(
    switches: dict[str, Any], settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    rows = [{**row, "phone": "11 22 33 44"} for row in numbered(OLD + NEW)]
    first = take_in(settings, engine, customers_csv(tmp_path / "gamle.csv", rows[:OLD])).job.job_id
    assert run_job(settings, engine, first).counts["created"] == OLD
    sandbox.sandbox.switch(**switches, faults=UNCLEAR)
    changed = [{**row, "phone": "55 66 77 88"} for row in rows]
    file = customers_csv(tmp_path / "alle.csv", changed)
    row = run_job(settings, engine, take_in(settings, engine, file, on_existing="update").job.job_id)
    assert (row.counts["created"], row.counts["updated"], row.counts["failed"]) == (NEW, OLD, 0), (
        row.status,
        row.errors,
        row.counts,
    )
    check_accounts(settings, engine, sandbox, row)
    names = Counter(contact["name"] for contact in sandbox.sandbox.contacts)
    assert len(names) == OLD + NEW
    assert set(names.values()) == {1}
    assert {contact["phone"] for contact in sandbox.sandbox.contacts} == {"55 66 77 88"}
    persons = Counter(person["contactId"] for person in sandbox.sandbox.contact_persons)
    assert set(persons.values()) == {1}, "no person was lost or doubled"

    sandbox.sandbox.switch(faults=[])
    again = run_job(settings, engine, take_in(settings, engine, file, on_existing="update", again=True).job.job_id)
    assert again.counts["unchanged"] == OLD + NEW


@pytest.mark.parametrize("include", ["honoured", "ignored"])
def test_an_equal_name_with_another_email_is_never_taken_for_the_same_b5(
    include: str, settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    """Also where the list does not show the e-mail: it is read before the row is judged."""
    first = customers_csv(tmp_path / "a.csv", [{"name": "Jens Hansen", "email": "jens@odense.example"}])
    run_job(settings, engine, take_in(settings, engine, first).job.job_id)
    sandbox.sandbox.switch(include=include)
    second = customers_csv(tmp_path / "b.csv", [{"name": "Jens Hansen", "email": "jens@aarhus.example"}])
    row = run_job(settings, engine, take_in(settings, engine, second, on_existing="update").job.job_id)
    assert row.counts["rejected"] == 1
    [item] = check_accounts(settings, engine, sandbox, row).journal.items()
    assert item.error_code == "possible_duplicate"
    assert [person["email"] for person in sandbox.sandbox.contact_persons] == ["jens@odense.example"]
