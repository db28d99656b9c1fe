"""Every code has its sentence in both languages, with the same details in it."""

from __future__ import annotations

import string

import pytest

from billy_pipelines.schemas import codes
from billy_pipelines.schemas.danish import DANISH

CATALOGUES = [
    value for name, value in vars(codes).items() if name.isupper() and isinstance(value, dict) and name != "DANISH"
]
ENGLISH = {code: text for catalogue in CATALOGUES for code, text in catalogue.items()}


def details_of(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_no_code_means_two_things() -> None:
    assert len(ENGLISH) == sum(map(len, CATALOGUES))


def test_both_languages_know_the_same_codes() -> None:
    assert DANISH.keys() == ENGLISH.keys()


@pytest.mark.parametrize("code", sorted(ENGLISH))
def test_a_sentence_has_the_same_details_in_both_languages(code: str) -> None:
    assert details_of(DANISH[code]) == details_of(ENGLISH[code])


def test_a_sentence_comes_in_the_language_asked_for() -> None:
    assert codes.sentence("required", column="Navn") == "Navn is missing. Fill it in."
    assert codes.sentence("required", "da", column="Navn") == "Navn mangler. Udfyld feltet."
    with pytest.raises(KeyError):
        codes.sentence("no_such_code")


def test_counts_are_grouped_as_the_language_does_and_values_stay_as_they_are() -> None:
    assert "1,000,000 rows" in codes.sentence("too_many_rows", limit=1_000_000)
    assert "1.000.000 rækker" in codes.sentence("too_many_rows", "da", limit=1_000_000)
    assert codes.sentence("number_form", "da", value="1,000").startswith("1,000 er")


@pytest.mark.parametrize("code", sorted(ENGLISH))
def test_every_code_can_be_said(code: str) -> None:
    details: dict[str, object] = dict.fromkeys(details_of(ENGLISH[code]), 1)
    assert codes.sentence(code, **details) != codes.sentence(code, "da", **details) or ENGLISH[code] == "{message}"
