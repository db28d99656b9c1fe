"""The frame around work on a job inside a run: the heartbeat, and a clear state of the job whichever way it ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError

from billy_pipelines import runs
from billy_pipelines.bulk import lifecycle
from billy_pipelines.bulk.context import JobContext, load_job
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.workplace import Stopped, Workplace
from billy_pipelines.defs.heartbeat import Heartbeat
from billy_pipelines.defs.stopping import StopSwitch
from billy_pipelines.settings import SettingsError

Context = dg.AssetExecutionContext | dg.OpExecutionContext


@contextmanager
def framed(context: Context, work: Workplace, switch: StopSwitch) -> Iterator[None]:
    """Work on a job: whatever happens in the block, the job's state says so and Dagster does with the run what is meant
    by it.

    Raises:
        dagster.Failure: the job ended failed; nothing retries that.
        dagster.DagsterExecutionInterruptedError: it was stopped.
    """
    try:
        with Heartbeat(context, work.job.engine, work.job.job_id, work.progress, switch) as heartbeat:
            yield
            heartbeat.look()
            if switch.is_set and lifecycle.in_progress(reload(work).row):
                raise Stopped
    except Halted as error:
        lifecycle.end_failed(work.job, error)
        raise dg.Failure(f"{error.code}: {error}", allow_retries=False) from error
    except (Stopped, dg.DagsterExecutionInterruptedError) as error:
        _stopped(context, work.job)
        raise dg.DagsterExecutionInterruptedError from error
    except (SettingsError, SQLAlchemyError, OSError) as error:
        halted = _halted(error)
        with contextlib.suppress(OSError):  # on a full disk the state is on record before its files fail
            lifecycle.end_failed(work.job, halted)
        raise dg.Failure(f"{halted.code}: {halted}", allow_retries=False) from error
    except dg.Failure:
        raise
    except Exception as error:
        text = f"{type(error).__name__}. This is a fault of ours; the run's log tells where."
        lifecycle.end_failed(work.job, Halted("internal_error", text))
        raise


def reload(work: Workplace) -> JobContext:
    """The job as it stands now."""
    job = work.job
    work.job = load_job(job.settings, job.engine, job.job_id)
    return work.job


def _halted(error: Exception) -> Halted:
    """What a person can put right, in words; without the name of a file, which can hold anything (rule B23)."""
    if isinstance(error, SettingsError):
        return Halted("bad_setting", str(error))
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        return Halted("file_error", f"A file of the job could not be read or written: {reason}. Put that right.")
    return Halted("database_gone", "PostgreSQL failed. Start it again.")


def _stopped(context: Context, job: JobContext) -> None:
    """Cancelled by a person, or cut off by a shutdown? Only the second may start again by itself (R2)."""
    instance, run_id = context.instance, context.run.run_id
    if runs.is_foreground(run_id):
        runs.cancel_run(instance, run_id)  # before the interruption is raised, or Dagster would call it a failure
        lifecycle.end_cancelled(job)
    elif runs.is_cancel_requested(instance, run_id):
        lifecycle.end_cancelled(job)
    else:
        lifecycle.end_interrupted(job)
        runs.mark_as_shut_down(instance, job.engine, run_id, job.job_id)
