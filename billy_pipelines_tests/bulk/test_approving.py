"""Approval of invoices: never without an applied plan, each once, in order, ended by the first doubt (B9-B12, B21)."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from billy_pipelines.bulk import lifecycle
from billy_pipelines.bulk.applying import apply_plan
from billy_pipelines.bulk.approvals import Numbers
from billy_pipelines.bulk.approving import OUT_OF_ORDER, _Approving
from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.intake import Reception, Refused
from billy_pipelines.database.items import Item
from billy_pipelines.database.jobs import JobRow, get_job
from billy_pipelines.sandbox import Fault, SandboxServer
from billy_pipelines.schemas.invoice_approval import holes
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, run_job, run_job_async, take_in

TODAY = datetime.now(UTC).date()


def day(number: int) -> str:
    """A date some days before today."""
    return (TODAY - timedelta(days=20 - number)).isoformat()


class Killed(BaseException):
    """What kill -9 looks like from inside: nothing after it runs that is not cleaning up."""


@dataclass
class Desk:
    """A company with a customer and a product, where files of invoices are handed in to be approved."""

    settings: Settings
    engine: Engine
    sandbox: SandboxServer
    folder: Path
    files: int = 0

    def plan(self, rows: Iterable[Mapping[str, str]], **options: Any) -> JobRow:
        """Hand a file in, by default to be approved, and run it as far as it goes by itself."""
        self.files += 1
        file = customers_csv(self.folder / f"fakturaer-{self.files}.csv", rows)
        job = take_in(self.settings, self.engine, file, resource="invoices", **{"approve": True, **options}).job
        return run_job(self.settings, self.engine, job.job_id)

    def apply(self, job_id: str) -> JobRow:
        apply_plan(self.engine, job_id, launch=False)
        return self.go_on(job_id)

    def go_on(self, job_id: str) -> JobRow:
        """Run the job from wherever it stands, as `billy retry` and a run after a crash do."""
        return run_job(self.settings, self.engine, job_id)

    def killed(self, job_id: str) -> None:
        """Apply the plan with a process that dies on the way."""
        apply_plan(self.engine, job_id, launch=False)
        with pytest.raises(Killed):
            self.go_on(job_id)

    def items(self, job_id: str) -> list[Item]:
        return load_job(self.settings, self.engine, job_id).journal.items()

    def ended(self, job_id: str) -> list[tuple[str, str | None]]:
        """Status and code of each row."""
        return [(item.status, item.error_code) for item in self.items(job_id)]

    def lines(self, job_id: str, name: str) -> list[dict[str, str]]:
        path = load_job(self.settings, self.engine, job_id).folder / name
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, delimiter=";"))

    def text(self, job_id: str, name: str) -> str:
        return (load_job(self.settings, self.engine, job_id).folder / name).read_text(encoding="utf-8")

    def numbers(self, job_id: str) -> list[str]:
        """Invoice numbers of the rows, in the order of the file, as results.csv has them; each agrees with Billy."""
        results = self.lines(job_id, "results.csv")
        for result, item in zip(results, self.items(job_id), strict=True):
            record = self.records[item.billy_id or ""]
            assert (result["invoice_no"], result["state"]) == (record["invoiceNo"] or "", record["state"] or "")
        return [result["invoice_no"] for result in results]

    @property
    def records(self) -> dict[str, dict[str, Any]]:
        return {str(record["id"]): record for record in self.sandbox.sandbox.records("invoices")}

    @property
    def approved(self) -> list[str]:
        """Ids in the order in which they were approved in Billy, each as often as that was carried out."""
        changes = self.sandbox.sandbox.ledger.select("update", "invoices")
        return [change.id for change in changes if (change.record or {})["state"] == "approved"]

    @property
    def approvals_sent(self) -> int:
        """Requests to approve that Billy has received."""
        return len(self.sandbox.sandbox.requests.select("PUT"))

    def counter(self) -> int:
        return int(self.sandbox.sandbox.records("organizations")[0]["nextInvoiceNo"])


@pytest.fixture
def desk(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> Desk:
    sandbox.sandbox.add("contacts", [{"id": "ctc17", "name": "Æblehaven Prøve ApS", "contactNo": "17"}])
    sandbox.sandbox.add("products", [{"id": "prd42", "name": "Blå prøvevare", "productNo": "0042"}])
    return Desk(settings, engine, sandbox, tmp_path)


def row(invoice: int, on: int, **fields: str) -> dict[str, str]:
    usual = {"invoice": f"{invoice}", "contactNo": "17", "entryDate": day(on), "productNo": "0042", "unitPrice": "100"}
    return usual | fields


FIVE = [row(1, 9), row(2, 3), row(3, 9), row(4, 1), row(5, 5)]
BY_DATE = [3, 1, 4, 0, 2]
"""Places of the five in the order of their approval."""
DONE = ("created", None)


# -- only after a plan that a person applied (B9) ----------------------------------------------------------------------


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("modes", [{}, {"include": "ignored"}, {"invoice_number": "at-create"}])
def test_b9_b10_drafts_are_approved_by_date_and_file_once_their_plan_is_applied(
    desk: Desk, dropped: bool, modes: dict[str, str]
) -> None:
    desk.sandbox.sandbox.switch(**modes)
    before = desk.counter()
    job = desk.plan(FIVE, launch=dropped)
    assert (job.status, len(desk.sandbox.sandbox.ledger)) == ("planned", 0)
    assert "books VAT and cannot be taken back" in (job.message or "")
    assert f"`billy apply {job.job_id}`" in (job.message or "")
    done = desk.apply(job.job_id)
    assert (done.status, desk.ended(job.job_id)) == ("completed", [DONE] * 5)
    ids = [item.billy_id for item in desk.items(job.job_id)]
    assert desk.approved == [ids[place] for place in BY_DATE]
    assert sorted(desk.numbers(job.job_id), key=int) == [f"{before + n}" for n in range(5)]
    said = load_job(desk.settings, desk.engine, job.job_id).row.message or ""
    assert (OUT_OF_ORDER in said) is bool(modes.get("invoice_number"))
    if not modes.get("invoice_number"):
        assert [desk.numbers(job.job_id)[place] for place in BY_DATE] == [f"{before + n}" for n in range(5)]
    images = load_job(desk.settings, desk.engine, job.job_id).journal.after_values("state", "invoiceNo")
    assert images == {n: ("approved", number) for n, number in enumerate(desk.numbers(job.job_id))}
    assert f"the next one was {before}, is {before + 5}; no gap" in desk.text(job.job_id, "report.md").lower()
    assert "no gap" in (done.message or "")
    assert "| DKK | 5 | 625.00 |" in desk.text(job.job_id, "report.md")


def test_b9_a_dry_run_of_an_approval_is_applied_as_it_is(desk: Desk) -> None:
    job = desk.plan(FIVE[:2], dry_run=True)
    assert (job.status, len(desk.sandbox.sandbox.ledger)) == ("planned", 0)
    assert (desk.apply(job.job_id).status, len(desk.approved)) == ("completed", 2)


def test_b9_a_plan_says_that_approval_follows_in_which_order_and_for_how_much(desk: Desk) -> None:
    rows = [row(1, 9, quantity="2"), row(2, 3, approve="nej"), row(3, 1, unitPrice="1250", taxMode="incl")]
    rows = [{**each, "I alt": total} for each, total in zip(rows, ("250,00", "", ""), strict=True)]
    job = desk.plan(rows)
    assert [line["approval"] for line in desk.lines(job.job_id, "plan.csv")] == ["2", "", "1"]
    text = desk.text(job.job_id, "plan.md")
    assert "2 of these are **approved**" in text
    assert "1 stay drafts because the file says so" in text
    assert "books VAT and cannot be taken back" in text
    assert "| invoices | DKK | 2 | 200.00 and 1 more | 1,500.00 |" in text
    assert text.index(f"| 1 | 4 | {day(1)} |") < text.index(f"| 2 | 2 | {day(9)} |")


def test_b9_the_file_may_hold_invoices_back_and_no_more(desk: Desk) -> None:
    job = desk.plan([row(1, 1, Godkendes="nej"), row(2, 2, Godkendes="ja"), row(3, 3, Godkendes="")])
    desk.apply(job.job_id)
    assert desk.ended(job.job_id) == [DONE] * 3
    assert [result["state"] for result in desk.lines(job.job_id, "results.csv")] == ["draft", "approved", "approved"]
    plain = desk.plan([row(4, 1, bogfør="ja")], approve=False)
    assert (plain.status, len(desk.approved)) == ("completed", 2)
    [result] = desk.lines(plain.job_id, "results.csv")
    assert (result["state"], "approves nothing by itself" in result["warnings"]) == ("draft", True)


@pytest.mark.parametrize(("resource", "operation"), [("customers", "import"), ("invoices", "update")])
def test_b9_approve_is_refused_where_there_is_nothing_to_approve(desk: Desk, resource: str, operation: str) -> None:
    file = customers_csv(desk.folder / "kunder.csv", [{"id": "1", "name": "Prøve ApS"}])
    with pytest.raises(Refused, match=f"not for {resource}/{operation}"):
        take_in(desk.settings, desk.engine, file, resource=resource, operation=operation, approve=True)


def test_b9_approve_is_said_with_true_and_nothing_like_it(desk: Desk) -> None:
    file = customers_csv(desk.folder / "fakturaer.csv", FIVE)
    for nearly in ("yes", 1):
        with pytest.raises(Refused, match="approve"):
            take_in(desk.settings, desk.engine, file, resource="invoices", approve=nearly)


def test_b9_b25_a_company_can_want_approval_or_forbid_it(desk: Desk) -> None:
    desk.settings.data_dir.mkdir(parents=True)
    organizations = desk.settings.data_dir / "organizations.yaml"
    organizations.write_text("organizations: [{name: default, options: {approve: true}}]", encoding="utf-8")
    file = customers_csv(desk.folder / "kunder.csv", [{"name": "Prøve ApS"}])
    assert not take_in(desk.settings, desk.engine, file).job.options["approve"], (
        "its customers are imported all the same"
    )
    invoices = customers_csv(desk.folder / "fakturaer.csv", FIVE)
    job = take_in(desk.settings, desk.engine, invoices, resource="invoices").job
    assert (job.options["approve"], job.options["max_error_rate"]) == (True, 0)
    organizations.write_text("organizations: [{name: default, policy: {approve: false}}]", encoding="utf-8")
    with pytest.raises(Refused, match="policy allows False"):
        take_in(desk.settings, desk.engine, invoices, resource="invoices", approve=True, again=True)


def test_b9_approval_is_not_turned_on_for_a_job_that_began_without_it(desk: Desk) -> None:
    job = desk.plan(FIVE[:1], approve=False, dry_run=True)
    apply_plan(desk.engine, job.job_id, launch=False)
    context = load_job(desk.settings, desk.engine, job.job_id)
    with pytest.raises(Halted, match="cannot be turned on"):
        lifecycle.begin(context, "test-run", {**context.row.options, "approve": True})
    desk.go_on(job.job_id)
    assert [record["state"] for record in desk.records.values()] == ["draft"]


@pytest.mark.parametrize("dropped", [False, True])
def test_b9_a_file_handed_in_again_waits_for_a_person_again(desk: Desk, dropped: bool) -> None:
    job = desk.plan(FIVE)
    desk.sandbox.sandbox.switch(revoked_after=0)
    assert desk.apply(job.job_id).status == "failed"
    desk.sandbox.sandbox.switch(revoked_after=None)
    file = desk.folder / f"fakturaer-{desk.files}.csv"
    again = take_in(desk.settings, desk.engine, file, resource="invoices", launch=dropped)
    assert (again.reception, again.job.job_id, again.job.applied_at) == (Reception.RESUMED, job.job_id, None)
    assert desk.go_on(job.job_id).status == "planned"
    assert desk.approved == []
    assert desk.apply(job.job_id).status == "completed"
    assert len(desk.approved) == 5


def test_b21_one_wrong_row_stops_an_approval_unless_a_share_is_given(desk: Desk) -> None:
    rows = [*FIVE[:3], row(9, 4, contactNo="999")]
    job = desk.plan(rows)
    assert (job.status, job.options["max_error_rate"]) == ("planned", 0)
    failed = desk.apply(job.job_id)
    assert (failed.status, failed.errors[-1]["code"], len(desk.sandbox.sandbox.ledger)) == (
        "failed",
        "too_many_rejected",
        0,
    )
    job = desk.plan(rows, max_error_rate=0.5, again=True)
    assert desk.apply(job.job_id).status == "completed_with_errors"
    assert desk.ended(job.job_id) == [DONE] * 3 + [("rejected", "contact_unknown")]
    assert len(desk.approved) == 3


@pytest.mark.parametrize("limit", ["books_start", "locked_until"])
def test_b12_nothing_is_approved_before_the_books_begin_or_in_a_closed_period(desk: Desk, limit: str) -> None:
    desk.settings.data_dir.mkdir(parents=True)
    text = f"organizations: [{{name: default, {limit}: {date.fromisoformat(day(5))}}}]"
    (desk.settings.data_dir / "organizations.yaml").write_text(text, encoding="utf-8")
    rows = [row(1, 4), row(2, 6), row(3, 4, approve="nej")]
    job = desk.plan(rows, max_error_rate=1.0)
    desk.apply(job.job_id)
    code, held = ("date_before_books", DONE) if limit == "books_start" else ("date_locked", ("rejected", "date_locked"))
    assert desk.ended(job.job_id) == [("rejected", code), DONE, held]
    assert len(desk.approved) == 1
    drafts = desk.plan([row(1, 4)], approve=False, max_error_rate=1.0)
    assert desk.ended(drafts.job_id) == [held], "a draft may lie before the books, but not in a closed period"


def test_b12_billy_refusing_a_settled_vat_period_that_we_could_not_see_stops_the_approvals(desk: Desk) -> None:
    job = desk.plan(FIVE)
    period = {"startDate": day(2), "endDate": day(4), "isSettled": True}
    apply_plan(desk.engine, job.job_id, launch=False)
    desk.sandbox.sandbox.switch(forbidden_resource="salesTaxReturns")
    desk.sandbox.sandbox.add("salesTaxReturns", [period])
    desk.go_on(job.job_id)
    assert [code for _, code in desk.ended(job.job_id)] == [
        *["not_approved", "approval_refused"],
        *["not_approved"] * 1,
        None,
        "not_approved",
    ]


# -- compared first (B10) ----------------------------------------------------------------------------------------------


def test_b10_a_draft_that_differs_stays_and_the_others_are_approved(desk: Desk) -> None:
    rows = [row(1, 2, **{"I alt": "125,00"}), row(2, 1, **{"I alt": "999,00"}), row(3, 3, **{"I alt": "125,00"})]
    job = desk.plan(rows)
    done = desk.apply(job.job_id)
    assert desk.ended(job.job_id) == [DONE, ("failed", "total_differs"), DONE]
    assert [result["state"] for result in desk.lines(job.job_id, "results.csv")] == ["approved", "draft", "approved"]
    assert done.status == "completed_with_errors"
    report = desk.text(job.job_id, "report.md")
    assert "Approved: 2. 1 drafts of this job are in Billy." in report
    assert "What is approved later gets a higher number" in report
    assert not (load_job(desk.settings, desk.engine, job.job_id).folder / "failed.csv").exists(), (
        "dropped again it would double"
    )
    desk.go_on(job.job_id)
    assert (len(desk.records), len(desk.approved)) == (3, 2), "a retry makes and approves nothing more"


def test_b10_a_draft_that_billy_refuses_stops_nothing_unless_errors_end_the_job(desk: Desk) -> None:
    rows = [row(n, n, orderNo=f"PO-{n}", approve="") for n in range(1, 5)]
    desk.sandbox.sandbox.switch(faults=[Fault(kind="422", body_contains="PO-2", limit=2)])
    job = desk.plan(rows)
    desk.apply(job.job_id)
    assert desk.ended(job.job_id) == [DONE, ("failed", "billy_refused"), DONE, DONE]
    assert len(desk.approved) == 3
    strict = desk.plan(rows, continue_on_error=False, batch_size=1, again=True)
    desk.apply(strict.job_id)
    assert len(desk.approved) == 3, "nothing of it was approved"
    by_code = {code for _, code in desk.ended(strict.job_id)}
    assert by_code <= {"billy_refused", "not_approved", None}
    assert all(item.billy_id is None for item in desk.items(strict.job_id) if item.status == "unprocessed")
    desk.go_on(strict.job_id)
    assert (len(desk.records), len(desk.approved)) == (7, 7)


# -- the first failure or doubt ends it (B10) --------------------------------------------------------------------------


def test_b10_a_refusal_ends_all_further_approvals_and_a_retry_goes_on_in_order(desk: Desk) -> None:
    job = desk.plan([{**each, "orderNo": f"PO-{n}"} for n, each in enumerate(FIVE)])
    desk.sandbox.sandbox.switch(faults=[Fault(kind="422", methods=("PUT",), every=3, limit=1)])
    stopped = desk.apply(job.job_id)
    first, second, third, *later = BY_DATE
    codes = {first: DONE, second: DONE, third: ("failed", "approval_refused")}
    assert desk.ended(job.job_id) == [codes.get(place, ("failed", "not_approved")) for place in range(5)]
    assert (stopped.status, len(desk.approved), desk.approvals_sent) == ("completed_with_errors", 2, 3)
    said = desk.items(job.job_id)[later[0]].error or ""
    assert f"line {desk.items(job.job_id)[third].line} was not approved (approval_refused)" in said
    assert f"`billy retry {job.job_id}` goes on" in said
    assert {
        desk.records[item.billy_id or ""]["state"] for item in desk.items(job.job_id) if item.status == "failed"
    } == {"draft"}
    done = desk.go_on(job.job_id)
    assert (done.status, desk.ended(job.job_id)) == ("completed", [DONE] * 5)
    ids = [item.billy_id for item in desk.items(job.job_id)]
    assert desk.approved == [ids[place] for place in BY_DATE]
    assert len(desk.records) == 5


@pytest.mark.parametrize("kind", ["5xx-after", "reset-after", "reset-mid", "bad-json-after", "timeout-after"])
def test_b10_an_approval_without_a_clear_answer_that_was_carried_out_is_read_back_and_sent_once(
    desk: Desk, kind: Any
) -> None:
    job = desk.plan(FIVE)
    desk.sandbox.sandbox.switch(faults=[Fault(kind=kind, methods=("PUT",), every=2, seconds=2)])
    done = desk.apply(job.job_id)
    assert (done.status, desk.ended(job.job_id)) == ("completed", [DONE] * 5)
    assert (len(desk.approved), desk.approvals_sent) == (5, 5)
    assert all(desk.numbers(job.job_id))


@pytest.mark.parametrize("kind", ["5xx-before", "reset-before", "bad-json-before"])
def test_b10_an_approval_without_a_clear_answer_that_was_not_carried_out_ends_it(desk: Desk, kind: Any) -> None:
    job = desk.plan(FIVE)
    desk.sandbox.sandbox.switch(faults=[Fault(kind=kind, methods=("PUT",), every=2, limit=1)])
    desk.apply(job.job_id)
    assert (len(desk.approved), desk.approvals_sent) == (1, 2), "it is not sent again by itself"
    codes = [code for _, code in desk.ended(job.job_id)]
    assert [codes[place] for place in BY_DATE] == [None, "approval_unclear", *["not_approved"] * 3]
    assert "Look in Billy" in (desk.items(job.job_id)[BY_DATE[1]].error or "")
    assert desk.go_on(job.job_id).status == "completed"
    ids = [item.billy_id for item in desk.items(job.job_id)]
    assert desk.approved == [ids[place] for place in BY_DATE]


def test_b10_a_token_that_is_refused_on_the_way_ends_the_job_and_a_retry_goes_on(desk: Desk) -> None:
    job = desk.plan(FIVE)
    apply_plan(desk.engine, job.job_id, launch=False)
    sent = _at_send(2, lambda: desk.sandbox.sandbox.switch(revoked_after=0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Approving, "_send", sent)
        ended = desk.go_on(job.job_id)
    assert (ended.status, ended.errors[-1]["code"], len(desk.approved)) == ("failed", "token_refused", 1)
    codes = [code for _, code in desk.ended(job.job_id)]
    assert [codes[place] for place in BY_DATE] == [None, *["not_approved"] * 4]
    desk.sandbox.sandbox.switch(revoked_after=None)
    assert (desk.go_on(job.job_id).status, len(desk.approved)) == ("completed", 5)


# -- died, stopped, gone on --------------------------------------------------------------------------------------------


def _at_send(number: int, happens: Any, *, after: bool = False) -> Any:
    """`_Approving._send` with something that happens right before or after the n-th of them."""
    send, sent = _Approving._send, 0

    async def with_it(self: _Approving, item: Item) -> dict[str, Any]:
        nonlocal sent
        sent += 1
        if sent == number and not after:
            happens()
        answer = await send(self, item)
        if sent == number and after:
            happens()
        return answer

    return with_it


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", [1, 3])
def test_b10_a_run_that_dies_with_an_approval_out_is_resumed_without_a_second_one(
    desk: Desk, number: int, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die() -> None:
        raise Killed

    job = desk.plan(FIVE)
    with monkeypatch.context() as patch:
        patch.setattr(_Approving, "_send", _at_send(number, die, after=after))
        desk.killed(job.job_id)
    left = get_job(desk.engine, job.job_id)
    assert left is not None
    assert left.status == "processing"
    [doubtful] = [item for item in desk.items(job.job_id) if item.status == "sending"]
    assert doubtful.action == "approve"
    assert desk.go_on(job.job_id).status == "completed"
    ids = [item.billy_id for item in desk.items(job.job_id)]
    assert desk.approved == [ids[place] for place in BY_DATE]
    assert (len(desk.records), desk.approvals_sent) == (5, 5)
    assert all(desk.numbers(job.job_id))


def test_b10_a_run_that_dies_after_a_failure_approves_nothing_behind_it_until_a_person_retries(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(*_: Any) -> None:
        raise Killed

    job = desk.plan(FIVE)
    desk.sandbox.sandbox.switch(faults=[Fault(kind="422", methods=("PUT",), every=2, limit=1)])
    with monkeypatch.context() as patch:
        patch.setattr(_Approving, "_tell", die)
        desk.killed(job.job_id)
    assert (desk.go_on(job.job_id).status, len(desk.approved)) == ("completed_with_errors", 1)
    assert (desk.go_on(job.job_id).status, len(desk.approved)) == ("completed", 5)


@pytest.mark.parametrize("held", [False, True])
def test_b10_a_cancel_in_the_middle_leaves_drafts_and_a_retry_approves_the_rest_in_order(
    desk: Desk, held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped between two approvals, or while one is out that Billy carries out and never answers."""
    job = desk.plan(FIVE)
    apply_plan(desk.engine, job.job_id, launch=False)
    if held:
        desk.sandbox.sandbox.switch(faults=[Fault(kind="timeout-after", methods=("PUT",), every=2, seconds=5)])

    async def cancelled() -> JobRow:
        stop = asyncio.Event()
        monkeypatch.setattr(_Approving, "_send", _at_send(2, stop.set, after=not held))
        return await run_job_async(desk.settings, desk.engine, job.job_id, stop=stop)

    ended = asyncio.run(cancelled())
    assert (ended.status, len(desk.approved)) == ("cancelled", 2)
    second = ("outcome_unknown", "outcome_unknown") if held else DONE
    ended_as = desk.ended(job.job_id)
    assert [ended_as[place] for place in BY_DATE] == [DONE, second, *[("failed", "not_approved")] * 3]
    assert "the job was stopped" in (desk.items(job.job_id)[BY_DATE[2]].error or "")
    assert desk.go_on(job.job_id).status == "completed"
    ids = [item.billy_id for item in desk.items(job.job_id)]
    assert desk.approved == [ids[place] for place in BY_DATE]
    assert (len(desk.records), desk.approvals_sent) == (5, 5)


def test_b10_drafts_that_people_changed_since_are_left_to_them(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def die() -> None:
        raise Killed

    job = desk.plan(FIVE)
    with monkeypatch.context() as patch:
        patch.setattr(_Approving, "_send", _at_send(1, die))
        desk.killed(job.job_id)
    ids = [item.billy_id or "" for item in desk.items(job.job_id)]
    first, second, third, fourth, fifth = (ids[place] for place in BY_DATE)
    desk.sandbox.sandbox.change("invoices", first, state="approved")
    desk.sandbox.sandbox.change("invoices", second, contactMessage="Med venlig hilsen")
    desk.sandbox.sandbox.change("invoices", third, entryDate=day(8))
    desk.sandbox.sandbox.delete("invoices", fourth)
    desk.go_on(job.job_id)
    codes = [desk.ended(job.job_id)[place][1] for place in BY_DATE]
    assert codes == [None, None, "draft_changed", "not_approved", "not_approved"]
    assert "entryDate" in (desk.items(job.job_id)[BY_DATE[2]].error or "")
    desk.go_on(job.job_id)
    codes = [desk.ended(job.job_id)[place][1] for place in BY_DATE]
    assert codes == [None, None, "draft_changed", "draft_gone", "not_approved"]
    desk.go_on(job.job_id)
    codes = [desk.ended(job.job_id)[place][1] for place in BY_DATE]
    assert codes == [None, None, "draft_changed", "draft_gone", None]
    assert desk.approved[-2:] == [second, fifth]
    assert desk.records[third]["state"] == "draft"
    assert len(desk.records) == 4, "what was deleted is not made again"


def test_b9_what_an_invoice_refers_to_is_made_on_the_way_and_the_invoice_approved(desk: Desk) -> None:
    new = {"contactNo": "44", "contactName": "Ny Prøve ApS"}
    job = desk.plan([row(1, 2, **new), row(2, 1)], create_missing=True)
    assert (job.status, len(desk.sandbox.sandbox.ledger)) == ("planned", 0)
    assert desk.apply(job.job_id).status == "completed"
    ids = [item.billy_id for item in desk.items(job.job_id)]
    assert desk.approved == ids[::-1]


# -- numbers (B10, B11) ------------------------------------------------------------------------------------------------


def test_b10_every_gap_in_the_numbers_is_told_and_what_others_took_is_none(desk: Desk) -> None:
    before = desk.counter()
    body = {"contactId": "ctc17", "lines": [{"productId": "prd42", "unitPrice": 1}], "state": "approved"}
    job = desk.plan(FIVE)
    desk.sandbox.sandbox.switch(faults=[Fault(kind="422", methods=("PUT",), every=3, limit=1)])
    desk.apply(job.job_id)
    desk.sandbox.sandbox.add("invoices", [body])
    organization = str(desk.sandbox.sandbox.records("organizations")[0]["id"])
    desk.sandbox.sandbox.change("organizations", organization, nextInvoiceNo=before + 6)
    done = desk.go_on(job.job_id)
    numbers = [desk.numbers(job.job_id)[place] for place in BY_DATE]
    assert numbers == [f"{before + n}" for n in (0, 1, 6, 7, 8)]
    kept = Numbers(**done.source["approval"])
    assert (kept.next_before, kept.next_after) == (f"{before}", f"{before + 9}")
    assert kept.gaps == [f"{before + 3}–{before + 5}"], f"{before + 2} is somebody's"
    assert f"gaps: {before + 3}–{before + 5}" in desk.text(job.job_id, "report.md")


def test_b11_own_numbers_stay_when_approved_and_the_hole_they_make_is_told(desk: Desk) -> None:
    before = desk.counter()
    rows = [row(1, 1, invoiceNo=f"{before + 400}"), row(2, 2), row(3, 3, invoiceNo=f"{before + 401}")]
    job = desk.plan(rows, own_numbers=True)
    done = desk.apply(job.job_id)
    assert desk.numbers(job.job_id) == [f"{before + 400}", f"{before}", f"{before + 401}"]
    assert Numbers(**done.source["approval"]).gaps == [f"{before + 1}–{before + 399}"]


def test_b16_credit_notes_are_approved_in_their_turn(desk: Desk) -> None:
    body = {"contactId": "ctc17", "state": "approved", "lines": [{"productId": "prd42", "unitPrice": 100}]}
    [credited] = desk.sandbox.sandbox.add("invoices", [{**body, "invoiceNo": "77", "entryDate": day(1)}])
    rows = [row(1, 9), row(2, 4, type="kreditnota", creditedInvoiceNo="77")]
    job = desk.plan(rows)
    assert "| credit notes | DKK | 1 | 100.00 |" in desk.text(job.job_id, "plan.md")
    assert desk.apply(job.job_id).status == "completed"
    note = desk.items(job.job_id)[1].billy_id
    assert desk.approved[0] == note
    assert desk.records[note or ""]["creditedInvoiceId"] == credited


@given(
    first=st.integers(1, 30),
    length=st.integers(0, 30),
    taken=st.sets(st.integers(0, 70)),
)
def test_b10_holes_are_exactly_the_numbers_that_nobody_has(first: int, length: int, taken: set[int]) -> None:
    last = first + length
    found = [number for low, high in holes(first, last, taken) for number in range(low, high + 1)]
    assert found == [number for number in range(first, last + 1) if number not in taken]
