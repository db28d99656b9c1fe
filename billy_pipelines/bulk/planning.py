"""What a file means against what is in the books: each row gets its verdict or its action, before the first write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from billy_pipelines.bulk.matching import Match, Register, chosen_keys
from billy_pipelines.bulk.options import JobOptions, OnArchived, OnExisting, OnMissing
from billy_pipelines.bulk.settling import THERE_BEFORE
from billy_pipelines.bulk.since_export import Exports, SinceExport
from billy_pipelines.bulk.verdicts import ARCHIVE, CREATE, DELETE, PLANNED, UPDATE, Verdict
from billy_pipelines.database.items import Item, PlannedItem
from billy_pipelines.database.undoing import Left
from billy_pipelines.schemas.codes import Problem, sentence
from billy_pipelines.schemas.reading_options import Language
from billy_pipelines.schemas.resource import Change, KeyKind, PlanTerms, Resolved, Resource, Row

FROM_FILE = "file"
FROM_PLAN = "plan"
IMPORT = "import"


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

    def __init__(
        self,
        resource: Resource[Any],
        options: JobOptions,
        register: Register[Any],
        terms: PlanTerms,
        references: Any = None,
        exports: Exports | None = None,
        left: Mapping[int, Left] | None = None,
    ) -> None:
        """`exports`: what rows that were exported before are compared with (rule B22); `left`: what an undo of the same
        content has left in Billy, by item index (`left_in_billy`)."""
        self._exports = exports
        self._left = left or {}
        self._resource = resource
        self._options = options
        self._terms = terms
        self._references = references
        self._language = options.language.value
        self._register = register
        not_ids = [key.name for key in chosen_keys(resource, []) if not key.must_exist]
        wanted = [name for name in options.match_on if name in not_ids] or not_ids
        # Rows of this file that will be created, as the records they will become.
        self._new: Register[Any] = Register(resource, [], wanted)
        self._taken: dict[str, int] = {}
        self._named: dict[str, int] = {}
        """Record -> line of the first row that names it by a strong key."""
        self._warnings: list[Problem] = []
        self.plan = Plan([])

    def resolve(self, item: Item) -> Resolved:
        """The row with what it refers to, looked up in the books."""
        return self._resolved(item.item_data or {})

    def _resolved(self, row: Row) -> Resolved:
        return self._resource.resolve(row, self._references, self._terms)

    def match(self, row: Row) -> Match[Any]:
        """The record a row means. An import with `on_existing: create` looks for none."""
        new = self._terms.operation == IMPORT and self._options.on_existing is OnExisting.create
        return Match() if new else self._register.find(row, strongest_only=self._terms.operation == DELETE)

    def name_all(self, items: Iterable[Item]) -> None:
        """Make known which records the rows name by strong keys: no other row takes one of them by a weaker key,
        wherever in the file it stands."""
        for item in items:
            record = self._register.named_by(item.item_data or {})
            if record is not None:
                self._named.setdefault(record.id, item.line)

    def add(self, item: Item, resolved: Resolved, match: Match[Any]) -> None:
        """Decide one row."""
        row = resolved.row
        self._warnings = [problem for problem in resolved.problems if problem.warning]
        errors = [problem for problem in resolved.problems if not problem.warning]
        errors += [missing.problem for missing in resolved.missing]
        given = item.item_data or {}
        if self._is_left(item, match):
            return
        if self._exports is not None:
            if refusal := self._exports.refusal(given):
                self._reject(item, refusal)
                return
            if self._terms.operation == UPDATE:
                errors = self._exports.not_from_export(given, errors, lambda then: self._resolved(then).problems)
        if errors:
            self._reject(item, *errors)
        elif match.obstacle == "not_found" and self._terms.operation != IMPORT:
            self._not_there(item, row)
        elif match.obstacle:
            self._reject(item, self._obstacle(row, match))
        elif match.record is None:
            self._missing(item, row, resolved)
        elif self._is_taken(item, match.key, match.record):
            return
        elif self._terms.operation == DELETE:
            self._delete(item, match.record)
        else:
            self._existing(item, row, match.record)

    def _is_left(self, item: Item, match: Match[Any]) -> bool:
        """Whether an undo of the same content has left the row's record in Billy, or one nobody knows of: then it is
        not made a second time. An invoice without a number of its own has nothing else it could be recognised by."""
        left = self._left.get(item.item_index)
        if left is None:
            return False
        if left.billy_ids:
            ids = ", ".join(left.billy_ids)
            text = sentence("kept_by_undo", self._language, job=left.job_id, ids=ids)
            self._decide(item, Verdict.SKIPPED, left.billy_ids[0], "kept_by_undo", text)
            return True
        if match.record is not None or match.obstacle:
            return False
        # Rejected, not skipped: it may be missing, so a person has to look; and rejected.csv holds it, to be dropped.
        label = self._resource.label(item.item_data or {})
        text = sentence("may_be_in_billy", self._language, job=left.job_id, value=label, line=item.line)
        self._reject(item, Problem("may_be_in_billy", value=label, message=text))
        return True

    def _is_taken(self, item: Item, key: str, record: Any) -> bool:
        """Whether another row means the record, earlier in the file or by a stronger key: then this one is wrong."""
        is_strong = any(each.is_strong for each in self._resource.match_keys if each.name == key)
        line = item.line if is_strong else self._named.get(record.id, item.line)
        if line == item.line:
            line = self._taken.setdefault(record.id, item.line)
        if line == item.line:
            return False
        text = sentence("duplicate_in_file", self._language, line=line)
        self._reject(item, Problem("duplicate_in_file", message=text), billy_id=record.id)
        return True

    def _existing(self, item: Item, row: Row, record: Any) -> None:
        wanted = OnExisting.update if self._terms.operation == UPDATE else self._options.on_existing
        changes = self._resource.differences(row, record)
        since = self._since_export(item, record, changes) if wanted is OnExisting.update else None
        if since is not None and since.conflict is not None:
            self._reject(item, since.conflict, billy_id=record.id)
            return
        if since is not None and since.is_as_exported:
            self._decide(item, Verdict.UNCHANGED, record.id)
            return
        restored: list[Change] = []
        if self._resource.is_archived(record):
            if self._options.on_archived is OnArchived.skip:
                self._decide(item, Verdict.SKIPPED, record.id, "archived", sentence("archived", self._language))
                return
            restored = [Change(change.field, change.new, change.old) for change in [self._resource.archive] if change]
        if wanted is OnExisting.fail:
            text = sentence("already_exists", self._language, kind=self._resource.singular, ids=record.id)
            self._reject(item, Problem("already_exists", message=text), billy_id=record.id)
            return
        if wanted is OnExisting.skip:
            word = "afviger" if self._options.language is Language.da else "differs"
            differing = f" ({word}: {', '.join(change.field for change in changes)})" if changes else ""
            code = "supplier_only" if self._resource.lacks_role(record) else "exists"
            self._decide(item, Verdict.SKIPPED, record.id, code, sentence(code, self._language, differences=differing))
            return
        if since is not None:
            self._warnings += [since.warning] if since.warning else []
            changes, row = list(since.changes), {name: row[name] for name in row if name not in since.left}
        changes = [*restored, *(change for change in changes if change.field not in {r.field for r in restored})]
        if self._resource.role_change and self._resource.lacks_role(record):
            changes = [*changes, self._resource.role_change]
        if not changes:
            self._decide(item, Verdict.UNCHANGED, record.id)
        elif obstacle := self._resource.update_obstacle(row, record, self._language):
            self._reject(item, obstacle, billy_id=record.id)
        else:
            self._change(item, row, UPDATE, record, changes)

    def _since_export(self, item: Item, record: Any, changes: Sequence[Change]) -> SinceExport | None:
        """What of an exported row was changed since (rule B22); None for other rows."""
        if self._exports is None:
            return None
        return self._exports.compare(item.item_data or {}, record, changes, lambda then: self._resolved(then).row)

    def _delete(self, item: Item, record: Any) -> None:
        """Deleted where nothing refers to it, archived where something does (rules B17, B18)."""
        if self._resource.lacks_role(record):
            text = sentence("not_this_kind", self._language, kind=self._resource.singular, ids=record.id)
            self._reject(item, Problem("not_this_kind", message=text), billy_id=record.id)
            return
        if obstacle := self._resource.delete_obstacle(record, self._references, self._language):
            self._reject(item, obstacle, billy_id=record.id)
        elif not self._resource.in_use(record, self._references):
            self._change(item, item.item_data or {}, DELETE, record, [])
        elif self._resource.archive is None or not self._options.archive_if_used:
            text = sentence("in_use", self._language, kind=self._resource.singular, ids=record.id)
            self._reject(item, Problem("in_use", message=text), billy_id=record.id)
        elif self._resource.is_archived(record):
            self._decide(item, Verdict.UNCHANGED, record.id)
        else:
            self._change(item, item.item_data or {}, ARCHIVE, record, [self._resource.archive])

    def _change(self, item: Item, row: Row, action: str, record: Any, changes: Sequence[Change]) -> None:
        self.plan.records[item.item_index] = record
        self.plan.items.append(
            PlannedItem(
                item.item_index,
                PLANNED,
                action,
                billy_id=record.id,
                item_data=dict(row),
                changes={change.field: [change.old, change.new] for change in changes},
                before_image=record.image(),
                details=self._said(item),
            )
        )

    def _missing(self, item: Item, row: Row, resolved: Resolved) -> None:
        if self._terms.operation != IMPORT:
            self._not_there(item, row)
            return
        if resolved.for_creates:
            self._reject(item, *resolved.for_creates)
            return
        problems: list[Problem] = list(resolved.problems)
        alike = [record.id for record in self._register.alike(row)]
        if self._options.on_existing is not OnExisting.create:
            earlier = self._new.find(row)
            twin = earlier.record or (earlier.candidates[0] if earlier.obstacle == "ambiguous_match" else None)
            if twin is not None:
                text = sentence("duplicate_in_file", self._language, line=twin.id)
                self._reject(item, Problem("duplicate_in_file", message=text))
                return
            if earlier.candidates:
                text = sentence("same_name_in_file", self._language, line=earlier.candidates[0].id)
                problems.append(Problem("same_name_in_file", message=text, warning=True))
        self._new.add_row(row, str(item.line))
        self.plan.items.append(
            PlannedItem(
                item.item_index,
                PLANNED,
                CREATE,
                item_data=dict(row),
                before_image={THERE_BEFORE: alike} if alike else None,
                details=[*self._said(item), *problem_dicts(problems, FROM_PLAN)],
            )
        )

    def _not_there(self, item: Item, row: Row) -> None:
        """An update or delete of a record that is not in the books creates nothing (rules B8, B17)."""
        key = next((key.name for key in self._resource.match_keys if key.of_row(row)), "")
        if not key:
            text = sentence("no_key", self._language, keys=", ".join(k.name for k in self._resource.match_keys))
            self._reject(item, Problem("no_key", message=text))
            return
        value = str(row.get(key) or self._resource.label(row))
        text = sentence("not_found", self._language, kind=self._resource.singular, key=key, value=value)
        if self._terms.operation == UPDATE and self._options.on_missing is OnMissing.skip:
            self._decide(item, Verdict.SKIPPED, None, "not_found", text)
        else:
            self._reject(item, Problem("not_found", key if key in row else "", value, text))

    def _obstacle(self, row: Row, match: Match[Any]) -> Problem:
        ids = ", ".join(record.id for record in match.candidates)
        keys = [key.name for key in self._resource.match_keys if key.is_strong or key.kind is KeyKind.SHARED]
        value = str(row.get(match.key) or row.get("name") or "")
        text = sentence(
            match.obstacle,
            self._language,
            kind=self._resource.singular,
            ids=ids,
            fields=", ".join(match.fields),
            key=match.key,
            keys=", ".join(keys),
            value=value,
        )
        return Problem(match.obstacle, match.key if match.key in row else "name", value, text)

    def _said(self, item: Item) -> list[dict[str, Any]]:
        """What validation and the looking up of references had to say of the row."""
        return [*_kept(item), *problem_dicts(self._warnings, FROM_PLAN)]

    def _reject(self, item: Item, *problems: Problem, billy_id: str | None = None) -> None:
        errors = [problem for problem in problems if not problem.warning]
        self.plan.items.append(
            PlannedItem(
                item.item_index,
                Verdict.REJECTED,
                None,
                billy_id=billy_id,
                error_code=errors[0].code,
                error=" | ".join(problem.message for problem in errors),
                details=[*self._said(item), *problem_dicts(problems, FROM_PLAN)],
            )
        )

    def _decide(
        self, item: Item, verdict: Verdict, billy_id: str | None, code: str | None = None, text: str | None = None
    ) -> None:
        self.plan.items.append(
            PlannedItem(
                item.item_index, verdict, None, billy_id=billy_id, error_code=code, error=text, details=self._said(item)
            )
        )


def _kept(item: Item) -> list[dict[str, Any]]:
    """What validation had to say of the row; the plan's own words are said anew each time."""
    return [detail for detail in item.details or [] if isinstance(detail, dict) and detail.get("stage") == FROM_FILE]
