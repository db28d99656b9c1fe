"""`apply_plan`: a person wants a plan that waits carried out, and asks from the UI instead of the command line.

The run only asks; the sensor then starts the run of the job itself, as for a dropped file.
"""

# No "from __future__ import annotations" here: Dagster reads the config class from the annotation itself.
import dagster as dg
from pydantic import Field

from billy_pipelines.bulk import applying
from billy_pipelines.database.connection import open_database
from billy_pipelines.settings import Settings


class ApplyConfig(dg.Config):
    """What `billy apply` is told."""

    job_id: str = Field(description="The job whose plan waits, as `billy status` and its partition name it.")
    confirm_count: int = Field(default=0, ge=0, description="The number of records, when many are to be deleted.")


@dg.op
def apply(context: dg.OpExecutionContext, config: ApplyConfig) -> None:
    """Ask for the run that carries out a job's plan."""
    database = open_database(Settings.from_environment())
    try:
        applying.apply_plan(database.engine, config.job_id, confirm_count=config.confirm_count, launch=True)
    except applying.NotApplicable as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    finally:
        database.close()
    context.log.info(f"The plan of job {config.job_id} is carried out by a run of its own, which starts in seconds.")


@dg.job(executor_def=dg.in_process_executor)
def apply_plan() -> None:
    """Carry out the plan of a job as it is, a dry run's, or a delete's or an approval's that waits; rows changed since
    are left alone."""
    apply()
