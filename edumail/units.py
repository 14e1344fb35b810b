"""The tree of units, and the people in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from functools import cached_property

from edumail.inherit import Held, above_units, descend
from edumail.model import Person, Province, Section, SharedMailbox, Unit
from edumail.policies import Policies


class Units:
    """Look-ups over a province that would otherwise be searched for again and again. Built once, in O(province)."""

    def __init__(self, province: Province):
        self.province = province
        self.units = province.units
        self.children: dict[str | None, list[Unit]] = defaultdict(list)
        for unit in province.units.values():
            self.children[unit.parent].append(unit)
        self.people: dict[str, list[Person]] = defaultdict(list)
        for person in province.people:
            self.people[person.unit].append(person)
        self._held: dict[str, Mapping[str, Held]] = {}
        self._policies: dict[int, Policies] = {}
        self._words: dict[str, dict[str, list[int]]] = {}

    @cached_property
    def person(self) -> dict[str, Person]:
        """People by id."""
        return {person.id: person for person in self.province.people}

    def below(self, unit: str) -> Iterator[Unit]:
        """The unit and all units under it, each before its own children."""
        stack = [self.units[unit]]
        while stack:
            current = stack.pop()
            yield current
            stack.extend(reversed(self.children[current.id]))

    def ancestors(self, unit: Unit) -> Iterator[Unit]:
        """The unit, the unit above it, and so on up to the root; ends at an unknown parent or a loop."""
        seen: set[str] = set()
        current: Unit | None = unit
        while current is not None and current.id not in seen:
            seen.add(current.id)
            yield current
            current = self.units.get(current.parent) if current.parent else None

    def shared(self, unit: Unit) -> list[tuple[SharedMailbox | Section, list[Person]]]:
        """The unit's shared mailboxes, those of its sections included, each with who holds it now.

        Holders are people of the unit by id, and whoever holds a named post in the unit, or in the section.
        """
        result: list[tuple[SharedMailbox | Section, list[Person]]] = [
            (mailbox, self.named(unit.id, mailbox.holders)) for mailbox in unit.mailboxes
        ]
        for section in unit.sections:
            if section.holders:
                people = self.named(unit.id, section.holders)
                here = [p for p in people if p.id in section.holders or p.section == section.id]
                result.append((section, here))
        return result

    def named(self, unit: str, words: Iterable[str]) -> list[Person]:
        """People of the unit who have one of these ids or posts, in the roster's order."""
        people = self.people[unit]
        if unit not in self._words:
            places = self._words[unit] = {}
            for place, person in enumerate(people):
                for word in (person.id, *person.posts):
                    places.setdefault(word, []).append(place)
        found = {place for word in words for place in self._words[unit].get(word, ())}
        return [people[place] for place in sorted(found)]

    def officer(self, unit: Unit) -> Person | None:
        """The officer in charge of email (4.5); nobody only where the inventory was not checked."""
        return next(iter(self.named(unit.id, [unit.officer])), None)

    def head(self, unit: Unit) -> Person | None:
        """The unit's head, by post."""
        heads = (p for p in self.people[unit.id] if any(self.province.posts[post].head for post in p.posts))
        return next(heads, None)

    @cached_property
    def held_by_province(self) -> Mapping[str, Held]:
        """What holds of each policy above all units."""
        return above_units(self.province.levels)

    def held_above(self, unit: Unit) -> Mapping[str, Held]:
        """What holds of each policy over the unit, before it says anything itself."""
        parent = self.units.get(unit.parent) if unit.parent else None
        return self.held(parent) if parent else self.held_by_province

    def held(self, unit: Unit) -> Mapping[str, Held]:
        """What holds of each policy for the unit, and how that came about."""
        if unit.id not in self._held:
            held = self.held_by_province
            for level in reversed(list(self.ancestors(unit))):
                if level.id not in self._held:
                    self._held[level.id], _ = descend(held, ("unit", level.id), level)
                held = self._held[level.id]
        return self._held[unit.id]

    def policies(self, unit: Unit) -> Policies:
        """What holds for the unit: its own settings, else those of the units above, of the province, the defaults."""
        held = self.held(unit)  # the same mapping for all units that say nothing themselves
        if id(held) not in self._policies:
            self._policies[id(held)] = Policies.model_construct(**{name: each.value for name, each in held.items()})
        return self._policies[id(held)]


def portal_host(unit: Unit) -> str:
    """The name of the host that serves the unit's page."""
    return unit.portal_host or unit.host


def page_turn(unit: Unit, judged: Container[str]) -> str:
    """The host with which an audit of the hosts ``judged`` asks for the unit's page: its server, else its mail host."""
    return server if (server := portal_host(unit)) in judged else unit.host
