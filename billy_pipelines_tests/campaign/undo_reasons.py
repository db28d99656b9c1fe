"""Whether a row that an undo kept had to be kept: something that people, or other jobs, did is its reason."""

from __future__ import annotations

from collections.abc import Sequence

from billy_pipelines_tests.campaign.evidence import Evidence
from billy_pipelines_tests.campaign.timeline import Step
from billy_pipelines_tests.campaign.undo_accounts import Back

NUMBERS = ("name", "contactNo", "productNo", "orderNo")
"""By which a record that is there again is known."""


def why_kept(evidence: Evidence, back: Back, steps: Sequence[Step], is_shared: bool) -> str | None:
    """What is wrong with the reason a kept row gives; None where it holds."""
    said, record_id = back.said, back.row.billy_id or ""
    code = said.error_code if said else None
    others = [step for step in steps if step.actor == "person"]
    if code == "edited_since":
        return None if others or is_shared else "nobody edited it"
    if code == "deleted_since":
        there = any(record_id in records for records in evidence.books.values())
        gone = any(step.change.operation == "delete" for step in steps)
        return None if gone and not there else "nobody deleted it"
    if code in ("in_use_since", "billy_keeps"):
        refused = code == "billy_keeps" and _is_refused(evidence)
        return None if refused or _is_used(evidence, record_id) else "nothing refers to it"
    if code in ("invoice_booked", "invoice_approved"):
        state = evidence.books["invoices"].get(record_id, {}).get("state")
        return None if state == "approved" else f"its state is {state}"
    if code == "there_again":
        return None if _is_there_again(evidence, steps, record_id) else "no such record has come since"
    if code == "job_unsettled":
        unclear = back.row.error_code in ("outcome_unknown", "partly_changed") or back.row.status != "failed"
        return None if unclear else "it is known what became of it"
    return f"{code} is no reason that this history has"


def _is_refused(evidence: Evidence) -> bool:
    """Whether Billy refuses some record whatever is asked of it (422), and does so still."""
    undo, drawn = evidence.undo, evidence.history.undo
    over = undo is not None and undo.asked.over
    return not over and any(fault["kind"] == "422" for fault in (drawn.faults if drawn else ()))


def _is_used(evidence: Evidence, record_id: str) -> bool:
    return any(invoice.get("contactId") == record_id for invoice in evidence.books["invoices"].values()) or any(
        line.get("productId") == record_id for line in evidence.books["invoiceLines"].values()
    )


def _is_there_again(evidence: Evidence, steps: Sequence[Step], record_id: str) -> bool:
    """A record that came since, by anybody but the undo, has one of its names or numbers."""
    undone = evidence.undo.changes if evidence.undo else frozenset()
    old = next((s.before for s in reversed(steps) if s.change.operation == "delete" and s.change.id == record_id), None)
    made_by_undo = {c.id for c in evidence.changes if c.sequence in undone and c.operation == "create"}
    came = [
        record
        for plural in ("contacts", "products", "invoices")
        for key, record in evidence.books[plural].items()
        if key not in evidence.opening and key not in made_by_undo
    ]
    came += [c.record for c in evidence.changes if c.record and c.operation == "create" and c.sequence not in undone]
    keys = {key: old.get(key) for key in NUMBERS if old and old.get(key)}
    return any(record.get(key) == value for record in came for key, value in keys.items())
