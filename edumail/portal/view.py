"""What a unit's pages take from the inventory, and nothing else: equal views and equal contents give equal pages."""

from __future__ import annotations

import hashlib
import marshal
from collections import Counter
from dataclasses import dataclass, field
from datetime import date

from edumail.model import Person, Province, Unit
from edumail.units import Units


@dataclass(frozen=True)
class Neighbour:
    """A unit above or below, as the ladder shows it."""

    id: str
    name: str
    kind: str
    parent: str | None
    portal: str
    address: str
    phone: str
    public_address: str
    lacking: int = 0
    """How many of its sections are missing or incomplete."""


@dataclass(frozen=True)
class Member:
    """Somebody of the unit."""

    id: str
    name: str
    posts: tuple[str, ...]
    address: str

    @property
    def post(self) -> str:
        """The posts in words."""
        return ", ".join(self.posts)


@dataclass(frozen=True)
class View:
    """A unit as its own pages show it."""

    id: str
    name: str
    name_en: str | None
    kind: str
    kind_en: str
    binds: str
    levels: tuple[str, ...]
    by_succession: bool
    portal: str
    address: str
    phone: str
    public_address: str
    province: str
    province_en: str
    domain: str
    year: int
    """The year, for the one mark that must never be blank even where nothing has a date (Dublin Core's ``date``)."""
    due: int
    """When the newest school year began whose disclosure is due: a 30 June has gone by in its second year."""
    ministry: tuple[str, ...]
    """The Ministry's domains, in order."""
    people: tuple[tuple[str, str, tuple[str, ...], str], ...] = field(repr=False)
    """Everybody, as the fields of :class:`Member`; plain, since a province has very many."""
    leaders: tuple[Member, ...]
    """Whoever holds a post of the group ``lanhdao``, the head first (8.1a, 9.1a)."""
    sections: tuple[tuple[str, str, int], ...]
    """Name, address and number of people of each internal section."""
    parent: Neighbour | None
    root: Neighbour | None
    """The department, where it is neither the unit nor the parent."""
    below: tuple[Neighbour, ...]

    @property
    def school(self) -> bool:
        """Whether Article 9 binds it; Article 8 does otherwise."""
        return self.binds == "school"

    @property
    def head(self) -> Member | None:
        """The head, or who stands first among the leaders."""
        return self.leaders[0] if self.leaders else None

    def person(self, id: str) -> Member | None:
        """Somebody of the unit, by id."""
        return next((Member(*row) for row in self.people if row[0] == id), None)

    @property
    def children(self) -> list[Neighbour]:
        """The units directly below, in order of name."""
        return [unit for unit in self.below if unit.parent == self.id]

    @property
    def digest(self) -> str:
        """SHA-256 over all of it, in hex."""
        # A province's people are many, and this is quicker than their repr. Version 2 of the format: equal values give
        # equal bytes, whichever objects they are.
        return hashlib.sha256(repr(self).encode() + marshal.dumps(self.people, 2)).hexdigest()


DUE = (6, 30)
"""Month and day before which a school year is disclosed, in the second of its years (Circular 09/2024)."""


def due_year(today: date) -> int:
    """When the newest school year began whose disclosure is due; all days of a half-year say the same."""
    return today.year - (1 if (today.month, today.day) > DUE else 2)


class Views:
    """The views of a province's units."""

    def __init__(self, province: Province):
        self.province = province
        self.units = Units(province)
        group = province.standard_groups.get("lanhdao")
        heads = [code for code, post in province.posts.items() if post.head]
        self.ministry = tuple(sorted(province.settings.ministry_domains))
        self.posts = {code: post.name for code, post in province.posts.items()}
        # One definition of who leads: the group «Lãnh đạo»; a province without that group still has heads.
        self.leading = tuple(dict.fromkeys([*heads, *(group.members.posts if group else ())]))
        # People are many, and the sets of posts that they hold few.
        found = {person.posts for person in province.people}
        self._words = {posts: tuple(self.posts[post] for post in posts) for posts in found}
        leading = [posts for posts in found if not set(self.leading).isdisjoint(posts)]
        self._ranks = {posts: 1 - any(province.posts[post].head for post in posts) for posts in leading}

    def leaders(self, unit: Unit) -> list[Person]:
        """The unit's leaders: heads first, deputies after, each in the roster's order."""
        found = [person for person in self.units.people[unit.id] if person.posts in self._ranks]
        return sorted(found, key=lambda person: self._ranks[person.posts])

    def neighbour(self, unit: Unit, lacking: int = 0) -> Neighbour:
        """The unit as others show it."""
        return Neighbour(
            id=unit.id,
            name=unit.name,
            kind=unit.kind,
            parent=unit.parent,
            portal=unit.portal,
            address=unit.street_address,
            phone=unit.phone,
            public_address=unit.public_address,
            lacking=lacking,
        )

    def member(self, person: Person) -> Member:
        """A person as pages show them."""
        return Member(person.id, person.name, self._words[person.posts], person.address)

    def of(self, unit: Unit, below: tuple[Neighbour, ...] = ()) -> View:
        """The unit's view. ``below`` are the units under it, each before its own children."""
        people = self.units.people[unit.id]
        kind = self.province.kinds[unit.kind]
        above = list(self.units.ancestors(unit))[1:]
        counts = Counter(person.section for person in people) if unit.sections else {}
        return View(
            id=unit.id,
            name=unit.name,
            name_en=unit.name_en,
            kind=kind.name,
            kind_en=kind.name_en,
            binds=kind.binds,
            levels=unit.levels,
            by_succession=kind.by_succession,
            portal=unit.portal,
            address=unit.street_address,
            phone=unit.phone,
            public_address=unit.public_address,
            province=self.province.settings.name,
            province_en=self.province.settings.name_en,
            domain=unit.domain,
            year=self.province.today.year,
            due=due_year(self.province.today),
            ministry=self.ministry,
            people=tuple([(p.id, p.name, self._words[p.posts], p.address) for p in people]),
            leaders=tuple(self.member(person) for person in self.leaders(unit)),
            sections=tuple((item.name, item.address, counts.get(item.id, 0)) for item in unit.sections),
            parent=self.neighbour(above[0]) if above else None,
            root=self.neighbour(above[-1]) if len(above) > 1 else None,
            below=below,
        )
