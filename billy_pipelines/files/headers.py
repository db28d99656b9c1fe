"""Which column of a file is which field. Nothing is guessed: a name means a field because somebody says so.

In this order: the option `mapping`, what was said for such a file before, the profile of the program the file comes
from, the field's own name and its aliases.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from billy_pipelines.files.claims import Claim, Level, columns_of_lines, fields_of, settle
from billy_pipelines.files.compound import COMBINED, PARTED, PARTS, PERSON_FIELDS, PERSON_PARTS, WHOLE
from billy_pipelines.files.names import LONGEST_NAME, listed, quoted, without_vat_words
from billy_pipelines.files.names import folded as folded  # where others look for it
from billy_pipelines.files.table import UnreadableFile
from billy_pipelines.schemas.codes import sentence
from billy_pipelines.schemas.reading_options import ReadingOptions
from billy_pipelines.schemas.row_schema import Kind, Profile, RowSchema

_NEAR = 0.75
_HINTS = 100
"""Columns that get a hint: comparing 2,000 unknown names with all known ones took three seconds."""


@dataclass(frozen=True)
class HeaderMap:
    """What the columns of a file are. Every column is in exactly one of `fields`, `joined`, `combined`, `unknown` and
    `ignored`."""

    fields: dict[str, str]
    """Field -> the column that holds it."""
    unknown: dict[str, str]
    """Column that means nothing -> the field whose name is nearest, or ''."""
    ignored: dict[str, str] = field(default_factory=dict)
    """Column that is known and not used -> why."""
    joined: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Field -> the columns that make it together, in their order."""
    combined: dict[str, str] = field(default_factory=dict)
    """Column that holds several fields -> which (a name in `compound.COMBINED`)."""
    constants: dict[str, str] = field(default_factory=dict)
    """Field -> value for every row."""
    profile: str = ""
    title: str = ""
    """What people call the profile."""

    def columns_of(self, name: str) -> tuple[str, ...]:
        """The columns a field comes from; none for a constant, or a field the file does not have."""
        if name in self.fields:
            return (self.fields[name],)
        if name in self.joined:
            return self.joined[name]
        return tuple(column for column, what in self.combined.items() if name in fields_of(what))

    def column_of(self, name: str) -> str:
        """The column as named in the file, for messages; `First Name + Last Name` where several make the field."""
        columns = self.columns_of(name)
        return " + ".join(columns) if columns else name


def map_headers(
    header: Iterable[str],
    schema: RowSchema,
    options: ReadingOptions,
    *,
    profile: Profile | None = None,
    remembered: Mapping[str, str] | None = None,
    operation: str = "import",
) -> HeaderMap:
    """Decide for every column what it is.

    Raises:
        UnreadableFile: `bad_mapping`, `bad_set`, `two_columns_one_field`, `missing_column` (imports only: creating
            needs what an update may leave out).
    """
    columns = list(header)
    known = _known_names(schema)
    said = _by_options(options, columns, schema)
    said = _by_memory(remembered or {}, columns, schema, options) | said
    by_profile = _by_profile(profile, schema, options)
    never = {folded(name): reason for name, reason in schema.ignored.items()}
    claims: list[Claim] = []
    persons: list[Claim] = []
    unknown: dict[str, str] = {}
    for position, column in enumerate(columns):
        name = folded(column)
        if claim := said.get(column) or by_profile.get(name):
            order = claim.order if claim.level is Level.PROFILE else position
            claims.append(Claim(column, claim.target, claim.level, order, claim.part, claim.reason))
        elif name in never:
            claims.append(Claim(column, "", Level.NAME, reason=never[name]))
        elif name in PERSON_PARTS and name not in known and _person_fields(schema):
            persons.append(Claim(column, "", Level.PERSON, position, PERSON_PARTS[name]))
        elif target := known.get(name) or _price_name(name, known, schema):
            part = PARTS[name][1] if name in PARTS else WHOLE if target in PARTED else 0
            claims.append(Claim(column, target, Level.NAME, position, part))
        else:
            unknown[column] = _nearest(name, known) if len(unknown) < _HINTS else ""
    persons, incomplete = _place_persons(persons, claims, options, schema)
    _let_parent_tie_rows(claims, columns, schema, unknown)
    if schema.grouping is not None:
        nested = columns_of_lines(unknown, claims, schema.grouping, columns, options.language.value)
        unknown = {column: near for column, near in unknown.items() if column not in nested}
    taken, lost = settle([claim for claim in (*claims, *persons) if claim.target], options.language.value)
    _let_persons_stand_in(taken, options)
    constants = _constants(options, profile, taken, schema)
    if operation == "import":
        _require(schema, {*taken, *constants}, columns, options)
    return _header_map(
        columns,
        taken,
        unknown=unknown | dict.fromkeys(incomplete, ""),
        notes={claim.column: claim.reason for claim in claims if not claim.target} | lost,
        constants=constants,
        profile=profile,
    )


def _let_parent_tie_rows(claims: list[Claim], columns: list[str], schema: RowSchema, unknown: dict[str, str]) -> None:
    """Lines nested in a JSON record come with the number of that record (`json_records`): where no column says which
    rows belong together, this one does."""
    if schema.grouping is None or schema.grouping.children not in unknown:
        return
    key, column = schema.grouping.keys[0], schema.grouping.children
    del unknown[column]
    if any(claim.target == key for claim in claims):
        claims.append(Claim(column, "", Level.NAME, reason="the rows are tied together by a column of their own"))
    else:
        claims.append(Claim(column, key, Level.NAME, columns.index(column)))


def known_headers(schema: RowSchema) -> frozenset[str]:
    """Every name, folded, that a column of this resource's files is known by: they tell a header from other lines."""
    names = set(_known_names(schema)) | set(map(folded, schema.ignored))
    for profile in schema.profiles:
        parts = (header for headers in profile.joined.values() for header in headers)
        names |= set(map(folded, (*profile.signature, *profile.meaning, *profile.excluded, *parts)))
    return frozenset(names | (set(PERSON_PARTS) if _person_fields(schema) else set())) - {""}


def _known_names(schema: RowSchema) -> dict[str, str]:
    """Header, folded -> what it means in any file of the resource."""
    names = {name: target for name, (target, _) in PARTS.items() if target in schema.fields}
    for target, combined in COMBINED.items():
        if _is_target(target, schema):
            names |= dict.fromkeys(combined.headers, target)
    for column in schema.fields.values():
        names |= {folded(alias): column.name for alias in column.aliases}
    return names | {folded(column.name): column.name for column in schema.fields.values()}


def _price_name(name: str, known: Mapping[str, str], schema: RowSchema) -> str:
    """The price a header means once `inkl. moms` or `ekskl. moms` is taken off it. Only a price: other amounts are
    another field with VAT than without it."""
    base = without_vat_words(name)
    target = known.get(base, "") if base != name else ""
    return target if target and is_price(schema, target) else ""


def is_price(schema: RowSchema, name: str) -> bool:
    """Whether a field is the price of one unit, which may include VAT."""
    return name == "unitPrice" or (name in schema.fields and schema.fields[name].kind is Kind.PRICE)


def _nearest(name: str, known: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR) if 0 < len(name) <= LONGEST_NAME else []
    return fields_of(known[near[0]])[0] if near else ""


def _is_target(target: str, schema: RowSchema) -> bool:
    return set(fields_of(target)) <= set(schema.fields)


def _columns_named(name: str, columns: Sequence[str]) -> list[str]:
    """The columns a mapping means: of that very name, otherwise all that compare equal."""
    if name in columns:
        return [name]
    return [column for column in columns if folded(column) and folded(column) == folded(name)]


def _by_options(options: ReadingOptions, columns: Sequence[str], schema: RowSchema) -> dict[str, Claim]:
    claims: dict[str, Claim] = {}
    language = options.language.value
    reason = sentence("column_switched_off", language)
    for name, target in options.mapping.items():
        if target and not _is_target(target, schema):
            known = ", ".join([*schema.fields, *(name for name in COMBINED if _is_target(name, schema))])
            raise UnreadableFile("bad_mapping", name=quoted(target), what=sentence("what_field", language), known=known)
        named = _columns_named(name, columns)
        if not named:
            there = listed(columns, known_headers(schema), language)
            what = sentence("what_column", language)
            raise UnreadableFile("bad_mapping", name=quoted(name), what=what, known=there)
        claims |= {column: Claim(column, target, Level.OPTION, reason=reason) for column in named}
    return claims


def _by_memory(
    remembered: Mapping[str, str], columns: Sequence[str], schema: RowSchema, options: ReadingOptions
) -> dict[str, Claim]:
    """What was said before; fields that have gone since, and columns that are not there, say nothing any more."""
    reason = sentence("column_remembered_off", options.language.value)
    return {
        column: Claim(column, target, Level.REMEMBERED, reason=reason)
        for name, target in remembered.items()
        if not target or _is_target(target, schema)
        for column in _columns_named(name, columns)
    }


def _by_profile(profile: Profile | None, schema: RowSchema, options: ReadingOptions) -> dict[str, Claim]:
    """Header, folded -> what the profile makes of it."""
    if profile is None:
        return {}
    language = options.language.value
    marks = sentence("column_marks_rows", language, title=profile.title)
    unused = sentence("column_of_profile", language, title=profile.title)
    claims = {folded(name): Claim(name, "", Level.PROFILE, reason=marks) for name in profile.excluded}
    for order, (name, target) in enumerate(profile.meaning.items()):
        usable = target if target and _is_target(target, schema) else ""
        claims[folded(name)] = Claim(name, usable, Level.PROFILE, order, reason=unused)
    for target, names in profile.joined.items():
        if target in schema.fields:
            for part, name in enumerate(names, start=1):
                claims[folded(name)] = Claim(name, target, Level.PROFILE, len(claims), part)
    return claims


def _person_fields(schema: RowSchema) -> tuple[str, ...]:
    """The fields a person's name may go to; only a resource that has both speaks of people."""
    return next((pair for pair in PERSON_FIELDS if set(pair) <= set(schema.fields)), ())


def _place_persons(
    persons: Sequence[Claim], claims: Sequence[Claim], options: ReadingOptions, schema: RowSchema
) -> tuple[list[Claim], list[str]]:
    """Claims of a person's first and last name to the name, where the file has no other, or to the contact person; and
    the columns of a name that is incomplete."""
    if not {1, 3} <= {claim.part for claim in persons}:
        return [], [claim.column for claim in persons]
    name, contact = _person_fields(schema)
    wanted = {field for claim in claims for field in claim.fields} | set(options.set)
    place = contact if name in wanted else name
    return [Claim(claim.column, place, Level.PERSON, claim.order, claim.part) for claim in persons], []


def _let_persons_stand_in(taken: dict[str, list[Claim]], options: ReadingOptions) -> None:
    """Where no column names the customer, the person a profile puts together is the customer (a shop's buyer)."""
    for name, contact in PERSON_FIELDS:
        if name not in taken and name not in options.set and taken.get(contact, [])[:1] and taken[contact][0].is_piece:
            taken[name] = taken.pop(contact)


def _constants(
    options: ReadingOptions, profile: Profile | None, taken: Mapping[str, list[Claim]], schema: RowSchema
) -> dict[str, str]:
    language = options.language.value
    for name in options.set:
        if name not in schema.fields:
            reason = sentence("set_unknown_field", language, known=", ".join(schema.fields))
            raise UnreadableFile("bad_set", field=quoted(name), reason=reason)
        if name in taken:
            reason = sentence("set_has_column", language, column=quoted(taken[name][0].column))
            raise UnreadableFile("bad_set", field=name, reason=reason)
    usual = profile.constants if profile else {}
    return {name: value for name, value in usual.items() if name in schema.fields and name not in taken} | options.set


def _require(schema: RowSchema, present: set[str], columns: Sequence[str], options: ReadingOptions) -> None:
    missing = [column.name for column in schema.columns if column.required and column.name not in present]
    if missing:
        names = listed(columns, known_headers(schema), options.language.value)
        known = ", ".join(schema.fields)
        raise UnreadableFile("missing_column", missing=", ".join(missing), names=names, known=known)


def _header_map(
    columns: Sequence[str],
    taken: Mapping[str, list[Claim]],
    *,
    unknown: Mapping[str, str],
    notes: Mapping[str, str],
    constants: dict[str, str],
    profile: Profile | None,
) -> HeaderMap:
    """The outcome, everything in the order of the file."""
    position = {column: place for place, column in enumerate(columns)}
    fields: dict[str, str] = {}
    joined: dict[str, tuple[str, ...]] = {}
    combined: dict[str, str] = {}
    for name, claims in sorted(taken.items(), key=lambda item: min(position[claim.column] for claim in item[1])):
        first = claims[0]
        if first.target in COMBINED:
            combined[first.column] = first.target
        elif len(claims) > 1 or first.is_piece:
            joined[name] = tuple(claim.column for claim in sorted(claims, key=lambda claim: claim.part))
        else:
            fields[name] = first.column
    return HeaderMap(
        fields=fields,
        unknown={column: unknown[column] for column in columns if column in unknown},
        ignored={column: notes[column] for column in columns if column in notes},
        joined=joined,
        combined=combined,
        constants=constants,
        profile=profile.name if profile else "",
        title=profile.title if profile else "",
    )
