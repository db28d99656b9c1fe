"""Header names: Danish and English ones, with any case, accents and signs."""

from __future__ import annotations

from typing import Any

import pytest

from billy_pipelines.files.headers import folded, map_headers
from billy_pipelines.files.table import UnreadableFile
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.schemas.resource import Resource

CUSTOMERS = RESOURCES["customers"]
FIELDS = {column.name: column.aliases for column in CUSTOMERS.columns}


def fields_of(*header: str) -> dict[str, str]:
    return map_headers(header, FIELDS, []).fields


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("CVR-nr.", "vatNo"),
        ("cvr nr", "vatNo"),
        ("CVR nummer", "vatNo"),
        ("SE-nr.", "vatNo"),
        ("Postnr.", "zipcode"),
        ("POSTNUMMER", "zipcode"),
        ("Tlf.", "phone"),
        ("E-Mail", "email"),
        ("Mail:", "email"),
        ("  Navn ", "name"),
        ("Firmanavn", "name"),
        ("Debitornr.", "contactNo"),
        ("Kundenr.", "contactNo"),
        ("EAN-nr.", "ean"),
        ("Bynavn", "city"),
        ("Àdresse", "address"),
        ("Land*", "country"),
        ("vat_no", "vatNo"),
    ],
)
def test_names_people_write_are_known(name: str, field: str) -> None:
    assert fields_of(name) == {field: name}


@pytest.mark.parametrize("name", ["Kostpris", "CPR", "Saldo", "Lager", "Vejl. pris", "Noter", "Stregkode"])
def test_names_that_mean_something_else_are_not_taken(name: str) -> None:
    assert fields_of("navn", name) == {"name": "navn"}


def test_danish_letters_fold_alike_however_they_are_composed() -> None:
    assert folded("Ærø Å") == folded("AERO A") == folded("Ærø Å")


def test_a_near_miss_is_kept_out_with_a_hint() -> None:
    found = map_headers(["navn", "telfon", "Xyzzy"], FIELDS, [])
    assert found.unknown == {"telfon": "phone", "Xyzzy": ""}


def test_two_columns_for_one_field_are_refused_by_their_names() -> None:
    with pytest.raises(UnreadableFile, match=r"'Tlf\.' and 'Mobil' both mean phone") as caught:
        fields_of("navn", "Tlf.", "Mobil")
    assert caught.value.code == "two_columns_one_field"


def test_a_missing_required_column_names_what_is_there() -> None:
    with pytest.raises(UnreadableFile, match=r"no column name.*Kunde, By") as caught:
        map_headers(["Kunde", "By"], FIELDS, ["name"])
    assert caught.value.code == "missing_column"


def test_long_column_names_are_cut_in_the_message() -> None:
    with pytest.raises(UnreadableFile) as caught:
        map_headers(["x" * 500], FIELDS, ["name"])
    assert len(str(caught.value)) < 300


def test_a_problem_names_the_column_as_in_the_file() -> None:
    found = map_headers(["Navn", "CVR-nr."], FIELDS, [])
    assert (found.column_of("vatNo"), found.column_of("email")) == ("CVR-nr.", "email")


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=lambda resource: resource.name)
def test_no_alias_belongs_to_two_columns(resource: Resource[Any]) -> None:
    owners = {folded(name): column.name for column in resource.columns for name in (column.name, *column.aliases)}
    assert all(owners[folded(n)] == c.name for c in resource.columns for n in (c.name, *c.aliases))
    assert "" not in owners
