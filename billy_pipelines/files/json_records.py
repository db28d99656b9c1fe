"""JSON and NDJSON as a table: one row per object, or per element of the list that holds its lines."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from billy_pipelines.files.cells import is_filled
from billy_pipelines.files.header_line import column_names
from billy_pipelines.files.json_walk import Number, Record, records_of
from billy_pipelines.files.table import Hints, Limits, Source, Table, UnreadableFile

MOST_CELLS = 100_000_000
"""Of the whole table. Objects that each have keys of their own make a table that is nearly empty and very large."""
_DEEPEST = 8
"""Objects nested deeper make no columns but stay JSON text."""


def read_json(text: str, kind: str, hints: Hints, limits: Limits) -> Table:
    """The objects of a JSON text as rows of text.

    Nested objects become columns `parent.child`, lists of texts are joined with `; `, lists of objects stay JSON text.
    Elements of the list `hints.children` become rows of their own: beside the values of their parent, repeated, they
    have columns of their own names (`lines.name` where the parent has that name too), and one named like the list with
    the number of the parent, from 1.

    Args:
        kind: `json` (an array of objects, an object that holds one, a single object) or `ndjson` (an object a line).

    Raises:
        UnreadableFile: broken_json, json_shape, duplicate_key, duplicate_column, nul_byte, empty_file; or a limit.
    """
    parents: list[Record] = []
    owners: list[int] = []
    rows: list[Record] = []
    for record in records_of(text.replace("\r\n", "\n").replace("\r", "\n"), kind, hints):
        rows += record.children or [record]
        owners += [len(parents)] * (len(rows) - len(owners))
        parents.append(record)
        if len(rows) > limits.max_rows:
            raise UnreadableFile("too_many_rows", limit=limits.max_rows)
    columns = _columns([record.members for record in parents], limits)
    if any(record.children for record in parents):
        columns = {name: [values[owner] for owner in owners] for name, values in columns.items()}
        columns[hints.children] = [str(owner + 1) for owner in owners]
        own = [{} if row is parents[owner] else row.members for row, owner in zip(rows, owners, strict=True)]
        for name, values in _columns(own, limits).items():
            columns[f"{hints.children}.{name}" if name in columns else name] = values
    return _table(columns, [row.line for row in rows], kind, limits)


def _columns(records: Sequence[dict[str, Any]], limits: Limits) -> dict[str, list[Any]]:
    """The values of each key in all records, None where one lacks it; nested objects taken apart.

    Raises:
        UnreadableFile: too_many_columns, table_too_large, duplicate_column.
    """
    columns: dict[str, list[Any]] = {}
    waiting: deque[tuple[str, int, list[Any]]] = deque()

    def take_apart(prefix: str, depth: int, objects: Sequence[dict[str, Any]]) -> None:
        keys = list(dict.fromkeys(chain.from_iterable(objects)))
        number = len(columns) + len(waiting) + len(keys)
        if number > limits.max_columns:
            raise UnreadableFile("too_many_columns", columns=number, limit=limits.max_columns)
        if number * len(objects) > MOST_CELLS:
            raise UnreadableFile("table_too_large")
        found = [(prefix + key, depth, [members.get(key) for members in objects]) for key in keys]
        waiting.extendleft(reversed(found))  # in the place of what was taken apart

    take_apart("", 0, records)
    while waiting:
        name, depth, values = waiting.popleft()
        if depth < _DEEPEST and dict in set(map(type, values)):
            take_apart(f"{name}.", depth + 1, [value if type(value) is dict else {} for value in values])
            values = [None if type(value) is dict else value for value in values]
            if all(value is None for value in values):
                continue
        if name in columns:  # "a.b" as a key beside "b" in "a"
            raise UnreadableFile("duplicate_column", name=name)
        columns[name] = values
    return columns


def _table(columns: dict[str, list[Any]], lines: list[int], kind: str, limits: Limits) -> Table:
    names = column_names(list(columns), lines[0] if lines else 1, len(columns))
    texts: dict[str, Any] = {}
    typed = {}
    blank = np.ones(len(lines), dtype=np.bool_)
    size = 0
    for name, values in zip(names, columns.values(), strict=False):
        kinds = set(map(type, values))
        column = pa.array(values if kinds == {str} else _texts(values, lines), pa.large_string())
        longer = pc.greater(pc.utf8_length(column), limits.max_cell).to_numpy(zero_copy_only=False)
        if longer.any():
            raise UnreadableFile("cell_too_large", line=lines[int(longer.argmax())], limit=limits.max_cell)
        size += column.nbytes - 8 * len(column)
        if size > limits.max_bytes:  # values of a parent are repeated on every line of its list
            raise UnreadableFile("unpacks_too_large", limit=limits.max_bytes)
        if kinds & {Number, bool}:
            typed[name] = np.fromiter((type(value) in (Number, bool) for value in values), np.bool_, len(values))
        blank &= ~is_filled(column)
        texts[name] = pd.array(column, dtype="str")
    cells = pd.DataFrame(texts, index=pd.RangeIndex(len(lines)))
    if blank.any():
        cells = cells[~blank].reset_index(drop=True)
        typed = {name: mask[~blank] for name, mask in typed.items() if mask[~blank].any()}
        lines = [line for line, is_blank in zip(lines, blank, strict=True) if not is_blank]
    if not lines:
        raise UnreadableFile("empty_file")
    return Table(cells, lines, list(cells.columns), Source(kind=kind), typed=typed)


def _texts(values: Sequence[Any], lines: Sequence[int]) -> list[str]:
    texts = []
    for value, line in zip(values, lines, strict=True):
        try:
            texts.append(_text(value))
        except RecursionError as error:
            raise UnreadableFile("broken_json", line=line, reason="nested too deeply") from error
    return texts


def _text(value: Any) -> str:
    """A list of texts, numbers and booleans is joined with `; `; of anything else that is nested, the JSON text."""
    if isinstance(value, str):
        return str(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict) or any(isinstance(element, list | dict) for element in value):
        return _written(value)
    return "; ".join(filter(None, map(_text, value)))


def _written(value: Any) -> str:
    """Compact JSON text with numbers as they were; json would put them in quotes, being texts here."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(key)}:{_written(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    if isinstance(value, Number):
        return str(value)
    return _quoted(value)


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
