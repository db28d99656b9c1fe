"""What became of creates without a clear answer: found, not there, or something that may be it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
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
from billy_pipelines.schemas.invoice_meaning import row_as_invoice
from billy_pipelines.schemas.invoices import INVOICES
from billy_pipelines.schemas.product_meaning import row_as_product
from billy_pipelines.schemas.products import PRODUCTS


def in_doubt(index: int, row: dict[str, Any], *, there_before: tuple[str, ...] = ()) -> Item:
    """A row whose create was sent and never clearly answered; `there_before`: ids of its name at the time of plan."""
    before = {"same_name_ids": list(there_before)} if there_before else None
    return Item(index, index + 2, row, OUTCOME_UNKNOWN, CREATE, row["name"], None, before, None, 1, None, None, None)


def made(record_id: str, row: dict[str, Any]) -> Contact:
    """The contact that Billy has when the create of this row reached it."""
    return row_as_contact(row, record_id)


def settle(
    items: list[Item], records: list[Contact] | Register[Contact], claimed: set[str] | None = None
) -> list[Settled]:
    register = records if isinstance(records, Register) else Register(CUSTOMERS, records)
    return settle_creates(CUSTOMERS, items, register, set() if claimed is None else claimed)


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


LONG = {"name": "Den meget lange kunde med et navn, som ingen gemmer helt"}


def test_a_record_of_an_altered_name_is_ours_by_a_number_that_was_sent() -> None:
    for telling in ({"contactNo": "7"}, {"phone": "12345678"}, {"email": "post@lang.example"}):
        record, claimed = made("c1", {**LONG, **telling, "name": LONG["name"][:30]}), set[str]()
        [settled] = settle([in_doubt(0, {**LONG, **telling})], [record], claimed)
        assert (settled.record, claimed) == (record, {"c1"})


def test_a_record_of_an_altered_name_alone_is_a_suspect() -> None:
    for row, kept in ((LONG, LONG["name"][:30]), ({"name": "Café 🌟 Ørn"}, "Café Oern")):
        record, claimed = made("c1", {"name": kept}), set[str]()
        [settled] = settle([in_doubt(0, row)], [record], claimed)
        assert (settled.record, list(settled.suspects), claimed) == (None, [record], set())


def test_a_shorter_name_with_a_phone_that_several_may_share_is_a_suspect() -> None:
    """A person has made the head office of the department in the row; taken for ours, an undo would delete it."""
    phone = {"phone": "12345678"}
    row = {"name": "Æblehaven Bageri og Konditori, afdeling Ry", **phone}
    record = made("c9", {"name": "Æblehaven Bageri og Konditori", **phone})
    [settled] = settle([in_doubt(0, row)], [record])
    assert (settled.record, list(settled.suspects)) == (None, [record])


def test_a_record_of_an_altered_name_that_was_there_before_is_neither_ours_nor_suspect() -> None:
    row = {**LONG, "phone": "12345678"}
    record = made("old", {**row, "name": LONG["name"][:30]})
    [settled] = settle([in_doubt(0, row, there_before=("old",))], [record])
    assert (settled.record, list(settled.suspects)) == (None, [])


def test_any_other_text_may_be_kept_altered_too_where_the_number_tells_whose_it_is() -> None:
    row = {**ROW, "contactNo": "7", "address": "Den lange vej ved åen og skoven 12, 3. tv."}
    record = made("c1", {**row, "address": row["address"][:25]})
    assert settle([in_doubt(0, row)], [record])[0].record == record


def test_a_record_with_our_number_that_is_something_else_is_a_suspect() -> None:
    """A person may have renamed ours, or made another one: sent again, the number would be there twice."""
    record = made("c1", {"name": "Noget helt andet", "contactNo": "7"})
    [settled] = settle([in_doubt(0, {**ROW, "contactNo": "7"})], [record])
    assert (settled.record, list(settled.suspects)) == (None, [record])


def test_a_record_of_an_altered_name_that_contradicts_the_row_is_no_suspect() -> None:
    """Rows of names that are cut to the same text are told apart by their numbers."""
    record = made("c1", {"name": LONG["name"][:30], "contactNo": "8"})
    [settled] = settle([in_doubt(0, {**LONG, "contactNo": "7"})], [record])
    assert (settled.record, list(settled.suspects)) == (None, [])


def test_what_is_as_it_was_sent_is_nobody_elses_though_it_may_be() -> None:
    """A name that begins another one's: of two rows the one that sent it so has it."""
    cut, row = {"name": LONG["name"][:30], "phone": "12345678"}, {**LONG, "phone": "12345678"}
    settled = settle([in_doubt(0, row), in_doubt(1, cut)], [made("c1", cut)])
    assert [s.record.id if s.record else None for s in settled] == [None, "c1"]


def test_records_that_others_made_meanwhile_make_no_rows_of_other_names_suspect() -> None:
    strangers = [made(f"s{n}", {"name": f"Kunde {n} ApS", "city": "Århus"}) for n in range(50)]
    settled = settle([in_doubt(n, {"name": f"Kunde {n} ApS"}) for n in range(40, 200)], strangers)
    assert [s.item.item_index for s in settled if s.suspects] == list(range(40, 50))


def test_a_price_of_which_billy_keeps_fewer_decimals_is_as_sent() -> None:
    row = {"name": "Vare", "productNo": "7", "unitPrice": "0.1255", "currency": "DKK"}
    for kept, is_ours in (("0.13", True), ("0.12", True), ("0.126", True), ("0.14", False), ("0.1", False)):
        record = row_as_product({**row, "unitPrice": kept}, "p1")
        [settled] = settle_creates(PRODUCTS, [in_doubt(0, row)], Register(PRODUCTS, [record]), set())
        assert (settled.record, list(settled.suspects)) == ((record, []) if is_ours else (None, [record]))


def test_an_invoice_whose_lines_keep_fewer_decimals_is_as_sent() -> None:
    def sent(price: str) -> dict[str, Any]:
        lines = [{"productId": "p1", "quantity": "2", "unitPrice": price}, {"productId": "p2", "unitPrice": "10"}]
        return {"name": "", "contactId": "c1", "entryDate": "2026-02-03", "type": "invoice", "lines": lines}

    for kept, is_ours in (("77.26", True), ("77.25", True), ("77.3", False), ("72.255", False)):
        record = row_as_invoice(sent(kept), "i1")
        [settled] = settle_creates(INVOICES, [in_doubt(0, sent("77.255"))], Register(INVOICES, [record]), set())
        assert (settled.record, list(settled.suspects)) == ((record, []) if is_ours else (None, [record]))


def test_a_batch_is_settled_among_a_hundred_thousand_records_in_well_under_a_second() -> None:
    register = Register(
        CUSTOMERS, [made(f"o{n}", {"name": f"Ældre kunde {n} med et langt navn"}) for n in range(10**5)]
    )
    rows = [{"name": f"Ny kunde {n} med et endnu længere navn", "phone": f"{n:08d}"} for n in range(64)]
    for n, row in enumerate(rows):
        register.add(made(f"c{n}", {**row, "name": row["name"][:30]}))
    began = time.process_time()
    settled = settle([in_doubt(n, row) for n, row in enumerate(rows)], register)
    assert time.process_time() - began < 1.5  # 0.4 s on a quiet machine
    assert [s.record.id if s.record else None for s in settled] == [f"c{n}" for n in range(64)]


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


@given(
    rows=st.lists(st.tuples(st.sampled_from(["Den lange kunde 🌟 i Æblehaven", "Søren"]), st.booleans()), max_size=8),
    keep=st.sampled_from(
        [
            lambda name: name[:22],
            lambda name: name.encode("ascii", "ignore").decode(),
            lambda name: name.replace("ø", "oe").replace("Æ", "Ae"),
            lambda name: "".join(c for c in name if ord(c) < 2**16),
        ]
    ),
    numbered=st.booleans(),
    data=st.data(),
)
def test_however_billy_keeps_names_nothing_that_reached_it_is_sent_again(
    rows: list[tuple[str, bool]], keep: Callable[[str], str], numbered: bool, data: st.DataObject
) -> None:
    """With a number each is found; without one each that reached Billy leaves its row found or not to be sent."""
    sent = [{"name": name, **({"contactNo": f"K{n}"} if numbered else {})} for n, (name, _) in enumerate(rows)]
    reached = [n for n, (_, did) in enumerate(rows) if did]
    records = [made(f"c{n}", {**sent[n], "name": keep(sent[n]["name"])}) for n in reached]
    settled = settle([in_doubt(n, row) for n, row in enumerate(sent)], data.draw(st.permutations(records)))
    if numbered:
        assert {s.item.item_index: s.record.id for s in settled if s.record} == {n: f"c{n}" for n in reached}
    sent_again = sum(s.record is None and not s.suspects for s in settled)
    assert sent_again <= len(rows) - len(reached)
