"""What describes a resource: one `Resource` holds its properties, children, filters, sorts and refused requests.

Behaviour that a table cannot say (totals, numbers, payments) is in its `Rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from .filters import Filter
from .names import Plural
from .properties import Property
from .record import Changed, Record, Values

if TYPE_CHECKING:
    from .books import Books
    from .switches import Switches

Action = Literal["list", "one", "create", "save_many", "update", "delete", "delete_many"]
WRITES: tuple[Action, ...] = ("create", "save_many", "update", "delete", "delete_many")

NOT_IMITATED = 501
"""Billy offers it, or may; the sandbox does not."""


@dataclass(frozen=True)
class Children:
    """A has-many: in the parent's body on write, under `name` or by ids with `include`, deleted with the parent."""

    name: str
    plural: Plural
    parent_key: str
    ids_key: str
    """Of a sideload: singular + `Ids`, as in Billy's own client (observed)."""


@dataclass(frozen=True)
class Case:
    """One body that is to be saved, for the checks that no table can make."""

    books: Books
    switches: Switches
    before: Values | None
    """The stored record of an update."""
    values: Values
    """What would be stored, checked by the table."""
    body: Values
    children: Mapping[str, Sequence[Values]]

    def after(self, key: str) -> Any:
        """A key's value once saved."""
        return self.values[key] if key in self.values else (self.before or {}).get(key)


class Rules:
    """What a resource does beyond its table; as it stands here, nothing."""

    def wrong(self, case: Case) -> dict[str, str]:
        """More that is wrong with a body, as {key: text}."""
        return {}

    def accepted(
        self, switches: Switches, before: Values | None, values: Values, children: Mapping[str, Sequence[Values]]
    ) -> tuple[Values, Mapping[str, Sequence[Values]]]:
        """What of a body that passed the checks is stored, and not quietly left out."""
        return values, children

    def defaults(self, books: Books, values: Values) -> dict[str, Any]:
        """Values of a new record that depend on the books."""
        return {}

    def store(
        self,
        books: Books,
        switches: Switches,
        resource: Resource,
        record_id: str | None,
        values: Values,
        children: Mapping[str, Sequence[Values]],
        changed: Changed,
    ) -> str:
        """Create (`record_id` None) or change a record; the `children` given replace all it has (documented)."""
        record_id = books.put(resource.plural, record_id, values, changed)
        for each in resource.children:
            if each.name in children:
                books.replace_children(each, record_id, children[each.name], changed)
        return record_id

    def kept(self, books: Books, switches: Switches, record: Record, going: Set[str]) -> str | None:
        """Why a record cannot be deleted, if so; `going` are all ids of the same request."""
        return None

    def deleted(self, books: Books, switches: Switches, record: Record, changed: Changed) -> None:
        """What follows when a record was deleted for its own sake, not with its parent."""


@dataclass(frozen=True)
class Resource:
    """One resource of the API."""

    plural: Plural
    singular: str
    properties: Mapping[str, Property] = field(default_factory=dict)
    """In the order in which they travel, after `id`."""
    children: tuple[Children, ...] = ()
    filters: Mapping[str, Filter] = field(default_factory=dict)
    sorts: Mapping[str, Callable[[Books, Values], Any] | None] = field(default_factory=dict)
    """The listed properties, with what is compared where that is not the plain value."""
    refused: Mapping[Action, int] = field(default_factory=dict)
    """Action -> status: 405 is an observation about Billy unless marked otherwise, 501 says nothing of Billy."""
    label: tuple[str, ...] = ("name",)
    """What the ledger calls a record: the first of these that is filled."""
    natural_keys: tuple[str, ...] = ("name",)
    """What a person would call it, to order poison for it."""
    indexed: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()
    """These keys together, where all are filled; the first is indexed."""
    used_by: tuple[tuple[Plural, str], ...] = ()
    """A record named under such a key cannot be deleted."""
    use_switch: str | None = None
    """The switch that decides on that; always refused without one (our choice)."""
    list_needs: str | None = None
    """A parameter without which the list is refused."""
    public: bool = False
    """Readable without a token."""
    translated: bool = False
    """Names are the system's and follow the language."""
    fresh: Callable[[Values], dict[str, Any]] | None = None
    """Keys made anew at each read."""
    rules: Rules = field(default_factory=Rules)

    @cached_property
    def blank(self) -> dict[str, Any]:
        """What a record has where nothing was sent."""
        return {key: declared.default for key, declared in self.properties.items() if declared.kind != "rows"}

    @cached_property
    def required(self) -> tuple[str, ...]:
        return tuple(key for key, declared in self.properties.items() if declared.required)

    @cached_property
    def known_elsewhere(self) -> frozenset[str]:
        """Keys of a body that are no properties and yet nothing unknown."""
        return frozenset({"id", "_clientId", "organizationId", *(each.name for each in self.children)})

    @cached_property
    def stamps(self) -> frozenset[str]:
        """Which of the keys Billy sets on every new record it has."""
        return frozenset({"organizationId", "createdTime"}) & self.properties.keys()

    @cached_property
    def relations(self) -> Mapping[str, tuple[str, Plural]]:
        """Each belongs-to: its name -> (its key, the plural it leads to)."""
        return {
            key.removesuffix("Id"): (key, declared.plural)
            for key, declared in self.properties.items()
            if declared.plural is not None
        }

    def child(self, name: str) -> Children:
        return next(each for each in self.children if each.name == name)

    def called(self, values: Values) -> str:
        """What the ledger calls a record."""
        return next((str(values[key]) for key in self.label if values.get(key)), "")


def refusing(*actions: Action, status: int = 405) -> dict[Action, int]:
    """The same refusal for several actions."""
    return dict.fromkeys(actions, status)
