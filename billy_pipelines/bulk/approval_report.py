"""What plan and report say of approvals (rules B9, B10): what is going to be approved, in which order, for how much;
and what was, under which numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from billy_pipelines.bulk.approvals import approves_now, is_to_approve, numbers_of, planned_approvals
from billy_pipelines.bulk.context import JobContext
from billy_pipelines.bulk.verdicts import CREATE, State, Verdict
from billy_pipelines.database.items import Item
from billy_pipelines.schemas.invoice_amounts import planned_totals
from billy_pipelines.schemas.invoice_approval import APPROVED, held_back
from billy_pipelines.schemas.invoice_totals import CREDIT_NOTE

FIRST_APPROVALS = 50


def approval_places(job: JobContext, items: Iterable[Item]) -> dict[int, int]:
    """Item index -> its place in the order of approvals, from 1; empty for a plan that approves nothing."""
    wanted = planned_approvals(job, items) if is_to_approve(job) else []
    return {item.item_index: place for place, item in enumerate(wanted, 1)}


def approval_plan(job: JobContext, items: Sequence[Item]) -> list[str]:
    """The part of the plan on approvals, in Markdown; nothing where none follow."""
    if not is_to_approve(job):
        return []
    wanted = planned_approvals(job, items)
    held = sum(
        item.leader_index is None and item.action == CREATE and held_back(item.item_data or {}) for item in items
    )
    lines = [
        "",
        "## Approval",
        "",
        f"{len(wanted):,} of these are **approved** once all drafts are made and their totals compared: one at a time, "
        "by date and then as in the file; Billy numbers them in that order, unless it numbers drafts when they are "
        "made. **That books VAT and cannot be taken back.** The first failure or unclear answer ends it, and the rest "
        "stay drafts.",
    ]
    lines += [f"\n{held:,} stay drafts because the file says so (approve)."] if held else []
    if not wanted:
        return lines
    lines += ["", "| to approve | currency | number | without VAT | with VAT |", "|---|---|---:|---:|---:|"]
    lines += [
        f"| {kind} | {currency} | {len(group):,} | {_sum(totals, 0)} | {_sum(totals, 1)} |"
        for (kind, currency), group in sorted(_groups(wanted).items(), reverse=True)
        if (totals := [planned_totals(item.item_data or {}) for item in group])
    ]
    lines += ["", "In this order:", "", "| place | line | date | key |", "|---:|---:|---|---|"]
    lines += [
        f"| {place:,} | {item.line} | {(item.item_data or {}).get('entryDate', '')} | {as_code(item.natural_key)} |"
        for place, item in enumerate(wanted[:FIRST_APPROVALS], 1)
    ]
    more = len(wanted) - FIRST_APPROVALS
    return [*lines, *([f"\nand {more:,} more; plan.csv has them all."] if more > 0 else [])]


def _groups(items: Iterable[Item]) -> dict[tuple[str, str], list[Item]]:
    found: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in items:
        row = item.item_data or {}
        kind = "credit notes" if row.get("type") == CREDIT_NOTE else "invoices"
        found[kind, str(row.get("currency") or "")].append(item)
    return found


def _sum(totals: Sequence[tuple[Decimal | None, Decimal | None]], which: int) -> str:
    """A sum as far as it can be known before Billy has chosen the VAT; how many it leaves out is said."""
    known = [amount for pair in totals if (amount := pair[which]) is not None]
    if not known:
        return "as Billy counts it"
    left = len(totals) - len(known)
    return f"{sum(known, Decimal(0)):,.2f}{f' and {left:,} more' if left else ''}"


def approval_lines(job: JobContext) -> list[str]:
    """The part of the report on approvals, in Markdown: how many, which numbers, what is left."""
    if not approves_now(job) or job.row.status == State.PLANNED:
        return []
    told = approval_counts(job)
    lines = ["", f"Approved: {told['approved']:,}. {told['drafts']:,} drafts of this job are in Billy."]
    if told["approved"]:
        lines += ["", "| approved in | invoices | with VAT |", "|---|---:|---:|"]
        lines += [f"| {currency} | {number:,} | {gross:,.2f} |" for currency, number, gross in _approved_sums(job)]
    if numbers := numbers_of(job.row.source):
        lines += ["", f"{numbers.text().capitalize()}."]
    if told["drafts"] and told["approved"]:
        lines += ["", "What is approved later gets a higher number, whatever its date is."]
    return lines


def _approved_sums(job: JobContext) -> list[tuple[str, int, Decimal]]:
    """Currency, invoices and their total with VAT, as Billy counts it; what a credit note gives back is taken off."""
    sums: dict[str, list[Decimal]] = defaultdict(list)
    seen = job.journal.after_values("state", "currencyId", "type", "grossAmount", "amount", "tax")
    for state, currency, kind, gross, net, tax in seen.values():
        if state == APPROVED:
            total = abs(Decimal(gross) if gross else Decimal(net or 0) + Decimal(tax or 0))
            sums[currency or ""].append(-total if kind == CREDIT_NOTE else total)
    return [(currency, len(each), sum(each, Decimal(0))) for currency, each in sorted(sums.items())]


def approval_counts(job: JobContext) -> dict[str, int]:
    """How many invoices of the job are approved, and how many it has made that are not."""
    states = job.journal.after_values("state")
    made = [
        item
        for item in job.journal.leaders([Verdict.CREATED, Verdict.FAILED])
        if item.action == CREATE and item.billy_id
    ]
    approved = sum(states.get(item.item_index) == (APPROVED,) for item in made)
    return {"approved": approved, "drafts": len(made) - approved}


def approval_metadata(job: JobContext) -> dict[str, Any]:
    """The same as values, for the asset's page."""
    if not approves_now(job):
        return {}
    numbers = numbers_of(job.row.source)
    told: dict[str, Any] = {f"approval_{name}": number for name, number in approval_counts(job).items()}
    if numbers:
        told["next_invoice_no_before"] = numbers.next_before or ""
        told["next_invoice_no_after"] = numbers.next_after or ""
        told["invoice_no_gaps"] = ", ".join(numbers.gaps) or "none"
    return told


def as_code(text: str | None) -> str:
    """Text from files and books in a table that a browser shows: nothing in it is a link, a picture or a cell's end."""
    plain = " ".join((text or "").replace("`", " ").replace("|", "/").split())[:200]
    return f"`{plain}`" if plain else ""
