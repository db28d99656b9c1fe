"""One verdict for each row, everywhere the same: journal, counts, results.csv, the files to mend, plan.csv."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from billy_pipelines.bulk.verdicts import VERDICT_OF_STATUS, Verdict
from billy_pipelines_tests.campaign.evidence import Evidence, JobSeen
from billy_pipelines_tests.campaign.violation import Violation

VERDICTS = frozenset(verdict.value for verdict in Verdict)
DECIDED = VERDICTS - {Verdict.FAILED, Verdict.UNPROCESSED}
"""What a row that has it in the plan has in the end, too."""


def check_accounts(evidence: Evidence) -> Iterator[Violation]:
    """Every job by itself, and that each file has one."""
    for number, times in Counter(job.file for job in evidence.jobs).items():
        if times > 1:
            jobs = [job.row.job_id for job in evidence.jobs if job.file == number]
            yield Violation("two jobs of one file", f"{evidence.history.files[number].name}: {jobs}")
    for job in evidence.jobs:
        rows = len(evidence.history.files[job.file].rows)
        for text in (*_journal(job, rows, evidence.final), *(_end(job, rows, evidence.final) if job.ended else ())):
            yield Violation("accounts", f"{job.row.job_id} ({job.row.status}): {text}")


def _journal(job: JobSeen, rows: int, final: bool) -> Iterator[str]:
    indexes = [item.item_index for item in job.items]
    if indexes and indexes != list(range(rows)):
        yield f"the journal has rows {indexes[:5]}… ({len(indexes)}) of a file of {rows}"
    if final and not job.cut_short and (open_ := [(i.line, i.status) for i in job.items if i.status not in VERDICTS]):
        yield f"rows without a verdict at the end: {open_[:5]}"


def _end(job: JobSeen, rows: int, final: bool) -> Iterator[str]:
    verdicts = Counter(VERDICT_OF_STATUS[item.status].value for item in job.items)
    verdicts[Verdict.UNPROCESSED.value] += rows - len(job.items)
    counted = {name: number for name, number in job.row.counts.items() if name != "total" and number}
    if job.row.counts.get("total") != rows or sum(counted.values()) != rows:
        yield f"counts do not add up to {rows} rows: {job.row.counts}"
    if counted != {name: number for name, number in verdicts.items() if number}:
        yield f"counts {counted}, but the journal has {dict(verdicts)}"
    if len(job.results) != rows:
        yield f"results.csv has {len(job.results)} of {rows} rows"
    lines = {int(result["line"]): result for result in job.results}
    for item in job.items:
        verdict, said = VERDICT_OF_STATUS[item.status].value, lines.get(item.line)
        if said is None:
            yield f"line {item.line} is not in results.csv"
        elif (said["verdict"], said["billy_id"].removeprefix("'")) != (verdict, item.billy_id or ""):
            # The sign keeps a spreadsheet from taking an id that begins with a dash for a formula.
            yield f"line {item.line} is {verdict} {item.billy_id} in the journal, but results.csv says {said}"
    for name, found in job.to_mend.items():
        wanted = [item.line for item in job.items if VERDICT_OF_STATUS[item.status] == name]
        if job.items and [int(line["line"]) for line in found] != wanted:
            yield f"{name}.csv has lines {[line['line'] for line in found][:5]}…, the journal {wanted[:5]}…"
    if final and len(job.plan) != rows:
        yield f"plan.csv has {len(job.plan)} of {rows} rows"
    if final:
        for line, item in zip(job.plan, job.items, strict=False):
            if line["action"] in DECIDED and line["action"] != item.status:
                yield f"line {item.line} was planned as {line['action']} and ended as {item.status}"
