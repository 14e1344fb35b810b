"""What a text says: its words, but for sentences that only promise some."""

from __future__ import annotations

import re

from edumail.text import fold

PROMISES = (
    "dang cap nhat", "dang duoc cap nhat", "dang xay dung", "dang hoan thien", "se cap nhat", "chua cong bo",
    "chua cap nhat", "to be updated", "being updated", "under construction", "coming soon",
)  # fmt: skip
"""What stands, folded, where a text is still to come."""
FILLER = "lorem ipsum"
SHORT = 10
"""A sentence of more words that has such a phrase says something besides; a figure of this suite."""
WORDS = 3
"""Fewer below a heading, or in an article, say nothing; a figure of this suite."""


def said(text: str) -> list[str]:
    """The words that say something, without marks and in lower case."""
    folded = fold(text)
    if FILLER in folded:
        return []
    sentences = [re.findall(r"\w+", sentence) for sentence in re.split(r"[.;:!?…]\s|[.;:!?…]$", folded)]
    return [word for words in sentences if not _promises(words) for word in words]


def _promises(words: list[str]) -> bool:
    line = f" {' '.join(words)} "
    return len(words) <= SHORT and any(f" {promise} " in line for promise in PROMISES)
