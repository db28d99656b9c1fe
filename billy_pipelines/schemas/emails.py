"""Several e-mail addresses in one cell, and addresses with a name around them."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from billy_pipelines.schemas.cleaning import EMAIL_PATTERN
from billy_pipelines.schemas.whole_column import arrow, changed, matches, text_series

_TO_LOOK_AT = r"(?i)@[^@]*@|<|mailto:"
_ADDRESS = re.compile(EMAIL_PATTERN)
_DECORATED = re.compile(r"[<\":]")
_QUOTED = re.compile(r'"[^"@]*"')
_LINK = re.compile(r"mailto:([^\s?<>;,]+)(?:\?[^\s<>;,]*)?", re.IGNORECASE)
_BRACKETS = re.compile(r"<([^<>]*)>")
_SEPARATORS = re.compile(r"[;,\s]+(?:(?:og|and)\s+)?", re.IGNORECASE)


def split_emails(column: pd.Series[str]) -> tuple[pd.Series[str], pd.Series[str]]:
    """The first address of each cell, and the further ones joined with `;`, each once.

    A cell of which a part is no address stays whole in the first column, so that the check of addresses refuses it.
    """
    cells = arrow(column)
    first = changed(cells, matches(cells, r"@.*[;,]$|^[;,].*@"), lambda some: pc.utf8_trim(some, " ;,"))
    looked_at = matches(first, _TO_LOOK_AT)
    others = np.full(len(column), "", dtype=object)
    if looked_at.any():
        mask = pa.array(looked_at)
        split = [(addresses_in(text) or [text]) for text in first.filter(mask).to_pylist()]
        first = pc.replace_with_mask(first, mask, pa.array([parts[0] for parts in split], type=pa.large_string()))
        others[looked_at] = [";".join(parts[1:]) for parts in split]
    return text_series(first, column), text_series(pa.array(others, type=pa.large_string()), column)


def addresses_in(text: str) -> list[str]:
    """The addresses of a cell, without repetition; none when a part of it is no address."""
    plain = _without_names(_LINK.sub(r"\1", _QUOTED.sub("", text))) if _DECORATED.search(text) else text
    found: dict[str, str] = {}
    for part in (part.strip("/") for part in _SEPARATORS.split(plain)):
        pieces = [part] if _ADDRESS.fullmatch(part) else part.split("/")  # `/` may stand inside an address, too
        for piece in filter(None, pieces):
            if not _ADDRESS.fullmatch(piece):
                return []
            found.setdefault(piece.casefold(), piece)
    return list(found.values())


def _without_names(text: str) -> str:
    """The same without the names in front of addresses in brackets, and `;` for the brackets."""
    outside, *rest = _BRACKETS.split(text)
    plain = []
    for address, following in zip(rest[::2], rest[1::2], strict=True):
        plain += [_without_name(outside, address), address]
        outside = following
    return ";".join([*plain, outside])


def _without_name(text: str, address: str) -> str:
    """What stands before an address in brackets, without its name.

    A name may hold a comma (`Hansen, Bo <...>`) where nothing but the name stands there. What holds an @ is no name,
    unless it is the address itself, as Outlook and Word write it.
    """
    others, _, last = text.rpartition(";")
    if "@" not in last:
        return others
    front, _, name = last.rpartition(",")
    if "@" in name and name.strip(" '").casefold() != address.strip().casefold():
        return text
    return f"{others};{front}"
