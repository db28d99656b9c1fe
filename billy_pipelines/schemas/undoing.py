"""What taking a change back means for a record: what was edited since, what gets its old value, what is made again.

Works on images, the records as the journal keeps them: before the job's write, after it, and now. Only keys that people
write are looked at; the rest changes by itself. A resource says what is its own in `Undoing`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from billy_pipelines.schemas.codes import Problem

Image = Mapping[str, Any]
"""A record as JSON."""


@dataclass(frozen=True)
class ChildList:
    """Records that hang on another one and that people change as a part of it: persons, prices, lines."""

    field: str
    """Where a record's image has them."""
    plural: str
    singular: str
    parent: str
    """Their key with the id of the record they belong to."""
    keys: tuple[str, ...]
    """What people write of them."""


def _no_row(image: Image) -> dict[str, Any]:
    return {key: value for key, value in image.items() if not isinstance(value, list | Mapping) and key != "id"}


@dataclass(frozen=True)
class Undoing:
    """What undo knows of a resource beside what its description says anyway."""

    more_keys: tuple[str, ...] = ()
    """Wire keys that people write beside those of `Resource.writable`."""
    computed: frozenset[str] = frozenset()
    """Of the keys looked at, those that no body may hold: they follow from others."""
    children: tuple[ChildList, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    """Wire key -> what people call it, where that differs."""
    row: Callable[[Image], dict[str, Any]] = _no_row
    """The row that would make this record: what a record that is made again is matched and looked for by."""
    more_body: Callable[[Image], dict[str, Any]] = lambda _image: {}
    """Keys of the body that makes the record again, beside those it had."""
    keeps: Callable[[Image, Image, str], Problem | None] = lambda _now, _after, _language: None
    """Why a record the job made stays, whatever else holds (an invoice that is booked): its image now and then, and a
    language."""
    credit_note: Callable[[Image, str], list[dict[str, str]]] | None = None
    """The rows of a file that would credit this record, dated that day (YYYY-MM-DD); none where it cannot be
    credited."""


NOTHING_OF_ITS_OWN = Undoing()


# -- comparing ---------------------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """A value as it is compared. Answers spell "nothing" in several ways: null, an empty text, a flag not set."""
    return None if value is None or value is False or value == "" else value


def alike(left: Any, right: Any) -> bool:
    """Whether two values mean the same."""
    return bool(_plain(left) == _plain(right))


def as_sent(values: Image) -> dict[str, Any]:
    """Values as they travel: whole numbers bare (observed)."""
    return {
        key: int(value) if isinstance(value, float) and value.is_integer() else value for key, value in values.items()
    }


def _content(child: Image, keys: Sequence[str]) -> str:
    return repr([_plain(child.get(key)) for key in keys])


def _contents(children: Iterable[Image] | None, keys: Sequence[str]) -> list[str]:
    return sorted(_content(child, keys) for child in children or ())


def own_keys(undoing: Undoing, writable: Sequence[str]) -> list[str]:
    """The record's own keys that are looked at."""
    lists = {each.field for each in undoing.children}
    return [key for key in dict.fromkeys((*writable, *undoing.more_keys)) if key not in lists]


def is_whole(undoing: Undoing, image: Image) -> bool:
    """Whether the image holds its children; a list may have left them out."""
    return all(image.get(each.field) is not None for each in undoing.children)


def edited(undoing: Undoing, writable: Sequence[str], after: Image, now: Image) -> list[str]:
    """Fields in which a record is no more what the job made of it.

    Children the job's answer did not tell of were none: the row had none either, or it would have been read again.
    """
    keys = [key for key in own_keys(undoing, writable) if key in after and not alike(after[key], now.get(key))]
    lists = [
        each.field
        for each in undoing.children
        if now.get(each.field) is not None
        and _contents(after.get(each.field), each.keys) != _contents(now[each.field], each.keys)
    ]
    return _named(undoing, [*keys, *lists])


def _named(undoing: Undoing, keys: Iterable[str]) -> list[str]:
    return [undoing.names.get(key, key) for key in keys]


# -- old values --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ChildWork:
    """What is to be done about one child: changed (`child_id` and `values`), removed (no values), made (no id)."""

    of: ChildList
    child_id: str | None
    values: Mapping[str, Any] | None


@dataclass(frozen=True)
class Restoring:
    """What is missing until a record is what it was before the job; `edited` names what people changed since."""

    keys: Mapping[str, Any]
    children: tuple[ChildWork, ...]
    edited: tuple[str, ...]

    @property
    def changes(self) -> dict[str, list[Any]]:
        """Field -> [value now, value it gets], for plan and journal; children by the name of their list."""
        found: dict[str, list[Any]] = {key: [None, value] for key, value in self.keys.items()}
        for work in self.children:
            found.setdefault(work.of.field, [None, "as before"])
        return found


def restoring(undoing: Undoing, writable: Sequence[str], before: Image, after: Image, now: Image) -> Restoring:
    """The fields the job changed, and no others, back to what they were; one that has its old value already is fine.

    So a restoring that was cut off in the middle is continued by asking again.
    """
    keys: dict[str, Any] = {}
    changed_since: list[str] = []
    for key in _changed_keys(undoing, writable, before, after):
        if alike(now.get(key), before[key]):
            continue
        if alike(now.get(key), after[key]):
            keys[key] = before[key]
        else:
            changed_since.append(key)
    works: list[ChildWork] = []
    for each in undoing.children:
        if before.get(each.field) is None or after.get(each.field) is None:
            continue
        found = _child_works(each, *(_by_id(image.get(each.field)) for image in (before, after, now)))
        if found is None:
            changed_since.append(each.field)
        else:
            works += found
    return Restoring(keys, tuple(works), tuple(_named(undoing, changed_since)))


def has_begun(
    undoing: Undoing,
    writable: Sequence[str],
    before: Image,
    after: Image,
    now: Image,
    planned: Collection[str] | None,
) -> bool:
    """Whether a part of what the job changed is as it was before it.

    `planned`: the fields that were to be restored, None where nobody knows. What people had put back before that is no
    part of the restoring.
    """
    keys = [k for k in _changed_keys(undoing, writable, before, after) if alike(now.get(k), before[k])]
    lists = [
        each.field
        for each in undoing.children
        if all(image.get(each.field) is not None for image in (before, after, now))
        and _is_one_back(each, *(_by_id(image[each.field]) for image in (before, after, now)))
    ]
    return any(planned is None or field in planned for field in (*keys, *lists))


def _changed_keys(undoing: Undoing, writable: Sequence[str], before: Image, after: Image) -> Iterator[str]:
    """The record's own keys that the job changed and that can be changed back."""
    for key in own_keys(undoing, writable):
        known = key in before and key in after and key not in undoing.computed
        if known and not alike(before[key], after[key]):
            yield key


def _is_one_back(
    of: ChildList, before: Mapping[str, Image], after: Mapping[str, Image], now: Mapping[str, Image]
) -> bool:
    """Whether one of the children the job changed, made or removed is as before."""
    came = [_content(child, of.keys) for key, child in now.items() if key not in {*before, *after}]
    for child_id in {*before, *after}:
        old, made, present = before.get(child_id), after.get(child_id), now.get(child_id)
        if old is None:
            back = present is None
        elif made is None:
            back = present is not None or _content(old, of.keys) in came
        else:
            changed = [key for key in of.keys if not alike(old.get(key), made.get(key))]
            back = present is not None and any(alike(present.get(key), old.get(key)) for key in changed)
        if back:
            return True
    return False


def _by_id(children: Iterable[Image] | None) -> dict[str, Image]:
    return {str(child.get("id")): child for child in children or ()}


def _child_works(
    of: ChildList, before: Mapping[str, Image], after: Mapping[str, Image], now: Mapping[str, Image]
) -> list[ChildWork] | None:
    """None where somebody changed one of the children the job had changed. Children that came since are left alone."""
    works = []
    for child_id in dict.fromkeys((*before, *after)):
        old, made, present = before.get(child_id), after.get(child_id), now.get(child_id)
        if old is not None and made is not None:
            changed = [key for key in of.keys if not alike(old.get(key), made.get(key))]
            missing = [key for key in changed if present is None or not alike(present.get(key), old.get(key))]
            if not missing:
                continue
            if present is None or any(not alike(present.get(key), made.get(key)) for key in missing):
                return None
            works.append(ChildWork(of, child_id, {key: old.get(key) for key in missing}))
        elif made is not None:
            if present is None:
                continue
            if _content(present, of.keys) != _content(made, of.keys):
                return None
            works.append(ChildWork(of, child_id, None))
        elif old is not None:
            known = {*before, *after}
            again = [child for key, child in now.items() if key not in known]
            if present is None and _content(old, of.keys) not in _contents(again, of.keys):
                works.append(ChildWork(of, None, {key: old.get(key) for key in of.keys if old.get(key) is not None}))
    # What the job added goes before what it removed comes back: there is one price per currency, one primary person.
    return sorted(works, key=lambda work: work.values is not None)


# -- made again --------------------------------------------------------------------------------------------------------


def body_again(undoing: Undoing, writable: Sequence[str], image: Image) -> dict[str, Any]:
    """The body that makes a deleted record again, with its children."""
    body = {
        key: image[key]
        for key in own_keys(undoing, writable)
        if key not in undoing.computed and image.get(key) is not None and image[key] != ""
    }
    for each in undoing.children:
        if image.get(each.field):
            body[each.field] = [
                as_sent({key: child[key] for key in each.keys if child.get(key) is not None})
                for child in image[each.field]
            ]
    return as_sent(body | undoing.more_body(image))
