"""Groups: addresses that stand for several mailboxes, from rules over the tree."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

from edumail.model import Group, Person, Posting, Rule
from edumail.units import Units

DUTIES_OF_RFC_2142 = ("abuse", "postmaster")
"""Local parts of every mail domain that reach the officer in charge, whatever an inventory would like (RFC 2142;
postmaster is a duty by RFC 5321, 4.5.1)."""
NAMES_OF_RFC_2142 = (*DUTIES_OF_RFC_2142, "hostmaster", "security", "webmaster")
"""Those, and the ones that reach the officer unless the inventory has a mailbox or a group of that name: they fit a
domain with DNS and web pages. ``noc`` is for networks, the rest for companies."""


@dataclass(frozen=True)
class Expansion:
    """A group as a mail host needs it.

    ``members`` are addresses of mailboxes or of other groups, sorted, each once. ``unit`` owns the group.
    """

    address: str
    name: str
    unit: str
    posting: Posting
    members: tuple[str, ...]


class Groups:
    """All groups of a province: those written by hand, those of sections, and the names of RFC 2142."""

    def __init__(self, units: Units):
        self.units = units

    @cached_property
    def all(self) -> dict[str, Expansion]:
        """Every group by address."""
        result = {}
        for expansion in [*self._sections(), *self._standard_names(), *map(self._written, self.units.province.groups)]:
            result[expansion.address] = expansion
        return result

    def mailboxes(self, address: str) -> set[str]:
        """The mailboxes that mail to ``address`` reaches, through groups of groups; loops end where they close."""
        found: set[str] = set()
        seen: set[str] = set()
        stack = [address]
        while stack:
            current = stack.pop()
            if current in seen:
                continue
            seen.add(current)
            group = self.all.get(current)
            if group is None:
                found.add(current)
            else:
                stack.extend(group.members)
        return found

    def _sections(self) -> list[Expansion]:
        result = []
        for unit in self.units.units.values():
            if not unit.sections:
                continue
            members: dict[str, list[str]] = defaultdict(list)
            for person in self.units.people[unit.id]:
                if person.section:
                    members[person.section].append(person.address)
            for section in unit.sections:
                if section.holders:
                    continue  # a shared mailbox
                addresses = tuple(sorted(members[section.id]))
                result.append(Expansion(section.address, section.name, unit.id, "province", addresses))
        return result

    def _standard_names(self) -> list[Expansion]:
        owners: dict[str, str] = {}
        for unit in self.units.units.values():
            depth = sum(1 for _ in self.units.ancestors(unit))
            owner = owners.get(unit.domain)
            if owner is None or depth < sum(1 for _ in self.units.ancestors(self.units.units[owner])):
                owners[unit.domain] = unit.id
        taken = {mailbox.address for unit in self.units.units.values() for mailbox in unit.mailboxes}
        taken |= {section.address for unit in self.units.units.values() for section in unit.sections}
        taken |= {group.address for group in self.units.province.groups}
        result = []
        for domain, owner in owners.items():
            officer = self.units.person.get(self.units.units[owner].officer)
            for name in NAMES_OF_RFC_2142 if officer else ():
                assert officer is not None
                if f"{name}@{domain}" not in taken:
                    result.append(Expansion(f"{name}@{domain}", name, owner, "anyone", (officer.address,)))
        return result

    def _written(self, group: Group) -> Expansion:
        people = {person.address for person in self.people(group.unit, group.members)}
        members = tuple(sorted(people | set(group.members.addresses)))
        return Expansion(group.address, group.name, group.unit, group.posting, members)

    def people(self, owner: str, rule: Rule) -> list[Person]:
        """The people whom a rule takes; ``owner`` is the unit that the group belongs to."""
        if not (rule.staff or rule.posts):
            return []
        posts = set(rule.posts)
        result = []
        for unit in self.units.below(rule.below or owner):
            if rule.kinds and unit.kind not in rule.kinds:
                continue
            if rule.levels and not set(rule.levels) & set(unit.levels):
                continue
            result += [p for p in self.units.people[unit.id] if not posts or not posts.isdisjoint(p.posts)]
        return result
