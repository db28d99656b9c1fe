"""Names that Billy may have kept otherwise than they were sent, and names that are others."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billy_pipelines.bulk.spelling import SHORTEST_CUT, Spellings, may_be_shortened, may_be_stored_as
from billy_pipelines.schemas.cleaning import comparable

LONG = "Den meget lange kunde nummer 6 med et navn, der er længere"

KEPT = [
    ("Café 🌟 1", "Café  1"),
    ("Søren ApS", "Soeren ApS"),
    ("Søren ApS", "Soren ApS"),
    ("Søren ApS", "Sren ApS"),
    ("Søren ApS", "S?ren ApS"),
    ("Søren ApS", "SÃ¸ren ApS"),
    ("François SARL", "Francois SARL"),
    ("España SL", "Espana SL"),
    ("Smed & Søn", "Smed &amp; Søn"),
    ('Hans "Hat" Ørn', "Hans Hat Ørn"),
    ("Hansen A/S", "HANSEN AS"),
    (LONG, LONG[:40]),
    (LONG, LONG[:-1]),
    ("Smørrebrød og Søn af tredje generation", "Smoerrebroed og Soen af tredje"),
]
OTHERS = [
    ("Kunde A", "Kunde E"),
    ("Kunde 1", "Kunde 12"),
    ("Kunde 12", "Kunde 1"),
    ("Kunde", "Kunde A"),
    ("Jensen", "Jonsen"),
    ("Prøve ApS", "Prøve A/S"),
    ("Sø 1", "So 2"),
    ("Vare 1.5", "Vare 15"),
    ("Æ", "Ø"),
    ("Ωμέγα", "Abe"),
    (LONG, LONG.replace("6", "7")),
    (LONG[:40], LONG),  # cut, not continued
]


def found(sent: str, stored: str) -> bool:
    """Whether a name in Billy is found by the one that was sent."""
    spellings = Spellings()
    spellings.add(comparable(stored))
    return spellings.of(comparable(sent)) == [comparable(stored)]


@pytest.mark.parametrize(("sent", "stored"), KEPT)
def test_what_databases_make_of_a_name_may_be_it_and_is_found(sent: str, stored: str) -> None:
    assert may_be_stored_as(sent, stored)
    assert found(sent, stored)


@pytest.mark.parametrize(("sent", "stored"), OTHERS)
def test_a_plain_letter_or_a_digit_that_differs_makes_another_name(sent: str, stored: str) -> None:
    assert not may_be_stored_as(sent, stored)
    assert not found(sent, stored)


def test_a_text_that_ends_with_a_whole_word_may_be_shortened_by_a_person() -> None:
    sent = "Æblehaven Bageri og Konditori, afdeling Ry"
    kept = ("Æblehaven Bageri og Konditori", "AEblehaven Bageri og Konditori, afdeling")
    assert all(may_be_shortened(sent, each) for each in kept)
    assert not any(may_be_shortened(sent, each) for each in (sent, sent[:28], sent[:35], "Aeblehaven Bageri og Kondi"))


NAMES = st.text("abkn19 .&æøåÆé🌟ñ", min_size=1, max_size=60).filter(lambda name: any(c in name for c in "bkn19"))


@given(name=NAMES, cut=st.integers(SHORTEST_CUT, 60))
def test_a_cut_name_is_found_wherever_it_was_cut(name: str, cut: int) -> None:
    kept = comparable(name[:cut])
    assert may_be_stored_as(name, kept) or len(kept) < SHORTEST_CUT
    if len(kept) >= SHORTEST_CUT and kept != comparable(name) and any(c in kept for c in "bkn19"):
        assert found(name, kept)


@given(name=NAMES)
def test_a_name_without_the_characters_a_database_does_not_know_is_found(name: str) -> None:
    for kept in (name.encode("ascii", "ignore").decode(), name.encode("ascii", "replace").decode()):
        assert may_be_stored_as(name, kept)
        assert comparable(kept) == comparable(name) or found(name, kept)


def test_a_hundred_thousand_names_are_indexed_and_a_batch_looked_up_in_well_under_a_second() -> None:
    names = [comparable(f"Æblehaven {n} Bageri og Konditori ApS") for n in range(100_000)]
    began = time.process_time()
    spellings = Spellings()
    for name in names:
        spellings.add(name)
    batches = [spellings.of(f"{name} i høje taastrup") for name in names[:64]]
    assert time.process_time() - began < 1.5  # 0.3 s on a quiet machine
    assert batches == [[name] for name in names[:64]]
