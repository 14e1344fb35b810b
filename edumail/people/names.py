"""Names of people as spreadsheets write them, and the letters that a Vietnamese name is made of."""

from __future__ import annotations

import unicodedata

_BASE = "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"
_TONES = ("", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323")
_LETTERS = frozenset(
    unicodedata.normalize("NFC", letter + tone)
    for letter in _BASE
    for tone in (_TONES if letter in "aăâeêioôơuưy" else ("",))
)
_MARKS = frozenset(" '’ʼ`´.-–()")
"""What may stand between letters: H'Hen, Y-Bih, Lan (B)."""


def visible(text: str) -> str:
    """``text`` without the characters that nobody sees (Unicode's Cf), such as a space of no width."""
    if text.isascii():
        return text
    # A soft hyphen is a letter where old fonts were used; what it stands for must not vanish.
    unseen = {c for c in set(text) if c != "\xad" and unicodedata.category(c) == "Cf"}
    return text.translate(dict.fromkeys(map(ord, unseen))) if unseen else text


def title_case(name: str) -> str:
    """``name`` with a capital at the beginning of each word and after an apostrophe or hyphen."""
    result, start = [], True
    for letter in name:
        result.append(letter.upper() if start else letter.lower())
        start = not letter.isalnum()
    return "".join(result)


def in_one_case(name: str) -> bool:
    """Whether the name is written in capitals alone, or in none."""
    letters = [c for c in name if c.isalpha()]
    return len(letters) > 1 and (name == name.upper() or name == name.lower())


def foreign_letters(name: str) -> str:
    """What is in the name and in no Vietnamese one, each once: signs of an old font (TCVN3, VNI), or of a mistake."""
    return "".join(dict.fromkeys(c for c in name if c.lower() not in _LETTERS and c not in _MARKS))


def is_old_font(foreign: str) -> bool:
    """Whether such letters are what TCVN3 text looks like without its font."""
    return any(ord(c) < 0x180 and not c.isascii() for c in foreign)
