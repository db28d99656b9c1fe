"""An undo among others: what another undo of the same job has taken back meanwhile is not taken back again, and a
record that the undo of a delete has made again is found under its new id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Engine

from billy_pipelines.bulk.undo_rules import BACK, Rules, Said, Task
from billy_pipelines.bulk.verdicts import ARCHIVE, CREATE, IN_DOUBT, UPDATE, UndoVerdict
from billy_pipelines.database.items import Item
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.database.other_undos import DoneElsewhere, done_elsewhere, made_again


@dataclass(frozen=True)
class Elsewhere:
    """What other undos have done, as it stands while this one has the right to write."""

    rows: Mapping[int, DoneElsewhere]
    """By item index, which is the same in all undos of a job."""
    again: Mapping[str, DoneElsewhere]
    """By the id that a record had before it was deleted."""

    @classmethod
    def of(cls, engine: Engine, undo: JobRow) -> Elsewhere:
        """For this undo."""
        return cls(done_elsewhere(engine, undo.undoes or "", undo.job_id), made_again(engine, undo.organization))

    def task(self, item: Item) -> Task:
        """The task of a row; where another undo broke off in the middle of a record, its restoring has begun."""
        task, done = Task.of_item(item), self.rows.get(item.item_index)
        begun = done is not None and done.status == UndoVerdict.FAILED and task.did in (UPDATE, ARCHIVE)
        return replace(task, begun=task.begun or begun)

    def said(self, rules: Rules, item: Item, task: Task) -> Said | None:
        """Why the row is nothing for this undo; None where it is."""
        done = self.rows.get(item.item_index)
        if done is not None and done.status == UndoVerdict.REVERSED:
            return rules.kept("undone_elsewhere", job=done.job_id)
        last = self._last(task)
        doubted = next((each for each in (done, last) if each and each.status in IN_DOUBT), None)
        return rules.kept("undo_unsettled", job=doubted.job_id) if doubted else None

    def present_id(self, task: Task) -> str | None:
        """The id under which the record of a task is in Billy, if it is there."""
        last = self._last(task)
        return last.billy_id if last is not None else task.billy_id

    def _last(self, task: Task) -> DoneElsewhere | None:
        """The last undo that made the record again; a record can be deleted and made again several times."""
        if BACK.get(task.did) in (None, CREATE):
            return None
        last, known = self.again.get(task.billy_id or ""), {task.billy_id}
        while last is not None and last.billy_id not in known and (later := self.again.get(last.billy_id or "")):
            known.add(last.billy_id)
            last = later
        return last
