"""The words of the journal: what a row's status can be, what a job's state can be, and how they add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum


class Verdict(StrEnum):
    """How an input row ends: exactly one of these, and the counts add up to the rows of the file."""

    CREATED = "created"
    UPDATED = "updated"
    ARCHIVED = "archived"
    DELETED = "deleted"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    FAILED = "failed"
    UNPROCESSED = "unprocessed"


class UndoVerdict(StrEnum):
    """How a row of an undo ends; the rows of an undo are those of its job that changed something."""

    REVERSED = "reversed"
    KEPT = "kept"
    FAILED = "failed"
    UNPROCESSED = "unprocessed"


UNDO = "undo"
"""The operation of a job that takes another one back."""


def verdicts_of(operation: str) -> tuple[str, ...]:
    """The verdicts that the rows of a job can have, in the order in which they are shown."""
    return tuple(UndoVerdict if operation == UNDO else Verdict)


SUCCESSFUL = (
    *(Verdict.CREATED, Verdict.UPDATED, Verdict.ARCHIVED, Verdict.DELETED, Verdict.UNCHANGED),
    UndoVerdict.REVERSED,
)

NOT_FINE = (Verdict.REJECTED, Verdict.FAILED, Verdict.UNPROCESSED, UndoVerdict.KEPT)
"""Verdicts for the sake of which a finished job has finished with errors."""

VALID = "valid"
"""Passed validation, not planned yet."""
PLANNED = "planned"
"""Has an action that is still to be carried out."""
SENDING = "sending"
"""Durably marked before its request left; no outcome yet."""
OUTCOME_UNKNOWN = "outcome_unknown"
"""Its request left and no clear answer came; to be settled by reading Billy."""

OPEN = (VALID, PLANNED, Verdict.UNPROCESSED)
"""Rows nothing was sent for: a resumed job plans them again."""
IN_DOUBT = (SENDING, OUTCOME_UNKNOWN)
"""Rows that may be in Billy: looked for before anything else happens to them."""
DECIDED_BY_PLAN = (Verdict.SKIPPED, Verdict.UNCHANGED, Verdict.REJECTED)
"""Verdicts that need no request; the plan may give them anew as long as nothing was written."""

CREATE = "create"
UPDATE = "update"
ARCHIVE = "archive"
DELETE = "delete"
ACTIONS = (CREATE, UPDATE, ARCHIVE, DELETE)
APPROVE = "approve"
"""What a created draft is marked with while its approval is out (rule B10); before and after it the row is a create."""
VERDICT_OF_ACTION = {
    CREATE: Verdict.CREATED,
    UPDATE: Verdict.UPDATED,
    ARCHIVE: Verdict.ARCHIVED,
    DELETE: Verdict.DELETED,
}


class State(StrEnum):
    """A job's state (design.md section 3; meanings in runtime.md section 2)."""

    PENDING = "pending"
    VALIDATING = "validating"
    PLANNED = "planned"
    PROCESSING = "processing"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    UNDOING = "undoing"
    UNDONE = "undone"
    UNDONE_PARTLY = "undone_partly"


RUNNING = (State.VALIDATING, State.PLANNED, State.PROCESSING)
"""States of a job that a process works on; `planned` is an end too, of a dry run (`lifecycle.in_progress`)."""
RESUMABLE = (State.INTERRUPTED, State.FAILED, State.CANCELLED)
FINISHED = (State.COMPLETED, State.COMPLETED_WITH_ERRORS)
RETRIABLE = (*RESUMABLE, State.COMPLETED_WITH_ERRORS)

VERDICT_OF_STATUS: dict[str, Verdict | UndoVerdict] = {
    **{verdict.value: verdict for verdict in UndoVerdict},
    **{verdict.value: verdict for verdict in Verdict},
    VALID: Verdict.UNPROCESSED,
    PLANNED: Verdict.UNPROCESSED,
    SENDING: Verdict.FAILED,
    OUTCOME_UNKNOWN: Verdict.FAILED,
}
"""What a status counts as when the job stops there. A row that may be in Billy is never called unprocessed."""


def tally(statuses: Mapping[str, int], total: int, verdicts: Sequence[str] = tuple(Verdict)) -> dict[str, int]:
    """Counts per verdict, all of them present, adding up to the rows of the file.

    Rows of the file that never reached the journal (the job ended before) count as unprocessed.
    """
    counts = {str(verdict): 0 for verdict in verdicts}
    for status, number in statuses.items():
        counts[VERDICT_OF_STATUS[status]] += number
    counts[Verdict.UNPROCESSED] += max(0, total - sum(counts.values()))
    return {"total": sum(counts.values()), **counts}


def finished_state(counts: Mapping[str, int]) -> State:
    """The state of a job that ran to its end."""
    bad = sum(counts.get(verdict, 0) for verdict in NOT_FINE)
    return State.COMPLETED_WITH_ERRORS if bad else State.COMPLETED
