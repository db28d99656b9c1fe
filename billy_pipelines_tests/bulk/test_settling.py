"""What became of creates without a clear answer: found, not there, or something that may be it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from billy_pipelines.billy.models import Contact
from billy_pipelines.bulk.matching import Register
from billy_pipelines.bulk.settling import Settled, settle_creates
from billy_pipelines.bulk.verdicts import CREATE, OUTCOME_UNKNOWN
from billy_pipelines.database.items import Item
from billy_pipelines.schemas.contact_meaning import row_as_contact
from billy_pipelines.schemas.customers import CUSTOMERS


def in_doubt(index: int, row: dict[str, Any], *, there_before: tuple[str, ...] = ()) -> Item:
    """A row whose create was sent and never clearly answered; `there_before`: ids of its name at the time of plan."""
    before = {"same_name_ids": list(there_before)} if there_before else None
    return Item(index, index + 2, row, OUTCOME_UNKNOWN, CREATE, row["name"], None, before, None, 1, None, None, None)


def made(record_id: str, row: dict[str, Any]) -> Contact:
    """The contact that Billy has when the create of this row reached it."""
    return row_as_contact(row, record_id)


def settle(items: list[Item], records: list[Contact], claimed: set[str] | None = None) -> list[Settled]:
    return settle_creates(CUSTOMERS, items, Register(CUSTOMERS, records), set() if claimed is None else claimed)


ROW = {"name": "Prøve ApS", "phone": "12345678", "city": "Århus"}


def test_a_record_that_holds_what_was_sent_is_ours() -> None:
    record, claimed = made("c1", ROW), {"c0"}
    [settled] = settle([in_doubt(0, ROW)], [made("other", {**ROW, "name": "Anden ApS"}), record], claimed)
    assert (settled.record, list(settled.suspects)) == (record, [])
    assert claimed == {"c0", "c1"}


def test_billys_own_spelling_of_what_was_sent_is_still_ours() -> None:
    record = made("c1", {"name": "PRØVE  ApS", "phone": "+45 12 34 56 78", "city": "århus"})
    assert settle([in_doubt(0, ROW)], [record])[0].record == record


def test_without_a_record_of_the_name_the_row_may_be_sent_again() -> None:
    claimed: set[str] = set()
    [settled] = settle([in_doubt(0, ROW)], [made("other", {**ROW, "name": "Anden ApS"})], claimed)
    assert (settled.record, list(settled.suspects), claimed) == (None, [], set())


def test_a_new_record_of_the_name_that_differs_is_a_suspect_and_is_not_claimed() -> None:
    claimed: set[str] = set()
    somebody_elses = made("c9", {**ROW, "phone": "87654321"})
    [settled] = settle([in_doubt(0, ROW)], [somebody_elses], claimed)
    assert (settled.record, list(settled.suspects), claimed) == (None, [somebody_elses], set())


def test_a_town_that_was_not_sent_is_a_persons_unless_a_postcode_was() -> None:
    """A bare name finds no record with a town; Billy may fill in the town of a postcode."""
    for row, ours in (({"name": "Prøve ApS"}, False), ({"name": "Prøve ApS", "zipcode": "6700"}, True)):
        record = made("c9", {**row, "city": "Esbjerg"})
        [settled] = settle([in_doubt(0, row)], [record])
        assert (settled.record, list(settled.suspects)) == ((record, []) if ours else (None, [record]))


def test_a_record_of_the_name_that_was_there_before_is_neither_ours_nor_suspect() -> None:
    [settled] = settle([in_doubt(0, ROW, there_before=("old",))], [made("old", ROW)])
    assert (settled.record, list(settled.suspects)) == (None, [])


def test_beside_a_record_that_was_there_before_the_new_one_is_ours() -> None:
    [settled] = settle([in_doubt(0, ROW, there_before=("old",))], [made("old", ROW), made("new", ROW)])
    assert settled.record is not None
    assert settled.record.id == "new"


def test_a_record_another_row_is_known_to_have_made_is_not_given_again() -> None:
    [settled] = settle([in_doubt(0, ROW)], [made("c1", ROW)], {"c1"})
    assert (settled.record, list(settled.suspects)) == (None, [])


def test_equal_rows_are_interchangeable_and_each_gets_a_record_of_its_own() -> None:
    settled = settle([in_doubt(n, ROW) for n in range(3)], [made(f"c{n}", ROW) for n in range(2)])
    assert sorted(s.record.id for s in settled if s.record) == ["c0", "c1"]
    assert [list(s.suspects) for s in settled if not s.record] == [[]]


def test_a_bare_name_does_not_take_what_only_a_fuller_row_can_have_made() -> None:
    bare, full = {"name": "Prøve ApS"}, ROW
    settled = settle([in_doubt(0, bare), in_doubt(1, full)], [made("full", full)])
    assert [s.record.id if s.record else None for s in settled] == [None, "full"]
    assert not settled[0].suspects


def test_a_row_that_spells_out_a_default_says_no_more_than_one_that_does_not() -> None:
    """Country DK holds for creates that name none (B1), so it must not count for who chooses first."""
    with_default, with_phone = {"name": "Prøve ApS", "country": "DK"}, {"name": "Prøve ApS", "phone": "12345678"}
    settled = settle([in_doubt(0, with_default), in_doubt(1, with_phone)], [made("c1", with_phone)])
    assert [s.record.id if s.record else None for s in settled] == [None, "c1"]


def test_a_row_without_country_does_not_take_what_only_a_row_with_one_can_have_made() -> None:
    without, swedish = {"name": "Prøve ApS"}, {"name": "Prøve ApS", "country": "SE"}
    settled = settle([in_doubt(0, without), in_doubt(1, swedish)], [made("se", swedish), made("dk", without)])
    assert [s.record.id if s.record else None for s in settled] == ["dk", "se"]


def test_answers_come_in_the_order_of_the_rows() -> None:
    rows = [{"name": f"Kunde {n}", **({"city": "Århus"} if n % 2 else {})} for n in range(6)]
    settled = settle([in_doubt(n, row) for n, row in enumerate(rows)], [made(f"c{n}", rows[n]) for n in (5, 0, 3)])
    assert [s.item.item_index for s in settled] == list(range(6))
    assert [s.record.id if s.record else None for s in settled] == ["c0", None, None, "c3", None, "c5"]


ROWS = st.fixed_dictionaries(
    {"name": st.sampled_from(["Æ", "Ø"])},
    optional={
        "country": st.sampled_from(["DK", "SE"]),
        "city": st.sampled_from(["Århus", "Odense", None]),
        "phone": st.sampled_from(["12345678", "87654321", None]),
        "email": st.sampled_from(["post@prove.example", "anden@prove.example"]),
    },
)


def _content(record: Contact) -> str:
    return str({**record.image(), "id": "", "contactPersons": record.emails})


@given(rows=st.lists(st.tuples(ROWS, st.booleans()), max_size=8), data=st.data())
def test_exactly_what_reached_billy_is_found_and_nothing_is_given_twice(
    rows: list[tuple[dict[str, Any], bool]], data: st.DataObject
) -> None:
    """Any rows, any of which reached Billy, listed in any order: what is found is what was made, so that sending the
    rest again leaves nothing doubled and nothing missing."""
    items = [in_doubt(n, row) for n, (row, _) in enumerate(rows)]
    records = [made(f"c{n}", row) for n, (row, reached) in enumerate(rows) if reached]
    settled = settle(items, data.draw(st.permutations(records)))
    found = [s for s in settled if s.record is not None]
    assert sorted(s.record.id for s in found) == sorted(record.id for record in records)
    meant = Counter(_content(made("", s.item.item_data or {})) for s in found)
    assert meant == Counter(_content(record) for record in records)


@given(rows=st.lists(ROWS, max_size=6), others=st.lists(ROWS, max_size=6))
def test_whatever_others_made_meanwhile_no_record_is_given_twice(
    rows: list[dict[str, Any]], others: list[dict[str, Any]]
) -> None:
    records = [made(f"o{n}", row) for n, row in enumerate(others)]
    claimed = {"c0"}
    settled = settle([in_doubt(n, row) for n, row in enumerate(rows)], records, claimed)
    given_out = [s.record.id for s in settled if s.record is not None]
    assert len(given_out) == len(set(given_out))
    assert claimed == {"c0", *given_out}
    assert all(record.id not in claimed for s in settled for record in s.suspects)
