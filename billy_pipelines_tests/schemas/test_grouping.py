"""Rows that make one record: put together whole, or rejected whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billy_pipelines.schemas.grouping import BLOCK, group, groups_of, inherit, origins
from billy_pipelines.schemas.row_schema import Column, Context, Grouping, RowSchema

GROUPING = Grouping(
    keys=("order", "number", "id"), header=("order", "number", "id", "name", "currency"), children="lines"
)
SCHEMA = RowSchema(
    "orders",
    "order",
    tuple(Column(name, "") for name in ("order", "number", "id", "name", "currency", "item")),
    grouping=GROUPING,
)


class Judged:
    """A table after its rows were put together, with what was reported."""

    def __init__(self, *rows: dict[str, str], wrong: tuple[int, ...] = ()) -> None:
        columns = list(dict.fromkeys(name for row in rows for name in row))
        cells = [[row.get(name, "") for name in columns] for row in rows]
        table = inherit(GROUPING, pd.DataFrame(cells, columns=columns, dtype="str"))
        self.reported: dict[int, list[tuple[str, str, dict[str, object]]]] = {}
        rejected = np.isin(np.arange(len(rows)), wrong)
        self.made = group(SCHEMA, table, rejected, Context(lines=range(2, len(rows) + 2)), self._report)

    def _report(self, position: int, code: str, column: str, **details: object) -> None:
        self.reported.setdefault(position, []).append((code, column, details))


def test_rows_of_one_key_make_one_record_wherever_they_stand() -> None:
    judged = Judged(
        {"order": "1", "name": "Anna", "item": "a"},
        {"order": "2", "name": "Bo", "item": "b"},
        {"order": "1", "name": "Anna", "item": "c"},
    )
    assert dict(judged.made) == {
        0: {"order": "1", "name": "Anna", "lines": [{"line": 2, "item": "a"}, {"line": 4, "item": "c"}]},
        1: {"order": "2", "name": "Bo", "lines": [{"line": 3, "item": "b"}]},
        2: {"part_of": 0},
    }
    assert judged.reported == {}


def test_further_rows_may_leave_header_fields_blank_and_any_row_may_give_them() -> None:
    judged = Judged(
        {"order": "1", "item": "a"},
        {"order": "2", "name": "Bo", "item": "b"},
        {"order": "1", "name": "Anna", "item": "c"},
        {"order": "1", "currency": "EUR"},
    )
    assert judged.made[0]["name"] == "Anna"
    assert judged.made[0]["currency"] == "EUR"
    assert judged.made[0]["lines"] == [{"line": 2, "item": "a"}, {"line": 4, "item": "c"}, {"line": 5}]
    assert "currency" not in judged.made[1]
    assert judged.reported == {}


def test_every_header_cell_has_a_row_in_which_it_stands() -> None:
    rows = [
        {"order": "1", "name": "", "currency": ""},
        {"order": "1", "name": "Anna", "currency": ""},
        {"order": "1", "name": "", "currency": ""},
        {"order": "", "name": "", "currency": ""},
    ]
    found = origins(GROUPING, pd.DataFrame(rows, dtype="str"))
    assert {name: positions.tolist() for name, positions in found.items()} == {
        "name": [1, 1, 1, 3],
        "currency": [0, 0, 0, 3],
    }


def test_keys_and_header_fields_are_compared_without_regard_to_case_and_blanks() -> None:
    judged = Judged({"order": "A-1", "name": "Anna  Prøvesen"}, {"order": "a-1", "name": "ANNA PRØVESEN"})
    assert judged.made[1] == {"part_of": 0}
    assert judged.made[0]["name"] == "Anna  Prøvesen"


@pytest.mark.parametrize(
    ("rows", "key"),
    [
        ([{"order": "1", "number": "9"}, {"order": "2", "number": "9"}], "order"),
        ([{"order": "", "number": "9"}, {"order": "", "number": "9"}], "number"),
        ([{"id": "x"}], "id"),
        ([{"item": "a"}], ""),
    ],
)
def test_the_first_key_that_the_file_gives_ties_the_rows(rows: list[dict[str, str]], key: str) -> None:
    assert groups_of(GROUPING, pd.DataFrame(rows, dtype="str")).key == key


def test_a_row_without_the_key_belongs_nowhere() -> None:
    judged = Judged({"order": "1"}, {"order": "", "item": "b"})
    assert judged.reported == {1: [("required", "order", {})]}
    assert list(judged.made) == [0]


def test_rows_of_a_file_without_any_key_are_all_rejected() -> None:
    judged = Judged({"item": "a"}, {"item": "b"})
    assert judged.reported == {
        position: [("needs_one_of", "order", {"columns": "order, number, id"})] for position in (0, 1)
    }
    assert len(judged.made) == 0


def test_a_draft_without_a_number_is_known_by_its_id() -> None:
    judged = Judged({"number": "7", "id": "x"}, {"number": "", "id": "y"}, {"number": "", "id": "7"})
    assert list(judged.made) == [0, 1, 2]
    assert all("lines" in record for record in judged.made.values())


def test_a_header_field_that_differs_names_the_first_line_and_rejects_the_record() -> None:
    judged = Judged(
        {"order": "1", "name": "Anna", "currency": "DKK"},
        {"order": "1", "name": "Bo", "currency": "DKK"},
        {"order": "1", "name": "Anna", "currency": "EUR"},
        {"order": "2", "name": "Bo"},
    )
    assert judged.reported == {
        0: [("invoice_rejected", "order", {"line": 3})],
        1: [("differs_within_invoice", "name", {"line": 2})],
        2: [("mixed_currencies", "currency", {"line": 2})],
    }
    assert list(judged.made) == [3]


def test_a_wrong_row_rejects_its_record_and_no_other() -> None:
    rows = [{"order": order} for order in ("1", "2", "1", "2", "1")]
    judged = Judged(*rows, wrong=(2,))
    assert judged.reported == {position: [("invoice_rejected", "order", {"line": 4})] for position in (0, 4)}
    assert list(judged.made) == [1, 3]


def test_records_are_the_same_in_any_order_and_number() -> None:
    count = 2 * BLOCK + 10
    judged = Judged(*({"order": str(at % count), "item": str(at)} for at in range(2 * count)), wrong=(5,))
    made = judged.made
    assert len(made) == 2 * count - 2
    assert 5 not in made
    assert count + 5 not in made
    for order in (count - 1, 0, BLOCK, BLOCK - 1, 6):
        items = [line["item"] for line in made[order]["lines"]]
        assert items == [str(order), str(order + count)]
        assert made[order + count] == {"part_of": order}
    with pytest.raises(KeyError):
        made[5]


_row = st.fixed_dictionaries(
    {
        "order": st.sampled_from(["", "1", "2", "3", "a", "A"]),
        "name": st.sampled_from(["", "", "Anna", "anna", "Bo"]),
        "item": st.text(max_size=3),
    },
    optional={"id": st.sampled_from(["", "1", "x"])},
)


@given(st.lists(_row, min_size=1, max_size=12), st.sets(st.integers(0, 11)))
def test_every_row_is_in_one_record_or_rejected_with_a_reason(rows: list[dict[str, str]], wrong: set[int]) -> None:
    judged = Judged(*rows, wrong=tuple(wrong))
    lines = [line["line"] - 2 for made in judged.made.values() for line in made.get("lines", [])]
    assert sorted(lines) == sorted(judged.made)
    assert len(set(lines)) == len(lines)
    for position in range(len(rows)):
        assert (position in judged.made) != (position in judged.reported or position in wrong)
    for position, made in judged.made.items():
        head: dict[str, Any] = judged.made[made.get("part_of", position)]
        assert any(line["line"] == position + 2 for line in head["lines"])
