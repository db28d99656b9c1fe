"""The keys a record can have, and the check of a body against them.

What Billy answers to a wrong type, to a reference that leads nowhere or to an absurdly large number is unknown: a 422
that names the key is our choice, and so is ignoring readonly keys in a body.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, Literal

from .names import Plural
from .record import Values

if TYPE_CHECKING:
    from .books import Books
    from .resource import Resource
    from .switches import Switches

LARGEST = 10**12
"""No number may be larger (our choice); twelve digits and 17 significant ones multiply exactly in `totals`."""

CUT_AFTER = 40
"""Characters of a name that `stored_names: cut` keeps (our choice)."""
_IN_ASCII = str.maketrans({"æ": "ae", "ø": "oe", "å": "aa", "Æ": "Ae", "Ø": "Oe", "Å": "Aa"})


@dataclass(frozen=True)
class Property:
    """One key of a record."""

    kind: Literal["text", "flag", "integer", "number", "date", "choice", "record", "rows"] = "text"
    required: bool = False
    default: Any = None
    choices: frozenset[str] = frozenset()
    """Of kind `choice`."""
    plural: Plural | None = None
    """Of kind `record`, a belongs-to: where the record must be found."""
    immutable: bool = False
    readonly: bool = False
    lenient: bool = False
    """A number may come as text, a text as a whole number."""


TEXT = Property()
FLAG = Property("flag", default=False)
NUMBER = Property("number")
READONLY = Property(readonly=True)


def choice(*values: str, default: str | None = None, immutable: bool = False) -> Property:
    """One of some words."""
    return Property("choice", default=default, choices=frozenset(values), immutable=immutable)


def belongs_to(plural: Plural, *, required: bool = False, immutable: bool = False, readonly: bool = False) -> Property:
    """The id of another record."""
    return Property("record", plural=plural, required=required, immutable=immutable, readonly=readonly)


NEEDED = "sandbox: needs a value"
TERMS = choice("net", "netEndOfMonth", "date")
COUNTRY = belongs_to("countries", required=True)
CURRENCY = belongs_to("currencies")
LOCALE = belongs_to("locales")

_KINDS: dict[str, tuple[type[Any] | tuple[type[Any], ...], str]] = {
    "text": (str, "a text"),
    "integer": (int, "a whole number"),
    "number": ((int, float), "a number"),
    "date": (str, "a text"),
    "choice": (str, "a text"),
    "record": (str, "a text"),
    "rows": (list, "a list"),
}


def checked(
    body: Values,
    resource: Resource,
    properties: Mapping[str, Property],
    books: Books,
    switches: Switches,
    before: Values | None,
) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of a body that may be stored, and what is wrong with it as {key: text}.

    `before` is the record a PUT changes, None for a create: then required keys must be there. `properties` are the
    resource's, or fewer where a parent brings the rest.
    """
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for key, given in body.items():
        declared = properties.get(key)
        if declared is None:
            if switches.undeclared_properties == "refused" and key not in resource.known_elsewhere:
                problems[key] = "sandbox: no such property"
            continue
        if declared.readonly:
            continue
        value, problem = _read(given, declared, books)
        if problem is None and declared.immutable and before is not None and before.get(key) != value:
            problem = "sandbox: cannot be changed"
        if problem is None:
            values[key] = _as_kept(key, value, switches)
        else:
            problems[key] = problem
    if before is None:
        for key in resource.required:
            if key in properties and key not in values and key not in problems:
                problems[key] = NEEDED
    if "organizationId" in body:
        if switches.organization_id == "refused":
            problems["organizationId"] = "sandbox: organizationId must not be set"
        elif body["organizationId"] != books.organization_id:
            problems["organizationId"] = "sandbox: not the organization of this token"
    return values, problems


def _read(value: Any, declared: Property, books: Books) -> tuple[Any, str | None]:
    """A value as it is stored, or what is wrong with it; null clears a key (observed) unless it is required."""
    if value is None:
        return None, NEEDED if declared.required else None
    if declared.lenient:
        value = _converted(value, declared)
    kind = declared.kind
    if kind == "flag":
        return (value, None) if isinstance(value, bool) else (None, "sandbox: must be true or false")
    accepted, wanted = _KINDS[kind]
    if not isinstance(value, accepted) or isinstance(value, bool):
        return None, f"sandbox: must be {wanted}"
    if kind in ("integer", "number"):
        return _number(value)
    if declared.required and isinstance(value, str) and not value.strip():
        return None, NEEDED
    return value, _problem_of(value, declared, books) if kind != "text" else None


def _as_kept(key: str, value: Any, switches: Switches) -> Any:
    """A value as it is stored by switches that keep less of it than was sent."""
    if key == "name" and isinstance(value, str):
        return _name_as_kept(value, switches.stored_names)
    if key == "unitPrice" and isinstance(value, int | float) and switches.price_decimals is not None:
        kept = Decimal(str(value)).quantize(Decimal(1).scaleb(-switches.price_decimals), ROUND_HALF_UP)
        return int(kept) if kept == int(kept) else float(kept)
    return value


def _name_as_kept(name: str, how: str) -> str:
    if how == "cut":
        return name[:CUT_AFTER].rstrip()
    if how == "without-emoji":
        return "".join(character for character in name if ord(character) < 2**16)
    if how == "ascii":
        plain = unicodedata.normalize("NFKD", name.translate(_IN_ASCII))
        return plain.encode("ascii", "ignore").decode()
    return " ".join(name.split()) if how == "squeezed" else name


def _problem_of(value: Any, declared: Property, books: Books) -> str | None:
    """What is wrong with a text that must not be just any."""
    if declared.kind == "record" and value not in books.records(declared.plural or ""):
        return "sandbox: no such record"
    if declared.kind == "choice" and value not in declared.choices:
        return "sandbox: not a permitted value"
    if declared.kind == "date" and not is_date(value):
        return "sandbox: must be a date like 2026-02-03"
    return None


def _converted(value: Any, declared: Property) -> Any:
    if declared.kind == "text" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if declared.kind == "number" and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _number(value: float) -> tuple[float | None, str | None]:
    if not math.isfinite(value) or abs(value) > LARGEST:
        return None, "sandbox: is too large"
    return int(value) if value == int(value) else value, None  # whole values travel bare (observed)


def is_date(text: str) -> bool:
    """Whether a text is a date as Billy writes it."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
