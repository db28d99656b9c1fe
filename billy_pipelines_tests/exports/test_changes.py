"""What changed from one night to the next."""

from __future__ import annotations

import csv
from datetime import date

import pyarrow.parquet as pq

from billy_pipelines.exports.changes import COLUMNS, changes_between, write_changes
from billy_pipelines_tests.exports.books import Books

FIRST, SECOND = date(2026, 11, 24), date(2026, 11, 25)


def test_added_removed_and_changed_records_are_told_with_old_and_new(books: Books) -> None:
    gone = books.contact(name="Lukket ApS", isCustomer=True)
    moved = books.contact(
        name="Flyttet ApS",
        isCustomer=True,
        cityText="Ribe",
        contactPersons=[{"name": "Anna", "email": "a@flyttet.example", "isPrimary": True}],
    )
    books.contact(name="Som før", isCustomer=True)
    old = books.snapshot("contacts", FIRST)
    books.sandbox.sandbox.delete_contact(gone)
    books.sandbox.sandbox.change_contact(moved, cityText="Varde", phone="11 11 11 11")
    person = next(each for each in books.records("contactPersons") if each["contactId"] == moved)
    books.sandbox.sandbox.change("contactPersons", str(person["id"]), email="ny@flyttet.example")
    new_id = books.contact(name="Ny ApS", isCustomer=True)
    new = books.snapshot("contacts", SECOND)

    changes = changes_between(old, new)
    assert changes.counts == {"added": 1, "removed": 1, "changed": 1}
    told = {tuple(row.values()) for row in changes.table.to_pylist()}
    assert told == {
        ("added", "contacts", new_id, new_id, "Ny ApS", None, None, None),
        ("removed", "contacts", gone, gone, "Lukket ApS", None, None, None),
        ("changed", "contacts", moved, moved, "Flyttet ApS", "cityText", "Ribe", "Varde"),
        ("changed", "contacts", moved, moved, "Flyttet ApS", "phone", "", "11 11 11 11"),
        *{
            ("changed", "contactPersons", person["id"], moved, "Flyttet ApS", "email", before, after)
            for before, after in [("a@flyttet.example", "ny@flyttet.example")]
        },
    }
    written, typed = write_changes(changes, new)
    with written.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == pq.read_table(typed).num_rows == changes.table.num_rows
    assert written.stat().st_mode & 0o777 == 0o600


def test_two_equal_nights_differ_in_nothing(full_books: Books) -> None:
    for resource in ("contacts", "products", "invoices"):
        changes = changes_between(full_books.snapshot(resource, FIRST), full_books.snapshot(resource, SECOND))
        assert changes.table.to_pylist() == []


def test_the_first_night_has_nothing_to_be_compared_with(books: Books) -> None:
    books.contact(name="Første", isCustomer=True)
    new = books.snapshot("contacts", FIRST)
    assert changes_between(None, new).counts == {"added": 0, "removed": 0, "changed": 0}
    assert changes_between(None, new).table.column_names == list(COLUMNS)
