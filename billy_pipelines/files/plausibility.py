"""How much a character decoded from a single byte looks like Danish business text where it stands.

Windows-1252, DOS and MacRoman decode each other's files without an error, so only the result tells them apart: `Søren`
saved as MacRoman reads `S¿ren` in Windows-1252 and `S┐ren` in DOS. The weights are ordered by what was confused with
what.
"""

from __future__ import annotations

import re
import unicodedata

_DANISH = frozenset("æøåÆØÅ")
_COMMON = frozenset("éüöäÉÜÖÄ")
"""Letters of names in Denmark beside its own: `Pär` in MacRoman is `Pèr` in DOS."""
_KNOWN = frozenset("èáàíóúñëêôßÈÁÍÓÚÑ")
"""Rarer ones; `Hernández` must outdo `Hernßndez`, hence ß no more than á."""
_VOWELS = frozenset("aeiouyæøåéüöäèáàíóúëêôAEIOUYÆØÅÉÜÖÄÈÁÍÓÚ")
_FINAL = re.compile(r"TR|KN|(?:^|\W)F")
"""What stands before a final Æ in capitals (TRÆ, KNÆ, FÆ); in Windows-1252 the same byte is ®, as in LEGO®."""
_OPENING, _CLOSING = frozenset("“„‘‚«»‹›"), frozenset("”“’‘»«›‹")
_SUFFIX = re.compile(r"(?:s|t|er|en|et|erne|re|ve|ll|d|m)(?![^\W\d_])", re.I)
"""What follows an apostrophe: CD’er, KUNDE’S, it’s. In DOS the same byte is Æ (JÆGER)."""
_PREFIX = re.compile(r"(?:^|[^\w])[odl]$", re.I)
"""What precedes one: O’Neill, D’Angelo, L’Oréal."""
_UNIT = re.compile(r"(?:^|[^a-z])(?:[cdkm]?m)$", re.I)
_UNDEFINED = "\ufffd"


def plausibility(text: str, at: int) -> float:
    """Of the character at a position in a piece of text: positive where a Dane would have written it."""
    sign = text[at]
    before, after = text[at - 1] if at else " ", text[at + 1] if at + 1 < len(text) else " "
    if sign == _UNDEFINED or unicodedata.category(sign).startswith("C"):
        return 0.3 if sign == "\xad" else -4  # a soft hyphen is the one control that people have
    if sign.isalpha() and sign not in "ªºµ":
        if sign == "Æ" and before.isupper() and not after.isalpha() and not _FINAL.search(text, max(at - 2, 0), at):
            return 0.3
        return _letter(sign, before, after)
    return _symbol(text, at, sign, before, after)


def _letter(sign: str, before: str, after: str) -> float:
    if not unicodedata.name(sign).startswith("LATIN") or "LIGATURE F" in unicodedata.name(sign):
        return -3
    if before > "\x7f" and before.isalpha() and after > "\x7f" and after.isalpha():
        return 0 if before in _DANISH and after in _DANISH else -3  # three in a row: Cyrillic, Greek, UTF-8
    if before.isdigit() or after.isdigit():
        return -1
    if not before.isalpha() and not after.isalpha():
        return 0.5 if sign in _DANISH or sign in "áà" else -1  # 2 stk. á 5 kr.
    if sign in "šžŠŽ" and before not in _VOWELS and after not in _VOWELS:
        return -1  # Jšnsson
    if sign in _VOWELS and sign not in _DANISH and after in _VOWELS and (before in _VOWELS or not before.isalpha()):
        return 0.3  # Duöan
    if sign.islower():
        if after.isupper():
            return -2  # SùREN
        return 4 if sign in _DANISH else 2 if sign in _COMMON else 1.5 if sign in _KNOWN else 0.3
    if before.islower() or (before.isupper() and after.islower()):
        return -3  # gÊrd, CafÈ, MÅller
    return 3 if sign in _DANISH else 1 if sign in _COMMON or sign in _KNOWN else 0.3


def _symbol(text: str, at: int, sign: str, before: str, after: str) -> float:
    inside = before.isalpha() and after.isalpha()
    beside = before.isalpha() or after.isalpha()
    if sign in "’´":
        if before.isalpha() and _SUFFIX.match(text, at + 1):
            return 3.5
        if after.isalpha() and _PREFIX.search(text, 0, at):
            return 3.5
    if sign in _OPENING or sign in _CLOSING:
        return -3 if inside else 2.5 if _paired(text, at, sign, before, after) else -0.5
    if sign == "\xa0":
        return 0.5 if inside else 1
    if sign in "–—":
        return 0 if inside else -0.5 if beside else 1.5
    if inside:
        return -3
    if sign in "²³":
        return 2 if _UNIT.search(text, 0, at) else -1
    if sign == "°":
        return 2 if before.isdigit() or before == " " else -1
    if sign in "®™©":
        return 2 if before.isalnum() and not after.isalnum() else 1 if sign == "©" else -1
    if sign == "…":
        return -1 if after.isalpha() else 1
    if sign == "µ":
        return 1.5 if after.isalpha() and not before.isalpha() else -1
    if sign in "ªº":
        return 0.5 if before.isdigit() else -1
    if sign in "·•":
        return -1 if beside else 0.3
    if sign in "½¼¾€£¥§×±":
        return -1 if beside else 1.5
    return -2


def _paired(text: str, at: int, sign: str, before: str, after: str) -> bool:
    """Whether a quotation mark stands as one end of a quotation."""
    opens = sign in _OPENING and not before.isalnum() and not after.isspace()
    closes = sign in _CLOSING and not after.isalnum() and not before.isspace()
    return (opens and any(other in _CLOSING for other in text[at + 2 :])) or (
        closes and any(other in _OPENING for other in text[: max(at - 1, 0)])
    )
