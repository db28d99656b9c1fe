"""How a job's state moves: begin, each way to end, and what each leaves behind. No way to end skips the accounts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Engine, func

from billy_pipelines.bulk import reports
from billy_pipelines.bulk.approvals import leave_drafts, wanted_again
from billy_pipelines.bulk.context import JobContext, load_job
from billy_pipelines.bulk.document import job_document
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.options import OptionsError, check_create_missing, check_policy, parse_options
from billy_pipelines.bulk.reading import remember_mapping
from billy_pipelines.bulk.rereading import reads_otherwise
from billy_pipelines.bulk.retention import is_closed
from billy_pipelines.bulk.sub_jobs import made_counts
from billy_pipelines.bulk.undo_report import write_undo
from billy_pipelines.bulk.undo_target import settle_target
from billy_pipelines.bulk.verdicts import (
    CREATE,
    DELETE,
    FINISHED,
    IN_DOUBT,
    OUTCOME_UNKNOWN,
    PLANNED,
    RETRIABLE,
    RUNNING,
    SUCCESSFUL,
    UNDO,
    UPDATE,
    VALID,
    State,
    UndoVerdict,
    Verdict,
    finished_state,
    tally,
    verdicts_of,
)
from billy_pipelines.database.items import Item, Outcome
from billy_pipelines.database.jobs import JobRow, add_error, change_status, parts_of, server_time, update_job
from billy_pipelines.database.locks import job_is_alive
from billy_pipelines.database.tables import jobs
from billy_pipelines.files.table import Table
from billy_pipelines.files.writing import make_folder
from billy_pipelines.schemas.codes import sentence

BEGINNABLE = (State.PENDING, State.VALIDATING, State.PLANNED, State.PROCESSING, *RETRIABLE)
ENDED = (State.COMPLETED_WITH_ERRORS, State.CANCELLED, State.FAILED)
"""States that only a person goes on from, who wants failed rows tried again. What was cut off only resumes."""


def begin(job: JobContext, run_id: str, options: dict[str, Any] | None = None) -> JobContext:
    """A run takes the job on (its lease is held). Options given with the run become the job's; its others stay.

    A completed job stays as it is: the run (Re-execute in the UI, or one for a process that died after the job's end)
    is to do nothing in it, whatever is in the books by now.

    Raises:
        Halted: the job is in a state that no run may change, or options are not allowed.
    """
    if job.row.part_of:
        raise Halted("part_of_job", f"Job {job.job_id} is a part of job {job.row.part_of}, which carries it out.")
    if is_closed(job.row):
        way = "" if job.row.operation == UNDO else "; drop the file again"
        text = f"Job {job.job_id} is past its time, and what it needs to go on is gone (docs/exports.md){way}."
        raise Halted("job_closed", text, resumable=False)
    wanted, anew = _wanted(job, options or {})
    if job.row.status == State.COMPLETED:
        return job
    values: dict[str, Any] = {
        "dagster_run_id": run_id,
        "launch_wanted": False,
        "started_at": func.coalesce(jobs.c.started_at, func.clock_timestamp()),
        "completed_at": None,
        "options": wanted,
        **({"applied_at": None} if anew else {}),
    }
    closed = Halted("job_closed", f"Job {job.job_id} is {job.row.status}; a run cannot change that.")
    if job.row.status not in BEGINNABLE:
        raise closed
    ended = (job, *_parts(job)) if job.row.status in ENDED and not anew else ()
    again = [(each.journal, reopened(each)) for each in ended]
    # In one transaction: a kill in between leaves neither rows that are passed over nor counts that are wrong.
    with job.engine.begin() as connection:
        changed = change_status(
            connection,
            job.job_id,
            expected=BEGINNABLE,
            new=State.VALIDATING if anew or _is_new(job) else State.PROCESSING,
            **values,
        )
        if not changed:
            raise closed
        if anew:
            job.journal.forget_unsent(connection)
        for journal, outcomes in again:
            journal.write(outcomes, connection)
    return load_job(job.settings, job.engine, job.job_id)


def _wanted(job: JobContext, given: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """All options of the job with those given for this run, and whether they read its file otherwise than before.

    None exceeds what the organization allows (rule B25): options come with a retry and from the launchpad too, and the
    policy can have changed since the file was taken in.
    """
    if job.row.operation == UNDO:
        return job.row.options, False
    try:
        options = parse_options({**job.row.options, **given}, "options").model_dump(mode="json")
        with job.engine.connect() as connection:
            anew = reads_otherwise(connection, job.row, options)
        if job.row.status == State.COMPLETED:
            return job.row.options, False
        check_policy(options, job.organization.policy, "options")
        check_create_missing(options, job.row.resource_type, job.row.operation, "options")
    except OptionsError as error:
        refused = Halted("bad_option", str(error), resumable=False)
        if job.row.status == State.PENDING:
            end_failed(job, refused)  # nobody would ever start it again
        raise refused from error
    _check_options(job, options)
    return options, anew


def _check_options(job: JobContext, options: dict[str, Any]) -> None:
    """A plan of drafts stays one: approval is decided when the file is handed in, before its plan is looked at (B9)."""
    if options.get("approve") and not job.row.options.get("approve"):
        raise Halted(
            "bad_option",
            "approve cannot be turned on for a job that began without it. Approve its drafts in Billy.",
            resumable=False,
        )


def _is_new(job: JobContext) -> bool:
    return not job.journal.counts()


def reopened(job: JobContext) -> list[Outcome]:
    """Failed rows, to be tried again. Those whose outcome is unknown are looked for first, never sent blindly."""
    failed = job.journal.leaders([Verdict.FAILED])
    unknown = [Outcome(i.item_index, OUTCOME_UNKNOWN) for i in failed if i.error_code == "outcome_unknown"]
    # A create that failed although the record was made (its totals differ) is never made a second time.
    made = {i.item_index for i in failed if i.action == CREATE and i.billy_id}
    # What was done in part stays as it was planned, and is compared with its record at its turn. Planned anew it would
    # be forgotten what of it is the job's own doing; stopped before its turn, it is not unprocessed.
    halves = [Outcome(i.item_index, PLANNED, action=UPDATE) for i in failed if i.error_code == "partly_changed"]
    again = [
        Outcome(i.item_index, VALID)
        for i in failed
        if i.error_code != "outcome_unknown" and i.item_index not in made and not _is_held(job, i)
    ]
    # What an undo kept may not be edited, or in use, any more.
    kept = [Outcome(i.item_index, VALID) for i in job.journal.leaders([UndoVerdict.KEPT])]
    return [*unknown, *again, *halves, *wanted_again(failed), *kept]


def _is_held(job: JobContext, item: Item) -> bool:
    """Whether a row was left alone because its record is no more what a person has agreed to."""
    agreed = job.row.applied_at is not None or job.row.operation == DELETE
    return agreed and item.error_code in ("changed_since_plan", "gone_since_plan")


def _parts(job: JobContext) -> list[JobContext]:
    """Its sub-jobs, which begin and end with it."""
    return [load_job(job.settings, job.engine, row.job_id) for row in parts_of(job.engine, [job.job_id])]


def in_progress(row: JobRow) -> bool:
    """Whether some process must be at work on the job and hold its lease; if none does, the job is interrupted."""
    return row.status in RUNNING and row.completed_at is None


def as_it_stands(engine: Engine, row: JobRow) -> JobRow:
    """The row, but `interrupted` where no process is at work on it: a kill -9 leaves the job's own word behind."""
    if not in_progress(row):
        return row
    with engine.connect() as connection:
        alive = job_is_alive(connection, row.part_of or row.job_id)
    return row if alive else row.model_copy(update={"status": State.INTERRUPTED})


def set_state(job: JobContext, state: State) -> None:
    """Move to another state in the course of the job."""
    update_job(job.engine, job.job_id, status=state)


def end_planned(job: JobContext, waiting: str = "") -> JobRow:
    """A dry run ends with its plan, and so does one that waits for a person; `waiting` says what for."""
    if waiting:
        update_job(job.engine, job.job_id, message=" · ".join(filter(None, (job.row.message, waiting))))
    return _end(job, State.PLANNED)


def end_completed(job: JobContext) -> JobRow:
    """The job ran to its end; whether with errors, the rows say."""
    return _end(job, None)


def end_failed(job: JobContext, error: Halted) -> JobRow:
    """The job could not go on: its code and text stand on the job, the rest of the rows is unprocessed."""
    or_drop = "" if job.row.operation == UNDO else ", or the same file once more"
    way_back = f" Then `billy retry {job.job_id}` goes on{or_drop}." if error.resumable else ""
    add_error(job.engine, job.job_id, error.code, f"{error}{way_back}")
    return _end(job, State.FAILED)


def end_cancelled(job: JobContext) -> JobRow:
    """A person stopped it; nothing starts it again by itself."""
    return _end(job, State.CANCELLED)


def end_interrupted(job: JobContext) -> JobRow:
    """The process was taken away under it; the next run resumes."""
    return _end(job, State.INTERRUPTED, keep_open=True)


def _end_parts(job: JobContext, state: State | None, *, keep_open: bool) -> None:
    """Sub-jobs end as their job does; one that is done is done, whatever became of the rest."""
    for part in _parts(job):
        statuses = part.journal.counts()
        is_open = any(statuses.get(status) for status in (VALID, PLANNED, Verdict.UNPROCESSED, *IN_DOUBT))
        _end(part, state if is_open or state is State.PLANNED else None, keep_open=keep_open)
    if made := made_counts(job.engine, job.job_id):
        source = load_job(job.settings, job.engine, job.job_id).row.source
        update_job(job.engine, job.job_id, source={**source, "on_the_way": made})


def _leave_partly_written(job: JobContext, state: State | None) -> None:
    """A row of which a part is in the books is not unprocessed; when the job goes on, it is looked up and finished. In
    a job that ends by itself, because another row has failed, it has its verdict."""
    language = job.options.language
    if state is None:
        status, code = str(Verdict.FAILED), "partly_changed"
        text = sentence("partly_changed", language, message=sentence("another_failed", language))
    else:
        status = code = OUTCOME_UNKNOWN
        text = sentence("not_settled", language, message="a part of the change is in Billy")
    halves = job.journal.partly_written((VALID, PLANNED))  # valid: to be tried again, and stopped before
    job.journal.write([Outcome(index, status, error_code=code, error=text) for index in halves])


def _end(job: JobContext, state: State | None, *, keep_open: bool = False) -> JobRow:
    _end_parts(job, state, keep_open=keep_open)
    _leave_partly_written(job, state)
    if not keep_open and state is not State.PLANNED:
        job.journal.move((VALID, PLANNED), Verdict.UNPROCESSED)
        leave_drafts(job, state)
    statuses = job.journal.counts()
    job = load_job(job.settings, job.engine, job.job_id)  # reading the file has set its number of rows meanwhile
    undo = job.row.operation == UNDO
    table = None if undo else reports.table_of(job)
    # A job that ended before it read its file still answers for every row of it.
    total = max(job.row.total_items, len(table.lines) if table else 0)
    counts = tally(statuses, total, verdicts_of(job.row.operation))
    state = state or finished_state(counts)
    decided = counts["total"] - counts[Verdict.UNPROCESSED]
    values: dict[str, Any] = {
        "status": state,
        "counts": counts,
        "total_items": counts["total"],
        "successful_items": sum(counts.get(verdict, 0) for verdict in SUCCESSFUL),
        "failed_items": counts[Verdict.FAILED] + counts.get(Verdict.REJECTED, 0),
        "progress": 100.0 if state in FINISHED else round(100 * decided / max(1, counts["total"]), 1),
        "completed_at": server_time(job.engine),
        "launch_wanted": False,
    }
    try:
        # First: a job that a kill -9 cuts off here is still at work, and the next run writes them.
        _write_files(_as_ended(job, values), table)
    finally:  # on a full disk the state is on record all the same
        with job.engine.begin() as connection:
            if undo and not keep_open and not job.options.dry_run:
                settle_target(connection, job.engine, job.row)
            update_job(connection, job.job_id, **values)
    if state in FINISHED and values["successful_items"]:
        remember_mapping(job, table)
    return load_job(job.settings, job.engine, job.job_id).row


def _as_ended(job: JobContext, values: dict[str, Any]) -> JobContext:
    return replace(job, row=job.row.model_copy(update={k: v for k, v in values.items() if k in JobRow.model_fields}))


def _write_files(job: JobContext, table: Table | None) -> None:
    make_folder(job.folder)
    if job.row.operation == UNDO:
        write_undo(job, job_document(job.settings, job.row))
        return
    reports.write_results(job, table)
    reports.write_report(job, reports.report_text(job, job_document(job.settings, job.row)))
