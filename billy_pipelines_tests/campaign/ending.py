"""The end of a history's jobs: without faults each is gone on with until nothing is left to go on with, and its file
dropped once more after that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billy_pipelines.bulk.verdicts import FINISHED, State
from billy_pipelines.database.jobs import JobRow
from billy_pipelines_tests.support import wait_until

if TYPE_CHECKING:
    from billy_pipelines_tests.campaign.play import Player

MOST_ROUNDS = 8
UNENDING = frozenset({"too_many_rejected", "upload_missing", "upload_changed", "bad_option"})
"""Failures that going on does not mend."""


def take_to_the_end(player: Player, number: int) -> None:
    """Go on with a file's job until nothing is left to go on with."""
    file, before = player.history.files[number], None
    for _ in range(MOST_ROUNDS):
        job = player.job(number)
        if job is not None and _is_over(job, before):
            return
        before = job
        player.full_speed()
        player.note_silence()
        player.sweep()
        pending = job is None or job.status == State.PENDING
        tasks = [(number, player.drop(file))] if pending else []
        if job is not None:
            tasks.append((number, player.go_on(job)))
        for task in tasks:
            player.run([task], [])
        wait_until(player.nobody_works, 60)
    job = player.job(number)
    text = f"file {number} did not come to its end in {MOST_ROUNDS} rounds without faults: " + (
        f"{job.status} {job.counts} {job.errors[-1:]}" if job else "there is no job"
    )
    player.violation("no end", text)


def drop_once_more(player: Player) -> None:
    """A file that is completed is dropped again: nothing is sent, no second job is made."""
    for number, file in enumerate(player.history.files):
        job = player.job(number)
        if job is not None and job.status in FINISHED:
            before = len(player.billy.requests)
            player.run([(number, player.drop(file))], [])
            if len(player.billy.requests) != before:
                player.violation("repeated", f"file {number} was completed and dropped again; something was sent")


def _is_over(job: JobRow, before: JobRow | None) -> bool:
    if job.status in (State.COMPLETED, State.UNDOING, State.UNDONE, State.UNDONE_PARTLY):
        return True
    if job.status == State.FAILED and job.errors and job.errors[-1]["code"] in UNENDING:
        return True
    # Its failed rows were tried once more, and it is as it was. One that broke off has not had them tried.
    ends = (State.COMPLETED_WITH_ERRORS,) * 2
    return before is not None and (before.status, job.status) == ends and before.counts == job.counts
