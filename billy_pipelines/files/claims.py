"""Columns that want to be fields, and which of them get what they want."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from billy_pipelines.files.compound import COMBINED
from billy_pipelines.files.names import quoted
from billy_pipelines.files.table import UnreadableFile
from billy_pipelines.schemas.codes import sentence
from billy_pipelines.schemas.row_schema import Grouping


class Level(IntEnum):
    """Whose word about a column it is; the smaller, the more it counts."""

    OPTION = 0
    REMEMBERED = 1
    PROFILE = 2
    NAME = 3
    PERSON = 4
    """First name and last name: they go where there is room."""


@dataclass(frozen=True)
class Claim:
    """What a column is, according to one of them."""

    column: str
    target: str
    """A field, a name in `compound.COMBINED`, or '': the column is not used."""
    level: Level
    order: int = 0
    """Place among claims of one level: position in the file; in a profile, what it names first is what it prefers."""
    part: int = 0
    """Place among several columns for one field; 0: it is the whole."""
    reason: str = ""
    """Why it is not used."""

    @property
    def is_piece(self) -> bool:
        """Whether a profile puts the field together, be it from one column."""
        return self.part > 0 and self.level is Level.PROFILE

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields the column would fill."""
        return fields_of(self.target)


def fields_of(target: str) -> tuple[str, ...]:
    """The fields behind a target."""
    return COMBINED[target].fields if target in COMBINED else (target,)


def settle(claims: Iterable[Claim], language: str) -> tuple[dict[str, list[Claim]], dict[str, str]]:
    """Give every field to the column whose word counts most: field -> its claims, column that lost -> why.

    Raises:
        UnreadableFile: `two_columns_one_field`, where no word counts more than the other.
    """
    taken: dict[str, list[Claim]] = {}
    lost: dict[str, str] = {}
    for claim in sorted(claims, key=lambda claim: (claim.level, claim.order)):
        rivals = [held for name in claim.fields for held in taken.get(name, ())]
        if not rivals:
            taken |= {name: [claim] for name in claim.fields}
        elif any(rival.level < claim.level for rival in rivals):
            lost[claim.column] = _lost(claim.fields, rivals[0], language)
        elif claim.part and all(rival.part not in (0, claim.part) for rival in rivals):
            taken[claim.target].append(claim)
        elif claim.level is Level.PROFILE and all(rival.order != claim.order for rival in rivals):
            lost[claim.column] = _lost(claim.fields, rivals[0], language)
        else:
            first, second, field = quoted(rivals[0].column), quoted(claim.column), " + ".join(claim.fields)
            raise UnreadableFile("two_columns_one_field", first=first, second=second, field=field)
    return taken, lost


def columns_of_lines(
    unknown: Iterable[str], claims: list[Claim], grouping: Grouping, columns: Sequence[str], language: str
) -> set[str]:
    """Columns `lines.description` beside `description`: a key that a JSON record and its lines both have.

    For a field of the lines it is the lines' own column that counts, for a field of the record the record's. Changes
    the claims, and returns the columns of lines it dealt with.
    """
    nested: set[str] = set()
    for column in unknown:
        parent = column.removeprefix(f"{grouping.children}.")
        place = next((i for i, claim in enumerate(claims) if claim.column == parent and claim.target), None)
        if parent == column or place is None or claims[place].level is not Level.NAME:
            continue
        claim = claims[place]
        loser, winner = column, claim
        if not set(claim.fields) <= set(grouping.header):
            loser, winner = parent, replace(claim, column=column, order=columns.index(column))
            claims[place] = winner
        claims.append(Claim(loser, "", Level.NAME, reason=_lost(claim.fields, winner, language)))
        nested.add(column)
    return nested


def _lost(fields: Sequence[str], rival: Claim, language: str) -> str:
    return sentence("column_taken", language, field=" + ".join(fields), column=quoted(rival.column))
