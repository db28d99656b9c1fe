"""What the readers of numbers, dates and words share: columns as Arrow arrays, and deciding by the whole column.

Regular expressions here run in Arrow (RE2): 1,000,000 cells against a pattern take 0.1 s, and no text can make it slow.
RE2 knows neither look-around nor back-references, and its \\d is 0-9 only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

Mask = npt.NDArray[np.bool_]


def arrow(column: pd.Series[str]) -> Any:
    """The cells as one Arrow string array, without copying; missing ones as ''."""
    cells = pa.array(column, type=pa.large_string())
    cells = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    return cells.fill_null("") if cells.null_count else cells


def text_series(cells: Any, like: pd.Series[str]) -> pd.Series[str]:
    """An Arrow string array as a column beside another."""
    return pd.Series(pd.array(cells, dtype="str"), index=like.index, name=like.name)


def bool_series(mask: Mask, like: pd.Series[str]) -> pd.Series[bool]:
    """A mask as a column beside another."""
    return pd.Series(mask, index=like.index, name=like.name)


def matches(cells: Any, pattern: str) -> Mask:
    """Where the pattern is found; anchor it to fit whole cells."""
    return mask_of(pc.match_substring_regex(cells, pattern))


def mask_of(answer: Any) -> Mask:
    """An Arrow boolean array as a mask."""
    return np.asarray(answer.to_numpy(zero_copy_only=False), dtype=np.bool_)


def changed(cells: Any, where: Mask, change: Callable[[Any], Any]) -> Any:
    """The cells, with those at `where` changed; the others cost nothing."""
    if not where.any():
        return cells
    if where.all():
        return change(cells)
    mask = pa.array(where)
    return pc.replace_with_mask(cells, mask, change(cells.filter(mask)))


def by_word(column: pd.Series[str], meaning: Callable[[str], str]) -> tuple[pd.Series[str], pd.Series[bool]]:
    """Each cell replaced by what its text means, asked once for each different text; '' means nothing.

    Returns the meanings (cells that mean nothing keep their text), and True where a cell has a meaning or is blank.
    """
    words = arrow(column).dictionary_encode()
    texts = words.dictionary.to_pylist()
    meanings = [meaning(text) if text else "" for text in texts]
    known = [not text or bool(meant) for text, meant in zip(texts, meanings, strict=True)]
    values = pa.array([meant or text for text, meant in zip(texts, meanings, strict=True)], type=pa.large_string())
    places = words.indices
    return (
        text_series(values.take(places), column),
        bool_series(np.array(known, dtype=np.bool_)[places.to_numpy()], column),
    )


def decide(for_first: Mask, for_second: Mask, differ: Mask) -> tuple[bool, Mask]:
    """Which of two ways a whole column is written in.

    `for_first` and `for_second` are the cells that fit one way only, `differ` those that fit both with different
    results. One cell that fits one way only decides for all. Cells that contradict each other are a sign of damage, so
    then nothing is guessed: every cell that could mean two things, and every cell of the rarer way, is in doubt.

    Returns whether it is the first way, and the cells in doubt.
    """
    firsts, seconds = int(for_first.sum()), int(for_second.sum())
    if firsts and seconds:
        doubt = differ.copy()
        if firsts <= seconds:
            doubt |= for_first
        if seconds <= firsts:
            doubt |= for_second
        return firsts > seconds, doubt
    if firsts or seconds:
        return firsts > 0, np.zeros_like(differ)
    return True, differ
