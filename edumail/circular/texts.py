"""The legal texts that requirements cite, by topic: which one is in force on a day, and how its dates are known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal

Known = Literal["codified", "web", "secondary", "memory"]
"""How a fact about a text is known: read in the official codification, read in an excerpt of a public page, taken from
notes of somebody who compared the original, or unchecked."""


@dataclass(frozen=True)
class Text:
    """One legal text of a topic, in the words of this project."""

    number: str
    vi: str
    en: str
    since: date | None
    """Its first day in force; None: before the circular's, and which day is not known here."""
    until: date | None
    """Its last day; None: no end is known."""
    known: Known
    note: str = ""
    since_known: Known | None = None
    """How its first day is known, where that is otherwise."""

    def in_force(self, on: date) -> bool:
        """Whether it holds on a day."""
        return (self.since is None or self.since <= on) and (self.until is None or on <= self.until)


@cache
def topics() -> dict[str, tuple[Text, ...]]:
    """The texts of each topic, the oldest first: each repeals the one before."""
    rows = json.loads((Path(__file__).parent / "texts.json").read_text(encoding="utf-8"))
    return {
        topic: tuple(Text(**{**text, "since": _day(text["since"]), "until": _day(text["until"])}) for text in texts)
        for topic, texts in rows.items()
    }


def in_force(topic: str, on: date) -> Text | None:
    """The text that holds for a topic on a day; None where one was repealed and the next was not in force yet."""
    return next((text for text in topics()[topic] if text.in_force(on)), None)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
