"""How much answers to writes tell of a record. That they hold the complete one is unverified (billy-api.md section 2).

Undo decides by images, so an image may hold nothing but what Billy has told or we have sent: a value that is only left
from before a write would be taken for what the job left, and the job's own for a person's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from billy_pipelines.billy.models import Record
from billy_pipelines.schemas.undoing import ChildList, Image, Undoing, alike

R = TypeVar("R", bound=Record)


def untold(undoing: Undoing, keys: frozenset[str], record: Record) -> frozenset[str]:
    """Of the record's own `keys` that people write, those of which it says nothing as it was answered; those of its
    children as `prices.unitPrice`."""
    of_children = {
        f"{each.field}.{key}"
        for each in undoing.children
        for child in getattr(record, each.field) or ()
        for key in each.keys
        if key not in child.model_fields_set
    }
    return keys - record.model_fields_set | of_children


def tells_all(undoing: Undoing, keys: frozenset[str], record: Record, body: Image, never_told: Collection[str]) -> bool:
    """Whether the record in the answer to a create is all there is to know of it.

    `never_told`: what this Billy leaves out of its records when they are read too (nulls, perhaps); then nothing is
    there, unless it was sent. Children are not missed where none were sent.
    """
    missing = untold(undoing, keys, record)
    if missing and (missing - frozenset(never_told) or missing & _sent(undoing, body)):
        return False
    return _holds_children(undoing, record, body, exactly=False)


def _sent(undoing: Undoing, body: Image) -> frozenset[str]:
    lists = {each.field for each in undoing.children}
    return frozenset(key for key, value in body.items() if key not in lists and value is not None) | frozenset(
        f"{name}.{key}"
        for name in lists
        for child in body.get(name) or ()
        for key, value in child.items()
        if value is not None
    )


def has_children_sent(undoing: Undoing, record: Record, body: Image) -> bool:
    """Whether a record has as many children as were sent with it; where none were, Billy may have added one."""
    return _holds_children(undoing, record, body, exactly=True)


def _holds_children(undoing: Undoing, record: Record, body: Image, *, exactly: bool) -> bool:
    for each in undoing.children:
        present, sent = len(getattr(record, each.field) or ()), len(body.get(each.field) or ())
        if present < sent or (exactly and sent and present != sent):
            return False
    return True


def tells(answer: Mapping[str, Any], plural: str, record_id: str | None, sent: Image) -> bool:
    """Whether the answer to one request says of that record (of any, if it is new) what has become of each value that
    was sent."""
    records = answer.get(plural)
    own = [
        raw
        for raw in (records if isinstance(records, list) else ())
        if isinstance(raw, dict) and record_id in (None, raw.get("id"))
    ]
    return any(all(_told(raw, answer, key, value) for key, value in sent.items()) for raw in own)


def _told(raw: Image, answer: Mapping[str, Any], key: str, value: Any) -> bool:
    if not isinstance(value, list):
        return value is None or key in raw
    children = raw.get(key, answer.get(key))
    keys = {name for child in value for name in child}
    return (
        isinstance(children, list)
        and len(children) >= len(value)
        and all(isinstance(child, dict) and keys <= child.keys() for child in children)
    )


def as_sent_image(undoing: Undoing, sent: Record, answered: Record) -> dict[str, Any]:
    """The image of a new record that could not be read: what was sent, and what the answer tells beside it."""
    lists = {each.field for each in undoing.children}
    told = {key: value for key, value in answered.image().items() if key in answered.model_fields_set - lists}
    return sent.image() | told


def children_after(
    known: Mapping[str, Image], raws: Any, parent: str, parent_id: str, sent: Image | None
) -> list[dict[str, Any]]:
    """The children of a record after a write: as they were known, with what was `sent` of one of them (under its id,
    or as the one nobody knew yet), and what Billy says of each."""
    told = {
        raw["id"]: raw
        for raw in (raws if isinstance(raws, list) else ())
        if isinstance(raw, dict) and raw.get("id") and raw.get(parent) in (parent_id, None)
    }
    children = {child_id: dict(child) for child_id, child in known.items()}
    if sent is not None and (child_id := sent.get("id") or next((each for each in told if each not in known), None)):
        children[child_id] = {**children.get(child_id, {}), **sent, "id": child_id}
    for child_id, raw in told.items():
        children[child_id] = children.get(child_id, {}) | raw
    return list(children.values())


def read_back(undoing: Undoing, before: Image, changed: Collection[str], written: R, read: R) -> R:
    """The record as it was read after a change whose answer did not tell all.

    Of its children only what the change has written is taken from there, unless it has replaced the whole list: the
    rest may be what people have written meanwhile, which an undo must not take for the job's.
    """
    lists: dict[str, Any] = {}
    for each in undoing.children:
        children, present = getattr(written, each.field), getattr(read, each.field)
        if children is None or present is None or each.field in changed:
            continue
        then = {str(child.get("id")): child for child in before.get(each.field) or ()}
        now = {child.id: child for child in present}
        lists[each.field] = [_child(each, then.get(child.id), child, now.get(child.id)) for child in children]
    return read.model_copy(update=lists)


def _child(of: ChildList, before: Image | None, written: R, read: R | None) -> R:
    if read is None or before is None:
        return read or written
    values = {key: getattr(written, key, None) for key in of.keys}
    changed = [key for key, value in values.items() if not alike(before.get(key), value)]
    return written.model_copy(update={key: getattr(read, key, None) for key in changed})
