"""Plays the undo of a history: a person's edits before it, its turns, and at last, without faults, its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from billy_pipelines.bulk.undo_target import selection_of
from billy_pipelines.bulk.verdicts import State
from billy_pipelines.database.jobs import JobRow, list_jobs
from billy_pipelines_tests.campaign.crew import Member
from billy_pipelines_tests.campaign.evidence import Asked
from billy_pipelines_tests.campaign.process import Ask, Task
from billy_pipelines_tests.campaign.shapes import Turn, Undo
from billy_pipelines_tests.campaign.undo_accounts import has_changed
from billy_pipelines_tests.support import wait_until

if TYPE_CHECKING:
    from billy_pipelines_tests.campaign.play import Player

MOST_ROUNDS = 8
NOTHING_TO_DO = frozenset({"nothing_to_undo", "only_planned", "still_running"})
"""Refusals of a job that has changed nothing; `still_running` is one that nobody has begun."""
NOT_THESE = "nothing_to_undo"


def take_back(player: Player, undo: Undo) -> None:
    """The undo from beginning to end; nothing where there is no job yet."""
    job = player.job(undo.file)
    if job is not None:
        _Undoing(player, undo, job.job_id).play()


class _Undoing:
    def __init__(self, player: Player, undo: Undo, job_id: str) -> None:
        self._player, self._undo, self._job_id = player, undo, job_id

    def play(self) -> None:
        player = self._player
        wait_until(player.nobody_works, 60)
        for edit in self._undo.edits:
            player.around.edit(edit)
        player.note_silence()
        since, began = len(player.billy.ledger), datetime.now(UTC)
        player.asked = Asked(self._job_id, self._undo.early, began, since)
        player.around.happened["undo" + (" of an unfinished job" if self._undo.early else "")] += 1
        player.around.trouble(self._undo.faults)
        if self._undo.dry:
            self._dry_run()
        for turn in self._undo.turns:
            self._turn(turn)
            player.look()
        player.around.calm()
        self._to_the_end()
        self._ask_once_more()
        player.note_silence()
        player.asked = replace(player.asked, over=True)
        player.look()
        # What jobs do afterwards is theirs; the undo has been judged.
        player.asked = replace(player.asked, until=len(player.billy.ledger))

    def _turn(self, turn: Turn) -> None:
        newest = self._newest()
        goes_on = turn.how == "retry" and newest is not None and newest.status != State.COMPLETED
        task = self._go_on(newest) if goes_on and newest is not None else self._ask(some=True)
        self._hear(self._player.turn(turn, [(self._undo.file, task)]), some=True)

    def _dry_run(self) -> None:
        """Only planned, and Billy as faulty as it is: nothing is written, and the job is what it was."""
        player, status, changes = self._player, self._status(), len(self._player.billy.ledger)
        player.full_speed()
        self._hear(player.run([(self._undo.file, self._ask(some=True, dry_run=True))], []), some=True)
        if self._status() != status or len(player.billy.ledger) != changes:
            more = [(c.operation, c.id) for c in player.billy.ledger[changes:]]
            player.violation("undo planned", f"{self._job_id} was {status}, is {self._status()}, and in Billy: {more}")
        player.around.happened["undo planned"] += 1
        player.look()

    def _hear(self, members: Sequence[Member], *, some: bool = False) -> None:
        """A refusal has to be right: there is nothing to undo, or nothing any more. `some`: asked for not all rows."""
        some = some and self._undo.some
        for each in members:
            refused = each.told.refused if each.told else ""
            if refused and not self._is_right(refused, some):
                self._player.violation("undo refused", f"{self._job_id} {'some' if some else 'all'} rows: {refused}")

    def _is_right(self, refused: str, some: bool) -> bool:
        if refused == "already_undone":
            return self._status() == State.UNDONE
        if refused == "undo_unfinished":  # asked for other rows than the one that broke off
            return self._undo.some
        return (refused == NOT_THESE and some) or (refused in NOTHING_TO_DO and not self._has_changed_anything())

    def _has_changed_anything(self) -> bool:
        target = next(job for job in self._player.look().jobs if job.row.job_id == self._job_id)
        return any(has_changed(item) for item in target.items)

    def _to_the_end(self) -> None:
        """Go on with the undo until nothing is left to go on with; then with what the first one was not asked for."""
        before: JobRow | None = None
        for _ in range(MOST_ROUNDS):
            newest, player = self._newest(), self._player
            settled = newest is not None and _is_settled(newest, before)
            if self._status() == State.UNDONE or (settled and newest is not None and not any(selection_of(newest))):
                return
            player.full_speed()
            player.note_silence()
            player.sweep()
            # Gone on with, one that was only planned would be planned again.
            asks = newest is None or newest.status in (State.COMPLETED, State.PLANNED) or settled
            task = self._ask() if newest is None or asks else self._go_on(newest)
            members = player.run([(self._undo.file, task)], [])
            self._hear(members)
            wait_until(player.nobody_works, 60)
            if any(each.told and each.told.refused for each in members):
                return
            before = newest
        newest = self._newest()
        said = f"{newest.status} {newest.counts} {newest.errors[-1:]}" if newest else "there is no undo"
        self._player.violation("no end", f"undo of {self._job_id} in {MOST_ROUNDS} rounds without faults: {said}")

    def _ask_once_more(self) -> None:
        """A job that is undone is not undone again; of one that is so in part, what stays still stays."""
        player, undone = self._player, self._status() == State.UNDONE
        requests, changes = len(player.billy.requests), len(player.billy.ledger)
        player.full_speed()
        members = player.run([(self._undo.file, self._ask())], [])
        self._hear(members)
        refused = any(each.told and each.told.refused for each in members)
        if undone and (not refused or len(player.billy.requests) != requests):
            player.violation("repeated", f"{self._job_id} is undone, and was undone again")
        if len(player.billy.ledger) != changes:
            more = [(c.operation, c.id) for c in player.billy.ledger[changes:]]
            player.violation("repeated", f"the undo of {self._job_id} was over, and asked for again did {more}")

    # -- tasks -----------------------------------------------------------------------------------------------------

    def _ask(self, *, some: bool = False, dry_run: bool = False) -> Task:
        lines, only = (self._undo.lines, self._undo.only) if some else ("", "")
        return Task(self._player.settings, ask=Ask(self._job_id, lines, only, dry_run))

    def _go_on(self, undo: JobRow) -> Task:
        return Task(self._player.settings, job_id=undo.job_id)

    def _status(self) -> str:
        job = next(row for row in list_jobs(self._player.engine, limit=100) if row.job_id == self._job_id)
        return job.status

    def _newest(self) -> JobRow | None:
        return next((row for row in list_jobs(self._player.engine, limit=100) if row.undoes == self._job_id), None)


def _is_settled(newest: JobRow, before: JobRow | None) -> bool:
    """Whether what it could not take back was tried once more, and it is as it was."""
    same = before is not None and (before.job_id, before.counts) == (newest.job_id, newest.counts)
    return same and newest.status == State.COMPLETED_WITH_ERRORS
