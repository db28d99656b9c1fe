"""JSON: any list of objects is a table, numbers keep every digit, and what is wrong is found by its line."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billy_pipelines.files.json_records import read_json
from billy_pipelines.files.names import folded
from billy_pipelines.files.table import Hints, Limits, Table, UnreadableFile

KNOWN = frozenset(map(folded, ("name", "navn", "contactPersons", "invoiceNo", "lines", "text")))


def read(text: str, kind: str = "json", *, children: str = "", resource: str = "customers", **limits: int) -> Table:
    return read_json(text, kind, Hints(KNOWN, resource, children), Limits(**limits))


def rows(table: Table) -> list[dict[str, Any]]:
    return table.cells.to_dict("records")


def refused(text: str, kind: str = "json", **more: Any) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught:
        read(text, kind, **more)
    return caught.value


def test_an_array_of_objects_is_a_table() -> None:
    table = read('[{"name": "Æble", "zipcode": "0800"},\n {"zipcode": null, "name": "Pære"}\n]\n')
    assert rows(table) == [{"name": "Æble", "zipcode": "0800"}, {"name": "Pære", "zipcode": ""}]
    assert (table.header, table.lines, table.typed) == (["name", "zipcode"], [1, 2], {})
    assert (table.source.kind, table.delimiter) == ("json", ";")
    assert set(map(str, table.cells.dtypes)) == {"str"}


@pytest.mark.parametrize(
    "text",
    [
        '{"customers": [{"name": "A"}]}',
        '{"meta": {"total": 1}, "Customers": [{"name": "A"}], "contactPersons": [{"name": "B"}]}',
        '{"meta": {"total": 1}, "contacts": [{"name": "A"}], "links": ["a", "b"]}',
        '{"name": "A"}',
        ' \r\n[ {"name" : "A"} , {} , {"name": null}, {"name": "  "} ] ',
    ],
)
def test_records_are_found_wherever_they_are(text: str) -> None:
    assert [row["name"] for row in rows(read(text))] == ["A"]


def test_a_record_alone_keeps_its_lists() -> None:
    table = read('{"navn": "A",\n "contactPersons": [{"name": "B"}]}')
    assert rows(table) == [{"navn": "A", "contactPersons": '[{"name":"B"}]'}]


def test_ndjson_is_an_object_a_line() -> None:
    table = read('{"name": "A"}\r\n\r\n{"name": "B\u2028"}\n', "ndjson")
    assert [row["name"] for row in rows(table)] == ["A", "B\u2028"]
    assert (table.lines, table.source.kind) == ([1, 3], "ndjson")


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("1250.50", "1250.50"),
        ("-0.1", "-0.1"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("1.25e3", "1250"),
        ("5E-7", "0.0000005"),
        ("true", "true"),
        ("false", "false"),
    ],
)
def test_numbers_are_as_written_and_known_as_numbers(written: str, text: str) -> None:
    table = read(f'[{{"price": {written}, "name": "A"}}, {{"price": "{text}"}}]')
    assert [row["price"] for row in rows(table)] == [text, text]
    assert {name: mask.tolist() for name, mask in table.typed.items()} == {"price": [True, False]}


def test_objects_become_columns_and_lists_become_text() -> None:
    persons = '[{"name": "Bo", "isPrimary": true, "share": 0.10, "note": null}]'
    table = read(
        f'[{{"address": {{"street": "Vej 1", "geo": {{"lat": 55.6}}}}, "tags": ["a", null, "b", 1], '
        f'"contactPersons": {persons}, "name": "A", "none": []}}, {{"address": "Vej 2"}}]'
    )
    assert table.header == ["address", "address.street", "address.geo.lat", "tags", "contactPersons", "name", "none"]
    assert rows(table)[0] == {
        "address": "",
        "address.street": "Vej 1",
        "address.geo.lat": "55.6",
        "tags": "a; b; 1",
        "contactPersons": '[{"name":"Bo","isPrimary":true,"share":0.10,"note":null}]',
        "name": "A",
        "none": "",
    }
    assert rows(table)[1]["address"] == "Vej 2"
    assert table.typed["address.geo.lat"].tolist() == [True, False]


INVOICES = """[
  {"invoiceNo": 7, "contact": {"name": "A"}, "text": "head", "lines": [
    {"text": "x", "quantity": 1.5},
    {"text": "y"}
  ]},
  {"invoiceNo": 8, "lines": []},
  {"invoiceNo": 9, "lines": null, "contact": {"name": "C"}},
  {"lines": [{"quantity": 2}], "invoiceNo": 10}
]"""


def test_nested_lines_become_rows_that_know_their_parent() -> None:
    table = read(INVOICES, children="lines", resource="invoices")
    assert table.header == ["invoiceNo", "contact.name", "text", "lines", "lines.text", "quantity"]
    assert table.cells.to_numpy().tolist() == [
        ["7", "A", "head", "1", "x", "1.5"],
        ["7", "A", "head", "1", "y", ""],
        ["8", "", "", "2", "", ""],
        ["9", "C", "", "3", "", ""],
        ["10", "", "", "4", "", "2"],
    ]
    assert table.lines == [3, 4, 6, 7, 8]
    assert table.typed["quantity"].tolist() == [True, False, False, False, True]


@pytest.mark.parametrize("text", ['{"invoiceNo": 7, "lines": [\n{"text": "x"}]}', '{"lines": [\n{"text": "x"}]}'])
def test_a_lone_invoice_is_a_record_not_a_list_of_its_lines(text: str) -> None:
    table = read(text, children="lines", resource="invoices")
    assert (rows(table)[0]["lines"], rows(table)[0]["text"], table.lines) == ("1", "x", [2])


def test_without_nested_lines_nothing_is_added() -> None:
    assert read('[{"invoiceNo": 1}]', children="lines").header == ["invoiceNo"]


def test_nested_lines_of_ndjson_have_the_line_of_their_parent() -> None:
    text = '{"invoiceNo": 1, "lines": [{"text": "x"}, {"text": "y"}]}\n{"invoiceNo": 2, "lines": [{"text": "z"}]}'
    assert read(text, "ndjson", children="lines").lines == [1, 1, 2]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[{"name": "A"},\n {"name": }]', 2),
        ('[{"name": "A"}\n {"name": "B"}]', 2),
        ('[{"name": "A"},\n]', 2),
        ('[{"name": "A"},\n 5]', 2),
        ('[{"name": "A"}]\n\n[]', 3),
        ('[{"name": "A"', 1),
        ('{"customers": [{"name": "A"},\n{"name": "B"', 2),
        ('[{"name": "A\nB"}]', 1),
        ('[{"name": "A"},\r\n{"n": NaN}]', 2),
        ('[{"name": "A"},\r{"n": -Infinity}]', 2),
        ('[{"name": "A"},\n{"n": 1e999999999}]', 2),
        ('[{"name": "A"},\n{"name": "\\ud83d"}]', 2),
        ('[{"name": "A"},\n{"\\udc00": 1}]', 2),
        ('[{"name": "A"},\n{"a":' + "[" * 100_000 + "]" * 100_000 + "}]", 2),
        ('[{"name": "A"},\n{"a":' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}]", 2),
        ("name;email", 1),
    ],
)
def test_what_is_no_json_is_refused_with_its_line(text: str, line: int) -> None:
    error = refused(text)
    assert error.code == "broken_json"
    assert f"Line {line} " in str(error)


@pytest.mark.parametrize("text", ['[{"a": "\\ud83d\\ude00 \\\\u0000"}]', '[{"a": "😀 \\\\u0000"}]'])
def test_escapes_that_only_look_dangerous_are_read(text: str) -> None:
    assert rows(read(text)) == [{"a": "😀 \\u0000"}]


def test_moderate_nesting_is_read() -> None:
    deep = "[" * 50 + "]" * 50
    assert rows(read(f'[{{"a": {deep}}}]'))[0]["a"] == deep
    nested = '{"a":' * 12 + "1" + "}" * 12
    assert list(rows(read(f"[{nested}]"))[0].values()) == ['{"a":{"a":{"a":1}}}']


@pytest.mark.parametrize("text", ['{"invoiceNo": 1,\n "lines": 5}', '[{"invoiceNo": 1,\n "lines": [1]}]'])
def test_lines_that_are_no_objects_are_refused(text: str) -> None:
    assert refused(text, children="lines").code == "broken_json"


def test_a_broken_line_of_ndjson_is_that_line() -> None:
    error = refused('{"name": "A"}\n{"name": "B"\n{"name": "C"}', "ndjson")
    assert (error.code, "Line 2 " in str(error)) == ("broken_json", True)
    assert refused('{"name": "A"} {"name": "B"}', "ndjson").code == "broken_json"
    assert refused("[1]", "ndjson").code == "broken_json"


@pytest.mark.parametrize(
    "text", ["5", '"name"', "null", "[1, 2]", '["name"]', '{"customers": ["A"]}', '{"a": [{"b": 1}], "c": [{"d": 1}]}']
)
def test_json_without_a_list_of_objects_is_refused(text: str) -> None:
    error = refused(text)
    assert error.code == "json_shape"
    assert '{"customers": [' in str(error)


@pytest.mark.parametrize("text", ["[]", "{}", '{"customers": []}', "[{}]", '[{"name": null}]'])
def test_json_that_says_nothing_is_an_empty_file(text: str) -> None:
    assert refused(text).code == "empty_file"


@pytest.mark.parametrize(
    ("text", "children", "line"),
    [
        ('[{"name": "A"},\n{"name": "B", "name": "C"}]', "", 2),
        ('[{"name": "A"},\n{"a": {"name": 1, "name": 2}}]', "", 2),
        ('[{"name": "A", "lines": [\n{"text": 1, "text": 1}]}]', "lines", 2),
        ('[{"lines": [],\n"lines": []}]', "lines", 2),
        ('{"name": "A",\n"name": "B"}', "", 2),
    ],
)
def test_a_key_said_twice_is_refused(text: str, children: str, line: int) -> None:
    error = refused(text, children=children)
    assert error.code == "duplicate_key"
    assert f"Line {line} " in str(error)


@pytest.mark.parametrize("text", ['[{"Name": "A", "name": "B"}]', '[{"a": {"b": 1}, "a.b": 2}]'])
def test_two_columns_of_one_name_are_refused(text: str) -> None:
    assert refused(text).code == "duplicate_column"


def test_nul_is_refused() -> None:
    error = refused('[{"name": "A"},\n{"name": "\\u0000"}]')
    assert (error.code, "Line 2 " in str(error)) == ("nul_byte", True)


def test_too_large_is_refused() -> None:
    assert refused('[{"a": 1}, {"a": 1}, {"a": 1}]', max_rows=2).code == "too_many_rows"
    assert refused('[{"a": 1}, {"b": 1}, {"c": 1}]', max_columns=2).code == "too_many_columns"
    assert refused('[{"a": {"b": 1, "c": 1, "d": 1}}]', max_columns=2).code == "too_many_columns"
    long = refused('[{"a": "1"},\n{"a": "123456"}]', max_cell=5)
    assert (long.code, "Line 2 " in str(long)) == ("cell_too_large", True)
    wide = ",".join(f'{{"k{number}": 1}}' for number in range(11_000))
    assert refused(f"[{wide}]", max_columns=20_000).code == "table_too_large"


def test_a_text_repeated_on_many_lines_is_counted_as_often() -> None:
    lines = ",".join(['{"text": "x"}'] * 100)
    text = f'[{{"note": "{"n" * 1000}", "lines": [{lines}]}}]'
    assert refused(text, children="lines", max_bytes=50_000).code == "unpacks_too_large"


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.decimals(-(10**9), 10**9, places=4, allow_nan=False).map(lambda number: f"{number:f}"),
)
VALUES = st.one_of(WORDS.map(json.dumps), NUMBERS, st.sampled_from(["true", "false", "null"]))


@given(st.lists(st.lists(VALUES, min_size=2, max_size=2), min_size=1, max_size=5), st.sampled_from(["json", "ndjson"]))
def test_any_table_reads_back_equal(table: list[list[str]], kind: str) -> None:
    written = [f'{{"a": "x", "b": {row[0]}, "c": {row[1]}}}' for row in table]
    text = "\n".join(written) if kind == "ndjson" else "[\n" + ",\n".join(written) + "\n]"
    found = read(text, kind)
    said = [[json.loads(cell, parse_int=str, parse_float=str) for cell in row] for row in table]
    names = {None: "", True: "true", False: "false"}
    assert found.cells.to_numpy().tolist() == [["x", *(names.get(cell, cell) for cell in row)] for row in said]
    assert found.lines == [number + (kind == "json") for number in range(1, len(table) + 1)]


@given(st.text(max_size=60) | st.text(st.sampled_from('[]{},:"\\u0a1e-.\n '), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for kind in ("json", "ndjson"):
        for children in ("", "a"):
            try:
                assert len(read(text, kind, children=children).cells)
            except UnreadableFile as error:
                assert str(error)


def test_numbers_are_never_floats() -> None:
    table = read('[{"price": 0.1000000000000000055511151231257827}]')
    assert Decimal(rows(table)[0]["price"]) == Decimal("0.1000000000000000055511151231257827")


def test_a_hundred_thousand_objects_are_all_read() -> None:
    records = [{"name": f"Navn {n}", "zipcode": "0800", "price": n * 1.5, "ok": True} for n in range(100_000)]
    text = json.dumps(records)
    assert len(read(text).cells) == 100_000
