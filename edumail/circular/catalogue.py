"""The requirements of the circular, each with a stable id, as the official codification gives them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from edumail.model import Kind

Basis = Literal["law", "reference", "inference"]


@dataclass(frozen=True)
class Words:
    """The same in two languages."""

    vi: str
    en: str


@dataclass(frozen=True)
class Requirement:
    """One atomic requirement, in our own words. ``id`` is stable; ``clause`` names article, clause and point."""

    id: str
    clause: str
    binds: frozenset[str]
    """The circular's words for those it binds: sở, phòng, school, Ministry."""
    strength: str
    """M binding as written, C only as conditions allow, I implied so that it can be tested, R recommended."""
    kind: str
    """T technical check, D rendered document, O organisational (can only be attested); or a mix of them."""
    en: str
    vi: str
    how: Words
    """What a check looks at."""
    note: str = ""
    cites: tuple[str, ...] = ()
    """Topics of :mod:`edumail.circular.texts`: the law that it points to."""
    follows_from: tuple[str, ...] = ()
    """The requirements whose verdicts make its own. It has no paper: whoever attests them attests it."""
    local: tuple[str, ...] = ()
    """Policies of the province or the unit that a check takes its figures from. No text of law sets them."""
    paper: Words | None = None
    """The document by which somebody can attest it, or the part that no host shows."""
    beyond: Words | None = None
    """Why no unit's host can answer it."""

    @property
    def attested(self) -> bool:
        """Whether part of it, or all, is a matter of people and paper that no host can show: somebody has to say so."""
        return self.paper is not None

    @property
    def basis(self) -> Basis:
        """Whether the circular says so itself, draws it in from another text, or it is inferred to make it testable."""
        if self.strength == "I":
            return "inference"
        return "reference" if self.id.startswith("C37-S39-") else "law"

    @property
    def article(self) -> str:
        """The number of the article that it stands in; ``S39`` for what Article 3 draws in from Circular 39/2017."""
        return "S39" if self.id.startswith("C37-S39-") else self.id[4:].partition(".")[0]

    def applies_to(self, kind: Kind) -> bool:
        """Whether it binds units of this kind."""
        return kind.binds in self.binds


@cache
def requirements() -> dict[str, Requirement]:
    """All requirements by id, in the circular's order."""
    rows = json.loads((Path(__file__).parent / "requirements.json").read_text(encoding="utf-8"))
    return {row["id"]: _requirement(row) for row in rows}


def closed(ids: Iterable[str]) -> set[str]:
    """``ids`` and every requirement that follows from one of them."""
    result = set(ids)
    return result | {row.id for row in requirements().values() if result.intersection(row.follows_from)}


def _requirement(row: dict[str, Any]) -> Requirement:
    binds = frozenset(word.strip() for word in row["binds"].split(","))
    lists: dict[str, Any] = {name: tuple(row.get(name, ())) for name in ("cites", "follows_from", "local")}
    words: dict[str, Any] = {name: Words(**row[name]) for name in ("how", "paper", "beyond") if name in row}
    return Requirement(**(row | lists | words | {"binds": binds}))
