"""What undos say of rows, held against Billy's ledger and books: reversed is reversed, kept is as people left it, and
nothing else was touched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from billy_pipelines.bulk.verdicts import CREATE, IN_DOUBT, OPEN, UndoVerdict, Verdict
from billy_pipelines.sandbox import Change
from billy_pipelines_tests.campaign.evidence import Evidence
from billy_pipelines_tests.campaign.timeline import OF_ITSELF, PARENT, Step, Timeline, alike, timeline_of
from billy_pipelines_tests.campaign.undo_accounts import Back, has_changed, is_judged, rows_back
from billy_pipelines_tests.campaign.undo_reasons import why_kept
from billy_pipelines_tests.campaign.violation import Violation

MADE, CHANGED, DELETED, UNCLEAR = "made", "changed", "deleted", "unclear"
OPEN_OR_IN_DOUBT = (*OPEN, *IN_DOUBT)


@dataclass(frozen=True)
class Case:
    """A record that is taken back: the row that stands for it, and its life."""

    back: Back
    record_id: str
    did: str
    steps: Sequence[Step]
    """Of the record and what hangs on it."""
    is_shared: bool
    """Whether other rows changed the record too: then the ledger does not tell whose doing a change was."""

    @property
    def said(self) -> str:
        return self.back.said.status if self.back.said else ""

    @property
    def new_id(self) -> str | None:
        said = self.back.said
        return said.billy_id if said and said.action == CREATE else None

    @property
    def undone(self) -> list[Step]:
        return [step for step in self.steps if step.actor == "undo"]

    def __str__(self) -> str:
        lived = [
            f"{s.change.sequence} {s.actor} {s.change.operation} {s.change.resource} {s.change.id}" for s in self.steps
        ]
        return f"{self.back}; its life: {lived}"


def did_of(back: Back) -> str:
    """What the job did to the record."""
    row = back.row
    if row.error_code == "partly_changed":
        return CHANGED
    if row.status in (Verdict.UPDATED, Verdict.ARCHIVED):
        return CHANGED
    if row.status == Verdict.DELETED:
        return DELETED
    made = row.status == Verdict.CREATED or (row.action in (CREATE, "approve") and row.billy_id is not None)
    return MADE if made else UNCLEAR


def cases_of(evidence: Evidence, line: Timeline) -> list[Case]:
    """One for each record that the job changed, and says so."""
    backs = [back for back in rows_back(evidence) if back.row.leader_index is None]
    times = Counter(
        item.billy_id
        for job in evidence.jobs
        for item in job.items
        if item.leader_index is None and item.billy_id and has_changed(item)
    )
    return [
        Case(
            back,
            back.row.billy_id or "",
            did_of(back),
            line.family.get(back.row.billy_id or "", []),
            times[back.row.billy_id or ""] > 1,
        )
        for back in backs
    ]


def check_undo(evidence: Evidence) -> Iterator[Violation]:
    """Every promise about an undo, over all its rows."""
    if not is_judged(evidence) or evidence.undo is None:
        return
    line = timeline_of(evidence)
    cases = cases_of(evidence, line)
    yield from _nothing_else(evidence, line, cases)
    for case in cases:
        if case.said == UndoVerdict.REVERSED:
            yield from {MADE: _made, CHANGED: _changed, DELETED: _deleted, UNCLEAR: _unclear}[case.did](
                evidence, line, case
            )
        elif case.said == UndoVerdict.KEPT:
            if standing := [step.change.sequence for step in case.undone if _stands(line, step)]:
                yield Violation("undo of what was kept", f"what it wrote stands ({standing}): {case}")
            if reason := why_kept(evidence, case.back, case.steps, case.is_shared):
                yield Violation("kept without reason", f"{reason}: {case}")


def _unclear(_evidence: Evidence, _line: Timeline, case: Case) -> Iterator[Violation]:
    yield Violation("undo absent", f"it is not known what the job did, and yet it is reversed: {case}")


# -- nothing else ------------------------------------------------------------------------------------------------------


def _numbers_by_itself(evidence: Evidence) -> bool:
    """Whether Billy gives a draft its number whenever it is written."""
    return evidence.history.switches.get("invoice_number") == "at-create"


def _nothing_else(evidence: Evidence, line: Timeline, cases: Sequence[Case]) -> Iterator[Violation]:
    """Each change the undo made is owed to one row that admits it; each record made again to exactly one."""
    named = Counter(case.new_id for case in cases if case.new_id and case.did == DELETED)
    for record_id, times in named.items():
        if times > 1:
            yield Violation("made again for two", f"{record_id} is named by {times} rows")
    unclear = Counter(_name(line, case) for case in cases if case.did == DELETED and _may_have_made(case))
    by_id = {case.record_id: case for case in cases if case.record_id}
    made = {s.change.id for s in line.undo() if s.change.operation == "create" and s.change.resource not in PARENT}
    for step in line.undo():
        change = step.change
        if change.resource == "organizations":
            continue  # Billy counts its invoice numbers there
        owner = line.parents.get(change.id, change.id)
        text = f"{change.operation} of {change.resource} {change.id} {change.key!r} at {change.time}"
        if owner in made:
            if change.id in made and change.operation == "create" and not named[change.id]:
                # Numbered when it is made, an invoice is not called what it was.
                known = change.key if not _numbers_by_itself(evidence) else None
                key = known or next((name for name, rows in unclear.items() if rows > 0), change.key)
                if unclear[key] > 0:
                    unclear[key] -= 1
                else:
                    alike_ = [str(case) for case in cases if _name(line, case) == change.key]
                    yield Violation("made again unaccounted", f"{text}; rows: {alike_ or 'none'}")
            elif change.operation == "delete" or (change.id in made and change.operation == "update"):
                yield Violation("undo in silence", f"{text}: what was made again was changed")
        elif owner not in by_id:
            yield Violation("undo in silence", f"{text}, which is no record of the job")
        elif not _may_have_written(by_id[owner]) and _stands(line, step):
            yield Violation("undo in silence", f"{text}; its row: {by_id[owner]}")


def _name(line: Timeline, case: Case) -> str:
    last = next(
        (step for step in reversed(line.own.get(case.record_id, [])) if step.change.operation == "delete"), None
    )
    return last.change.key if last else ""


def _may_have_made(case: Case) -> bool:
    said = case.back.said
    if said is None or said.action != CREATE:
        return False
    return said.status in IN_DOUBT or (said.status == UndoVerdict.FAILED and said.error_code == "outcome_unknown")


def _may_have_written(case: Case) -> bool:
    if case.said == UndoVerdict.REVERSED:
        return True
    said = case.back.said
    if said is None:
        return False
    if said.status == UndoVerdict.FAILED:
        return said.error_code in ("outcome_unknown", "partly_changed", "no_clear_answer")
    # A restoring is several requests: one that is still open may be half done.
    return said.status in IN_DOUBT or (said.status in ("valid", "planned") and case.did == CHANGED)


def _stands(line: Timeline, step: Step) -> bool:
    """Whether anything of a change is still there: people may have written over all of it since."""
    if step.change.operation != "update":
        return True
    later = [s for s in line.own[step.change.id] if s.change.sequence > step.change.sequence and s.actor == "person"]
    return any(not any(key in s.delta for s in later) for key in step.delta)


# -- reversed ----------------------------------------------------------------------------------------------------------


def _made(evidence: Evidence, line: Timeline, case: Case) -> Iterator[Violation]:
    """It is gone, deleted once, and what hung on it is gone."""
    own = line.own.get(case.record_id, [])
    deletes = sum(step.change.operation == "delete" for step in own)
    there = [plural for plural, records in evidence.books.items() if case.record_id in records]
    if deletes != 1 or there:
        yield Violation("undo absent", f"deleted {deletes} times, {'still' if there else 'not'} in Billy: {case}")
    left = [
        child
        for plural, key in PARENT.items()
        for child, record in evidence.books[plural].items()
        if record.get(key) == case.record_id
    ]
    if left:
        yield Violation("undo absent", f"{left} still hang on it: {case}")


def _changed(evidence: Evidence, line: Timeline, case: Case) -> Iterator[Violation]:
    """The fields the job changed have their old values again, and no other field was touched."""
    if case.is_shared:
        return
    own = line.own.get(case.record_id, [])
    was: dict[str, list[Any]] = {}
    for number, step in enumerate(own):
        if step.actor == "job":
            found = {k: [old, *_unseen(evidence, own[:number], k, step)] for k, (old, _) in step.delta.items()}
            was = {**found, **was}
    if _numbers_by_itself(evidence):
        was.pop("invoiceNo", None)
    for step in own:
        if step.actor == "undo":
            more = {key: new for key, (_, new) in step.delta.items() if not _is_one_of(was.get(key, []), new)}
            if more or step.after is None:
                yield Violation("undone too much", f"it made {more or 'it go'}, was {was}: {case}")
    # Since the undo has the last word on them, or people had put them back: at one moment all of them were as before.
    last = max((i for i, step in enumerate(own) if step.actor in ("undo", "job")), default=-1)
    states = [step.after for step in own[max(last, 0) :]]
    if was and not any(state and all(_is_one_of(old, state.get(key)) for key, old in was.items()) for state in states):
        now = {key: (states[0] or {}).get(key) for key in was}
        yield Violation("undo absent", f"it should be {was} and is {now}: {case}")
    yield from _children_as_before(line, case)


def _is_one_of(values: Sequence[Any], value: Any) -> bool:
    return any(alike(each, value) for each in values)


def _unseen(evidence: Evidence, earlier: Sequence[Step], key: str, write: Step) -> Iterator[Any]:
    """What a field was before people wrote into it, if nobody has read the record between that and the job's write: the
    reading that is written on may be a minute old (R7), and is the before-image."""
    for step in reversed(earlier):
        if step.actor != "person" or _is_read(evidence, step.change, write.change):
            return
        if key in step.delta:
            yield step.delta[key][0]


def _is_read(evidence: Evidence, since: Change, until: Change) -> bool:
    paths = (f"/{until.resource}", f"/{until.id}")
    gets = (request for request in evidence.requests if request.method == "GET" and request.path.endswith(paths))
    return any(since.time < request.time < until.time for request in gets)


def _children_as_before(line: Timeline, case: Case) -> Iterator[Violation]:
    kin = [step for step in case.steps if step.change.id != case.record_id]
    if not any(step.actor == "job" for step in kin) or any(step.actor == "person" for step in kin):
        return
    first = next(step.change.sequence for step in kin if step.actor == "job")
    before, after = line.children(case.record_id, first), line.children(case.record_id, 10**9)
    if before != after:
        yield Violation("undo absent", f"on it hung {before}, and now {after}: {case}")


def _deleted(evidence: Evidence, line: Timeline, case: Case) -> Iterator[Violation]:
    """It was made again, exactly once, as it was."""
    new = line.own.get(case.new_id or "", [])
    if not new or new[0].actor != "undo" or new[0].change.operation != "create":
        yield Violation("undo absent", f"it was never made again: {case}")
        return
    gone = any(step.change.operation == "delete" for step in new)
    if not gone and not any(case.new_id in records for records in evidence.books.values()):
        yield Violation("undo absent", f"what was made again is not in Billy: {case}")
    end = next((step for step in line.own.get(case.record_id, []) if step.change.operation == "delete"), None)
    if end is None or end.before is None:
        yield Violation("undo absent", f"it was never deleted: {case}")
        return
    old, made = end.before, new[0].after or {}
    keys = [key for key in {**old, **made} if key not in OF_ITSELF and not alike(old.get(key), made.get(key))]
    if _numbers_by_itself(evidence) and not old.get("invoiceNo"):
        keys = [key for key in keys if key != "invoiceNo"]
    if keys:
        texts = {key: (old.get(key), made.get(key)) for key in keys}
        yield Violation("made again otherwise", f"was and is: {texts}: {case}")
    # A record and what hangs on it go, and come, by one request: those of the request are no further steps.
    before = line.children(case.record_id, _first_of_request(line, case.record_id, end))
    last = max(step.change.sequence for step in line.family[case.new_id or ""] if _same_request(step, new[0]))
    after = line.children(case.new_id or "", last + 1)
    # A delete that got no clear answer, where no list tells what hangs on a record: it was not on record, and undo
    # says so.
    said = case.back.said
    admitted = said is not None and said.error_code == "made_again_in_part" and not after
    if before != after and not (admitted and evidence.history.switches.get("include") == "ignored"):
        yield Violation("made again otherwise", f"on it hung {before}, and now {after}: {case}")


def _same_request(step: Step, other: Step) -> bool:
    return step.change.request_id == other.change.request_id


def _first_of_request(line: Timeline, record_id: str, end: Step) -> int:
    return min(step.change.sequence for step in line.family[record_id] if _same_request(step, end))
