"""How records appear in an answer: with what `include` asks for, fresh keys, and names in the language asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .answers import array
from .books import Books
from .chart import translated
from .names import Plural
from .record import Changed, Record, extended, to_json
from .resource import Resource
from .resources import RESOURCES
from .switches import Switches

SPARSE = frozenset({"id", "name", "state", "isPrimary", "contactId", "productId", "invoiceId"})
"""What `write_answers: sparse` tells of a record."""


def keys_sent(resource: Resource, items: Iterable[Any]) -> dict[str, Set[str]]:
    """By plural, the keys of these records in a body and of the children in them."""
    sent: dict[str, set[str]] = {}
    for item in items:
        if isinstance(item, dict):
            sent.setdefault(resource.plural, set()).update(item)
            for each in resource.children:
                children = item.get(each.name)
                for child in children if isinstance(children, list) else ():
                    sent.setdefault(each.plural, set()).update(child if isinstance(child, dict) else ())
    return {plural: frozenset(keys) for plural, keys in sent.items()}


@dataclass(frozen=True)
class View:
    """One request's way of seeing the books."""

    books: Books
    switches: Switches
    headers: Mapping[str, str]
    """Of the request."""

    @cached_property
    def language(self) -> str:
        """Of the system's names: `da_DK`, `en_US` or `renamed`.

        `Accept-Language` translates them (documented). Danish when it is absent, and for the languages the sandbox has
        no names in, is our choice.
        """
        if self.switches.system_names == "renamed":
            return "renamed"
        accepted = self.headers.get("accept-language", "")
        return "en_US" if accepted.replace("-", "_").startswith("en") else "da_DK"

    def text(self, resource: Resource, record: Record) -> str:
        """A record as JSON."""
        text = record.text
        if resource.translated and self.language != "da_DK":
            text = to_json(translated(record.values, self.language))
        return text if resource.fresh is None else extended(text, resource.fresh(record.values))

    def texts(self, resource: Resource, records: Iterable[Record]) -> list[str]:
        if resource.fresh is None and not resource.translated:
            return [record.text for record in records]  # as fast as it gets: 1,000 a page
        return [self.text(resource, record) for record in records]

    def changed(self, changed: Changed, sent: Mapping[str, Set[str]]) -> dict[str, str]:
        """A write answers with every record it changed, under plural keys, whatever the resource (documented); how much
        of each is switched. `sent`: by plural, the keys that were sent."""
        roots: dict[str, str] = {}
        for plural, records in changed.saved.items():
            told = {"complete": None, "sparse": SPARSE, "sent": {"id", *sent.get(plural, ())}}
            texts = self._told(RESOURCES[plural], records.values(), told[self.switches.write_answers])
            for place, record_id in enumerate(records):
                if record_id in changed.client_ids:
                    texts[place] = extended(texts[place], {"_clientId": changed.client_ids[record_id]})
            roots[plural] = array(texts)
        return roots

    def _told(self, resource: Resource, records: Iterable[Record], keys: Set[str] | None) -> list[str]:
        texts = self.texts(resource, records)
        if keys is None:
            return texts
        return [to_json({key: value for key, value in json.loads(text).items() if key in keys}) for text in texts]

    def roots(
        self, resource: Resource, records: Sequence[Record], include: str, *, one: bool = False
    ) -> dict[str, str]:
        """Root keys and their JSON for records with what `include` asks for.

        `include=resource.relation[:mode]`, comma-separated (documented); a bare relation does not work (observed), and
        relations of other resources than the one asked for are left out (our choice). `sideload` is the default mode.
        """
        texts = self.texts(resource, records)
        sideloaded: dict[Plural, dict[str, str]] = {}
        for relation, embed in self._wishes(resource, include).items():
            if relation in resource.relations:
                key, plural = resource.relations[relation]
                self._add_parent(texts, records, (relation if embed else None, key, plural), sideloaded)
            else:
                self._add_children(texts, records, resource, relation, sideloaded, embed=embed)
        roots: dict[str, str] = {resource.singular: texts[0]} if one else {resource.plural: array(texts)}
        for plural, found in sideloaded.items():
            roots.setdefault(plural, array(found.values()))  # never in place of the records asked for
        return roots

    def _wishes(self, resource: Resource, include: str) -> dict[str, bool]:
        """Relation -> whether it is to be embedded."""
        if not include or self.switches.include == "ignored":
            return {}
        known = {*resource.relations, *(each.name for each in resource.children)}
        wishes: dict[str, bool] = {}
        for wish in include.split(","):
            path, _, mode = wish.strip().partition(":")
            owner, _, relation = path.partition(".")
            if owner == resource.singular and relation in known:
                wishes[relation] = mode == "embed"
        return wishes

    def _add_parent(
        self,
        texts: list[str],
        records: Sequence[Record],
        relation: tuple[str | None, str, Plural],
        sideloaded: dict[Plural, dict[str, str]],
    ) -> None:
        """A belongs-to: the object beside its id, or the record under its own root (documented)."""
        name, key, plural = relation
        rows, resource = self.books.records(plural), RESOURCES[plural]
        for place, record in enumerate(records):
            parent_id = record.values[key]
            parent = rows.get(parent_id or "")
            if name is not None:
                text = "null" if parent is None else self.text(resource, parent)
                texts[place] = f'{texts[place][:-1]},"{name}":{text}}}'
            elif parent is not None:
                sideloaded.setdefault(plural, {}).setdefault(parent_id, self.text(resource, parent))

    def _add_children(
        self,
        texts: list[str],
        records: Sequence[Record],
        resource: Resource,
        name: str,
        sideloaded: dict[Plural, dict[str, str]],
        *,
        embed: bool,
    ) -> None:
        """A has-many: an array of objects (documented), or of ids, with the records under their root (unverified)."""
        each = resource.child(name)
        child = RESOURCES[each.plural]
        ids_key = each.ids_key if self.switches.sideload_ids == "singular" else f"{name}Ids"
        for place, record in enumerate(records):
            children = self.books.children(each, record.values["id"])
            if embed:
                texts[place] = f'{texts[place][:-1]},"{name}":{array(self.texts(child, children))}}}'
            else:
                texts[place] = extended(texts[place], {ids_key: [row.values["id"] for row in children]})
                beside = sideloaded.setdefault(each.plural, {})
                for row in children:
                    beside[row.values["id"]] = self.text(child, row)
