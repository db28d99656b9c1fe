"""Saving and deleting: bodies are checked completely before anything is stored.

A parent and its embedded children are saved together or not at all (documented).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from typing import Any

from .answers import RefusedError
from .books import Books
from .properties import Property, checked
from .record import Changed, Values
from .resource import Case, Children, Resource
from .resources import RESOURCES
from .switches import Switches

Problems = dict[str, Any]
"""`validationErrors`: the record's `_clientId` -> {"attributes": {key: text}}."""
Claims = dict[tuple[Any, ...], str | None]
"""Unique values that earlier records of the same request will take -> their ids, None for new ones."""


@dataclass(frozen=True)
class Work:
    """What a request works on, and by which switches."""

    books: Books
    switches: Switches
    poisoned: Callable[[Resource, Sequence[Values]], bool]
    """Whether a record, given as it is sent and as it is stored, is to be refused on order."""


@dataclass(frozen=True)
class Draft:
    """One record that has passed the checks."""

    resource: Resource
    id: str | None
    values: Values
    children: Mapping[str, Sequence[Values]]
    echo: Values
    """{"_clientId": …} where one was sent: the saved record repeats it (observed)."""

    def commit(self, work: Work) -> Changed:
        record_id, changed = work.books.save(self.resource.plural, self.id, self.values, self.children, work.switches)
        if self.echo:
            changed.client_ids[record_id] = self.echo["_clientId"]
        return changed


def save_one(work: Work, resource: Resource, record_id: str | None, item: Values) -> Changed:
    """POST (`record_id` None) or PUT.

    Raises:
        RefusedError: 404 or as switched for an unknown id (our choice), 422 for anything wrong with the body.
    """
    if record_id is not None and record_id not in work.books.records(resource.plural):
        raise RefusedError(work.switches.missing_status, f"`{resource.singular}` `{record_id}` does not exist")
    draft = _draft(work, resource, record_id, item, 1, {})
    if isinstance(draft, Draft):
        return draft.commit(work)
    raise RefusedError(422, f"{resource.singular} is not valid", validation=draft)


def save_many(work: Work, resource: Resource, items: Sequence[Any]) -> Changed:
    """PATCH of many records, new and existing ones mixed (observed in Billy's client; the server's side is unknown).

    Raises:
        RefusedError: 422 with every bad item; with `bulk_save: partial` the good ones are stored all the same, with
            `partial-200` nothing is raised for them.
    """
    drafts: list[Draft] = []
    problems: Problems = {}
    claims: Claims = {}
    for position, item in enumerate(items, start=1):
        if not isinstance(item, dict):
            problems[str(position)] = {"message": "sandbox: not an object"}
            continue
        record_id = item.get("id")
        known = record_id is None or (isinstance(record_id, str) and record_id in work.books.records(resource.plural))
        if not known:
            problems[_key(item, position)] = {"attributes": {"id": "sandbox: no such record"}}
            continue
        draft = _draft(work, resource, record_id, item, position, claims)
        if isinstance(draft, Draft):
            drafts.append(draft)
        else:
            problems.update(draft)
    changed = Changed()
    if not problems or work.switches.bulk_save.startswith("partial"):
        for draft in drafts:
            changed.take(draft.commit(work))
    if problems and work.switches.bulk_save != "partial-200":
        raise RefusedError(422, f"{len(problems)} of the records are not valid", validation=problems, changed=changed)
    return changed


def delete_many(work: Work, resource: Resource, ids: Sequence[str], *, partly: bool) -> Changed:
    """DELETE of one or several; unknown ids are skipped (for one documented, for several our choice).

    Raises:
        RefusedError: when one cannot be deleted (422 and the text are our choice); with `partly` it is left out of
            `deletedRecords` instead.
    """
    going = set(ids)
    kept = {record_id: reason for record_id in ids if (reason := _reason_to_keep(work, resource, record_id, going))}
    if kept and not partly:
        text = "; ".join(f"{record_id}: {reason}" for record_id, reason in kept.items())
        raise RefusedError(work.switches.kept_status, f"{resource.singular} cannot be deleted: {text}")
    changed = Changed()
    for record_id in ids:
        if record_id not in kept:
            changed.take(work.books.delete(resource.plural, record_id, work.switches))
    return changed


def _reason_to_keep(work: Work, resource: Resource, record_id: str, going: Set[str]) -> str | None:
    books = work.books
    record = books.records(resource.plural).get(record_id)
    if record is None:
        return None
    if work.poisoned(resource, [record.values]):
        return "refused on order"
    allowed = resource.use_switch is not None and getattr(work.switches, resource.use_switch) == "allowed"
    if not allowed and (
        record_id in books.in_use or any(books.has(plural, key, record_id) for plural, key in resource.used_by)
    ):
        return f"the {resource.singular} is in use"
    return resource.rules.kept(books, work.switches, record, going)


def _draft(
    work: Work, resource: Resource, record_id: str | None, item: Values, position: int, claims: Claims
) -> Draft | Problems:
    books, switches = work.books, work.switches
    key = _key(item, position)
    before = None if record_id is None else books.records(resource.plural)[record_id].values
    if work.poisoned(resource, [item] if before is None else [item, before]):
        return {key: {"message": "sandbox: refused on order"}}
    values, wrong = checked(item, resource, resource.properties, books, switches, before)
    if record_id is not None and item.get("id", record_id) != record_id:
        wrong["id"] = "sandbox: must equal the id in the path"  # documented
    problems: Problems = {}
    children: dict[str, Sequence[Values]] = {}
    for each in resource.children:
        given = item.get(each.name, ())
        if isinstance(given, list):
            children[each.name], more = _embedded(work, each, given, key)
            problems |= more
        elif each.name in item:
            wrong[each.name] = "sandbox: must be a list"
    case = Case(books, switches, before, values, item, children)
    wrong = {**resource.rules.wrong(case), **wrong}
    if resource.unique:
        wrong |= _taken(resource, record_id, case, claims, hold=not (wrong or problems))
    if wrong:
        problems = {key: {"attributes": wrong}, **problems}
    if problems:
        return problems
    values_kept, children_kept = resource.rules.accepted(switches, before, values, children)
    echo = {"_clientId": item["_clientId"]} if "_clientId" in item else {}
    return Draft(resource, record_id, values_kept, children_kept, echo)


def _embedded(work: Work, each: Children, given: Sequence[Any], parent: str) -> tuple[list[Values], Problems]:
    """The children in a parent's body; each has its own entry in `validationErrors` (observed)."""
    resource = RESOURCES[each.plural]
    rows: list[Values] = []
    problems: Problems = {}
    taken: set[tuple[Any, ...]] = set()
    for position, row in enumerate(given, start=1):
        key = f"{parent}.{each.name}.{position}"
        if not isinstance(row, dict):
            problems[key] = {"message": "sandbox: not an object"}
            continue
        row = {name: value for name, value in row.items() if name != each.parent_key}
        values, wrong = checked(row, resource, _properties_in(each), work.books, work.switches, None)
        wrong = {**resource.rules.wrong(Case(work.books, work.switches, None, values, row, {})), **wrong}
        if resource.unique:
            unique = tuple(values.get(name) for name in resource.unique if name != each.parent_key)
            if unique in taken:
                wrong[resource.unique[-1]] = "sandbox: is there twice"
            taken.add(unique)
        if wrong:
            problems[str(row.get("_clientId", key))] = {"attributes": wrong}
        rows.append(values)
    return rows, problems


@cache
def _properties_in(each: Children) -> Mapping[str, Property]:
    """What a child says of itself in its parent's body: all but its parent."""
    return {key: declared for key, declared in RESOURCES[each.plural].properties.items() if key != each.parent_key}


def _taken(resource: Resource, record_id: str | None, case: Case, claims: Claims, *, hold: bool) -> dict[str, str]:
    """What is wrong where another record has the same unique values; else they are claimed for this one."""
    wanted = tuple(case.after(key) for key in resource.unique)
    if not all(wanted):
        return {}
    others = {
        record.values["id"]
        for record in case.books.where(resource.plural, resource.unique[0], wanted[0])
        if tuple(record.values[key] for key in resource.unique) == wanted
    }
    if others - {record_id} or (wanted in claims and (record_id is None or claims[wanted] != record_id)):
        return {resource.unique[-1]: "sandbox: is taken"}
    if hold:
        claims[wanted] = record_id
    return {}


def _key(item: Values, position: int) -> str:
    """The record's key in `validationErrors`: its `_clientId` as text (observed), else its position (our choice)."""
    return str(item.get("_clientId", position))
