"""What a text says: its words, unless it only promises some."""

from __future__ import annotations

import re

from edumail.text import fold

PROMISES = (
    "dang cap nhat", "dang duoc cap nhat", "se cap nhat", "chua cong bo", "chua cap nhat", "to be updated",
    "being updated", "coming soon",
)  # fmt: skip
"""What stands, folded, where a text is still to come."""
BUILDING = ("dang xay dung", "dang duoc xay dung", "dang hoan thien", "under construction")
"""The same, but schools say so of houses and plans too: a promise only where nothing else stands."""
MORE = 3
"""A text with more words besides a promise says something; a figure of this suite."""
FILLER = "lorem ipsum"
WORDS = 3
"""Fewer below a heading, or in an article, say nothing; a figure of this suite."""


def said(text: str) -> list[str]:
    """The words of a text that says something, without marks and in lower case."""
    words = re.findall(r"\w+", fold(text))
    line = " ".join(words)
    nothing = FILLER in line or _promises(line, PROMISES, MORE) or _promises(line, BUILDING, 0)
    return [] if nothing else words


def _promises(line: str, phrases: tuple[str, ...], more: int) -> bool:
    besides, number = re.subn(rf"\b(noi dung )?({'|'.join(phrases)})\b", "", line)
    return bool(number) and len(besides.split()) <= more
