"""What other undos have done to the records an undo is about: undos of the same job, and of the records' deletion."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, text

_SAME_JOB = """
SELECT DISTINCT ON (i.item_index) i.item_index, i.job_id, i.status, i.billy_id
FROM billy.billy_bulk_jobs AS j JOIN billy.billy_bulk_job_items AS i ON i.job_id = j.job_id
WHERE j.undoes = :job AND j.job_id <> :undo AND i.leader_index IS NULL
    AND NOT coalesce((j.options ->> 'dry_run')::boolean, false)
    AND (i.status IN ('reversed', 'sending', 'outcome_unknown') OR i.error_code = 'partly_changed')
ORDER BY i.item_index, i.status = 'reversed' DESC, i.status <> 'failed' DESC, j.created_at DESC
"""
# The job's row and not the undo's own data tells the old id: it stays when images are removed (rule B26).
_MADE_AGAIN = """
SELECT t.billy_id, i.job_id, i.status, i.billy_id
FROM billy.billy_bulk_jobs AS j JOIN billy.billy_bulk_job_items AS i ON i.job_id = j.job_id
JOIN billy.billy_bulk_job_items AS t ON t.job_id = j.undoes AND t.item_index = (
    SELECT max(l.item_index) FROM billy.billy_bulk_job_items AS l WHERE l.job_id = j.undoes) - i.item_index
WHERE j.organization = :organization AND j.undoes IS NOT NULL AND i.action = 'create' AND i.leader_index IS NULL
    AND i.status IN ('reversed', 'sending', 'outcome_unknown') AND t.billy_id IS NOT NULL
ORDER BY j.created_at, j.job_id
"""


@dataclass(frozen=True)
class DoneElsewhere:
    """What another undo has made of a record."""

    job_id: str
    status: str
    billy_id: str | None
    """For one that was made again: its new id."""


def done_elsewhere(engine: Engine, job_id: str, undo_id: str) -> dict[int, DoneElsewhere]:
    """The rows of an undo that other undos of its job have taken back, wholly or in part, or have in doubt."""
    with engine.connect() as connection:
        rows = connection.execute(text(_SAME_JOB), {"job": job_id, "undo": undo_id})
        return {index: DoneElsewhere(*rest) for index, *rest in rows}


def made_again(engine: Engine, organization: str) -> dict[str, DoneElsewhere]:
    """Id of a deleted record -> the undo that has made it again, or may have."""
    with engine.connect() as connection:
        rows = connection.execute(text(_MADE_AGAIN), {"organization": organization})
        return {old: DoneElsewhere(*rest) for old, *rest in rows}
