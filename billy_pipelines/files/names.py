"""The names of columns: how they are compared, how they are shown, what they say about VAT."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

from billy_pipelines.schemas.codes import HIDDEN, sentence

MOST_NAMES = 40
"""Column names listed in a message."""
LONGEST_NAME = 40

_PERSONAL = re.compile(
    r"[^@\s]@[^@\s]+\.\w|\d{6}\W?\d{4}|\d(?:[ .]?\d){7}|\d\d(?:-\d\d){3}|\w[ ,]+(?:ApS|[AIKP]/S|IVS|AMBA)\.?$"
)
"""What may be somebody's: an e-mail address, a CPR number, eight digits of a CVR or telephone number, a company."""
_VAT = r"(?:\d+(?:pct)?)?(?:vat|moms|tax)"
_INCLUDING = re.compile(rf"in[kc]l(?:uding|usive|usiv)?{_VAT}|m(?:ed)?moms|(?:vat|moms|tax)in[kc]l")
_EXCLUDING = re.compile(rf"e(?:x|ksk?l|x[kc]l)(?:uding|usive|usiv)?{_VAT}|u(?:den)?moms")


def folded(name: str) -> str:
    """A header name as it is compared: without regard to case, blanks, signs and accents.

    A per cent sign counts: `Moms` is an amount, `Moms %` a rate.
    """
    text = name.casefold().replace("ø", "o").replace("æ", "ae").replace("å", "a").replace("%", "pct")
    return re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKD", text))


def shown(name: str) -> str:
    """A header name for messages: short, on one line, and hidden when it may be somebody's data (rule B23)."""
    text = " ".join(name.split())
    if _PERSONAL.search(text):
        return HIDDEN
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"


def quoted(name: str) -> str:
    """A header name for the middle of a sentence."""
    return f"'{shown(name)}'"


def listed(names: Sequence[str], known: Collection[str], language: str) -> str:
    """Header names for the end of a sentence, the first of many.

    Where one of them may be somebody's data, the line may be a row and no header: then names not `known` (folded) to
    anybody are hidden too, among which a person's name and address may be.
    """
    doubtful = any(shown(name) == HIDDEN for name in names)
    texts = [HIDDEN if doubtful and folded(name) not in known else shown(name) for name in names[:MOST_NAMES]]
    further = len(names) - MOST_NAMES
    return ", ".join(texts) + (f", … ({sentence('more_names', language, number=further)})" if further > 0 else "")


def says_including_vat(name: str) -> bool:
    """Whether a header says that its prices include VAT (`inkl. moms`): rule B14."""
    return _INCLUDING.search(folded(name)) is not None


def without_vat_words(name: str) -> str:
    """A folded name without what it says about VAT (`salgsprisinklmoms`: `salgspris`)."""
    return _EXCLUDING.sub("", _INCLUDING.sub("", name))
