"""What the approval of an invoice depends on and leaves: who is held back, what was edited, the series of numbers.

Rules B9 and B10. The order is `invoice_meaning.approval_order`; the requests are `bulk/approving.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise, zip_longest
from typing import Any

from pydantic import ValidationError

from billy_pipelines.billy.invoice_models import Invoice
from billy_pipelines.schemas.invoice_meaning import LINES, WRITABLE, lines_of
from billy_pipelines.schemas.resource import Row

APPROVED = "approved"
APPROVAL = {"state": APPROVED}
"""The body of an approval (observed)."""
_NO_CONTENT = frozenset({"state", "sentState"})
"""Written by people, but no part of what is approved."""
_OF_A_LINE = ("productId", "description", "quantity", "unitPrice", "discountMode", "discountValue")


def held_back(row: Row) -> bool:
    """Whether the file keeps this invoice a draft (rule B9)."""
    return row.get("approve") == "false"


def asks_approval(row: Row) -> bool:
    """Whether the file says that this invoice may be approved, which approves nothing by itself (rule B9)."""
    return row.get("approve") == "true"


def edited(image: Mapping[str, Any], record: Invoice) -> list[str]:
    """What of a draft is no more as it was made. What its image does not tell, because the answer to the create may
    have left it out, says nothing."""
    now = record.image()
    names = [
        key
        for key in WRITABLE
        if key not in _NO_CONTENT and image.get(key) not in (None, "") and image[key] != now.get(key)
    ]
    if image.get(LINES) and record.lines is not None and not _same_lines(image, record):
        names.append(LINES)
    return names


def _same_lines(image: Mapping[str, Any], record: Invoice) -> bool:
    pairs = zip_longest(lines_of(Invoice.model_validate(dict(image))), lines_of(record))
    return all(
        made is not None
        and present is not None
        and all(getattr(made, key) in (None, getattr(present, key)) for key in _OF_A_LINE)
        for made, present in pairs
    )


def approved_record(draft: Invoice, answer: Mapping[str, Any]) -> Invoice | None:
    """The invoice after its approval, by the answer to it; None where the answer does not tell state and number.

    The answer holds every record that was changed (documented), which may be others too.
    """
    for raw in answer.get("invoices") or []:
        if not isinstance(raw, dict) or raw.get("id") != draft.id:
            continue
        try:
            made = Invoice.model_validate({**draft.image(), **{k: v for k, v in raw.items() if k != LINES}})
        except ValidationError:
            return None
        return made if raw.get("state") == APPROVED and raw.get("invoiceNo") else None
    return None


def serial(number: Any) -> int | None:
    """An invoice number as one of a series; None for what is none (`2026-17`)."""
    text = str(number) if number is not None else ""
    return int(text) if text.isascii() and text.isdigit() else None


def holes(first: int, last: int, taken: Iterable[int]) -> list[tuple[int, int]]:
    """The numbers from first to last that nobody has, as ranges."""
    marks = sorted({first - 1, *(number for number in taken if first <= number <= last), last + 1})
    return [(low + 1, high - 1) for low, high in pairwise(marks) if high - low > 1]
