"""The tree of units, and the people in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property

from edumail.model import Person, Policies, Province, SharedMailbox, Unit

_NAMES = tuple(Policies.model_fields)


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

    def holders(self, unit: Unit, mailbox: SharedMailbox) -> list[Person]:
        """Who holds a shared mailbox now: people named by id, and whoever of the unit holds a named post."""
        return [
            person
            for person in self.people[unit.id]
            if person.id in mailbox.holders or not set(mailbox.holders).isdisjoint(person.posts)
        ]

    def officer(self, unit: Unit) -> Person:
        """The officer in charge of email (4.5). Raises KeyError where the inventory was not checked."""
        return self.person[unit.officer]

    def head(self, unit: Unit) -> Person | None:
        """The unit's head, by post."""
        heads = (p for p in self.people[unit.id] if any(self.province.posts[post].head for post in p.posts))
        return next(heads, None)

    def policies(self, unit: Unit) -> Policies:
        """What holds for the unit: its own settings, else those of the units above, of the province, the defaults."""
        levels = [*(u.policies for u in self.ancestors(unit)), self.province.settings.policies]
        levels.append(self.province.default_policies)
        values = {}
        for name in _NAMES:
            values[name] = next((v for v in (getattr(level, name) for level in levels) if v is not None), None)
        return Policies.model_construct(**values)


def portal_host(unit: Unit) -> str:
    """The name of the host that serves the unit's page."""
    return unit.portal_host or unit.host
