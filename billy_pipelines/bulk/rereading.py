"""A job goes on with other options: which may change, and when its file may be read otherwise than before.

Rows are known by their place in the file. Read otherwise, other rows stand at these places: what was sent of one would
be taken for another's doing, and what is new behind the last would be sent once more. So the rows and the options they
were read with change together, and only as long as nothing of the job may be in Billy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Engine, func

from billy_pipelines.bulk.options import DECIDING_ROWS, OptionsError, parse_options
from billy_pipelines.bulk.verdicts import DELETE, State
from billy_pipelines.database.jobs import JobRow, has_written, update_job
from billy_pipelines.database.journal import Journal
from billy_pipelines.schemas.codes import sentence


def reads_otherwise(connection: Connection, job: JobRow, wanted: Mapping[str, Any]) -> bool:
    """Whether options read the job's file otherwise than it was read up to now; `wanted` are all of the job.

    Then its rows are to be forgotten, and with them what a person has agreed to: that was another plan.

    Raises:
        OptionsError: they would, and what the job did may be in Billy, or it is completed.
    """
    where = f"job {job.job_id}"
    before, after = parse_options(job.options, where), parse_options(wanted, where)
    changed = [name for name in DECIDING_ROWS if getattr(before, name) != getattr(after, name)]
    if changed and (job.status == State.COMPLETED or has_written(connection, job.job_id)):
        language = before.language.value
        raise OptionsError(sentence("reading_settled", language, job=job.job_id, options=", ".join(changed)))
    return bool(changed)


def take_up(
    connection: Connection,
    engine: Engine,
    job: JobRow,
    wanted: Mapping[str, Any],
    given: Iterable[str],
    *,
    launch: bool,
) -> None:
    """Its file was handed in once more, and the job goes on: with those of the options `wanted` that were `given` now;
    its others stay.

    Raises:
        OptionsError: they would read its file otherwise, and something of it may be in Billy.
    """
    own = {name: wanted[name] for name in given}
    if wanted["approve"] and not job.options.get("approve"):
        own["max_error_rate"] = wanted["max_error_rate"]
    options = {**job.options, **own, "dry_run": wanted["dry_run"]}
    anew = reads_otherwise(connection, job, options)
    if anew:
        Journal(engine, job.job_id).forget_unsent(connection)
    update_job(connection, job.job_id, options=options)
    if job.operation == DELETE:
        # Typed, a person stands behind it; dropped, it waits for one, whoever began it (rule B17).
        update_job(connection, job.job_id, applied_at=None if launch else func.now())
    elif anew or options.get("approve"):
        # What is left of an approval waits for a person again (rule B9); nobody has agreed to a plan of other rows.
        update_job(connection, job.job_id, applied_at=None)
