"""Vietnamese text: one normal form, and folding for comparison without marks."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

# Đ and đ have no decomposition in Unicode, so normal forms leave them alone.
_STROKE = str.maketrans({"Đ": "D", "đ": "d"})


def nfc(text: str) -> str:
    """``text`` in Unicode normal form C with white space at the ends removed and runs of it made one space."""
    return " ".join((text if text.isascii() else unicodedata.normalize("NFC", text)).split())


@lru_cache(4096)  # a province's rosters say the same few posts a hundred thousand times
def fold(text: str) -> str:
    """``text`` without Vietnamese marks and in lower case: ``Đường Nguyễn`` gives ``duong nguyen``."""
    decomposed = unicodedata.normalize("NFD", text.translate(_STROKE))
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).casefold().split())
