"""Any rows against any books: each row gets one decision, and no record is decided twice (B5, B7)."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from billy_pipelines.billy.models import Contact
from billy_pipelines.bulk.matching import Register
from billy_pipelines.bulk.options import JobOptions, OnExisting
from billy_pipelines.bulk.planning import Planner
from billy_pipelines.bulk.verdicts import CREATE, PLANNED, UPDATE, VALID, Verdict
from billy_pipelines.database.items import Item, PlannedItem
from billy_pipelines.schemas.contact_meaning import row_as_contact
from billy_pipelines.schemas.customers import CUSTOMERS
from billy_pipelines.schemas.resource import PlanTerms, Resolved
from billy_pipelines.settings import Organization

ROWS = st.fixed_dictionaries(
    {"name": st.sampled_from(["Æ", "Ø"])},
    optional={
        "contactNo": st.sampled_from(["1", "2"]),
        "vatNo": st.sampled_from(["99000007", "99000015", "12345678"]),
        "email": st.sampled_from(["a@prove.example", "b@prove.example"]),
        "phone": st.sampled_from(["12345678", "87654321"]),
        "city": st.sampled_from(["Ry", None]),
    },
)
BUT_CREATE = [choice for choice in OnExisting if choice is not OnExisting.create]


def decided(rows: list[dict[str, Any]], contacts: list[Contact], on_existing: OnExisting) -> list[PlannedItem]:
    terms = PlanTerms(Organization(name="default"))
    planner = Planner(CUSTOMERS, JobOptions(on_existing=on_existing), Register(CUSTOMERS, contacts), terms)
    for index, row in enumerate(rows):
        item = Item(index, index + 2, row, VALID, None, row["name"], None, None, None, 0, None, None, None)
        planner.add(item, Resolved(row), planner.match(row))
    return planner.plan.items


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(ROWS, max_size=6),
    there=st.lists(st.tuples(ROWS, st.booleans()), max_size=5),
    on_existing=st.sampled_from(BUT_CREATE),
)
def test_each_row_gets_one_decision_and_no_record_is_decided_twice(
    rows: list[dict[str, Any]], there: list[tuple[dict[str, Any], bool]], on_existing: OnExisting
) -> None:
    contacts = [
        row_as_contact(row, f"c{n}").model_copy(update={"isArchived": archived})
        for n, (row, archived) in enumerate(there)
    ]
    items = decided(rows, contacts, on_existing)
    assert [item.item_index for item in items] == list(range(len(rows)))
    for item in items:
        assert (item.status == PLANNED) == (item.action in (CREATE, UPDATE))
        assert item.status != Verdict.REJECTED or item.error
    taken = [item.billy_id for item in items if item.billy_id and item.error_code != "duplicate_in_file"]
    assert len(taken) == len(set(taken))
    archived = {contact.id for contact in contacts if contact.isArchived}
    assert not [item for item in items if item.action == UPDATE and item.billy_id in archived]


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(ROWS, max_size=6), on_existing=st.sampled_from(BUT_CREATE))
def test_what_one_run_creates_the_next_one_finds_and_creates_nothing(
    rows: list[dict[str, Any]], on_existing: OnExisting
) -> None:
    first = decided(rows, [], on_existing)
    made = [row_as_contact(rows[item.item_index], f"c{item.item_index}") for item in first if item.action == CREATE]
    second = decided(rows, made, on_existing)
    assert [item.error_code for item in second if item.action == CREATE] == []
