"""The checker sees lies: a history that went well, and what is on record of it changed in one point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from billy_pipelines.sandbox.state import IN_PROCESS
from billy_pipelines_tests.campaign.check import check
from billy_pipelines_tests.campaign.evidence import Evidence, Silence
from billy_pipelines_tests.campaign.otherwise import (
    change_of,
    item_of,
    job_of,
    with_change,
    with_item,
    with_job,
    without,
)
from billy_pipelines_tests.campaign.plain import CHANGING, DELETING, INVOICING, MAKING, plain_history
from billy_pipelines_tests.campaign.play import play
from billy_pipelines_tests.campaign.played import Played
from billy_pipelines_tests.campaign.stage import Stage

Lie = Callable[[Evidence], Evidence]


@pytest.fixture(scope="module")
def played(stage: Stage) -> Played:
    return play(plain_history(), stage)


@pytest.fixture
def evidence(played: Played) -> Evidence:
    assert played.evidence is not None
    return played.evidence


def test_a_history_without_trouble_is_without_violation(played: Played, evidence: Evidence) -> None:
    assert not played.violations
    assert not check(evidence)
    statuses = {item.status for job in evidence.jobs for item in job.items}
    assert {"created", "updated", "deleted", "rejected"} <= statuses


# -- lies about creates ------------------------------------------------------------------------------------------------


def doubled_create(evidence: Evidence) -> Evidence:
    made = change_of(evidence, "create", item_of(evidence, MAKING, "created").billy_id)
    return with_change(evidence, made, id="another")


def doubled_invoice(evidence: Evidence) -> Evidence:
    made = change_of(evidence, "create", item_of(evidence, INVOICING, "created").billy_id)
    return with_change(evidence, made, id="another")


def create_that_never_was(evidence: Evidence) -> Evidence:
    made = item_of(evidence, MAKING, "created").billy_id
    return replace(evidence, changes=without(evidence.changes, made, "create"))


def record_made_by_a_person(evidence: Evidence) -> Evidence:
    made = change_of(evidence, "create", item_of(evidence, MAKING, "created").billy_id)
    changes = [replace(c, request_id=IN_PROCESS) if c is made else c for c in evidence.changes]
    return replace(evidence, changes=changes)


def lost_record(evidence: Evidence) -> Evidence:
    made = item_of(evidence, MAKING, "created").billy_id
    books = {plural: {i: r for i, r in records.items() if i != made} for plural, records in evidence.books.items()}
    return replace(evidence, books=books)


def called_unprocessed(evidence: Evidence) -> Evidence:
    return with_item(evidence, MAKING, 2, status="unprocessed", billy_id=None)


def called_failed(evidence: Evidence) -> Evidence:
    return with_item(evidence, MAKING, 2, status="failed", billy_id=None, error_code="billy_refused", error="no")


def same_record_twice(evidence: Evidence) -> Evidence:
    return with_item(evidence, MAKING, 2, billy_id=job_of(evidence, MAKING).items[1].billy_id)


def records_exchanged(evidence: Evidence) -> Evidence:
    first, second = (job_of(evidence, MAKING).items[n].billy_id for n in (1, 2))
    return with_item(with_item(evidence, MAKING, 1, billy_id=second), MAKING, 2, billy_id=first)


def unknown_without_a_hint(evidence: Evidence) -> Evidence:
    return with_item(
        evidence, MAKING, 2, status="failed", billy_id=None, error_code="outcome_unknown", error="who knows"
    )


def line_too_many(evidence: Evidence) -> Evidence:
    made = item_of(evidence, INVOICING, "created").billy_id
    line = next(c for c in evidence.changes if c.resource == "invoiceLines" and (c.record or {})["invoiceId"] == made)
    return with_change(evidence, line, id="another")


def person_twice(evidence: Evidence) -> Evidence:
    persons = evidence.books["contactPersons"]
    [person] = [each for each in persons.values() if each["email"] == "ny@0.example"]
    return replace(evidence, books={**evidence.books, "contactPersons": {**persons, "another": person}})


# -- lies about changes ------------------------------------------------------------------------------------------------


def update_that_never_was(evidence: Evidence) -> Evidence:
    changed = item_of(evidence, CHANGING, "updated").billy_id
    return replace(evidence, changes=without(evidence.changes, changed, "update"))


def half_an_update(evidence: Evidence) -> Evidence:
    changes = [c for c in evidence.changes if (c.record or {}).get("email") != "ny@1.example"]
    return replace(evidence, changes=changes)


def called_unchanged(evidence: Evidence) -> Evidence:
    return with_item(evidence, CHANGING, 1, status="unchanged")


def called_partly_changed(evidence: Evidence) -> Evidence:
    return with_item(evidence, CHANGING, 1, status="failed", error_code="partly_changed")


def delete_that_never_was(evidence: Evidence) -> Evidence:
    gone = item_of(evidence, DELETING, "deleted").billy_id
    return replace(evidence, changes=without(evidence.changes, gone, "delete"))


def called_archived(evidence: Evidence) -> Evidence:
    item = item_of(evidence, DELETING, "deleted")
    return with_item(evidence, DELETING, item.item_index, status="archived")


def delete_in_silence(evidence: Evidence) -> Evidence:
    item = item_of(evidence, DELETING, "deleted")
    return with_item(evidence, DELETING, item.item_index, status="unprocessed")


def change_of_a_stranger(evidence: Evidence) -> Evidence:
    changed = change_of(evidence, "update", item_of(evidence, CHANGING, "updated").billy_id)
    touched = {row.target for file in evidence.history.files for row in file.rows}
    stranger = next(str(r["id"]) for r in evidence.history.books["contacts"] if r["id"] not in touched)
    return with_change(evidence, changed, id=stranger)


# -- lies about accounts -----------------------------------------------------------------------------------------------


def wrong_verdict_in_results(evidence: Evidence) -> Evidence:
    results = [dict(line) for line in job_of(evidence, MAKING).results]
    results[3]["verdict"] = "skipped"
    return with_job(evidence, MAKING, results=results)


def row_missing_in_results(evidence: Evidence) -> Evidence:
    return with_job(evidence, MAKING, results=job_of(evidence, MAKING).results[1:])


def counts_that_do_not_add_up(evidence: Evidence) -> Evidence:
    row = job_of(evidence, MAKING).row
    return with_job(evidence, MAKING, row=row.model_copy(update={"counts": {**row.counts, "created": 5}}))


def counts_of_something_else(evidence: Evidence) -> Evidence:
    row = job_of(evidence, MAKING).row
    counts = {**row.counts, "created": row.counts["created"] - 1, "skipped": 1}
    return with_job(evidence, MAKING, row=row.model_copy(update={"counts": counts}))


def row_missing_in_the_journal(evidence: Evidence) -> Evidence:
    return with_job(evidence, MAKING, items=job_of(evidence, MAKING).items[1:])


def row_missing_in_rejected(evidence: Evidence) -> Evidence:
    return with_job(evidence, MAKING, to_mend={"rejected": [], "failed": [], "unprocessed": []})


def another_plan(evidence: Evidence) -> Evidence:
    plan = [dict(line) for line in job_of(evidence, MAKING).plan]
    plan[2]["action"] = "skipped"
    return with_job(evidence, MAKING, plan=plan)


def row_without_a_verdict(evidence: Evidence) -> Evidence:
    return with_item(evidence, MAKING, 2, status="sending")


def two_jobs_of_one_file(evidence: Evidence) -> Evidence:
    empty = replace(job_of(evidence, DELETING), items=[], ended=False)
    return replace(evidence, jobs=[*evidence.jobs, empty])


# -- lies about time and end -------------------------------------------------------------------------------------------


def request_after_a_cancellation(evidence: Evidence) -> Evidence:
    last = datetime.fromisoformat(evidence.requests[-1].time)
    second = timedelta(seconds=1)
    return replace(evidence, silences=[Silence(last - second, last + second, "after it was cancelled")])


def row_that_was_lost(evidence: Evidence) -> Evidence:
    files = list(evidence.history.files)
    rows = [replace(row, expected=frozenset({"created"})) for row in files[MAKING].rows]
    files[MAKING] = replace(files[MAKING], rows=tuple(rows))
    return replace(evidence, history=replace(evidence.history, files=tuple(files)))


def made_by_two_jobs(evidence: Evidence) -> Evidence:
    """Both jobs say honestly what they made, but the second could have seen what the first one had made."""
    job, made = job_of(evidence, MAKING), item_of(evidence, MAKING, "created")
    change = change_of(evidence, "create", made.billy_id)
    again = replace(
        job,
        row=job.row.model_copy(update={"job_id": "another"}),
        items=[replace(made, billy_id="another")],
        ended=False,
    )
    books = {**evidence.books, "contacts": {**evidence.books["contacts"], "another": change.record or {}}}
    return replace(with_change(evidence, change, id="another"), jobs=[*evidence.jobs, again], books=books)


LIES: list[tuple[Lie, str]] = [
    (doubled_create, "unaccounted create"),
    (doubled_invoice, "unaccounted create"),
    (create_that_never_was, "absent"),
    (record_made_by_a_person, "absent"),
    (lost_record, "absent"),
    (called_unprocessed, "unaccounted create"),
    (called_failed, "unaccounted create"),
    (same_record_twice, "claimed twice"),
    (records_exchanged, "wrong record"),
    (unknown_without_a_hint, "says not what to look for"),
    (line_too_many, "wrong record"),
    (person_twice, "doubled child"),
    (made_by_two_jobs, "doubled over jobs"),
    (update_that_never_was, "absent"),
    (half_an_update, "absent"),
    (called_unchanged, "written in silence"),
    (called_partly_changed, "not partly"),
    (delete_that_never_was, "absent"),
    (called_archived, "absent"),
    (delete_in_silence, "unaccounted change"),
    (change_of_a_stranger, "unaccounted change"),
    (wrong_verdict_in_results, "accounts"),
    (row_missing_in_results, "accounts"),
    (counts_that_do_not_add_up, "accounts"),
    (counts_of_something_else, "accounts"),
    (row_missing_in_the_journal, "accounts"),
    (row_missing_in_rejected, "accounts"),
    (another_plan, "accounts"),
    (row_without_a_verdict, "accounts"),
    (two_jobs_of_one_file, "two jobs of one file"),
    (request_after_a_cancellation, "sent after the end"),
    (row_that_was_lost, "not as expected"),
]


@pytest.mark.parametrize(("lie", "kind"), LIES, ids=lambda value: getattr(value, "__name__", None))
def test_a_lie_is_seen(lie: Lie, kind: str, evidence: Evidence) -> None:
    assert kind in {violation.kind for violation in check(lie(evidence))}


def test_what_somebody_wrote_over_is_no_lie(evidence: Evidence) -> None:
    """A row that was carried out in full is there in part, once a person or another job has changed the rest."""
    target = job_of(evidence, CHANGING).items[1].billy_id
    mine = change_of(evidence, "update", target)
    record = {**(mine.record or {}), "cityText": "Et andet sted"}
    since = with_change(evidence, mine, record=record, request_id=IN_PROCESS)
    assert "not partly" not in {violation.kind for violation in check(called_partly_changed(since))}
    whole = with_change(since, mine)
    assert "not partly" in {violation.kind for violation in check(called_partly_changed(whole))}
