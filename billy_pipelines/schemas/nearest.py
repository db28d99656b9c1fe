"""The nearest match for what was looked up and not found: a typing error is seen at once beside the right name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import cached_property

from billy_pipelines.schemas.cleaning import comparable

NONE = "–"
"""What stands for: nothing is near."""
LIKE_ENOUGH = 0.6
MOST_LOOKED_AT = 1000
"""Places in the index gone through for one text; the rare sequences come first, so `aps` does not cost 30,000."""
MOST_COMPARED = 10


class Nearest:
    """Texts by which things are known, each with what the thing is called; made ready at the first question."""

    def __init__(self, texts: Iterable[tuple[str | None, str]]) -> None:
        self._given = texts
        self._answers: dict[str, str] = {}

    @cached_property
    def _known(self) -> list[tuple[str, str]]:
        return [(text, called) for given, called in self._given if (text := comparable(given))]

    @cached_property
    def _index(self) -> dict[str, list[int]]:
        index: dict[str, list[int]] = {}
        for place, (text, _) in enumerate(self._known):
            for gram in _grams(text):
                index.setdefault(gram, []).append(place)
        return index

    def to(self, *texts: str | None) -> str:
        """What the most similar thing is called, `–` if none is like any of the texts."""
        wanted = [text for given in texts if (text := comparable(given))]
        question = "\n".join(wanted)
        if question not in self._answers:
            likeness, called = max((self._best(text) for text in wanted), default=(0.0, NONE))
            self._answers[question] = called if likeness >= LIKE_ENOUGH else NONE
        return self._answers[question]

    def _best(self, text: str) -> tuple[float, str]:
        shared: Counter[int] = Counter()
        looked_at = 0
        for places in sorted((self._index.get(gram, []) for gram in _grams(text)), key=len):
            if looked_at and looked_at + len(places) > MOST_LOOKED_AT:
                break
            looked_at += len(places)
            shared.update(places)
        matcher = SequenceMatcher(None, "", text)
        best = (0.0, NONE)
        for place, _ in shared.most_common(MOST_COMPARED):
            known, called = self._known[place]
            matcher.set_seq1(known)
            best = max(best, (matcher.ratio(), called))
        return best


def _grams(text: str) -> set[str]:
    """Sequences of three signs, the ends marked by blanks."""
    padded = f" {text} "
    return {padded[start : start + 3] for start in range(max(1, len(padded) - 2))}
