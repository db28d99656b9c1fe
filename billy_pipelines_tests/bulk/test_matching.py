"""Which record a row means: the order and the trust of keys (rules B5-B7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billy_pipelines.billy.models import Contact
from billy_pipelines.bulk.matching import Match, Register, chosen_keys
from billy_pipelines.schemas.contact_meaning import row_as_contact
from billy_pipelines.schemas.customers import CUSTOMERS

CVR, OTHER_CVR = "10000009", "10000017"  # their check digits are right
EAN, OTHER_EAN = "5790000000005", "5790000000012"
MAIL, OTHER_MAIL = "post@prove.example", "anden@prove.example"
FULL_ROW = {"id": "by id", "contactNo": "7", "ean": EAN, "vatNo": CVR, "name": "Prøve ApS", "email": MAIL}


def contact(record_id: str, *, archived: bool = False, **fields: Any) -> Contact:
    """A contact as Billy has it, by the names of our columns."""
    return row_as_contact({"name": record_id, **fields}, record_id).model_copy(update={"isArchived": archived})


def find(row: dict[str, Any], *contacts: Contact, match_on: Sequence[str] = ()) -> Match[Contact]:
    return Register(CUSTOMERS, contacts, match_on).find(row)


def outcome(match: Match[Contact]) -> tuple[str | None, str, str, frozenset[str], tuple[str, ...]]:
    """A match without the order in which Billy listed the candidates."""
    record_id = match.record.id if match.record else None
    ids = frozenset(candidate.id for candidate in match.candidates)
    return record_id, match.key, match.obstacle, ids, tuple(match.fields)


# One contact for each key, in the order of rule B5; each of them fits FULL_ROW by that key only.
BY_KEY = {
    "id": contact("by id"),
    "contactNo": contact("by number", contactNo="7"),
    "ean": contact("by ean", ean=EAN),
    "vatNo": contact("by cvr", vatNo=CVR),
    "name and email": contact("by name and email", name="Prøve ApS", email=MAIL),
    "name": contact("by name", name="Prøve ApS"),
}
KEYS = list(BY_KEY)


@pytest.mark.parametrize("key", KEYS)
def test_the_first_key_that_finds_something_decides_b5(key: str) -> None:
    rest = KEYS[KEYS.index(key) :]
    row = FULL_ROW if key == "id" else {field: value for field, value in FULL_ROW.items() if field != "id"}
    match = find(row, *(BY_KEY[name] for name in reversed(rest)))
    assert (match.record, match.key, match.obstacle) == (BY_KEY[key], key, "")


def test_a_row_that_nothing_fits_is_new_b5() -> None:
    assert outcome(find({"name": "Ny ApS", "contactNo": "8"}, *BY_KEY.values())) == outcome(Match())


def test_an_id_that_is_not_there_is_an_obstacle_whatever_else_fits_b5() -> None:
    match = find({**FULL_ROW, "id": "gone"}, *BY_KEY.values())
    assert (match.record, match.key, match.obstacle) == (None, "id", "not_found")


def test_names_and_addresses_match_in_any_case_and_with_any_blanks_b5() -> None:
    there = contact("c1", name="Blåbær  ApS", email="Post@Prove.example")
    assert find({"name": "BLÅBÆR APS ", "email": MAIL}, there).record == there


def test_any_person_of_the_contact_can_have_the_address_b5() -> None:
    both = contact("c1", name="Prøve ApS", email=MAIL)
    persons = [*(both.contactPersons or []), *(contact("c2", email=OTHER_MAIL).contactPersons or [])]
    match = find({"name": "Prøve ApS", "email": OTHER_MAIL}, both.with_persons(persons))
    assert (match.record and match.record.id, match.key) == ("c1", "name and email")


CONTRADICTIONS = [
    ("contactNo", "7", "8"),
    ("zipcode", "2630", "8000"),
    ("phone", "12 34 56 78", "12 34 56 79"),
    ("email", MAIL, OTHER_MAIL),
    ("vatNo", CVR, OTHER_CVR),
    ("ean", EAN, OTHER_EAN),
]


@pytest.mark.parametrize(("field", "there", "here"), CONTRADICTIONS, ids=[case[0] for case in CONTRADICTIONS])
def test_an_equal_name_with_another_detail_is_only_a_possible_duplicate_b5(field: str, there: Any, here: str) -> None:
    match = find({"name": "Prøve ApS", field: here}, contact("c1", name="Prøve ApS", **{field: there}))
    assert outcome(match) == (None, "name", "possible_duplicate", frozenset(["c1"]), (field,))


@pytest.mark.parametrize(("field", "there", "here"), CONTRADICTIONS, ids=[case[0] for case in CONTRADICTIONS])
def test_a_detail_that_one_side_does_not_give_contradicts_nothing_b5(field: str, there: Any, here: str) -> None:
    bare, full = contact("c1", name="Prøve ApS"), contact("c2", name="Prøve ApS", **{field: there})
    assert find({"name": "Prøve ApS", field: here}, bare).record == bare
    assert find({"name": "Prøve ApS"}, full).record == full


@pytest.mark.parametrize(
    ("field", "there", "here"),
    [("phone", "+45 12 34 56 78", "12345678"), ("zipcode", "DK-2630", "2630"), ("vatNo", "DK 00 00 00 00", "00000000")],
)
def test_the_same_detail_in_another_spelling_contradicts_nothing_b5(field: str, there: Any, here: str) -> None:
    record = contact("c1", name="Prøve ApS", **{field: there})
    assert find({"name": "Prøve ApS", field: here}, record).record == record


def test_details_other_than_those_of_b5_do_not_contradict_a_name() -> None:
    record = contact("c1", name="Prøve ApS", address="Prøvevej 1", city="Aarhus", country="SE")
    assert find({"name": "Prøve ApS", "address": "Åvej 2", "city": "Odense", "country": "DK"}, record).record == record


def test_a_possible_duplicate_names_every_record_and_field_that_contradicts_b5() -> None:
    row = {"name": "Prøve ApS", "zipcode": "8000", "phone": "12345678"}
    one, two = contact("c1", name="Prøve ApS", zipcode="2630"), contact("c2", name="Prøve ApS", phone="87654321")
    ids = frozenset(["c1", "c2"])
    assert outcome(find(row, one, two)) == (None, "name", "possible_duplicate", ids, ("phone", "zipcode"))


def test_of_several_of_one_name_the_only_one_that_does_not_contradict_is_meant_b5() -> None:
    meant = contact("c1", name="Prøve ApS", zipcode="8000")
    other = contact("c2", name="Prøve ApS", zipcode="2630")
    assert find({"name": "Prøve ApS", "zipcode": "8000"}, other, meant).record == meant


@pytest.mark.parametrize("key", ["contactNo", "ean", "name and email", "name"])
def test_a_key_that_several_live_contacts_have_gives_the_row_none_of_them_b5(key: str) -> None:
    twins = [BY_KEY[key], BY_KEY[key].model_copy(update={"id": "twin"})]
    match = find({field: value for field, value in FULL_ROW.items() if field != "id"}, *twins)
    assert outcome(match) == (None, key, "ambiguous_match", frozenset([BY_KEY[key].id, "twin"]), ())


def test_a_cvr_number_finds_the_one_live_contact_that_has_it_b6() -> None:
    meant = contact("c1", vatNo=CVR)
    match = find({"name": "Nyt navn", "vatNo": CVR}, contact("gone", vatNo=CVR, archived=True), meant)
    assert (match.record, match.key) == (meant, "vatNo")


def test_a_cvr_number_that_several_live_contacts_have_is_no_key_b6() -> None:
    shared = [contact(f"c{n}", vatNo=CVR) for n in range(2)]
    assert outcome(find({"name": "Nyt navn", "vatNo": CVR}, *shared)) == outcome(Match())
    match = find({"name": "c1", "vatNo": CVR}, *shared)
    assert (match.record, match.key) == (shared[1], "name")


def test_a_name_and_address_prove_nothing_where_both_have_a_customer_number_of_their_own() -> None:
    there = contact("c1", name="Prøve ApS", email=MAIL, contactNo="7")
    row = {"name": "Prøve ApS", "email": MAIL}
    assert find(row, there).key == "name and email"
    match = find({**row, "contactNo": "8"}, there)
    assert outcome(match) == (None, "name", "possible_duplicate", frozenset(["c1"]), ("contactNo",))
    twin = contact("c2", name="Prøve ApS", email=MAIL)
    assert find({**row, "contactNo": "8"}, there, twin).record == twin


def test_a_cvr_number_is_no_key_where_the_customer_number_differs_b6() -> None:
    one = contact("Afdeling nord", vatNo=CVR, contactNo="7")
    assert outcome(find({"name": "Afdeling syd", "vatNo": CVR, "contactNo": "8"}, one)) == outcome(Match())
    assert find({"name": "Afdeling syd", "vatNo": CVR}, one).record == one


def test_only_a_strong_key_names_a_record_for_all_rows() -> None:
    there = contact("c1", name="Prøve ApS", email=MAIL, contactNo="7", ean=EAN, vatNo=CVR)
    register = Register(CUSTOMERS, [there])
    for named in ({"id": "c1"}, {"contactNo": "7"}, {"ean": EAN}):
        assert register.named_by(named) == there
    for unsure in ({"vatNo": CVR}, {"name": "Prøve ApS", "email": MAIL}, {"contactNo": "8"}):
        assert register.named_by(unsure) is None
    register.add(there.model_copy(update={"id": "twin"}))
    assert register.named_by({"contactNo": "7"}) is None


def test_a_record_can_be_known_by_other_values() -> None:
    old, new = contact("c1", name="Prøve ApS", contactNo="7"), contact("c1", name="Prøve ApS", contactNo="8")
    register = Register(CUSTOMERS, [old])
    register.replace(old, new)
    assert (register.find({"contactNo": "7"}).record, register.find({"contactNo": "8"}).record) == (None, new)
    assert register.same_name({"name": "prøve aps"}) == [new]


def test_a_cvr_number_is_no_key_where_the_ean_differs_b6() -> None:
    school = contact("Kommunen, skolen", vatNo=CVR, ean=EAN)
    assert outcome(find({"name": "Kommunen, biblioteket", "vatNo": CVR, "ean": OTHER_EAN}, school)) == outcome(Match())
    assert find({"name": "Kommunen", "vatNo": CVR}, school).record == school


@pytest.mark.parametrize("number", ["00000000", "12345678", "11111111", "10000008"])
def test_a_placeholder_and_a_number_with_a_wrong_check_digit_are_no_keys_b6(number: str) -> None:
    assert outcome(find({"name": "Nyt navn", "vatNo": number}, contact("c1", vatNo=number))) == outcome(Match())


def test_a_foreign_number_matches_with_its_prefix_only_b6() -> None:
    swede, dane = contact("swede", vatNo="SE100000090101", country="SE"), contact("dane", vatNo=CVR)
    assert find({"name": "Ny AB", "vatNo": "SE100000090101"}, swede, dane).record == swede
    assert outcome(find({"name": "Uusi Oy", "vatNo": CVR, "country": "FI"}, swede, dane)) == outcome(Match())


def test_match_on_looks_at_the_named_keys_only() -> None:
    row = {**FULL_ROW, "id": "gone"}
    assert find(row, *BY_KEY.values(), match_on=["ean"]).record == BY_KEY["ean"]
    assert outcome(find({"name": "Prøve ApS"}, *BY_KEY.values(), match_on=["ean"])) == outcome(Match())


def test_match_on_sets_the_order() -> None:
    match = find(FULL_ROW, *BY_KEY.values(), match_on=["vatNo", "contactNo"])
    assert (match.record, match.key) == (BY_KEY["vatNo"], "vatNo")
    without_cvr = [BY_KEY["id"], BY_KEY["contactNo"]]
    assert find(FULL_ROW, *without_cvr, match_on=["vatNo", "contactNo"]).key == "contactNo"


def test_match_on_refuses_a_key_that_is_none_and_names_those_that_are() -> None:
    with pytest.raises(ValueError, match=r"phone\. Known keys: id, contactNo, ean, vatNo, name and email, name\."):
        chosen_keys(CUSTOMERS, ["name", "phone"])


@pytest.mark.parametrize("key", KEYS)
def test_an_archived_contact_is_found_so_that_it_can_be_named_b7(key: str) -> None:
    archived = BY_KEY[key].model_copy(update={"isArchived": True})
    row = FULL_ROW if key == "id" else {field: value for field, value in FULL_ROW.items() if field != "id"}
    assert find(row, archived).record == archived


@pytest.mark.parametrize("key", ["contactNo", "ean", "vatNo", "name and email", "name"])
def test_a_live_contact_goes_before_an_archived_one_of_the_same_key_b7(key: str) -> None:
    archived = BY_KEY[key].model_copy(update={"id": "old", "isArchived": True})
    row = {field: value for field, value in FULL_ROW.items() if field != "id"}
    assert find(row, archived, BY_KEY[key]).record == BY_KEY[key]


def test_every_record_of_a_name_is_known_whatever_is_matched_on() -> None:
    register = Register(CUSTOMERS, [BY_KEY["name"], contact("old", name="PRØVE APS", archived=True)], ["contactNo"])
    assert {record.id for record in register.same_name({"name": "Prøve ApS"})} == {"by name", "old"}


def test_records_that_may_be_a_rows_are_known_by_name_spelling_and_number_whatever_is_matched_on() -> None:
    row = {"name": "Café 🌟 Ørn", "contactNo": "7", "vatNo": CVR, "phone": "12345678"}
    same_name = contact("same", name="café 🌟 ørn", phone="87654321")
    respelled, another = contact("spelled", name="Cafe Oern"), contact("another", name="Cafe Oern", contactNo="8")
    numbered = contact("numbered", name="Noget andet", contactNo="7", phone="87654321")
    same_cvr, other_phone = contact("cvr", name="X", vatNo=CVR), contact("phone", name="X", vatNo=CVR, phone="87654321")
    others = [another, other_phone, contact("bare", name="Café Ø"), contact("same phone", name="X", phone="12345678")]
    register = Register(CUSTOMERS, [same_name, respelled, numbered, same_cvr, *others], ["name"])
    assert {record.id for record in register.alike(row)} == {"same", "spelled", "numbered", "cvr"}
    register.add(contact("later", name="Caf Rn"))
    assert "later" in {record.id for record in register.alike(row)}


FEW_VALUES = {
    "name": ["Æ", "Ø"],
    "contactNo": ["1", "2"],
    "ean": [EAN, OTHER_EAN],
    "vatNo": [CVR, OTHER_CVR],
    "email": [MAIL, OTHER_MAIL],
    "zipcode": ["2630", "8000"],
}
OPTIONAL = {name: st.sampled_from(values) for name, values in FEW_VALUES.items() if name != "name"}
ROWS = st.fixed_dictionaries({"name": st.sampled_from(FEW_VALUES["name"])}, optional=OPTIONAL)
REGISTERS = st.lists(st.tuples(ROWS, st.booleans()), max_size=6).map(
    lambda drawn: [contact(f"c{n}", archived=archived, **row) for n, (row, archived) in enumerate(drawn)]
)


@given(row=ROWS, contacts=REGISTERS, data=st.data())
def test_the_order_of_the_records_does_not_matter_b5(
    row: dict[str, str], contacts: list[Contact], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(contacts))
    assert outcome(find(row, *shuffled)) == outcome(find(row, *contacts))


@given(row=ROWS, contacts=REGISTERS)
def test_a_row_never_gets_one_of_several_that_are_alike_b5(row: dict[str, str], contacts: list[Contact]) -> None:
    record = find(row, *contacts).record
    if record is not None:
        again = find(row, *contacts, record.model_copy(update={"id": "twin"})).record
        assert again is None or again.id not in (record.id, "twin")


@given(row=ROWS, contacts=REGISTERS)
def test_a_row_is_never_given_an_archived_contact_while_a_live_one_has_the_key_b7(
    row: dict[str, str], contacts: list[Contact]
) -> None:
    match = find(row, *contacts)
    if match.record is not None and match.record.isArchived:
        same_key = Register(CUSTOMERS, [c for c in contacts if not c.isArchived], [match.key]).find(row)
        assert (same_key.record, same_key.obstacle) == (None, "")
