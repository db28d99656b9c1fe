"""Rows that were exported from Billy and come back edited: only what was changed since is a change (rule B22).

An exported row says whose books it is from and which snapshot. The snapshot's row is read the way the file's is, so
that equal cells are equal whatever program has saved the file between; then both are compared with Billy as it is now.
What the snapshot's row alone would change back was changed in Billy since, and is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from billy_pipelines.bulk.context import JobContext
from billy_pipelines.database.jobs import mirror_organization
from billy_pipelines.files.snapshots import ROWS, Snapshot, SnapshotDamaged, snapshots, stamped
from billy_pipelines.schemas.cleaning import clean_text
from billy_pipelines.schemas.codes import Problem, sentence
from billy_pipelines.schemas.resource import Change, Resource, Row
from billy_pipelines.schemas.row_schema import ORIGIN_ORGANIZATION, ORIGIN_SNAPSHOT, Context, Kind, Validated
from billy_pipelines.schemas.validation import validate

ID = "id"
Resolve = Callable[[Row], Row]
"""A row with what it refers to looked up."""


@dataclass(frozen=True)
class SinceExport:
    """What of a row was changed after it was exported."""

    changes: tuple[Change, ...]
    """Changes that somebody made in the file."""
    left: frozenset[str] = frozenset()
    """Fields that Billy has changed since and nobody has touched in the file."""
    conflict: Problem | None = None
    """A field was changed on both sides, to different values."""
    warning: Problem | None = None
    """The snapshot is gone, so every difference counts as a change."""
    compared: bool = False

    @property
    def is_as_exported(self) -> bool:
        """Whether nobody has changed the row since."""
        return self.compared and not self.changes and self.conflict is None


@dataclass
class Exports:
    """The snapshots that rows of a job were exported from; read when a row asks for the first time."""

    resource: Resource[Any]
    organization_id: str
    """Billy's id of the company whose books these are."""
    available: Sequence[Snapshot] = ()
    language: str = "en"
    _read: dict[str, _ExportedRows | None] = field(default_factory=dict)

    def refusal(self, row: Row) -> Problem | None:
        """Why a row must not be used at all: it was exported from the books of another company."""
        origin = row.get(ORIGIN_ORGANIZATION)
        if not origin or origin == self.organization_id:
            return None
        text = sentence("other_organization", self.language, value=origin, own=self.organization_id)
        return Problem("other_organization", ORIGIN_ORGANIZATION, str(origin), text)

    def compare(self, row: Row, record: Any, changes: Sequence[Change], resolve: Resolve) -> SinceExport | None:
        """Which of a row's differences from Billy are changes; None for a row that was not exported, or whose record
        the snapshot does not have. `row` as it stands in the file, not yet resolved."""
        stamp = row.get(ORIGIN_SNAPSHOT)
        if not stamp:
            return None
        exported = self._rows(str(stamp))
        if exported is None:
            text = sentence("snapshot_gone", self.language, value=stamp)
            return SinceExport(
                tuple(changes), warning=Problem("snapshot_gone", ORIGIN_SNAPSHOT, str(stamp), text, True)
            )
        then = exported.row(record.id)
        if then is None:
            return None
        then = {**self._blanks(row), **then}
        back = {change.field: change for change in self.resource.differences(resolve(then), record)}
        both = [change for change in changes if change.field in back and back[change.field].new != change.new]
        if both:
            fields = ", ".join(change.field for change in both)
            text = sentence("conflict", self.language, fields=fields, present=both[0].old, value=both[0].new)
            return SinceExport((), conflict=Problem("conflict", both[0].field, str(both[0].new or ""), text))
        left = frozenset(change.field for change in changes if change.field in back)
        return SinceExport(tuple(change for change in changes if change.field not in left), left, compared=True)

    def not_from_export(
        self, row: Row, problems: Sequence[Problem], judge: Callable[[Row], Sequence[Problem]]
    ) -> list[Problem]:
        """Those problems of a row that its exported row does not have itself: nobody can mend what stands so in Billy.

        `judge` gives the problems of a row.
        """
        stamp, record_id = row.get(ORIGIN_SNAPSHOT), row.get(ID)
        exported = self._rows(str(stamp)) if stamp and record_id and problems else None
        then = exported.row(str(record_id)) if exported is not None else None
        if then is None:
            return list(problems)
        known = {(problem.code, problem.column, problem.value) for problem in judge(then)}
        return [problem for problem in problems if (problem.code, problem.column, problem.value) not in known]

    def without_known_faults(self, cells: pd.DataFrame, validated: Validated) -> pd.DataFrame | None:
        """The cells of a file with those blanked that are wrong and stand just so in Billy: nobody has typed them, and
        they are no reason to refuse what somebody did type in the same row. None when there are none."""
        if ORIGIN_SNAPSHOT not in cells or ID not in cells:
            return None
        blank: dict[str, list[int]] = {}
        for position in map(int, np.flatnonzero(validated.rejected)):
            exported = self._rows(str(cells.at[position, ORIGIN_SNAPSHOT]).strip())
            for problem in validated.problems.get(position, []) if exported is not None else ():
                name = problem.field
                if problem.warning or name not in cells or name == ID or exported is None:
                    continue
                given = clean_text(cells[name].iloc[[position]]).iloc[0]
                if given and given == exported.text(str(cells.at[position, ID]).strip(), name):
                    blank.setdefault(name, []).append(position)
        if not blank:
            return None
        mended = cells.copy()
        for name, positions in blank.items():
            values = mended[name].to_numpy(dtype=object, copy=True)
            values[positions] = ""
            mended[name] = pd.Series(values, index=mended.index, dtype="str")
        return mended

    def _blanks(self, row: Row) -> dict[str, None]:
        """The row's plain cells, blank: what an exported row does not say was blank in Billy."""
        fields = self.resource.schema.fields
        return {name: None for name in row if name in fields and fields[name].kind is not Kind.LIST and name != ID}

    def _rows(self, stamp: str) -> _ExportedRows | None:
        if stamp not in self._read:
            taken_at = stamped(stamp)
            found = [one for one in self.available if taken_at and one.manifest.taken_at == taken_at]
            try:
                self._read[stamp] = _ExportedRows(self.resource, found[0]) if found else None
            except SnapshotDamaged:
                self._read[stamp] = None
        return self._read[stamp]


class _ExportedRows:
    """The rows of a snapshot as an import reads them, by the id of their record."""

    def __init__(self, resource: Resource[Any], snapshot: Snapshot) -> None:
        table = snapshot.table(ROWS)
        cells = {name: table.column(name).to_pandas().fillna("").astype("str") for name in table.column_names}
        frame = pd.DataFrame(cells)
        ids = frame[ID].tolist()
        # As written: a point before decimals, dates as YYYY-MM-DD. Nothing of it is to be guessed.
        context = Context(operation="update", decimal="point", date_order="day_first")
        self._cells = frame
        self._rows = validate(resource.schema, frame, context).rows
        self._places: dict[str, int] = {}
        for place, record_id in enumerate(ids):
            self._places.setdefault(record_id, place)

    def row(self, record_id: str) -> Mapping[str, Any] | None:
        """One record's row; None when the snapshot has no such record."""
        place = self._places.get(record_id)
        if place is None:
            return None
        # What stands in Billy need not be what an import takes; its cells are what they are all the same.
        return self._rows[place] or self._rows.cells(place)

    def text(self, record_id: str, name: str) -> str:
        """One cell of a record's first row as it was exported; '' when there is none."""
        place = self._places.get(record_id)
        if place is None or name not in self._cells:
            return ""
        return str(clean_text(self._cells[name].iloc[[place]]).iloc[0])


def exports_of(job: JobContext) -> Exports:
    """The exports that rows of this job may come from."""
    with job.engine.begin() as connection:
        known = mirror_organization(connection, job.organization.name).billy_organization_id
    return Exports(
        job.resource,
        job.organization.billy_organization_id or known or "",
        snapshots(job.settings, job.organization.name, job.resource.name),
        job.options.language.value,
    )
