"""Asset checks: the gate before the first write, and the accounts after the last.

A blocking check gates its own run only; the sync reads the gate from the journal itself.
"""

from __future__ import annotations

import warnings
from typing import Any

import dagster as dg

from billy_pipelines.bulk.context import JobContext
from billy_pipelines.bulk.execution import Execution
from billy_pipelines.bulk.options import gate_limit
from billy_pipelines.bulk.verdicts import Verdict

GATE = "error_rate"
ACCOUNTS = "rows_accounted_for"


def error_rate_spec(asset: dg.AssetKey, partitions: dg.PartitionsDefinition[Any]) -> dg.AssetCheckSpec:
    """Blocks the sync when too many rows are wrong (rule B21)."""
    text = "Rejected rows stay within max_error_rate; five always pass under the default, none with a 0."
    return _partitioned_spec(GATE, asset, partitions, text, blocking=True)


def error_rate_result(execution: Execution) -> dg.AssetCheckResult:
    """The gate as the plan found it. A dry run writes nothing, so there it only warns."""
    options, progress = execution.job.options, execution.progress
    rejected = progress.statuses[Verdict.REJECTED]
    return dg.AssetCheckResult(
        check_name=GATE,
        passed=execution.gate_open,
        severity=dg.AssetCheckSeverity.WARN if options.dry_run else dg.AssetCheckSeverity.ERROR,
        description=None if execution.gate_open else str(execution.gate_error()),
        metadata={
            "rejected": rejected,
            "rows": progress.total,
            "error_rate": round(rejected / max(1, progress.total), 4),
            "allowed": float(gate_limit(options, progress.total)),
        },
    )


def accounts_spec(asset: dg.AssetKey, partitions: dg.PartitionsDefinition[Any]) -> dg.AssetCheckSpec:
    """Every row of the file has one verdict, and none is failed or left over."""
    text = "Each row ended in one verdict, the counts add up to the file, and no row failed or was left over."
    return _partitioned_spec(ACCOUNTS, asset, partitions, text, blocking=False)


def _partitioned_spec(
    name: str, asset: dg.AssetKey, partitions: dg.PartitionsDefinition[Any], description: str, *, blocking: bool
) -> dg.AssetCheckSpec:
    with warnings.catch_warnings():
        # Partitions on checks are a preview in 1.13; they gate per partition as needed (measured), so used on purpose.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(
            name, asset=asset, blocking=blocking, partitions_def=partitions, description=description
        )


def accounts_result(job: JobContext) -> dg.AssetCheckResult:
    """Counted anew from the journal, not from what the sync believes."""
    in_journal = sum(job.journal.counts().values())
    counts = job.row.counts
    adds_up = in_journal == counts["total"] == sum(n for name, n in counts.items() if name != "total")
    unfinished = counts[Verdict.FAILED] + counts[Verdict.UNPROCESSED]
    return dg.AssetCheckResult(
        check_name=ACCOUNTS,
        passed=adds_up and not unfinished,
        severity=dg.AssetCheckSeverity.WARN if adds_up else dg.AssetCheckSeverity.ERROR,
        metadata={"rows_in_journal": in_journal, "failed_or_left_over": unfinished, **counts},
    )
