"""The asset chain of a resource, from one factory: rows -> valid_rows -> plan -> sync, partitioned by upload."""

# No "from __future__ import annotations" here: Dagster reads the config class from the annotation itself.
from collections.abc import Iterator
from typing import Any

import dagster as dg

from billy_pipelines import runs
from billy_pipelines.bulk import lifecycle
from billy_pipelines.bulk.applying import waits_for_person
from billy_pipelines.bulk.plan_report import write_plan
from billy_pipelines.bulk.reading import check_job_rows
from billy_pipelines.bulk.verdicts import State
from billy_pipelines.defs import metadata
from billy_pipelines.defs.checks import accounts_result, accounts_spec, error_rate_result, error_rate_spec
from billy_pipelines.defs.options import OptionsConfig, options_given
from billy_pipelines.defs.session import JobSession
from billy_pipelines.defs.stopping import run_stoppable
from billy_pipelines.schemas.resource import Resource

UPLOADS = dg.DynamicPartitionsDefinition(name=runs.PARTITIONS)


def build_assets(resource: Resource[Any]) -> list[dg.AssetsDefinition]:
    """The four assets of one resource."""
    group = resource.name

    def key(name: str) -> dg.AssetKey:
        return dg.AssetKey([resource.name, name])

    @dg.asset(
        key=key("rows"),
        partitions_def=UPLOADS,
        group_name=group,
        description=f"The {resource.name} of one dropped file, as text, and how the file was understood.",
    )
    def rows(
        context: dg.AssetExecutionContext, config: OptionsConfig, session: JobSession
    ) -> dg.MaterializeResult[None]:
        # `config` has a default for every option that was not given; what was given stands in the run's own config.
        given = options_given(runs.options_given(context.run.run_config, resource.name))
        with session.step(context, given) as (execution, _switch):
            if session.was_completed:
                return dg.MaterializeResult(metadata=metadata.of_completed(execution.job))
            execution.progress.phase = "reading the file"
            upload = session.upload(execution.job)
            execution.progress.total = len(upload.table.lines)
            return dg.MaterializeResult(metadata=metadata.of_rows(execution.job, upload))

    @dg.asset(
        key=key("valid_rows"),
        deps=[key("rows")],
        partitions_def=UPLOADS,
        group_name=group,
        description="Every row judged by the schema, all errors of all rows at once, and put on record.",
    )
    def valid_rows(context: dg.AssetExecutionContext, session: JobSession) -> dg.MaterializeResult[None]:
        with session.step(context) as (execution, _switch):
            if session.was_completed:
                return dg.MaterializeResult(metadata=metadata.of_completed(execution.job))
            execution.progress.phase = "checking the rows"
            upload = session.upload(execution.job)
            execution.progress.total = len(upload.table.lines)
            checked = check_job_rows(execution.job, upload)
            execution.progress.statuses.clear()
            execution.progress.statuses.update(execution.job.journal.counts())
            return dg.MaterializeResult(metadata=metadata.of_valid_rows(execution.job, checked))

    @dg.asset(
        key=key("plan"),
        deps=[key("valid_rows")],
        partitions_def=UPLOADS,
        group_name=group,
        check_specs=[error_rate_spec(key("plan"), UPLOADS)],
        description="Each row against what Billy holds now: create, update, or leave alone, with the reason.",
    )
    def plan(context: dg.AssetExecutionContext, session: JobSession) -> Iterator[dg.MaterializeResult[None]]:
        with session.step(context) as (execution, switch):
            if session.was_completed:
                told = metadata.of_completed(execution.job)
                yield dg.MaterializeResult(metadata=told, check_results=[error_rate_result(execution)])
                return
            run_stoppable(switch, execution.plan)
            job = session.reload()
            # What an invoice refers to is part of its plan; of others, 100,000 rows need not be in memory once more.
            write_plan(job, job.journal.items(brief=job.resource.schema.grouping is None))
            check = error_rate_result(execution)
            if not check.passed and not job.options.dry_run:
                lifecycle.end_failed(job, execution.gate_error())
            elif not job.options.dry_run:
                lifecycle.set_state(job, State.PLANNED)
        yield dg.MaterializeResult(metadata=metadata.of_plan(job), check_results=[check])

    @dg.asset(
        key=key("sync"),
        deps=[key("plan")],
        partitions_def=UPLOADS,
        group_name=group,
        output_required=False,
        check_specs=[accounts_spec(key("sync"), UPLOADS)],
        description="The plan carried out in Billy, every item journalled. Not materialized by a dry run.",
    )
    def sync(context: dg.AssetExecutionContext, session: JobSession) -> Iterator[dg.MaterializeResult[None]]:
        with session.step(context) as (execution, switch):
            job = session.reload()
            if session.was_completed:
                yield dg.MaterializeResult(metadata=metadata.of_sync(job), check_results=[accounts_result(job)])
                return
            if not execution.planned_here and not job.options.dry_run:
                run_stoppable(switch, execution.plan)  # a resumed job whose run began at this step
            waiting = waits_for_person(job, execution.register_size)
            if job.options.dry_run or waiting:
                lifecycle.end_planned(job, waiting)
                return
            lifecycle.set_state(job, State.PROCESSING)
            run_stoppable(switch, execution.sync)
            lifecycle.end_completed(job)
            job = session.reload()
        context.log.info(execution.progress.line())
        yield dg.MaterializeResult(metadata=metadata.of_sync(job), check_results=[accounts_result(job)])

    return [rows, valid_rows, plan, sync]
