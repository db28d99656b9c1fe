"""Text that was decoded in the wrong encoding before it came here: how it is told from good text, and what it was.

A row is refused for it, so only what cannot be meant counts. One odd sign is never enough: `São`, `À la carte`, `Åse`
and `rock ’n’ roll` are good text. What counts is a pair of signs that no language writes (`Ã¸`), a sign inside a word
that stands in none (`S›ren`, `gŒrd`), and control characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

# -- UTF-8 decoded as something else ---------------------------------------------------------------------------------

_LETTERS = "A-Za-zÀ-ÖØ-öø-ÿ"
_CONTROLS = "\u0080-\u009f"
_MAC_SIGNS = "†°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø"
_AS_MAC = f"√[ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü{_MAC_SIGNS}]|¬[{_MAC_SIGNS}]|‚Ä[ìîôòù¶¢]"
_AS_DOS = "[├┬][^\u0001-\u007f]|[ÔΓ]Ç[ôöÖÿ£Ü]"
_AS_WINDOWS = "|".join(
    (
        f"Ã[{_CONTROLS}\u00a0-\u00aa¬\u00ad¯-º¼-¿€‚ƒ„…†‡ˆ‰ŠŒŽ˜–šœžŸ]",  # À to ÿ
        f"Ã[‘’“”—‹›«»™®•][{_LETTERS}]",  # the same, where the second sign could stand behind a word such as IRMÃ
        "Â[\u00a0-\u00aa¬-º¼-¿]",
        f"(?:^|[^{_LETTERS}])Â ",  # a no-break blank, which cleaning makes a common one
        f"â(?:€|„¢|‚¬|[{_CONTROLS}][{_CONTROLS}\u00a0-¿])|ï»¿|ï¿½|ðŸ",  # quotation marks and dashes, €, emoji
        f"[ÄÅ][{_CONTROLS}¡-¦¨ª¬\u00ad¯µ¶¸º¼-¿‚ƒ„‡ˆ‰ŒŽšœžŸ]",  # š, ł, ć; but `5 Å²` and `»BLÅ«` are meant
        f"[A-Za-z]Ì[{_CONTROLS}Šˆ€ƒ‚§]",  # accents apart from their letter, as a Mac names files
        f"(?:[ÐÑ][{_CONTROLS}\u00a0-¿‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ€]){{2}}",  # Cyrillic
    )
)
_MISREAD_UTF8 = f"{_AS_MAC}|{_AS_DOS}|{_AS_WINDOWS}"

# -- cp865 or MacRoman decoded as Windows-1252 -----------------------------------------------------------------------

_LOWER = "a-zæøåäöé"
_END = "(?:$|[ ,./-])"
_LEFT_OVER = "|".join(
    (
        f"[A-Za-zæøåäöé][†›][{_LOWER}]|^[^‹]*[{_LOWER}]›{_END}",  # cp865 å and ø; `‹Kro›` is meant
        f"[A-Za-zæøåäöé]¿(?:[{_LOWER}]|{_END})",  # MacRoman ø
        f"[A-WYZa-wyzæøåäöé]¾[{_LOWER}]",  # MacRoman æ; `¼x¾tommer` is meant
        f"[{_LOWER}]Œ[{_LOWER}]|[A-Z]Œ[a-tv-zæøåäöé]|[A-Za-z]Œ{_END}",  # MacRoman å; French has no œ but in œu
        "¯[A-Za-zæøåÆØÅ]",  # MacRoman Ø
        f"[{_CONTROLS}]",
    )
)

DAMAGED = f"{_MISREAD_UTF8}|{_LEFT_OVER}|\ufffd"
"""Found in text that was decoded wrongly; for Arrow's regular expressions as well as Python's."""

_DAMAGED = re.compile(DAMAGED)
_IS_MISREAD_UTF8 = re.compile(_MISREAD_UTF8)
_IS_AS_MAC, _IS_AS_DOS = re.compile(_AS_MAC), re.compile(_AS_DOS)
_CONTROL = re.compile(f"[{_CONTROLS}]")
_GONE = re.compile("\ufffd|ï¿½")
# Cleaning makes a common blank of the no-break blank that is one half of these; at the end it takes it away.
_NO_BREAK_BLANK = re.compile(rf"(?<![{_LETTERS}])Â ")
_DAGGER = re.compile("Ãƒâ€(?: |$)")  # Æ, misread twice
_HALF = re.compile(rf"[ÃÂ](?![{_LETTERS}])|[√├┬]")
_UTF8 = re.compile("[\u00c2-\u00df][\u0080-\u00bf]|[\u00e0-\u00ef][\u0080-\u00bf]{2}|[\u00f0-\u00f4][\u0080-\u00bf]{3}")


def repair(text: str) -> str | None:
    """What damaged text was, or None when that is not certain, or nothing is damaged."""
    if _GONE.search(text) or not _DAMAGED.search(text):
        return None
    repaired, was_utf8 = text, False
    for _ in range(3):  # decoded wrongly twice is not rare: out of one program, into the next, and out of that
        # Once it is known to be UTF-8, half of a pair is no longer a letter of its own.
        misread = _IS_MISREAD_UTF8.search(repaired) or (was_utf8 and _HALF.search(repaired))
        if not misread and not _DAMAGED.search(repaired):
            break
        better = _utf8_again(repaired) if misread else _signs_again(repaired)
        if better is None:
            return None
        repaired, was_utf8 = better, was_utf8 or bool(misread)
    repaired = unicodedata.normalize("NFC", repaired.replace("\ufeff", "").replace("\u00a0", " ")).strip()
    in_doubt = _DAMAGED.search(repaired) or (was_utf8 and _HALF.search(repaired))
    return None if in_doubt or repaired == text else repaired


def _bytes_of(encoding: str) -> dict[int, int]:
    """For `str.translate`: each sign as the character whose number is its byte in that encoding."""
    table = dict.fromkeys(range(0x80, 0x100), 0xFFFF)  # signs that have no byte become one that fits nothing
    for byte in range(0x80, 0x100):
        sign = bytes([byte]).decode(encoding, "ignore")
        table[ord(sign) if sign else byte] = byte
    if encoding == "cp1252":  # and Latin-1, which has control characters where Windows has its own signs
        table |= {byte: byte for byte in range(0x80, 0xA0)}
    return table


_BYTES = {encoding: _bytes_of(encoding) for encoding in ("cp1252", "mac_roman", "cp850", "cp865", "cp437")}


def _utf8_again(text: str) -> str | None:
    """The text with what was UTF-8 decoded as that; None when no encoding explains it, or several do differently."""
    source = text
    if _IS_AS_MAC.search(text):
        encodings = ["mac_roman"]
    elif _IS_AS_DOS.search(text):
        encodings = ["cp850", "cp865", "cp437"]
    else:
        encodings = ["cp1252"]
        source = _DAGGER.sub("Ãƒâ€\u00a0", _NO_BREAK_BLANK.sub(" ", text))
    readings = {_decoded(source, source.translate(_BYTES[encoding])) for encoding in encodings}
    readings = {reading for reading in readings if reading != text and not _IS_AS_DOS.search(reading)}
    return readings.pop() if len(readings) == 1 else None


def _decoded(text: str, as_bytes: str) -> str:
    pieces, end = [], 0
    for found in _UTF8.finditer(as_bytes):
        try:
            sign = found.group().encode("latin-1").decode("utf-8")
        except UnicodeDecodeError:
            continue
        pieces += [text[end : found.start()], sign]
        end = found.end()
    return "".join([*pieces, text[end:]])


_OF_DOS = {"‘": "æ", "›": "ø", "†": "å", "’": "Æ", "\x9d": "Ø", "\x8f": "Å", "‚": "é", "„": "ä", "”": "ö", "\x81": "ü"}
_OF_MAC = {"¾": "æ", "¿": "ø", "Œ": "å", "®": "Æ", "¯": "Ø", "\x81": "Å", "Ž": "é", "Š": "ä", "š": "ö", "Ÿ": "ü"}
_OF_WINDOWS = {byte: bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0xA0)}


# What Windows-1252 read as Latin-1 may have held: signs of typography, quotation marks at a word.
_TYPOGRAPHIC = frozenset("‘’‚“”„–—…•€™")
_LONE_QUOTE = re.compile(r"(?<!\S)[‘’‚](?!\S)")


def _signs_again(text: str) -> str | None:
    """The text with each sign left of cp865, MacRoman or Windows-1252 put right; None unless one reading fits."""
    windows = text.translate(_OF_WINDOWS)
    readings = {_with_letters(windows, _OF_DOS), _with_letters(windows, _OF_MAC)}
    controls = {_OF_WINDOWS[ord(sign)] for sign in _CONTROL.findall(text)}
    if controls and controls <= _TYPOGRAPHIC and not _LONE_QUOTE.search(windows):
        readings.add(windows)
    readings.discard(None)
    return readings.pop() if len(readings) == 1 else None


def _with_letters(text: str, letters: Mapping[str, str]) -> str | None:
    """The text with signs replaced by letters; None when one would not stand there, or other signs remain."""
    result = "".join(letters.get(sign, sign) for sign in text)
    for place, sign in enumerate(text):
        if sign.isascii():
            continue
        letter = letters.get(sign, "")
        before, after = result[max(place - 1, 0) : place], result[place + 1 : place + 2]
        if letter.isupper() and before.isupper():
            fits = not after.islower()
        elif letter.isupper():
            fits = after.isalpha() and not before.islower()
        else:
            starts_word = letter in "æøå" and after.islower()
            fits = letter != "" and not after.isupper() and (before.isalpha() or starts_word)
        if not fits:
            return None
    return result
