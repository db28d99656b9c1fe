"""A Billy that keeps names and prices otherwise than they were sent: whole imports under faults are still true and
once, and are taken back whole."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.verdicts import Verdict
from billy_pipelines.database.items import Sending
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.sandbox import Fault, SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, run_job, run_job_async, take_in
from billy_pipelines_tests.bulk.taking_back import take_back

UNCLEAR = [
    Fault(kind="5xx-after", methods=["POST"], every=3),
    Fault(kind="reset-after", methods=["POST"], every=4),
    Fault(kind="bad-json-after", methods=["POST"], every=5),
]
WAYS = ("cut", "without-emoji", "ascii", "squeezed")
NAMES = [f"Café {n} 🌟 Østerkær  og  andre gode virksomheder i en række" for n in range(12)]
Rows = Sequence[Mapping[str, str]]
NUMBERED: Rows = [{"name": name, "contactNo": f"K{n}"} for n, name in enumerate(NAMES)]
WITH_PHONE: Rows = [{"name": name, "phone": f"123456{n:02d}"} for n, name in enumerate(NAMES)]
BARE: Rows = [{"name": name} for name in NAMES]


def imported(settings: Settings, engine: Engine, folder: Path, rows: Rows, **options: Any) -> JobRow:
    """A file taken through its job."""
    file = customers_csv(folder / "ind.csv", rows)
    return run_job(settings, engine, take_in(settings, engine, file, **options).job.job_id)


def made_ids(sandbox: SandboxServer, plural: str = "contacts") -> list[str]:
    return [change.id for change in sandbox.sandbox.ledger.select("create", plural)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rows", [NUMBERED, WITH_PHONE], ids=["numbers", "phones"])
def test_creates_without_an_answer_are_found_by_what_was_sent_with_the_name(
    way: str, rows: Rows, settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.sandbox.switch(stored_names=way, faults=UNCLEAR)
    row = imported(settings, engine, tmp_path, rows)
    assert (row.status, row.counts["created"]) == ("completed", len(rows)), row.errors
    claimed = [item.billy_id for item in load_job(settings, engine, row.job_id).journal.items()]
    assert sorted(map(str, claimed)) == sorted(made_ids(sandbox))

    sandbox.sandbox.switch(faults=[])
    assert take_back(settings, engine, row.job_id).verdicts == ["reversed"] * len(rows)
    assert sandbox.sandbox.contacts == []


@pytest.mark.parametrize("way", WAYS)
def test_creates_of_a_bare_name_are_found_or_named_and_never_sent_again(
    way: str, settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.sandbox.switch(stored_names=way, faults=UNCLEAR)
    row = imported(settings, engine, tmp_path, BARE)
    for again in (False, True):
        if again:  # a retry looks once more, and sends none of them either
            row = run_job(settings, engine, row.job_id)
        items = load_job(settings, engine, row.job_id).journal.items()
        failed = [item for item in items if item.status == Verdict.FAILED]
        assert {item.error_code for item in failed} <= {"outcome_unknown"}
        assert row.counts["created"] + len(failed) == len(BARE) == len(made_ids(sandbox))
        named = {billy_id for item in failed for billy_id in re.findall(r"[\w-]{10,}", item.error or "")}
        claimed = {item.billy_id for item in items if item.status == Verdict.CREATED}
        assert set(made_ids(sandbox)) <= named | claimed
        assert bool(failed) == (way != "squeezed")


def test_what_was_there_before_is_not_taken_for_ours_by_a_process_that_goes_on(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    """The first process dies with its rows marked as being sent: one of them arrived, one did not."""
    sandbox.sandbox.switch(stored_names="cut")
    [old] = sandbox.sandbox.add_contacts([{"name": f"{NAMES[0]}"[:40].rstrip(), "phone": "12345600"}])
    file = customers_csv(tmp_path / "ind.csv", WITH_PHONE[:2])
    job_id = take_in(settings, engine, file).job.job_id
    job = load_job(settings, engine, job_id)

    def die() -> None:
        [arrived] = sandbox.sandbox.add_contacts([{"name": NAMES[1][:40].rstrip(), "phone": "12345601"}])
        ids.append(arrived)
        job.journal.write([Sending(n, "hash") for n in range(2)])
        raise KeyboardInterrupt

    ids: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(run_job_async(settings, engine, job_id, before_sync=die))
    row = run_job(settings, engine, job_id)
    assert row.counts["created"] == 2, row.errors
    first, second = (item.billy_id for item in job.journal.items())
    assert second == ids[0]
    assert [first] == made_ids(sandbox)
    assert first != old


@pytest.mark.parametrize("decimals", [2, 3])
def test_products_of_finer_prices_than_billy_keeps_are_found(
    decimals: int, settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.sandbox.switch(price_decimals=decimals, faults=UNCLEAR)
    rows = [{"name": f"Vare {n}", "productNo": f"V{n}", "unitPrice": f"{n},1255"} for n in range(1, 13)]
    row = imported(settings, engine, tmp_path, rows, resource="products")
    assert (row.status, row.counts["created"]) == ("completed", len(rows)), row.errors
    assert len(made_ids(sandbox, "products")) == len(rows)


@pytest.mark.parametrize("way", ["cut", "ascii"])
def test_records_an_undo_makes_again_are_made_once(
    way: str, settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    bodies = [{"name": row["name"], "contactNo": row["contactNo"], "isCustomer": True} for row in NUMBERED]
    sandbox.sandbox.add_contacts(bodies)
    file = customers_csv(tmp_path / "slet.csv", [{"contactNo": row["contactNo"]} for row in NUMBERED])
    options = {"operation": "delete", "confirm_count": len(NUMBERED)}
    job_id = take_in(settings, engine, file, **options).job.job_id
    assert run_job(settings, engine, job_id).counts["deleted"] == len(NUMBERED)

    sandbox.sandbox.switch(stored_names=way, faults=UNCLEAR)
    assert take_back(settings, engine, job_id).verdicts == ["reversed"] * len(NUMBERED)
    assert sorted(str(contact["contactNo"]) for contact in sandbox.sandbox.contacts) == sorted(
        row["contactNo"] for row in NUMBERED
    )
