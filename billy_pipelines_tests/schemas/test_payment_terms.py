"""Payment terms as people write them; what is not certain is not known."""

from __future__ import annotations

import datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billy_pipelines.schemas.payment_terms import Terms, clean_terms, parse_terms

KNOWN = {
    "Netto 8 dage": "net 8",
    "8 dage netto": "net 8",
    "netto 14": "net 14",
    "NETTO 14 DAGE.": "net 14",
    "14 dage": "net 14",
    "14 dages kredit": "net 14",
    "14-dages netto": "net 14",
    "Betales inden 14 dage": "net 14",
    "14 dage fra fakturadato": "net 14",
    "Net 30": "net 30",
    "net30": "net 30",
    "30 days": "net 30",
    "Net 30 days": "net 30",
    "30 days from invoice date": "net 30",
    "Kontant": "net 0",
    "Netto kontant": "net 0",
    "cash": "net 0",
    "due on receipt": "net 0",
    "0 dage": "net 0",
    "Løbende måned": "netEndOfMonth 0",
    "Løbende måned + 15": "netEndOfMonth 15",
    "løbende måned+15 dage": "netEndOfMonth 15",
    "lb. md. + 15 dage": "netEndOfMonth 15",
    "Lb.md. 30": "netEndOfMonth 30",
    "Netto løbende måned + 30 dage": "netEndOfMonth 30",
    "EOM": "netEndOfMonth 0",
    "end of month + 15 days": "netEndOfMonth 15",
    "2026-05-01": "date 2026-05-01",
    "01-05-2026": "date 2026-05-01",
    "1.5.2026": "date 2026-05-01",
    "Forfald 01-05-2026": "date 2026-05-01",
}
UNCERTAIN = [
    "14",  # days, or the number a program gives the term
    "-14 dage",
    "30 dage løbende måned",  # from the invoice's date, or from the end of its month
    "Net 30 EOM",
    "2% 10, net 30",  # a discount for paying early
    "2,5 dage",
    "1000 dage",
    "Forudbetaling",
    "PBS",
    "31-02-2026",
    "01/02/2026",  # the first of February, or the second of January
    "Netto",
    "dage",
    "",
]


@pytest.mark.parametrize(("text", "spelled"), KNOWN.items())
def test_usual_ways_to_write_terms_are_known(text: str, spelled: str) -> None:
    terms = parse_terms(text)
    assert terms is not None
    assert terms.text == spelled


@pytest.mark.parametrize("text", UNCERTAIN)
def test_what_is_not_certain_is_not_known(text: str) -> None:
    assert parse_terms(text) is None


@given(
    st.builds(Terms, st.sampled_from(["net", "netEndOfMonth"]), st.integers(0, 999))
    | st.dates(datetime.date(1900, 1, 1)).map(lambda day: Terms("date", date=day.isoformat()))
)
def test_the_one_spelling_reads_back(terms: Terms) -> None:
    assert parse_terms(terms.text) == terms


@given(st.text(max_size=30) | st.from_regex(r"(netto|lb md|net)? ?[+-]?[0-9]{1,4} ?(dage|days)?", fullmatch=True))
def test_any_text_is_known_or_not_and_never_an_accident(text: str) -> None:
    terms = parse_terms(text)
    assert terms is None or parse_terms(terms.text) == terms


@pytest.mark.parametrize(
    ("terms", "due"),
    [
        (Terms("net", 8), "2026-01-23"),
        (Terms("netEndOfMonth"), "2026-01-31"),
        (Terms("netEndOfMonth", 15), "2026-02-15"),
        (Terms("date", date="2026-03-04"), "2026-03-04"),
    ],
)
def test_terms_make_an_invoice_due(terms: Terms, due: str) -> None:
    assert terms.due("2026-01-15") == due


def test_a_column_is_cleaned_to_the_one_spelling_and_unknown_cells_keep_their_text() -> None:
    values, known = clean_terms(pd.Series(["Netto 8 dage", "", "14", "01-05-2026"], dtype="str"), dates=True)
    assert values.tolist() == ["net 8", "", "14", "date 2026-05-01"]
    assert known.tolist() == [True, True, False, True]


def test_a_due_date_is_no_term_of_a_contact() -> None:
    values, known = clean_terms(pd.Series(["Kontant", "01-05-2026"], dtype="str"), dates=False)
    assert values.tolist() == ["net 0", "01-05-2026"]
    assert known.tolist() == [True, False]
