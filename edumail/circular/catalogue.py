"""The requirements of the circular, each with a stable id, as the official codification gives them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edumail.model import Kind


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
    how: str
    """What a check looks at."""
    note: str = ""

    @property
    def attested(self) -> bool:
        """Whether part of it, or all, is a duty of people that no host can show: then somebody has to say so."""
        return "O" in self.kind.split("+")

    def applies_to(self, kind: Kind) -> bool:
        """Whether it binds units of this kind."""
        return kind.binds in self.binds


@cache
def requirements() -> dict[str, Requirement]:
    """All requirements by id, in the circular's order."""
    rows = json.loads((Path(__file__).parent / "requirements.json").read_text(encoding="utf-8"))
    result = {}
    for row in rows:
        binds = frozenset(word.strip() for word in row["binds"].split(","))
        result[row["id"]] = Requirement(**{**row, "binds": binds})
    return result
