"""Checks that more than one resource needs: account numbers, and lists of objects in a cell."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd

from billy_pipelines.schemas.row_schema import Report

Objects = list[dict[str, Any]]


def rewrite_list(cleaned: pd.DataFrame, field: str, rewrite: Callable[[int, Objects], Objects], report: Report) -> None:
    """Replace each list of a column by what `rewrite(position, objects)` makes of it; a ValueError is `list_form`.

    `rewrite` keeps what is known of an object; the rest stays in the file (rule B23). Cells that are no lists of
    objects are left alone: their kind has named them already.
    """
    if field not in cleaned:
        return
    column = cleaned[field]
    rewritten: dict[int, str] = {}
    for position in column.index[column != ""]:
        try:
            objects = json.loads(str(column.at[position]))
            if not isinstance(objects, list) or not all(isinstance(one, dict) for one in objects):
                continue
        except (ValueError, RecursionError):
            continue
        try:
            kept = rewrite(int(position), objects)
        except ValueError as reason:
            report(int(position), "list_form", field, example=str(reason))
        else:
            rewritten[int(position)] = json.dumps(kept, ensure_ascii=False)
    # At once: setting one cell of a column copies all of it.
    cleaned[field] = pd.Series([rewritten.get(at, text) for at, text in enumerate(column)], column.index, dtype="str")


def only_digits(cleaned: pd.DataFrame, field: str, report: Report) -> None:
    """An account number is digits."""
    if field not in cleaned:
        return
    wrong = ~cleaned[field].str.fullmatch("[0-9]*")
    for position in cleaned.index[wrong]:
        report(int(position), "account_form", field)
