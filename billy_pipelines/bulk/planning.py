"""What a file means against what is in the books: each row gets its verdict or its action, before the first write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from billy_pipelines.bulk.matching import Match, Register
from billy_pipelines.bulk.options import JobOptions, OnExisting
from billy_pipelines.bulk.verdicts import CREATE, PLANNED, UPDATE, Verdict
from billy_pipelines.database.journal import Item, PlannedItem
from billy_pipelines.schemas.codes import SKIPS, Problem, sentence
from billy_pipelines.schemas.resource import Change, Resource, Row

FROM_FILE = "file"
FROM_PLAN = "plan"


@dataclass
class Plan:
    """The decisions, and the records that planned updates start from (for the reading before the write: R7)."""

    items: list[PlannedItem]
    records: dict[int, Any] = field(default_factory=dict)

    def count(self, action: str) -> int:
        """How many rows have that action still to be carried out."""
        return sum(item.action == action and item.status == PLANNED for item in self.items)


def problem_dicts(problems: Iterable[Problem], stage: str) -> list[dict[str, Any]]:
    """Problems as the journal keeps them, with the stage that found them."""
    return [{**asdict(problem), "stage": stage} for problem in problems]


class Planner:
    """Plans rows in the order of the file; each decision knows those before it."""

    def __init__(self, resource: Resource[Any], options: JobOptions, register: Register[Any]) -> None:
        self._resource = resource
        self._options = options
        self._register = register
        not_ids = [key.name for key in resource.match_keys if not key.must_exist]
        wanted = [name for name in options.match_on if name in not_ids] or not_ids
        # Rows of this file that will be created, as the records they will become.
        self._new: Register[Any] = Register(resource, [], wanted)
        self._taken: dict[str, int] = {}
        self.plan = Plan([])

    def match(self, row: Row) -> Match[Any]:
        """The record a row means. With `on_existing: create` none is looked for."""
        return Match() if self._options.on_existing is OnExisting.create else self._register.find(row)

    def add(self, item: Item, match: Match[Any]) -> None:
        """Decide one row."""
        row = item.item_data or {}
        if match.obstacle:
            self._reject(item, self._obstacle(row, match))
        elif match.record is not None:
            self._existing(item, row, match.record)
        else:
            self._missing(item, row)

    def _existing(self, item: Item, row: Row, record: Any) -> None:
        if record.id in self._taken:
            text = sentence("duplicate_in_file", line=self._taken[record.id])
            self._reject(item, Problem("duplicate_in_file", message=text), record.id)
            return
        self._taken[record.id] = item.line
        if self._resource.is_archived(record):
            self._decide(item, Verdict.SKIPPED, record.id, "archived", SKIPS["archived"])
            return
        if self._options.on_existing is OnExisting.fail:
            text = sentence("already_exists", kind=self._resource.singular, ids=record.id)
            self._reject(item, Problem("already_exists", message=text), record.id)
            return
        changes = self._resource.differences(row, record)
        if self._options.on_existing is OnExisting.skip:
            differing = f" (differs: {', '.join(change.field for change in changes)})" if changes else ""
            code = "supplier_only" if self._resource.lacks_role(record) else "exists"
            self._decide(item, Verdict.SKIPPED, record.id, code, sentence(code, differences=differing))
            return
        if self._resource.lacks_role(record):
            changes = [*changes, self._resource.role_change]
        if not changes:
            self._decide(item, Verdict.UNCHANGED, record.id)
        elif obstacle := self._resource.update_obstacle(row, record):
            self._reject(item, obstacle, record.id)
        else:
            self._update(item, record, changes)

    def _update(self, item: Item, record: Any, changes: Sequence[Change]) -> None:
        self.plan.records[item.item_index] = record
        self.plan.items.append(
            PlannedItem(
                item.item_index,
                PLANNED,
                UPDATE,
                billy_id=record.id,
                changes={change.field: [change.old, change.new] for change in changes},
                before_image=record.image(),
                details=_kept(item),
            )
        )

    def _missing(self, item: Item, row: Row) -> None:
        problems: list[Problem] = []
        same_name = [record.id for record in self._register.same_name(row)]
        if self._options.on_existing is not OnExisting.create:
            earlier = self._new.find(row)
            twin = earlier.record or (earlier.candidates[0] if earlier.obstacle == "ambiguous_match" else None)
            if twin is not None:
                text = sentence("duplicate_in_file", line=twin.id)
                self._reject(item, Problem("duplicate_in_file", message=text))
                return
            if earlier.candidates:
                text = sentence("same_name_in_file", line=earlier.candidates[0].id)
                problems = [Problem("same_name_in_file", message=text, warning=True)]
        self._new.add(self._resource.as_record(row, str(item.line)))
        self.plan.items.append(
            PlannedItem(
                item.item_index,
                PLANNED,
                CREATE,
                # Records of the same name that were there before: settling must not take one of them for ours.
                before_image={"same_name_ids": same_name} if same_name else None,
                details=[*_kept(item), *problem_dicts(problems, FROM_PLAN)],
            )
        )

    def _obstacle(self, row: Row, match: Match[Any]) -> Problem:
        ids = ", ".join(record.id for record in match.candidates)
        value = str(row.get(match.key) or row.get("name") or "")
        text = sentence(
            match.obstacle,
            kind=self._resource.singular,
            ids=ids,
            fields=", ".join(match.fields),
            key=match.key,
            value=value,
        )
        return Problem(match.obstacle, match.key if match.key in row else "name", value, text)

    def _reject(self, item: Item, problem: Problem, billy_id: str | None = None) -> None:
        details = [*_kept(item), *problem_dicts([problem], FROM_PLAN)]
        self.plan.items.append(
            PlannedItem(
                item.item_index,
                Verdict.REJECTED,
                None,
                billy_id=billy_id,
                error_code=problem.code,
                error=problem.message,
                details=details,
            )
        )

    def _decide(
        self, item: Item, verdict: Verdict, billy_id: str, code: str | None = None, text: str | None = None
    ) -> None:
        self.plan.items.append(
            PlannedItem(
                item.item_index, verdict, None, billy_id=billy_id, error_code=code, error=text, details=_kept(item)
            )
        )


def _kept(item: Item) -> list[dict[str, Any]]:
    """What validation had to say of the row; the plan's own words are said anew each time."""
    return [detail for detail in item.details or [] if isinstance(detail, dict) and detail.get("stage") == FROM_FILE]
