"""What a job's rows need and Billy does not have (`create_missing`): planned with them, made by sub-jobs before them.

A sub-job is a job without a file: its rows are what the rows of the job say of records that are missing, each once. It
is planned, journalled, settled and undone like any other, under the lease of its job, so that a crash in its middle
makes nothing twice. Until its record is made, a planned row holds a placeholder where its id belongs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.bulk.context import JobContext, load_job
from billy_pipelines.bulk.group_commit import DatabaseThread
from billy_pipelines.bulk.needs import Need, Needs
from billy_pipelines.bulk.placeholders import part_name, placeholder, put_in, texts, without
from billy_pipelines.bulk.planning import FROM_FILE, Planner, problem_dicts
from billy_pipelines.bulk.progress import Progress
from billy_pipelines.bulk.sub_jobs import PartRow, begun, is_open, options_of
from billy_pipelines.bulk.verdicts import ACTIONS, CREATE, IN_DOUBT, OPEN, PLANNED, VALID, State, Verdict
from billy_pipelines.database.items import Item, NewItem, PlannedItem
from billy_pipelines.database.jobs import create_job, delete_job, get_job, parts_of, update_job
from billy_pipelines.schemas.codes import Problem, sentence
from billy_pipelines.schemas.nearest import NONE
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.schemas.resource import Made, Missing, Resolved, WithMade

IMPORT = "import"
DROPPED_BY_PLAN = (*OPEN, Verdict.REJECTED, Verdict.SKIPPED, Verdict.UNCHANGED)
"""Statuses of a sub-job's row that nobody has carried out and no row of its job needs any more."""


class Part(Protocol):
    """One process's work on a sub-job (`execution.Execution`)."""

    job: JobContext
    progress: Progress

    async def settle_and_plan(
        self, client: BillyClient, thread: DatabaseThread, listed: Sequence[Any] | None = None
    ) -> None:
        """Decide its rows against the books as listed."""

    async def send(self, client: BillyClient, thread: DatabaseThread, stop: Any) -> None:
        """Carry out its plan."""

    def ending_failures(self) -> list[Item]:
        """Its rows because of which nothing more is to be sent."""


class OnTheWay:
    """The sub-jobs of one job, in one process. Without `create_missing` it has none, and nothing happens."""

    def __init__(
        self, job: Callable[[], JobContext], progress: Progress, work_on: Callable[[JobContext], Part]
    ) -> None:
        """`job`: the job as it stands now; `work_on` makes the process's work on a sub-job, under the same lease."""
        self._job = job
        self._progress = progress
        self._work_on = work_on
        self._parts: dict[str, Part] = {}
        self._problems: dict[str, Problem] = {}
        self._carried_out = False

    @property
    def _wanted(self) -> bool:
        return self._job().options.create_missing

    # -- the plan --------------------------------------------------------------------------------------------------

    def in_doubt(self) -> bool:
        """Whether an earlier process left a request of a sub-job on its way."""
        self._open_parts()
        return any(part.job.journal.leaders(IN_DOUBT, limit=1) for part in self._parts.values())

    async def plan(
        self,
        client: BillyClient,
        thread: DatabaseThread,
        items: Sequence[Item],
        references: Any,
        planner_of: Callable[[Any], Planner],
    ) -> Any:
        """Plan what the rows need, and return their references with it: what was made under its id, what is still to
        be made under a placeholder. A row that is wrong anyway, or there already, needs nothing."""
        if not self._wanted:
            return references
        await thread.run(self._open_parts)
        for name, part in self._parts.items():
            if await thread.run(partial(part.job.journal.leaders, IN_DOUBT, limit=1)):
                await part.settle_and_plan(client, thread, references.listed(name))
        made = await thread.run(lambda: self._records(planned=False))
        needs = await thread.run(lambda: self._gather(items, planner_of(references.with_made(made))))
        self._problems.clear()
        for each in self._job().resource.makes:
            await self._plan_part(client, thread, each, needs[each.resource], references)
        return references.with_made(await thread.run(lambda: self._records(planned=True)))

    def explained(self, resolved: Resolved) -> Resolved:
        """A row whose missing records are not made says why."""
        if not resolved.missing:
            return resolved
        said = [replace(each, problem=self._problems.get(key_of(each), each.problem)) for each in resolved.missing]
        return replace(resolved, missing=tuple(said))

    def as_given(self, items: Sequence[Item]) -> list[Item]:
        """The rows as the file has them, without the placeholders that an earlier plan put in."""
        if not self._job().resource.makes:
            return list(items)
        return [replace(item, item_data=without(item.item_data, self._job().job_id)) for item in items]

    def as_agreed(self, items: Sequence[Item]) -> list[Item]:
        """The rows as a person has agreed to them, with the ids of what was made since."""
        ids = {each.id: each.billy_id for each in self._rows() if each.billy_id}
        return [replace(item, item_data=put_in(item.item_data, ids)) for item in items] if ids else list(items)

    def keep_needed(self, planned: Iterable[PlannedItem]) -> None:
        """Take out of the sub-jobs what no row needs that will be carried out; what was sent stays."""
        if not self._wanted or self._carried_out:
            return
        used = {text for item in planned if item.status == PLANNED for text in texts(item.item_data)}
        for name, part in list(self._parts.items()):
            job, journal = part.job, part.job.journal
            rows = journal.items()
            left = {row.item_index for row in rows if not row.attempts and row.status in DROPPED_BY_PLAN}
            left -= {row.item_index for row in rows if placeholder(job.job_id, row.item_index) in used}
            journal.remove(left)
            if len(left) == len(rows):
                with job.engine.begin() as connection:
                    delete_job(connection, job.job_id)
                del self._parts[name]
                continue
            planned_here = journal.actions()
            counted = {action: planned_here.get(action, 0) for action in ACTIONS}
            update_job(job.engine, job.job_id, total_items=len(rows) - len(left), planned=counted, status=State.PLANNED)

    async def _plan_part(
        self, client: BillyClient, thread: DatabaseThread, made: Made, needs: Needs, references: WithMade
    ) -> None:
        resource = RESOURCES[made.resource]
        new = (
            []
            if self._is_settled
            else [need for need in needs.all if need.index is None and need.is_complete(resource)]
        )
        if new:
            await thread.run(lambda: self._insert(made, new))
        part = self._parts.get(made.resource)
        if part is not None and not self._carried_out and await thread.run(partial(is_open, part.job)):
            await part.settle_and_plan(client, thread, references.listed(made.resource))
        rows = {row.item_index: row for row in (await thread.run(part.job.journal.items) if part else [])}
        for need in needs.all:
            if problem := self._problem_of(made, need, rows.get(-1 if need.index is None else need.index)):
                self._problems |= dict.fromkeys(need.keys, problem)

    @property
    def _is_settled(self) -> bool:
        """Whether nothing may be added to what is made: a person has agreed to it, or it is done."""
        return self._carried_out or self._job().row.applied_at is not None

    def _problem_of(self, made: Made, need: Need, row: Item | None) -> Problem | None:
        """Why a needed record is not made, None where it is, or nothing more is known than that it is missing."""
        resource, language = RESOURCES[made.resource], self._job().options.language.value
        value, kind = resource.label(need.row), resource.singular
        if need.unclear:
            fields, lines = ", ".join(sorted(need.unclear)), ", ".join(map(str, sorted(need.lines)))
            text = sentence("missing_unclear", language, kind=kind, value=value, fields=fields, lines=lines)
            return Problem("missing_unclear", value=value, message=text)
        if row is None or row.status in (PLANNED, VALID, Verdict.CREATED, *IN_DOUBT):
            return None
        if row.status == Verdict.SKIPPED:
            text = sentence("exists_by_name", language, kind=kind, value=value, ids=row.billy_id)
            return Problem("possible_duplicate", value=value, message=text)
        said = "missing_not_made" if row.status == Verdict.FAILED else "missing_not_planned"
        code = said if row.status == Verdict.FAILED else row.error_code or said
        text = sentence(said, language, kind=kind, value=value, message=row.error or "")
        return Problem(code, value=value, message=text)

    def _gather(self, items: Sequence[Item], planner: Planner) -> dict[str, Needs]:
        """What the rows need that will be carried out if they get it."""
        needs = {}
        for made in self._job().resource.makes:
            part = self._parts.get(made.resource)
            there = part.job.journal.items() if part else []
            needs[made.resource] = Needs(RESOURCES[made.resource], made.loose, there)
        for item in self.as_given(items):
            resolved = planner.resolve(item)
            if not resolved.missing or not all(problem.warning for problem in resolved.problems):
                continue
            match = planner.match(resolved.row)
            if match.record is None and not match.obstacle and not resolved.for_creates:
                for missing in resolved.missing:
                    needs[missing.resource].add(missing, key_of(missing), missing.line or item.line)
        return needs

    # -- the sync --------------------------------------------------------------------------------------------------

    async def carry_out(self, client: BillyClient, thread: DatabaseThread, stop: Any) -> bool:
        """Make what the plan needs, and put the ids into the rows; rows whose record could not be made have failed.

        False: the rows must not be sent (a stop; a failure where none is to be gone over).

        Raises:
            Halted, BillyError, JournalGone
        """
        for name, part in self._parts.items():
            job = part.job
            if not await thread.run(partial(job.journal.leaders, [PLANNED], limit=1)):
                continue
            self._progress.phase = f"making the {name} its rows need"
            await thread.run(partial(begun, job))
            await part.send(client, thread, stop)
            if stop.is_set() or await thread.run(part.ending_failures):
                await thread.run(self._fill_in)
                return False
        self._carried_out = True
        await thread.run(self._fill_in)
        return True

    def _fill_in(self) -> None:
        """Ids in place of placeholders, in all planned rows at once."""
        language = self._job().options.language
        ids, failed = {}, {}
        for each in self._rows():
            if each.billy_id:
                ids[each.id] = each.billy_id
            elif each.row.status == Verdict.FAILED:
                value, kind = each.row.natural_key, each.resource_singular
                failed[each.id] = sentence(
                    "missing_not_made", language, kind=kind, value=value, message=each.row.error or ""
                )
        changed = []
        for item in self._job().journal.leaders([PLANNED]) if ids or failed else []:
            held = set(texts(item.item_data))
            reasons = [failed[text] for text in sorted(held & failed.keys())]
            if reasons or held & ids.keys():
                changed.append(_filled(item, ids, " | ".join(reasons)))
        self._job().journal.plan(changed)

    # -- the sub-jobs ----------------------------------------------------------------------------------------------

    def _open_parts(self) -> None:
        """The sub-jobs as they are on record, in the order in which they are made. What was planned but neither sent
        nor agreed to is forgotten: it is planned anew."""
        if not self._wanted:
            return
        job = self._job()
        present = {row.resource_type: row.job_id for row in parts_of(job.engine, [job.job_id])}
        for made in job.resource.makes:
            if made.resource in present and made.resource not in self._parts:
                values = {"options": options_of(job), "applied_at": job.row.applied_at, "completed_at": None}
                update_job(job.engine, present[made.resource], **values)
                self._parts[made.resource] = self._work_on(load_job(job.settings, job.engine, present[made.resource]))
        if not self._is_settled:
            for part in self._parts.values():
                part.job.journal.forget_unsent()

    def _insert(self, made: Made, needs: Sequence[Need]) -> None:
        """Put needs on record as rows of the resource's sub-job, which is made if there is none."""
        job, resource = self._job(), RESOURCES[made.resource]
        part_id = part_name(job.job_id, made.resource)
        if made.resource not in self._parts:
            values = {
                "job_id": part_id,
                "organization": job.row.organization,
                "resource_type": made.resource,
                "operation": IMPORT,
                "options": options_of(job),
                "upload_name": "",
                "upload_sha256": "",
                "part_of": job.job_id,
                "message": job.row.message,
            }
            with job.engine.begin() as connection:
                if get_job(connection, part_id) is None:  # an outage may have cut off the answer alone
                    create_job(connection, values)
            self._parts[made.resource] = self._work_on(load_job(job.settings, job.engine, part_id))
        journal = self._parts[made.resource].job.journal
        if any(need.index is None for need in needs):
            first = max((row.item_index for row in journal.items()), default=-1) + 1
            for index, need in enumerate(needs, first):
                need.index = index
        rows = []
        for need in needs:
            near = [] if need.nearest in ("", NONE) else [_near(need, job.options.language.value)]
            details = problem_dicts(near, FROM_FILE) or None
            index = need.index or 0
            rows.append(NewItem(index, min(need.lines), need.row, VALID, resource.label(need.row), details=details))
        journal.insert(rows)

    def _records(self, *, planned: bool) -> dict[str, list[Any]]:
        """What was made and, with `planned`, what will be, as the rows' references have to know it; by resource."""
        found: dict[str, list[Any]] = {}
        for each in self._rows():
            if each.billy_id or (planned and each.row.status == PLANNED and each.row.action == CREATE):
                record = RESOURCES[each.resource].as_record(each.row.item_data or {}, each.billy_id or each.id)
                found.setdefault(each.resource, []).append(record)
        return found

    def _rows(self) -> Iterator[PartRow]:
        for name, part in self._parts.items():
            for row in part.job.journal.items():
                yield PartRow(name, placeholder(part.job.job_id, row.item_index), row)


def key_of(missing: Missing) -> str:
    """Rows that say the same of a missing record have the same."""
    return json.dumps([missing.resource, missing.row], sort_keys=True)


def _near(need: Need, language: str) -> Problem:
    text = sentence("nearest_in_books", language, nearest=need.nearest)
    return Problem("nearest_in_books", message=text, warning=True)


def _filled(item: Item, ids: Mapping[str, str], reason: str) -> PlannedItem:
    return PlannedItem(
        item.item_index,
        Verdict.FAILED if reason else PLANNED,
        item.action,
        billy_id=item.billy_id,
        changes=item.changes,
        before_image=item.before_image,
        error_code="missing_not_made" if reason else item.error_code,
        error=reason or item.error,
        details=item.details,
        item_data=put_in(item.item_data, ids),
    )
