"""E-mail cells: several addresses are told apart, names around them fall away, and none is lost in silence."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billy_pipelines.schemas.cleaning import EMAIL_PATTERN
from billy_pipelines.schemas.emails import split_emails


def split(*cells: str) -> list[tuple[str, str]]:
    first, others = split_emails(pd.Series(list(cells), dtype="str"))
    return list(zip(first, others, strict=True))


@pytest.mark.parametrize(
    ("cell", "first", "others"),
    [
        ("", "", ""),
        ("bo@firma.example", "bo@firma.example", ""),
        ("no address", "no address", ""),
        ("bo@firma.example; ea@firma.example", "bo@firma.example", "ea@firma.example"),
        ("bo@firma.example,ea@firma.example", "bo@firma.example", "ea@firma.example"),
        ("bo@firma.example/ea@firma.example", "bo@firma.example", "ea@firma.example"),
        ("bo@firma.example / ea@firma.example", "bo@firma.example", "ea@firma.example"),
        ("bo@firma.example ea@firma.example", "bo@firma.example", "ea@firma.example"),
        ("bo@firma.example\nea@firma.example", "bo@firma.example", "ea@firma.example"),
        ("bo@firma.example og ea@firma.example", "bo@firma.example", "ea@firma.example"),
        ("bo@firma.example and ea@firma.example", "bo@firma.example", "ea@firma.example"),
        ("bo@a.example, ea@b.example og ib@c.example;", "bo@a.example", "ea@b.example;ib@c.example"),
        ("og@firma.example og and@firma.example", "og@firma.example", "and@firma.example"),
        ("bo@firma.example;", "bo@firma.example", ""),
        ("; bo@firma.example", "bo@firma.example", ""),
        ("bo@firma.example, BO@firma.example", "bo@firma.example", ""),
        ("bo/ea@firma.example ib@firma.example", "bo/ea@firma.example", "ib@firma.example"),
        ("Bo Holm <bo@firma.example>", "bo@firma.example", ""),
        ("<bo@firma.example>", "bo@firma.example", ""),
        ("Holm, Bo <bo@firma.example>", "bo@firma.example", ""),
        ('"Holm, Bo" <bo@firma.example>; Ea <ea@firma.example>', "bo@firma.example", "ea@firma.example"),
        ("Holm, Bo <bo@firma.example>; Dahl, Ea <ea@firma.example>", "bo@firma.example", "ea@firma.example"),
        ("bo@firma.example, Ea <ea@firma.example>", "bo@firma.example", "ea@firma.example"),
        ("'bo@firma.example' <bo@firma.example>", "bo@firma.example", ""),
        ("bo@firma.example<mailto:bo@firma.example>", "bo@firma.example", ""),
        ("mailto:bo@firma.example", "bo@firma.example", ""),
        ("MAILTO:bo@firma.example?subject=Faktura", "bo@firma.example", ""),
    ],
)
def test_ways_to_write_addresses(cell: str, first: str, others: str) -> None:
    assert split(cell) == [(first, others)]


@pytest.mark.parametrize(
    "cell",
    [
        "bo@firma, ea@firma.example",
        "bo@firma.example (privat), ea@firma.example",
        "bo@firma.example eller ea@firma.example",
        "bo@firma.example Ea <ea@firma.example>",
        "ib@firma.example, Holm, Bo <bo@firma.example>",
        '"bo@firma.example" <ea@firma.example>',
        "bo@@firma.example",
        "bo@firma.example@firma.example",
        "<>",
        "Bo <>",
        "mailto:",
        "<bo@firma.example",
    ],
)
def test_a_cell_with_a_part_that_is_no_address_stays_whole(cell: str) -> None:
    assert split(cell) == [(cell, "")]
    assert not re.fullmatch(EMAIL_PATTERN, cell)


def test_rows_keep_their_place() -> None:
    column = pd.Series(["a@b.example", "", "c@d.example;e@f.example", "x"], index=[3, 5, 7, 9], dtype="str")
    first, others = split_emails(column)
    assert dict(first) == {3: "a@b.example", 5: "", 7: "c@d.example", 9: "x"}
    assert dict(others) == {3: "", 5: "", 7: "e@f.example", 9: ""}
    assert split() == []


names = st.text("abcæø0123.+-_", min_size=1, max_size=8)
addresses = st.builds("{}@{}.example".format, names, st.sampled_from(["firma", "a-b", "æble", "sub.domain"]))
separators = st.sampled_from([";", "; ", ", ", ",", " ", " og ", " and ", " / ", "/", "\n", " ;\t"])


@given(st.lists(addresses, min_size=1, max_size=5, unique_by=str.casefold), separators)
def test_any_addresses_in_one_cell_read_back(written: list[str], separator: str) -> None:
    assert split(separator.join(written)) == [(written[0], ";".join(written[1:]))]


@given(
    st.lists(
        st.tuples(st.text("Bo Eæ.'", max_size=8), addresses), min_size=1, max_size=4, unique_by=lambda pair: pair[1]
    )
)
def test_any_addresses_with_names_read_back(written: list[tuple[str, str]]) -> None:
    plain = [address for _, address in written]
    assert split("; ".join(f"{name} <{address}>" for name, address in written)) == [(plain[0], ";".join(plain[1:]))]


noise = st.text(
    st.sampled_from(list("ab@@.;,/<> \"'\nmailto:")) | st.characters(exclude_categories=["Cs"]), max_size=30
)


@given(noise)
def test_whatever_is_split_is_an_address_and_was_there(cell: str) -> None:
    [(first, others)] = split(cell)
    if first != cell.strip(" ;,"):
        for address in [first, *filter(None, others.split(";"))]:
            assert first == cell or re.fullmatch(EMAIL_PATTERN, address)
            assert address in cell
    assert first == cell or cell.count("@") >= 1


@pytest.mark.parametrize("piece", ["<", '"', "a@", "a@b.example ", "<a@b.example>", "mailto:", "a", ";", "@"])
def test_a_huge_cell_takes_no_longer_than_its_length(piece: str) -> None:
    cell = f"x{piece * (300_000 // len(piece))}@@"
    assert split(cell) == [(cell, "")]
