"""What undo does about one record: taken back, left as it is and why, or nothing left to do. Pure decisions, no I/O.

Judged when the undo is planned, and again on the record as it is just before its write: what people change meanwhile is
left alone too. A record is restored as a whole or not at all: an address of which the street is old and the town new
would be worse than either.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from billy_pipelines.billy.models import Record
from billy_pipelines.bulk.matching import Register
from billy_pipelines.bulk.verdicts import (
    APPROVE,
    ARCHIVE,
    CREATE,
    DELETE,
    IN_DOUBT,
    UPDATE,
    UndoVerdict,
    Verdict,
)
from billy_pipelines.database.items import Item, Outcome
from billy_pipelines.database.undoing import ChangedRow, TakenBack
from billy_pipelines.schemas.codes import sentence
from billy_pipelines.schemas.new_ids import under_new_ids
from billy_pipelines.schemas.resource import Resource
from billy_pipelines.schemas.undoing import Restoring, edited, has_begun, restoring

DID = {
    Verdict.CREATED: CREATE,
    Verdict.UPDATED: UPDATE,
    Verdict.ARCHIVED: ARCHIVE,
    Verdict.DELETED: DELETE,
}
"""Verdict of a row -> what its job did to the record."""
UNSETTLED = ""
"""What became of the row is not known."""
BACK = {CREATE: DELETE, UPDATE: UPDATE, ARCHIVE: UPDATE, DELETE: CREATE}
"""What the job did -> what takes it back."""
CREATED_THEN = "createdTime"
PARTLY = "partly_changed"
"""Some requests of a record are in the books and others are not: the code of a job's row, and of an undo's."""


@dataclass(frozen=True)
class Task:
    """One record to take back, as the undo's journal keeps it in `item_data`."""

    did: str
    """What the job did to the record, '' where that is not known."""
    billy_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    begun: bool = False
    """Whether a part of the record is restored already: then it is never as people left it."""

    @classmethod
    def of_row(cls, row: ChangedRow, earlier: TakenBack | None = None) -> Task:
        """The task for a row of the job; `earlier`: what an earlier undo has made of it."""
        if row.status in (*IN_DOUBT, Verdict.FAILED) and row.action in (CREATE, APPROVE) and row.billy_id:
            did = CREATE  # it failed, or is in doubt, but its record is there
        elif row.error_code == PARTLY:
            did = row.action if row.action in (UPDATE, ARCHIVE) else UNSETTLED
        else:
            did = DID.get(Verdict(row.status), UNSETTLED) if row.status in DID else UNSETTLED
        begun = did in (UPDATE, ARCHIVE) and earlier is not None and earlier.error_code == PARTLY
        return cls(did, row.billy_id, row.before_image, row.after_image, begun)

    @classmethod
    def read(cls, item_data: Mapping[str, Any] | None) -> Task:
        """As it stands in the journal."""
        return cls(**(item_data or {}))

    @classmethod
    def of_item(cls, item: Item) -> Task:
        """The task of an undo's row. One that restores a record has an image only once a part of it is restored."""
        task = cls.read(item.item_data)
        return replace(task, begun=task.begun or (task.did in (UPDATE, ARCHIVE) and item.before_image is not None))

    def written(self) -> dict[str, Any]:
        """For the journal."""
        return asdict(self)


@dataclass(frozen=True)
class Said:
    """A verdict that needs no request, with its code and sentence."""

    verdict: UndoVerdict
    code: str
    text: str
    image: dict[str, Any] | None = None
    """The record as it is now, where somebody needs it (to credit an invoice that stays)."""

    def outcome(self, item_index: int, **more: Any) -> Outcome:
        """For the journal."""
        text = self.text
        return Outcome(item_index, self.verdict, before_image=self.image, error_code=self.code, error=text, **more)


@dataclass(frozen=True)
class Undoable:
    """There is something to do: delete the record, restore it, make it again."""

    action: str
    work: Restoring | None = None


Judgement = Said | Undoable


class Rules:
    """The rules of one resource, in the language of the job's owner."""

    def __init__(self, resource: Resource[Any], language: str, job_started: str = "") -> None:
        """`job_started`: when the job began, as Billy writes times; a record older than that was there before it."""
        self._resource = resource
        self._language = language
        self._job_started = job_started

    def kept(self, code: str, **details: Any) -> Said:
        """It stays as it is."""
        return Said(UndoVerdict.KEPT, code, sentence(code, self._language, **details))

    def reversed(self, code: str, **details: Any) -> Said:
        """It is taken back, and this is to be said of it."""
        return Said(UndoVerdict.REVERSED, code, sentence(code, self._language, **details))

    def half(self, code: str, image: dict[str, Any] | None, **details: Any) -> Said:
        """A part of it is restored and the rest cannot be: never called kept. `code` is that of the sentence; by the
        image, which every half has, the next try knows of it."""
        return Said(UndoVerdict.FAILED, PARTLY, sentence(code, self._language, **details), image)

    def has_begun(self, task: Task, record: Record, planned: Collection[str] | None) -> bool:
        """Whether a part of what was `planned` (all the job changed, if None) has been restored."""
        images = *self._images(task, record), record.image()
        is_change = task.did in (UPDATE, ARCHIVE)
        return is_change and has_begun(self._resource.undo, self._resource.writable, *images, planned)

    def _images(self, task: Task, record: Record) -> tuple[dict[str, Any], dict[str, Any]]:
        """What it was before and after the job, as far as its present children can be told from them."""
        before, after = task.before or {}, task.after or {}
        if record.id == task.billy_id:
            return before, after
        return under_new_ids(self._resource.undo, before, after, record.image())

    def taken_back(self, task: Task, item: Item, before: dict[str, Any] | None = None) -> Outcome:
        """It is taken back; that it had another id by then is said."""
        if item.billy_id in (None, task.billy_id):
            return Outcome(item.item_index, UndoVerdict.REVERSED, before_image=before)
        said = self.reversed("reversed_made_again", old=task.billy_id or "", new=item.billy_id)
        return replace(said, image=before).outcome(item.item_index)

    def without_record(self, task: Task) -> Said | None:
        """What holds whatever the record is now; None where that has to be looked at."""
        missing = (
            (task.did == CREATE and task.after is None)
            or (task.did in (UPDATE, ARCHIVE) and (task.before is None or task.after is None))
            or (task.did == DELETE and task.before is None)
        )
        if task.did == UNSETTLED:
            return self.kept("job_unsettled")
        return self.kept("image_missing") if missing else None

    def gone(self, task: Task) -> Said:
        """The record is in Billy no more: as wanted for one the job made, too late for one it changed."""
        return self.reversed("already_gone") if task.did == CREATE else self.kept("deleted_since")

    def judge(self, task: Task, record: Record, references: Any) -> Judgement:
        """What is to be done about a record as it is now, that the job has made or changed."""
        now, (before, after) = record.image(), self._images(task, record)
        if task.did == CREATE:
            return self._made(record, now, after, references)
        work = restoring(self._resource.undo, self._resource.writable, before, after, now)
        if work.edited:
            found = {"fields": ", ".join(dict.fromkeys(work.edited)), "ids": record.id}
            return self.half("half_edited", now, **found) if task.begun else self.kept("edited_since", **found)
        if not work.keys and not work.children:
            return self.reversed("as_before")
        if obstacle := self._resource.update_obstacle({}, record, self._language):
            if task.begun:
                return self.half("half_restored", now, message=obstacle.message)
            return Said(UndoVerdict.KEPT, obstacle.code, obstacle.message)
        return Undoable(UPDATE, work)

    def _made(self, record: Record, now: dict[str, Any], after: dict[str, Any], references: Any) -> Judgement:
        resource = self._resource
        if keeps := resource.undo.keeps(now, after, self._language):
            return Said(UndoVerdict.KEPT, keeps.code, keeps.message, now)
        if fields := edited(resource.undo, resource.writable, after, now):
            return self.kept("edited_since", fields=", ".join(dict.fromkeys(fields)), ids=record.id)
        if obstacle := resource.delete_obstacle(record, references, self._language):
            return Said(UndoVerdict.KEPT, obstacle.code, obstacle.message)
        if resource.in_use(record, references):
            return self.kept("in_use_since", kind=resource.singular, ids=record.id)
        return Undoable(DELETE)

    def row(self, task: Task) -> dict[str, Any]:
        """The row that would make the record as it was before the job."""
        return self._resource.undo.row(task.before or {})

    def judge_again(self, task: Task, register: Register[Any]) -> Judgement:
        """What is to be done about a record the job deleted, by what is in Billy beside what the undo made (B19)."""
        again = [record for record in self._fitting(register, self.row(task)) if not self._was_there(record)]
        if again:
            return self.kept("there_again", ids=", ".join(dict.fromkeys(record.id for record in again)))
        return Undoable(CREATE)

    def _fitting(self, register: Register[Any], row: dict[str, Any]) -> list[Any]:
        """Records in Billy that a deleted one's row may mean."""
        match = register.find(row)
        found = [match.record] if match.record is not None else list(match.candidates)
        return [*found, *(r for r in register.same_name(row) if not self._resource.differences(row, r))]

    def _was_there(self, record: Record) -> bool:
        """Whether it was there before the job: then it is another one of that name."""
        created = getattr(record, CREATED_THEN, None)
        return isinstance(created, str) and bool(self._job_started) and created[:19] < self._job_started

    def made_again(self, task: Task, new_id: str) -> Said:
        """A deleted record was made again."""
        image = task.before or {}
        unknown = [each.field for each in self._resource.undo.children if image.get(each.field) is None]
        ids = {"new": new_id, "old": task.billy_id or ""}
        if unknown:
            return self.reversed("made_again_in_part", fields=", ".join(unknown), **ids)
        return self.reversed("made_again", **ids)
