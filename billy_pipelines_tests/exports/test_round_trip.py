"""An exported file that nobody has touched changes nothing; one that was edited changes what was edited (rule B22)."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from billy_pipelines.files.snapshots import Snapshot
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines_tests.exports.books import Books

Row = dict[str, str]


@pytest.mark.parametrize(
    ("form", "locale", "everything"),
    [("csv", "da", True), ("csv", "en", False), ("xlsx", "da", True), ("json", "en", False)],
)
def test_an_export_dropped_again_is_unchanged(
    full_books: Books, tmp_path: Path, form: str, locale: str, everything: bool
) -> None:
    for resource in RESOURCES:
        snapshot = full_books.snapshot(resource)
        before = len(full_books.sandbox.sandbox.ledger)
        file = full_books.export(snapshot, tmp_path, form=form, locale=locale, everything=everything)
        done = full_books.drop(file, resource)
        wrong = [result for result in done.results if result["verdict"] != "unchanged"]
        assert not wrong, (resource, wrong)
        assert len(done.results) == snapshot.manifest.rows["rows"]
        assert len(full_books.sandbox.sandbox.ledger) == before


@pytest.fixture
def customer(books: Books) -> str:
    """The id of the one customer there is."""
    return books.contact(name="Æblehaven", isCustomer=True, phone="11 11 11 11", cityText="Ribe", street="Ågade 1")


def test_only_what_was_edited_changes_and_what_billy_changed_meanwhile_stays(
    books: Books, customer: str, tmp_path: Path
) -> None:
    file = _edited(books, tmp_path, lambda row: {**row, "phone": "22 22 22 22"})
    books.sandbox.sandbox.change_contact(customer, cityText="Varde")
    done = books.drop(file, "customers")
    assert done.verdicts == {"updated": 1}
    assert _keys(books, "phone", "cityText") == ("22 22 22 22", "Varde")


def test_a_cell_changed_on_both_sides_is_a_conflict(books: Books, customer: str, tmp_path: Path) -> None:
    file = _edited(books, tmp_path, lambda row: {**row, "phone": "22 22 22 22", "city": "Esbjerg"})
    books.sandbox.sandbox.change_contact(customer, cityText="Varde")
    done = books.drop(file, "customers")
    assert (done.verdicts, done.codes) == ({"rejected": 1}, ["conflict"])
    assert "city" in done.results[0]["message"]
    assert _keys(books, "phone", "cityText") == ("11 11 11 11", "Varde")


def test_a_blank_that_both_sides_have_filled_is_a_conflict(books: Books, tmp_path: Path) -> None:
    customer = books.contact(name="Uden telefon", isCustomer=True)
    file = _edited(books, tmp_path, lambda row: {**row, "phone": "22 22 22 22"})
    books.sandbox.sandbox.change_contact(customer, phone="33 33 33 33")
    assert books.drop(file, "customers").codes == ["conflict"]


def test_the_same_change_on_both_sides_is_none(books: Books, customer: str, tmp_path: Path) -> None:
    file = _edited(books, tmp_path, lambda row: {**row, "city": "Varde"})
    books.sandbox.sandbox.change_contact(customer, cityText="Varde")
    assert books.drop(file, "customers").verdicts == {"unchanged": 1}


def test_a_row_whose_billy_data_no_import_would_take_can_still_be_edited(books: Books, tmp_path: Path) -> None:
    books.contact(name="Fra dengang", isCustomer=True, registrationNo="ikke et nummer", localeId="en_US")
    file = _edited(books, tmp_path, lambda row: {**row, "city": "Varde"})
    assert books.drop(file, "customers").verdicts == {"updated": 1}
    assert _keys(books, "cityText", "registrationNo") == ("Varde", "ikke et nummer")


@pytest.mark.parametrize("operation", ["import", "update", "delete"])
def test_an_export_of_another_company_is_refused(books: Books, customer: str, tmp_path: Path, operation: str) -> None:
    other = {"billyOrganization": "org-en-anden"}
    file = _edited(books, tmp_path, lambda row: {**row, "city": "Esbjerg", **other})
    before = len(books.sandbox.sandbox.ledger)
    done = books.drop(file, "customers", operation, max_error_rate=1.0)
    assert (done.verdicts, done.codes) == ({"rejected": 1}, ["other_organization"])
    assert len(books.sandbox.sandbox.ledger) == before


def test_without_its_snapshot_a_row_says_so_and_counts_as_a_whole(books: Books, customer: str, tmp_path: Path) -> None:
    file = _edited(books, tmp_path, lambda row: {**row, "phone": "22 22 22 22"})
    books.sandbox.sandbox.change_contact(customer, cityText="Varde")
    shutil.rmtree(books.settings.data_dir / "exports")
    done = books.drop(file, "customers")
    assert done.verdicts == {"updated": 1}
    assert "is gone" in done.results[0]["warnings"]
    assert _keys(books, "phone", "cityText") == ("22 22 22 22", "Ribe")


def test_an_import_that_updates_keeps_to_the_snapshot_too(books: Books, customer: str, tmp_path: Path) -> None:
    file = _edited(books, tmp_path, lambda row: {**row, "phone": "22 22 22 22"})
    books.sandbox.sandbox.change_contact(customer, cityText="Varde")
    assert books.drop(file, "customers", "import", on_existing="update").verdicts == {"updated": 1}
    assert _keys(books, "phone", "cityText") == ("22 22 22 22", "Varde")


def _edited(books: Books, folder: Path, edit: Callable[[Row], Row], snapshot: Snapshot | None = None) -> Path:
    """An export of all customers with each row edited."""
    file = books.export(snapshot or books.snapshot("customers"), folder)
    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = [edit(row) for row in csv.DictReader(opened, delimiter=";")]
    with file.open("w", encoding="utf-8-sig", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    return file


def _keys(books: Books, *keys: str) -> tuple[str, ...]:
    """Of the one contact there is."""
    return tuple(books.records("contacts")[0][key] for key in keys)
