"""Placeholders: what stands in a planned row where the id of a record belongs that is still to be made on its way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from billy_pipelines.bulk.verdicts import PLANNED
from billy_pipelines.database.items import Item


def part_name(job_id: str, resource: str) -> str:
    """The id of the sub-job that makes records of a resource."""
    return f"{job_id}-{resource}"


def placeholder(part_id: str, item_index: int) -> str:
    """What stands for the id of the record that a row of a sub-job will make."""
    return f"{part_id}#{item_index}"


def is_placeholder(text: str, job_id: str) -> bool:
    """Whether a text stands for a record that a sub-job of the job makes."""
    return "#" in text and re.fullmatch(rf"{re.escape(job_id)}-[a-zA-Z]+#\d+", text) is not None


def lines_by_placeholder(items: Iterable[Item]) -> dict[str, list[int]]:
    """Which lines need what is still to be made, for the plan that people see."""
    found: dict[str, list[int]] = {}
    for item in items:
        for text in dict.fromkeys(texts(item.item_data)) if item.status == PLANNED else ():
            if "#" in text:
                found.setdefault(text, []).append(item.line)
    return found


def texts(value: Any) -> Iterator[str]:
    """Every text in a row, those of its lines too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from texts(each)


def put_in(value: Any, ids: Mapping[str, str]) -> Any:
    """A row with ids in place of their placeholders."""
    if isinstance(value, dict):
        return {name: put_in(each, ids) for name, each in value.items()}
    if isinstance(value, list):
        return [put_in(each, ids) for each in value]
    return ids.get(value, value) if isinstance(value, str) else value


def without(value: Any, job_id: str) -> Any:
    """A row without the fields that hold a placeholder of the job's."""
    if isinstance(value, dict):
        kept = {n: v for n, v in value.items() if not (isinstance(v, str) and is_placeholder(v, job_id))}
        return {name: without(each, job_id) for name, each in kept.items()}
    return [without(each, job_id) for each in value] if isinstance(value, list) else value
