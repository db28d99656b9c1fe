"""The journal: rows in, marks and outcomes in groups, all of a group or nothing of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine, text

from billy_pipelines.database import jobs, journal
from billy_pipelines.database.items import Item, NewItem, Outcome, PlannedItem, Sending
from billy_pipelines.database.journal import Journal
from billy_pipelines.database.storable import storable_json

MakeJournal = Callable[[str], Journal]


@pytest.fixture
def make(engine: Engine) -> MakeJournal:
    """The journal of a new job."""

    def new_journal(job_id: str) -> Journal:
        values = {"resource_type": "customers", "operation": "import", "upload_name": "x.csv", "upload_sha256": "0"}
        with engine.begin() as connection:
            jobs.mirror_organization(connection, "default")
            jobs.create_job(connection, {"job_id": job_id, "organization": "default", **values})
        return Journal(engine, job_id)

    return new_journal


@pytest.fixture
def rows(make: MakeJournal) -> Journal:
    """A journal of four planned rows."""
    book = make("job")
    book.insert([NewItem(index, index + 2, {"name": f"Kunde {index}"}, "valid") for index in range(4)])
    book.plan([PlannedItem(index, "planned", "create") for index in range(4)])
    return book


def row_of(book: Journal, index: int) -> Item:
    return next(item for item in book.items() if item.item_index == index)


def column(engine: Engine, index: int, name: str) -> Any:
    query = f"SELECT {name} FROM billy.billy_bulk_job_items WHERE job_id = 'job' AND item_index = :i"
    with engine.connect() as connection:
        return connection.execute(text(query), {"i": index}).scalar_one()


# -- rows in -----------------------------------------------------------------------------------------------------------


def test_rows_come_back_as_they_were_put_in_and_in_the_order_of_the_file(make: MakeJournal) -> None:
    book = make("job")
    problems = [{"column": "ean", "value": "12"}]
    book.insert(
        [
            NewItem(2, 4, None, "rejected", "0017", "bad_ean", "EAN har 13 cifre", problems),
            NewItem(0, 2, {"name": "Æblehaven „ø“", "days": 14, "is_customer": True, "phone": None}, "valid", "cvr:1"),
            NewItem(1, 3, {}, "valid"),
        ]
    )
    first, second, third = book.items()
    assert first.item_data == {"name": "Æblehaven „ø“", "days": 14, "is_customer": True, "phone": None}
    assert (first.item_index, first.line, first.status, first.natural_key) == (0, 2, "valid", "cvr:1")
    assert (second.item_data, second.details, second.attempts, second.action) == ({}, None, 0, None)
    assert (third.item_data, third.status, third.error_code) == (None, "rejected", "bad_ean")
    assert (third.error, third.details) == ("EAN har 13 cifre", problems)


def test_rows_that_are_there_already_stay_as_they_are(rows: Journal) -> None:
    rows.write([Outcome(1, "created", billy_id="c1")])
    before = rows.items()
    rows.insert([NewItem(index, 99, {"name": "Ny"}, "valid") for index in range(4)])
    assert rows.items() == before
    rows.insert([NewItem(4, 6, {"name": "Den femte"}, "valid")])
    assert rows.counts() == {"planned": 3, "created": 1, "valid": 1}


def test_more_rows_than_one_statement_takes(make: MakeJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "CHUNK", 7)
    book = make("job")
    book.insert([NewItem(index, index + 2, {"name": f"{index}"}, "valid") for index in range(50)])
    book.plan([PlannedItem(index, "planned", "create") for index in range(50)])
    assert [item.item_data for item in book.items(["planned"])] == [{"name": f"{index}"} for index in range(50)]


def test_nothing_to_write_is_no_error(make: MakeJournal) -> None:
    book = make("job")
    book.insert([])
    book.plan([])
    book.write([])
    assert (book.items(), book.counts(), book.claimed_ids(), book.move(["planned"], "failed")) == ([], {}, set(), 0)


def test_jobs_do_not_see_each_others_rows(make: MakeJournal) -> None:
    one, other = make("one"), make("other")
    for book in (one, other):
        book.insert([NewItem(0, 2, {"name": "Ø"}, "planned")])
    one.write([Outcome(0, "created", billy_id="c1")])
    one.move(["created"], "unchanged")
    assert (one.counts(), other.counts()) == ({"unchanged": 1}, {"planned": 1})
    assert row_of(other, 0).billy_id is None


# -- the plan ----------------------------------------------------------------------------------------------------------


def test_a_plan_says_all_there_is_to_say_of_a_row(rows: Journal) -> None:
    changes = {"phone": ["33 12 00 00", "33 12 00 01"]}
    before = {"id": "c2", "phone": "33 12 00 00"}
    rows.plan([PlannedItem(2, "planned", "update", "c2", changes, before, details={"match": "contactNo"})])
    item = row_of(rows, 2)
    assert (item.action, item.billy_id, item.changes, item.before_image) == ("update", "c2", changes, before)
    assert item.details == {"match": "contactNo"}
    rows.plan([PlannedItem(2, "skipped", None, error_code="exists", error="findes")])
    item = row_of(rows, 2)
    assert (item.status, item.action, item.billy_id, item.changes, item.before_image, item.details) == (
        "skipped",
        *[None] * 5,
    )
    assert (item.error_code, item.error, item.item_data) == ("exists", "findes", {"name": "Kunde 2"})


# -- marks and outcomes ------------------------------------------------------------------------------------------------


def test_a_mark_counts_the_attempt_and_forgets_the_last_error(engine: Engine, rows: Journal) -> None:
    rows.write([Outcome(0, "planned", error_code="x", error="et uheld")])
    for attempt in (1, 2):
        rows.write([Sending(0, f"hash {attempt}")])
        item = row_of(rows, 0)
        assert (item.status, item.attempts, item.error_code, item.error) == ("sending", attempt, None, None)
        assert column(engine, 0, "payload_hash") == f"hash {attempt}"
    sent_at = column(engine, 0, "sent_at")
    assert isinstance(sent_at, datetime) and sent_at.tzinfo is not None
    assert row_of(rows, 1).attempts == 0


def test_an_outcome_leaves_what_it_does_not_know(engine: Engine, rows: Journal) -> None:
    rows.write([Outcome(0, "updated", "c0", {"phone": "1"}, {"phone": "2"})])
    rows.write([Outcome(0, "failed", error_code="x", error="nej")])
    item = row_of(rows, 0)
    assert (item.status, item.billy_id, item.before_image) == ("failed", "c0", {"phone": "1"})
    assert column(engine, 0, "after_image") == {"phone": "2"}
    assert (item.error_code, item.error) == ("x", "nej")
    rows.write([Outcome(0, "updated")])
    assert (row_of(rows, 0).error_code, row_of(rows, 0).error) == (None, None)


def test_a_mark_and_an_outcome_of_one_row_in_one_group_end_with_the_outcome(rows: Journal) -> None:
    rows.write([Sending(0, "h"), Sending(1, "h"), Outcome(0, "created", billy_id="c0")])
    assert (row_of(rows, 0).status, row_of(rows, 0).attempts, row_of(rows, 0).billy_id) == ("created", 1, "c0")
    assert [item.status for item in rows.items()[1:]] == ["sending", "planned", "planned"]


def test_of_two_outcomes_of_one_row_in_one_group_the_last_counts(rows: Journal) -> None:
    rows.write([Outcome(0, "outcome_unknown", error="?"), Outcome(1, "failed"), Outcome(0, "created", billy_id="c0")])
    rows.write([Outcome(1, "created", billy_id="c1"), Outcome(1, "outcome_unknown")])
    assert [(item.status, item.billy_id, item.error) for item in rows.items()[:2]] == [
        ("created", "c0", None),
        ("outcome_unknown", None, None),
    ]


@pytest.mark.parametrize(
    "write",
    [
        lambda book: book.write([Outcome(0, "created"), Sending(1, "h"), Outcome(77, "created")]),
        lambda book: book.write([Outcome(0, "created"), Sending(77, "h")]),
        lambda book: book.plan([PlannedItem(0, "skipped", None), PlannedItem(77, "skipped", None)]),
    ],
    ids=["outcome", "mark", "plan"],
)
def test_a_change_of_a_row_that_is_not_there_is_an_error_and_changes_nothing(
    rows: Journal, write: Callable[[Journal], None]
) -> None:
    before = rows.items()
    with pytest.raises(LookupError, match=r"not in the journal of job job; nothing was changed"):
        write(rows)
    assert rows.items() == before


def test_a_plan_of_many_statements_is_one_decision(rows: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "CHUNK", 1)
    with pytest.raises(LookupError):
        rows.plan([PlannedItem(0, "skipped", None), PlannedItem(77, "skipped", None)])
    assert rows.counts() == {"planned": 4}


def test_a_row_for_a_job_that_is_not_there_is_refused(engine: Engine) -> None:
    with pytest.raises(Exception, match="foreign key"):
        Journal(engine, "nobody's").insert([NewItem(0, 2, {}, "valid")])


# -- signs that PostgreSQL refuses -------------------------------------------------------------------------------------

BAD = {"nul": "a\x00b", "half": "a\ud83db", "other half": "\udc00", "key\x00": 1, "deep": [{"x": ["\x00"]}]}
MENDED = {"nul": "a\ufffdb", "half": "a\ufffdb", "other half": "\ufffd", "key\ufffd": 1, "deep": [{"x": ["\ufffd"]}]}


def test_one_row_with_signs_that_postgres_refuses_keeps_no_other_from_being_written(rows: Journal) -> None:
    rows.write(
        [
            Outcome(0, "created", billy_id="c0"),
            Outcome(1, "failed", before_image=BAD, error_code="x", error="Billy said: \x00\ud800"),
            Outcome(2, "created", billy_id="c2"),
        ]
    )
    assert rows.counts() == {"created": 2, "failed": 1, "planned": 1}
    assert row_of(rows, 1).before_image == MENDED
    assert row_of(rows, 1).error == "Billy said: \ufffd\ufffd"


def test_numbers_that_are_none_are_written_as_none(rows: Journal) -> None:
    image = {"nan": math.nan, "inf": [math.inf, -math.inf], "days": 14, "price": 0.1, "big": 10**20}
    rows.write([Outcome(0, "updated", before_image=image)])
    assert row_of(rows, 0).before_image == {
        "nan": None,
        "inf": [None, None],
        "days": 14,
        "price": 0.1,
        "big": 10**20,
    }


@pytest.mark.parametrize("word", ["\\u0000", "C:\\ud83d", "😀 𝄞", "\ufffd", "\x01\x1f\x7f", '"}]', "%(x)s :name ::"])
def test_odd_signs_that_are_fine_stay_as_they_are(rows: Journal, word: str) -> None:
    rows.write([Outcome(0, "updated", before_image={word: [word]}, error=word)])
    assert (row_of(rows, 0).before_image, row_of(rows, 0).error) == ({word: [word]}, word)


def test_what_is_made_storable_is_json_for_others_too() -> None:
    assert json.loads(storable_json([BAD])) == [MENDED]


# -- looking and moving ------------------------------------------------------------------------------------------------


def test_items_and_counts_by_status(rows: Journal) -> None:
    rows.write([Outcome(3, "created", billy_id="c3"), Outcome(1, "failed")])
    assert rows.counts() == {"planned": 2, "created": 1, "failed": 1}
    assert [item.item_index for item in rows.items(["created", "failed"])] == [1, 3]
    assert [item.item_index for item in rows.items(iter(["planned"]))] == [0, 2]
    assert rows.items([]) == []


def test_claimed_are_the_records_this_job_has_made_and_no_others(rows: Journal) -> None:
    rows.write(
        [
            Outcome(0, "created", billy_id="made"),
            Outcome(1, "updated", billy_id="was there"),
            Outcome(2, "outcome_unknown", billy_id="perhaps"),
            Outcome(3, "created"),
        ]
    )
    assert rows.claimed_ids() == {"made"}


def test_moving_takes_the_rows_of_the_given_statuses_along(rows: Journal) -> None:
    rows.write([Outcome(0, "created", billy_id="c0"), Sending(1, "h"), Outcome(2, "failed", error="nej")])
    assert rows.move(("planned", "sending"), "unprocessed") == 2
    assert rows.counts() == {"created": 1, "failed": 1, "unprocessed": 2}
    assert row_of(rows, 1).attempts == 1
    assert row_of(rows, 2).error == "nej"
    assert rows.move(["planned"], "unprocessed") == 0


# -- rows that make one record together --------------------------------------------------------------------------------


def test_a_row_that_is_part_of_a_record_has_the_verdict_of_the_row_that_stands_for_it(make: MakeJournal) -> None:
    book = make("job")
    first = NewItem(0, 2, {"invoice": "F1", "lines": []}, "valid", "F1")
    others = [NewItem(n, n + 2, {"part_of": 0}, "valid", leader_index=0) for n in (1, 2)]
    book.insert([first, *others, NewItem(3, 5, {"invoice": "F2"}, "valid")])
    assert [item.item_index for item in book.leaders(["valid"])] == [0, 3]
    book.plan([PlannedItem(0, "planned", "create", item_data={"invoice": "F1", "contactId": "c"})])
    assert book.counts() == {"planned": 3, "valid": 1}
    book.write([Sending(0, "hash"), Outcome(0, "created", billy_id="abc")])
    assert book.counts() == {"created": 3, "valid": 1}
    assert [(item.line, item.status, item.billy_id) for item in book.items(["created"])] == [
        (2, "created", "abc"),
        (3, "created", "abc"),
        (4, "created", "abc"),
    ]
    assert [item.item_data for item in book.items()][:2] == [{"invoice": "F1", "contactId": "c"}, {"part_of": 0}]
    assert book.leaders(["created"])[0].billy_id == "abc"


def test_what_other_jobs_of_the_organization_have_made_since_is_theirs(make: MakeJournal, rows: Journal) -> None:
    other = make("other")
    other.insert([NewItem(index, index + 2, {}, "valid") for index in range(2)])
    other.plan([PlannedItem(index, "planned", "create") for index in range(2)])
    rows.write([Outcome(0, "created", billy_id="mine")])
    other.write([Outcome(0, "created", billy_id="theirs"), Outcome(1, "outcome_unknown")])
    assert (rows.claimed_elsewhere(), other.claimed_elsewhere()) == ({"theirs"}, {"mine"})


def test_rows_in_doubt_of_another_job_are_known_while_billy_may_be_at_work_on_them(
    make: MakeJournal, rows: Journal
) -> None:
    other = make("other")
    other.insert([NewItem(0, 2, {}, "valid")])
    other.plan([PlannedItem(0, "planned", "create")])
    assert not rows.doubted_elsewhere(["customers"], 3600)
    other.write([Sending(0, "hash")])
    assert rows.doubted_elsewhere(["contacts", "customers"], 3600)
    assert not rows.doubted_elsewhere(["products"], 3600), "of other records"
    assert not rows.doubted_elsewhere(["customers"], 0), "too long ago"
    assert not other.doubted_elsewhere(["customers"], 3600), "its own"


def test_partly_written_are_planned_changes_that_left_a_trace(rows: Journal) -> None:
    rows.plan([PlannedItem(index, "planned", "update") for index in (0, 1)])
    rows.write([Outcome(1, "planned", after_image={"id": "c1"}), Outcome(2, "planned", after_image={"id": "c2"})])
    assert rows.partly_written() == {1}, "a create leaves all or nothing"
