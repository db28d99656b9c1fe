"""The checker sees lies about undos: three that went well, one for each thing a job does, and what is on record of them
changed in one point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from billy_pipelines.database.items import Item
from billy_pipelines.sandbox import Change
from billy_pipelines.sandbox.state import IN_PROCESS
from billy_pipelines_tests.campaign.check import check
from billy_pipelines_tests.campaign.evidence import Evidence, UndoJobSeen
from billy_pipelines_tests.campaign.plain import CHANGING, DELETING, MAKING, plain_history
from billy_pipelines_tests.campaign.play import play
from billy_pipelines_tests.campaign.played import Played
from billy_pipelines_tests.campaign.shapes import Edit, History, Turn, Undo, Values
from billy_pipelines_tests.campaign.stage import Stage

Lie = Callable[[Evidence], Evidence]


def history(file: int) -> History:
    """One file of the plain history, its job undone after people were at work on two of its records."""
    plain = plain_history()
    targets = [row.target or "" for row in plain.files[file].rows if row.target] or [""]
    edits = {
        MAKING: (
            Edit("change_made", "contacts", values={"phone": "22222222"}, number=0),
            Edit("use_made", "contacts", number=1),
        ),
        CHANGING: (
            Edit("change", "contacts", targets[0], {"cityText": "Et andet sted"}),
            Edit("change", "contacts", targets[-1], {"street": "Ikke filens sag 1"}),
        ),
        DELETING: (Edit("add", "products", values={"name": _name(plain, targets[0]), "description": "Ny"}),),
    }
    undo = Undo(0, False, (Turn("drop", (0,)),), edits=edits[file])
    return replace(plain, files=(plain.files[file],), turns=(Turn("drop", (0,)),), undo=undo)


def _name(plain: History, record_id: str) -> str:
    return next((str(record["name"]) for record in plain.books["products"] if record["id"] == record_id), "")


@pytest.fixture(scope="module")
def played(stage: Stage) -> Mapping[int, Played]:
    return {file: play(history(file), stage) for file in (MAKING, CHANGING, DELETING)}


@pytest.mark.parametrize(
    ("file", "codes"),
    [
        (MAKING, {None, "edited_since", "in_use_since"}),
        (CHANGING, {None, "edited_since"}),
        (DELETING, {"made_again", "there_again"}),
    ],
)
def test_an_undo_without_trouble_is_without_violation(
    file: int, codes: set[str | None], played: Mapping[int, Played]
) -> None:
    evidence = played[file].evidence
    assert evidence is not None
    assert not played[file].violations
    assert not check(evidence)
    assert {item.error_code for item in undo_job(evidence).items} == codes
    assert {item.status for item in undo_job(evidence).items} == {"reversed", "kept"}


# -- changing the evidence ---------------------------------------------------------------------------------------------


def undo_job(evidence: Evidence) -> UndoJobSeen:
    assert evidence.undo is not None
    return evidence.undo.jobs[0]


def with_undo(evidence: Evidence, **changes: Any) -> Evidence:
    assert evidence.undo is not None
    return replace(evidence, undo=replace(evidence.undo, **changes))


def with_job(evidence: Evidence, **changes: Any) -> Evidence:
    """The first undo of the job says otherwise; there is no other."""
    return with_undo(evidence, jobs=[replace(undo_job(evidence), **changes)])


def item_of(evidence: Evidence, status: str, number: int = 0) -> Item:
    return [item for item in undo_job(evidence).items if item.status == status][number]


def with_item(evidence: Evidence, item: Item, **changes: Any) -> Evidence:
    """The journal says otherwise of a row of the undo; counts and files are not looked at."""
    items = [replace(each, **changes) if each is item else each for each in undo_job(evidence).items]
    return with_job(evidence, items=items, ended=False)


def id_of(evidence: Evidence, item: Item) -> str:
    """The record that a row of the undo is about."""
    rows = evidence.jobs[0].items
    return next(row.billy_id or "" for row in rows if row.line == item.line)


def undone(evidence: Evidence, operation: str, resource: str, number: int = 0) -> Change:
    assert evidence.undo is not None
    return [
        change
        for change in evidence.changes
        if change.sequence in evidence.undo.changes and (change.operation, change.resource) == (operation, resource)
    ][number]


def without(evidence: Evidence, *gone: Change) -> Evidence:
    return replace(evidence, changes=[change for change in evidence.changes if change not in gone])


def instead(evidence: Evidence, change: Change, **record: Any) -> Evidence:
    """The undo wrote other values."""
    other = replace(change, record={**(change.record or {}), **record})
    return replace(evidence, changes=[other if each is change else each for each in evidence.changes])


def with_change(evidence: Evidence, like: Change, **changes: Any) -> Evidence:
    """The undo did one thing more."""
    assert evidence.undo is not None
    sequence = len(evidence.changes) + 1
    more = replace(like, sequence=sequence, **changes)
    evidence = replace(evidence, changes=[*evidence.changes, more])
    return with_undo(evidence, changes=evidence.undo.changes | {sequence} if evidence.undo else frozenset())


def with_books(evidence: Evidence, plural: str, records: Mapping[str, Values]) -> Evidence:
    return replace(evidence, books={**evidence.books, plural: records})


# -- lies about what was made ------------------------------------------------------------------------------------------


def still_in_billy(evidence: Evidence) -> Evidence:
    record_id = id_of(evidence, item_of(evidence, "reversed"))
    made = next(c.record or {} for c in evidence.changes if c.id == record_id)
    return with_books(evidence, "contacts", {**evidence.books["contacts"], record_id: made})


def delete_that_never_was(evidence: Evidence) -> Evidence:
    return without(evidence, undone(evidence, "delete", "contacts"))


def person_left_behind(evidence: Evidence) -> Evidence:
    person = {"contactId": id_of(evidence, item_of(evidence, "reversed")), "email": "a@b.example"}
    return with_books(evidence, "contactPersons", {**evidence.books["contactPersons"], "left": person})


def called_kept(evidence: Evidence) -> Evidence:
    return with_item(evidence, item_of(evidence, "reversed"), status="kept", error_code="edited_since")


def kept_though_nobody_edited_it(evidence: Evidence) -> Evidence:
    by_people = [change for change in evidence.changes if change.request_id == IN_PROCESS]
    return without(evidence, *by_people)


def kept_though_nobody_uses_it(evidence: Evidence) -> Evidence:
    return with_books(evidence, "invoices", {})


def kept_for_no_reason_we_know(evidence: Evidence) -> Evidence:
    return with_item(evidence, item_of(evidence, "kept"), error_code="image_missing")


def kept_and_deleted_all_the_same(evidence: Evidence) -> Evidence:
    like = undone(evidence, "delete", "contacts")
    return with_change(evidence, like, id=id_of(evidence, item_of(evidence, "kept")))


def called_failed(evidence: Evidence) -> Evidence:
    return with_item(evidence, item_of(evidence, "reversed"), status="failed", error_code="billy_refused")


def called_unprocessed(evidence: Evidence) -> Evidence:
    return with_item(evidence, item_of(evidence, "reversed"), status="unprocessed")


def stranger_deleted(evidence: Evidence) -> Evidence:
    stranger = str(evidence.history.books["contacts"][0]["id"])
    return with_change(evidence, undone(evidence, "delete", "contacts"), id=stranger)


# -- lies about what was changed ---------------------------------------------------------------------------------------


def never_restored(evidence: Evidence) -> Evidence:
    return without(evidence, undone(evidence, "update", "contacts"))


def person_never_restored(evidence: Evidence) -> Evidence:
    return without(evidence, undone(evidence, "update", "contactPersons"))


def restored_to_something_else(evidence: Evidence) -> Evidence:
    return instead(evidence, undone(evidence, "update", "contacts"), cityText="Et tredje sted")


def person_restored_to_something_else(evidence: Evidence) -> Evidence:
    return instead(evidence, undone(evidence, "update", "contactPersons"), email="en@anden.example")


def another_field_restored_too(evidence: Evidence) -> Evidence:
    return instead(evidence, undone(evidence, "update", "contacts"), phone="33333333")


def edit_of_another_field_taken_back(evidence: Evidence) -> Evidence:
    record_id = evidence.history.files[0].rows[-1].target
    change = next(
        c
        for c in evidence.changes
        if c.id == record_id and evidence.undo is not None and c.sequence in evidence.undo.changes
    )
    return instead(evidence, change, street=None)


def restored_in_silence(evidence: Evidence) -> Evidence:
    return with_item(evidence, item_of(evidence, "reversed"), status="unprocessed")


# -- lies about what was deleted ---------------------------------------------------------------------------------------


def made_again_twice(evidence: Evidence) -> Evidence:
    return with_change(evidence, undone(evidence, "create", "products"), id="another")


def never_made_again(evidence: Evidence) -> Evidence:
    return without(evidence, undone(evidence, "create", "products"))


def made_again_for_two(evidence: Evidence) -> Evidence:
    first, second = item_of(evidence, "reversed"), item_of(evidence, "reversed", 1)
    return with_item(evidence, first, billy_id=second.billy_id)


def made_again_otherwise(evidence: Evidence) -> Evidence:
    return instead(evidence, undone(evidence, "create", "products"), productNo="et andet")


def made_again_without_its_price(evidence: Evidence) -> Evidence:
    return without(evidence, undone(evidence, "create", "productPrices"))


def made_again_and_lost(evidence: Evidence) -> Evidence:
    gone = item_of(evidence, "reversed").billy_id
    left = {key: record for key, record in evidence.books["products"].items() if key != gone}
    return with_books(evidence, "products", left)


def called_there_again(evidence: Evidence) -> Evidence:
    item = item_of(evidence, "reversed")
    return with_item(evidence, item, status="kept", error_code="there_again", billy_id=None, action=None)


def there_again_though_it_is_not(evidence: Evidence) -> Evidence:
    left = {k: r for k, r in evidence.books["products"].items() if r.get("description") != "Ny"}
    return with_books(evidence, "products", left)


# -- lies about accounts -----------------------------------------------------------------------------------------------


def row_missing_in_the_journal(evidence: Evidence) -> Evidence:
    return with_job(evidence, items=undo_job(evidence).items[1:], ended=False)


def row_that_changed_nothing(evidence: Evidence) -> Evidence:
    items = undo_job(evidence).items
    more = replace(items[0], item_index=max(i.item_index for i in items) + 50, line=99)
    return with_job(evidence, items=[*items, more], ended=False)


def line_that_was_not_asked_for(evidence: Evidence) -> Evidence:
    row = undo_job(evidence).row
    return with_job(evidence, row=row.model_copy(update={"source": {"undo": {"lines": "2-3", "only": ""}}}))


def row_without_a_verdict(evidence: Evidence) -> Evidence:
    return with_item(evidence, item_of(evidence, "reversed"), status="sending")


def failed_without_need(evidence: Evidence) -> Evidence:
    return with_item(evidence, item_of(evidence, "kept"), status="failed", error_code="billy_refused")


def counts_that_do_not_add_up(evidence: Evidence) -> Evidence:
    row = undo_job(evidence).row
    return with_job(evidence, row=row.model_copy(update={"counts": {**row.counts, "reversed": 1}}))


def counts_of_something_else(evidence: Evidence) -> Evidence:
    row = undo_job(evidence).row
    counts = {**row.counts, "reversed": row.counts["reversed"] + 1, "kept": row.counts["kept"] - 1}
    return with_job(evidence, row=row.model_copy(update={"counts": counts}))


def other(lines: Sequence[Mapping[str, str]], **cells: str) -> list[dict[str, str]]:
    return [{**dict(lines[0]), **cells}, *map(dict, lines[1:])]


def another_verdict_in_undo_csv(evidence: Evidence) -> Evidence:
    return with_job(evidence, lines=other(undo_job(evidence).lines, verdict="failed"))


def another_new_id_in_undo_csv(evidence: Evidence) -> Evidence:
    return with_job(evidence, lines=other(undo_job(evidence).lines, new_id="another"))


def row_missing_in_undo_csv(evidence: Evidence) -> Evidence:
    return with_job(evidence, lines=undo_job(evidence).lines[1:])


def another_verdict_in_the_jobs_undo_csv(evidence: Evidence) -> Evidence:
    assert evidence.undo is not None
    return with_undo(evidence, lines=other(evidence.undo.lines, verdict="unprocessed"))


def reversed_by_two_undos(evidence: Evidence) -> Evidence:
    first = undo_job(evidence)
    second = replace(first, row=first.row.model_copy(update={"job_id": f"{first.row.job_id}-2"}))
    return with_undo(evidence, jobs=[first, second])


def job_called_undone(evidence: Evidence) -> Evidence:
    [job] = evidence.jobs
    return replace(evidence, jobs=[replace(job, row=job.row.model_copy(update={"status": "undone"}))])


LIES: list[tuple[int, Lie, str]] = [
    (MAKING, still_in_billy, "undo absent"),
    (MAKING, delete_that_never_was, "undo absent"),
    (MAKING, person_left_behind, "undo absent"),
    (MAKING, called_kept, "undo of what was kept"),
    (MAKING, kept_though_nobody_edited_it, "kept without reason"),
    (MAKING, kept_though_nobody_uses_it, "kept without reason"),
    (MAKING, kept_for_no_reason_we_know, "kept without reason"),
    (MAKING, kept_and_deleted_all_the_same, "undo of what was kept"),
    (MAKING, called_failed, "undo in silence"),
    (MAKING, called_unprocessed, "undo in silence"),
    (MAKING, stranger_deleted, "undo in silence"),
    (CHANGING, never_restored, "undo absent"),
    (CHANGING, person_never_restored, "undo absent"),
    (CHANGING, restored_to_something_else, "undone too much"),
    (CHANGING, person_restored_to_something_else, "undo absent"),
    (CHANGING, another_field_restored_too, "undone too much"),
    (CHANGING, edit_of_another_field_taken_back, "undone too much"),
    (CHANGING, restored_in_silence, "undo in silence"),
    (CHANGING, kept_though_nobody_edited_it, "kept without reason"),
    (DELETING, made_again_twice, "made again unaccounted"),
    (DELETING, never_made_again, "undo absent"),
    (DELETING, made_again_for_two, "made again for two"),
    (DELETING, made_again_otherwise, "made again otherwise"),
    (DELETING, made_again_without_its_price, "made again otherwise"),
    (DELETING, made_again_and_lost, "undo absent"),
    (DELETING, called_there_again, "made again unaccounted"),
    (DELETING, there_again_though_it_is_not, "kept without reason"),
    (MAKING, row_missing_in_the_journal, "undo accounts"),
    (MAKING, row_that_changed_nothing, "undo accounts"),
    (MAKING, line_that_was_not_asked_for, "undo accounts"),
    (MAKING, row_without_a_verdict, "undo accounts"),
    (MAKING, failed_without_need, "undo accounts"),
    (MAKING, counts_that_do_not_add_up, "undo accounts"),
    (MAKING, counts_of_something_else, "undo accounts"),
    (MAKING, another_verdict_in_undo_csv, "undo accounts"),
    (DELETING, another_new_id_in_undo_csv, "undo accounts"),
    (MAKING, row_missing_in_undo_csv, "undo accounts"),
    (MAKING, another_verdict_in_the_jobs_undo_csv, "undo accounts"),
    (MAKING, reversed_by_two_undos, "undo accounts"),
    (MAKING, job_called_undone, "undo accounts"),
]


@pytest.mark.parametrize(("file", "lie", "kind"), LIES, ids=lambda value: getattr(value, "__name__", None))
def test_a_lie_about_an_undo_is_seen(file: int, lie: Lie, kind: str, played: Mapping[int, Played]) -> None:
    evidence = played[file].evidence
    assert evidence is not None
    assert kind in {violation.kind for violation in check(lie(evidence))}
