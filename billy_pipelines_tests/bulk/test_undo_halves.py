"""A record that an undo restores by several requests of which only the first is in the books: finished by the next run,
and never called unprocessed, nor kept as people left it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from billy_pipelines.bulk import lifecycle
from billy_pipelines.bulk.applying import apply_plan
from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.progress import Progress
from billy_pipelines.bulk.undo import begin_undo
from billy_pipelines.bulk.undo_execution import UndoExecution
from billy_pipelines.bulk.verdicts import UNDO, State, verdicts_of
from billy_pipelines.bulk.workplace import Stopped
from billy_pipelines.database.items import Item
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.database.locks import Lease
from billy_pipelines.sandbox import Fault, SandboxServer
from billy_pipelines.schemas.undoing import ChildList, Undoing, has_begun
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import QUICK
from billy_pipelines_tests.bulk.taking_back import Undone, books, ended, work_on
from billy_pipelines_tests.bulk.test_undo_kept import Office
from billy_pipelines_tests.e2e.commands import environment
from billy_pipelines_tests.support import wait_until

HOLD = 20.0
"""Seconds for which Billy keeps an answer back: nobody waits for it."""


@dataclass(frozen=True)
class Half:
    """An update of a record and of what hangs on it, to be taken back by two requests."""

    resource: str
    plural: str
    children: str
    record: dict[str, Any]
    row: dict[str, str]
    edit: dict[str, Any]
    """What a person writes into what hangs on it."""


CUSTOMER = Half(
    "customers",
    "contacts",
    "contactPersons",
    {
        "name": "A ApS",
        "contactNo": "1",
        "cityText": "Ry",
        "isCustomer": True,
        "contactPersons": [{"name": "Anna", "email": "anna@a.example", "isPrimary": True}],
    },
    {"contactNo": "1", "city": "Ribe", "email": "ny@a.example"},
    {"email": "nyere@a.example"},
)
PRODUCT = Half(
    "products",
    "products",
    "productPrices",
    {"name": "Vare", "productNo": "1", "prices": [{"currencyId": "DKK", "unitPrice": 100}]},
    {"productNo": "1", "name": "Ny vare", "unitPrice": "125.5"},
    {"unitPrice": 130},
)
BOTH = pytest.mark.parametrize("half", [CUSTOMER, PRODUCT], ids=lambda half: half.resource)

KILLED = f"""
import sys
from billy_pipelines.bulk.timing import Timing
from billy_pipelines.database.engine import open_engine
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.taking_back import work_on
settings = Settings.from_environment()
work_on(settings, open_engine(settings.database_url), sys.argv[1], timing=Timing(answer={2 * HOLD}))
"""


class Desk(Office):
    """An undo of one update, as far as it comes."""

    def changed(self, half: Half, **asked: Any) -> tuple[str, list[Any]]:
        """The undo of an update that is in the books, and what they were before."""
        self.there(half.plural, half.record)
        before = books(self.server, half.plural)
        job = self.run(half.resource, "update", [half.row])
        assert job.counts["updated"] == 1, job.errors
        return begin_undo(self.settings, self.engine, job.job_id, launch=False, **asked).job.job_id, before

    def kill_between(self, half: Half, undo: str) -> None:
        """kill -9 while the record's request is in the books and the next one has not left."""
        written = len(self.sandbox.ledger)
        self.sandbox.switch(faults=[Fault(kind="timeout-after", resource=half.plural, seconds=HOLD)])
        process = subprocess.Popen([sys.executable, "-c", KILLED, undo], env=environment(self.settings))
        try:
            wait_until(lambda: len(self.sandbox.ledger) > written, 60, pause=0.005)
        finally:
            process.kill()
            process.wait()
        self.sandbox.switch(faults=[])
        assert len(self.sandbox.ledger) == written + 1, "what hangs on it was not reached"

    def stop_before_writing(self, undo: str) -> JobRow:
        """A run that is told to stop when it has its plan."""
        with Lease(self.engine, undo) as lease:
            asyncio.run(self._stopped(undo, lease))
            return lifecycle.end_cancelled(load_job(self.settings, self.engine, undo))

    async def _stopped(self, undo: str, lease: Lease) -> None:
        stop, work = asyncio.Event(), self._taken_on(undo, lease)
        await work.plan(stop)
        lifecycle.set_state(load_job(self.settings, self.engine, undo), State.PROCESSING)
        stop.set()
        with pytest.raises(Stopped):
            await work.sync(stop)

    def die_before_writing(self, undo: str) -> None:
        """A run whose process is gone when it has its plan."""
        with Lease(self.engine, undo) as lease:
            asyncio.run(self._taken_on(undo, lease).plan(asyncio.Event()))

    def _taken_on(self, undo: str, lease: Lease) -> UndoExecution:
        assert wait_until(lease.take_job)
        job = lifecycle.begin(load_job(self.settings, self.engine, undo), "test-run")
        return UndoExecution(job, lease, Progress(verdicts=verdicts_of(UNDO)), QUICK)

    def stop_before_planning(self, undo: str) -> JobRow:
        """A run that is told to stop as soon as it has begun."""
        with Lease(self.engine, undo) as lease:
            self._taken_on(undo, lease)
            return lifecycle.end_cancelled(load_job(self.settings, self.engine, undo))

    def go_on(self, undo: str) -> Undone:
        """The next run, to its end."""
        work_on(self.settings, self.engine, undo)
        return ended(self.settings, self.engine, undo)

    def edit(self, half: Half) -> None:
        self.sandbox.change(half.children, self.one(half.children)["id"], **half.edit)

    def row(self, undo: str) -> Item:
        [item] = load_job(self.settings, self.engine, undo).journal.items()
        return item


@pytest.fixture
def desk(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> Desk:
    return Desk(settings, engine, sandbox, tmp_path)


# -- finished by the next run ------------------------------------------------------------------------------------------


@BOTH
def test_killed_between_its_requests_and_stopped_it_is_in_doubt_and_then_finished(desk: Desk, half: Half) -> None:
    undo, before = desk.changed(half)
    desk.kill_between(half, undo)
    row = desk.stop_before_writing(undo)
    assert row.counts == {"total": 1, "reversed": 0, "kept": 0, "failed": 1, "unprocessed": 0}
    assert (desk.row(undo).status, desk.row(undo).error_code) == ("outcome_unknown", "outcome_unknown")
    assert "a part of the change is in Billy" in (desk.row(undo).error or "")
    done = desk.go_on(undo)
    assert (done.verdicts, done.target.status) == (["reversed"], "undone")
    assert books(desk.server, half.plural) == before


def test_a_change_of_which_nothing_arrived_is_unprocessed(desk: Desk) -> None:
    undo, before = desk.changed(CUSTOMER)
    desk.sandbox.switch(faults=[Fault(kind="5xx-before", resource="contacts", methods=("PUT",))])
    done = desk.go_on(undo)
    desk.sandbox.switch(faults=[])
    assert done.codes == ["no_clear_answer"]
    row = desk.stop_before_planning(undo)
    assert row.counts["unprocessed"] == 1
    assert desk.go_on(undo).verdicts == ["reversed"]
    assert books(desk.server, "contacts") == before


def test_what_people_had_put_back_before_is_not_taken_for_a_half(desk: Desk) -> None:
    undo, _ = desk.changed(CUSTOMER)
    desk.sandbox.change("contacts", desk.one("contacts")["id"], cityText="Ry")
    desk.die_before_writing(undo)
    journal = load_job(desk.settings, desk.engine, undo).journal
    journal.move(("planned",), "sending")  # as if killed with its only request on the way, which never arrived
    desk.edit(CUSTOMER)
    assert desk.go_on(undo).codes == ["edited_since"]


@BOTH
def test_a_token_that_may_do_only_the_half_leaves_it_in_doubt(desk: Desk, half: Half) -> None:
    undo, before = desk.changed(half)
    desk.sandbox.switch(forbidden_resource=half.children)
    row = work_on(desk.settings, desk.engine, undo)
    assert (row.status, row.errors[-1]["code"]) == ("failed", "token_refused")
    assert (row.counts["failed"], desk.row(undo).status) == (1, "outcome_unknown")
    desk.sandbox.switch(forbidden_resource=None)
    assert desk.go_on(undo).verdicts == ["reversed"]
    assert books(desk.server, half.plural) == before


# -- the rest was edited -----------------------------------------------------------------------------------------------


@BOTH
def test_edited_since_the_half_has_failed_over_retries_until_it_is_put_back(desk: Desk, half: Half) -> None:
    undo, before = desk.changed(half)
    after = {key: desk.one(half.children)[key] for key in half.edit}
    desk.kill_between(half, undo)
    desk.edit(half)
    target = load_job(desk.settings, desk.engine, undo).row.undoes or ""
    for number in range(4):
        if number == 2:  # after a retry it is asked for once more, which is an undo of its own
            undo = begin_undo(desk.settings, desk.engine, target, launch=False).job.job_id
            assert undo == f"{target}-undo-2"
        done = desk.go_on(undo)
        assert (done.verdicts, done.codes) == (["failed"], ["partly_changed"])
        assert "changed in Billy meanwhile" in done.rows[0]["message"]
        assert half.edit.items() <= desk.one(half.children).items(), "theirs is left alone"
    desk.sandbox.change(half.children, desk.one(half.children)["id"], **after)
    assert desk.go_on(undo).verdicts == ["reversed"]
    assert books(desk.server, half.plural) == before


def test_edited_after_a_second_kill_it_is_not_called_kept(desk: Desk) -> None:
    undo, _ = desk.changed(CUSTOMER)
    desk.kill_between(CUSTOMER, undo)
    desk.die_before_writing(undo)
    assert desk.row(undo).status == "planned"
    desk.edit(CUSTOMER)
    assert desk.go_on(undo).codes == ["partly_changed"]


# -- the rest was refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("applied", [False, True], ids=["asked for", "an applied plan"])
@BOTH
def test_what_billy_refuses_of_it_is_tried_again(desk: Desk, half: Half, applied: bool) -> None:
    undo, before = desk.changed(half, dry_run=applied)
    if applied:
        work_on(desk.settings, desk.engine, undo)
        apply_plan(desk.engine, undo, launch=False)
    desk.sandbox.switch(faults=[Fault(kind="422", resource=half.children, methods=("PUT",))])
    for _ in range(2):
        done = desk.go_on(undo)
        assert (done.verdicts, done.codes) == (["failed"], ["partly_changed"])
    row = desk.stop_before_planning(undo)
    assert (row.counts["failed"], row.counts["unprocessed"]) == (1, 0)
    desk.sandbox.switch(faults=[])
    assert desk.go_on(undo).verdicts == ["reversed"]
    assert books(desk.server, half.plural) == before


# -- what a half is ----------------------------------------------------------------------------------------------------

_PRICE = ChildList("prices", "productPrices", "productPrice", "productId", ("currencyId", "unitPrice"))
_A = {"id": "a", "currencyId": "DKK", "unitPrice": 1}
_B = {"id": "b", "currencyId": "EUR", "unitPrice": 2}


@pytest.mark.parametrize(
    ("before", "after", "now", "begun"),
    [
        ({"name": "1"}, {"name": "2"}, {"name": "2"}, False),
        ({"name": "1"}, {"name": "2"}, {"name": "3"}, False),
        ({"name": "1", "unit": "x"}, {"name": "2", "unit": "y"}, {"name": "1", "unit": "z"}, True),
        ({"prices": [_A]}, {"prices": [_A, _B]}, {"prices": [_A, _B]}, False),
        ({"prices": [_A]}, {"prices": [_A, _B]}, {"prices": [_A]}, True),
        ({"prices": [_A, _B]}, {"prices": [_A]}, {"prices": [_A]}, False),
        ({"prices": [_A, _B]}, {"prices": [_A]}, {"prices": [_A, {**_B, "id": "c"}]}, True),
        (
            {"prices": [_A, _B]},
            {"prices": [{**_A, "unitPrice": 3}, _B]},
            {"prices": [_A, {**_B, "unitPrice": 4}]},
            True,
        ),
        ({"prices": [_A]}, {"prices": [{**_A, "unitPrice": 3}]}, {"prices": [{**_A, "unitPrice": 4}]}, False),
        ({"prices": [_A]}, {"prices": [{**_A, "unitPrice": 3}]}, {}, False),
    ],
)
def test_what_counts_as_begun(before: dict[str, Any], after: dict[str, Any], now: dict[str, Any], begun: bool) -> None:
    undoing = Undoing(children=(_PRICE,))
    assert has_begun(undoing, ("name", "unit"), before, after, now, None) is begun
    assert has_begun(undoing, ("name", "unit"), before, after, now, ()) is False, "nothing was to be restored"
