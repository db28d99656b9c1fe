"""The job that is taken back: its state during an undo and afterwards, and what of it is left to undo."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, Engine, func, text

from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.verdicts import RUNNING, State, UndoVerdict, tally, verdicts_of
from billy_pipelines.database.jobs import JobRow, get_job, parts_of, update_job
from billy_pipelines.database.journal import Journal
from billy_pipelines.database.locks import job_is_alive, lock_key
from billy_pipelines.database.tables import jobs
from billy_pipelines.database.undoing import ChangedRow, changed_rows, note_undo, taken_back, undos_of

SELECTION = "undo"
"""Key in an undo's `source` under which its selection is kept, and what its job was before it."""


def lock_undos(connection: Connection, job_id: str) -> None:
    """Two undos of one job are begun, and change its state, one after the other."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key("undo", job_id)})


def selection_of(undo: JobRow) -> tuple[str, str]:
    """Lines and kind (`created`, `updated`) an undo is asked for; '' each for all."""
    chosen = undo.source.get(SELECTION) or {}
    return str(chosen.get("lines") or ""), str(chosen.get("only") or "")


def parse_lines(lines: str) -> list[tuple[int, int]]:
    """`2,5-9` as ranges; none for ''.

    Raises:
        ValueError: it is not written like that.
    """
    ranges = []
    for part in filter(None, (each.strip() for each in lines.split(","))):
        first, _, last = part.partition("-")
        ranges.append((int(first), int(last or first)))
        if not 0 < ranges[-1][0] <= ranges[-1][1]:
            raise ValueError(part)
    return ranges


def rows_to_undo(
    engine: Engine, job_id: str, lines: str = "", only: str = "", connection: Connection | None = None
) -> list[ChangedRow]:
    """Rows of a job that changed something and were not taken back yet, as far as they are asked for, the last first.

    A record of several rows goes whole when one of its lines is named. `connection`: where something of the job is
    written that is not committed, and counts.
    """
    ranges = parse_lines(lines)
    rows = rows_left(engine, job_id, connection)
    named = {_leader(row) for row in rows if any(first <= row.line <= last for first, last in ranges)}
    return [row for row in rows if (not ranges or _leader(row) in named) and (not only or _kind(row) == only)]


def rows_left(engine: Engine, job_id: str, connection: Connection | None = None) -> list[ChangedRow]:
    """Those of a job that changed something and were not taken back yet, the last first."""
    back = {index for index, each in taken_back(engine, job_id).items() if each.status == UndoVerdict.REVERSED}
    return [row for row in changed_rows(connection or engine, job_id) if row.item_index not in back]


def _leader(row: ChangedRow) -> int:
    return row.item_index if row.leader_index is None else row.leader_index


def _kind(row: ChangedRow) -> str:
    kinds = {"create": "created", "approve": "created", "update": "updated", "archive": "updated"}
    return kinds.get(row.action or "", "")


def mark_undoing(engine: Engine, undo: JobRow) -> None:
    """From now on no run may work on the job that is taken back, nor on the one it was a part of.

    Raises:
        Halted: one does at this moment.
    """
    with engine.begin() as connection:
        lock_undos(connection, undo.undoes or "")
        was: dict[str, str] = {}
        for target in _concerned(connection, undo):
            if target.status in RUNNING and job_is_alive(connection, target.part_of or target.job_id):
                text = f"Job {target.job_id} is running. `billy cancel {target.job_id}` stops it."
                raise Halted("still_running", text)
            if target.status != State.UNDOING:
                running = target.status in (State.PENDING, *RUNNING)
                was[target.job_id] = State.INTERRUPTED if running else target.status
            update_job(connection, target.job_id, status=State.UNDOING, launch_wanted=False)
            note_undo(connection, target.job_id, undo.job_id)
        chosen = undo.source.get(SELECTION) or {}
        source = {**undo.source, SELECTION: {**chosen, "was": {**(chosen.get("was") or {}), **was}}}
        update_job(connection, undo.job_id, source=source)


def was_cut_off(undo: JobRow) -> bool:
    """Whether the job that is taken back had lost its process, and not come to an end of its own."""
    return ((undo.source.get(SELECTION) or {}).get("was") or {}).get(undo.undoes) == State.INTERRUPTED


def settle_target(connection: Connection, engine: Engine, undo: JobRow) -> None:
    """The state of the job that was taken back, and of the one it was a part of, once an undo has ended: by what is
    left of them. In the transaction that ends the undo: neither is on record without the other."""
    lock_undos(connection, undo.undoes or "")
    for target in _concerned(connection, undo):
        if target.status != State.UNDOING:
            continue
        job_ids = [target.job_id, *(part.job_id for part in parts_of(connection, [target.job_id]))]
        back = [each for job_id in job_ids for each in taken_back(engine, job_id).values()]
        if not any(each.status == UndoVerdict.REVERSED for each in back):
            state = _before([undo, *undos_of(connection, target.job_id)], target.job_id)
        else:
            left = any(rows_left(engine, job_id) for job_id in job_ids)
            state = State.UNDONE_PARTLY if left else State.UNDONE
        # The undo can have found out what became of rows that were in doubt.
        statuses = Journal(engine, target.job_id).counts()
        counts = tally(statuses, target.total_items, verdicts_of(target.operation))
        ended = func.coalesce(jobs.c.completed_at, func.clock_timestamp())
        update_job(connection, target.job_id, status=state, counts=counts, completed_at=ended)


def _concerned(connection: Connection, undo: JobRow) -> list[JobRow]:
    """The job an undo takes back, and the one it was a part of."""
    target = get_job(connection, undo.undoes or "")
    parent = get_job(connection, target.part_of) if target and target.part_of else None
    return [job for job in (target, parent) if job is not None]


def _before(undos: Iterable[JobRow], job_id: str) -> str:
    """What a job was before anybody began to take it back."""
    known = [((undo.source.get(SELECTION) or {}).get("was") or {}).get(job_id) for undo in undos]
    return next((str(was) for was in known if was), State.COMPLETED_WITH_ERRORS)
