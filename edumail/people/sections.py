"""A section as a spreadsheet calls it → the unit's section."""

from __future__ import annotations

from edumail.model import Section, Unit
from edumail.people.headers import plain


def match_section(unit: Unit, text: str) -> Section | None:
    """The one section with this id or name, whatever marks, signs and "Tổ" in front; None if none, or two."""
    wanted = {plain(text), _bare(text)} - {""}
    found = [s for s in unit.sections if not wanted.isdisjoint({plain(s.id), plain(s.name), _bare(s.name)})]
    exact = [s for s in found if plain(text) in (plain(s.id), plain(s.name))]
    if len(exact) == 1:
        return exact[0]
    return found[0] if len(found) == 1 else None


def _bare(text: str) -> str:
    words = plain(text).split()
    if words[:2] in (["bo", "phan"], ["to", "chuyen"]):
        return " ".join(words[3 if words[1:3] == ["chuyen", "mon"] else 2 :])
    return " ".join(words[1:] if words[:1] in (["to"], ["phong"]) else words)
