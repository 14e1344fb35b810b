"""Groups: addresses that stand for several mailboxes, from rules over the tree."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

from edumail.model import Group, Person, Posting, Rule
from edumail.units import Units, holds

DUTIES_OF_RFC_2142 = ("abuse", "postmaster")
"""Local parts of every mail domain that reach the officer in charge, whatever an inventory would like (RFC 2142;
postmaster is a duty by RFC 5321, 4.5.1)."""
NAMES_OF_RFC_2142 = (*DUTIES_OF_RFC_2142, "hostmaster", "security", "webmaster")
"""Those, and the ones that reach the officer unless the inventory has a mailbox or a group of that name: they fit a
domain with DNS and web pages. ``noc`` is for networks, the rest for companies."""


@dataclass(frozen=True)
class Expansion:
    """A group with whom it holds now.

    ``members`` are addresses of mailboxes or of other groups, sorted, each once. ``unit`` owns the group. ``holders``
    are as in an inventory: None stands for the unit's heads and clerks.
    """

    address: str
    name: str
    unit: str
    posting: Posting
    members: tuple[str, ...]
    holders: tuple[str, ...] | None = None


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

    @cached_property
    def former(self) -> dict[str, str]:
        """Old address → the mailbox or group that it leads to."""
        return {}

    def inside(self, address: str) -> list[str]:
        """The groups that mail to ``address`` goes through, itself among them; loops end where they close."""
        found: dict[str, None] = {}
        stack = [address]
        while stack:
            current = stack.pop()
            if current in self.former:
                stack.append(self.former[current])
            elif current in self.all and current not in found:
                found[current] = None
                if current in self._nesting:
                    stack.extend(self.all[current].members)
        return list(found)

    def mailboxes(self, address: str) -> set[str]:
        """The mailboxes that mail to ``address`` reaches, each once, through groups of groups."""
        found = {member for group in self.inside(address) for member in self.all[group].members}
        reached = (self.former.get(member, member) for member in found or {address})
        return {member for member in reached if member not in self.all}

    @cached_property
    def _nesting(self) -> set[str]:
        """Groups with a group among their members: only what is written by hand can be."""
        known = {*self.all, *self.former}
        return {group.address for group in self.units.province.groups if not known.isdisjoint(group.members.addresses)}

    def holders(self, address: str) -> set[str]:
        """The addresses of a group's holders: who may write where only they may."""
        group = self.all[address]
        people = self.units.people[group.unit]
        if group.holders is not None:
            return {person.address for person in people if holds(person, group.holders)}
        posts = self.units.province.posts
        duty = {code for code, post in posts.items() if post.head or post.clerk}
        return {person.address for person in people if not duty.isdisjoint(person.posts)}

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
        return Expansion(group.address, group.name, group.unit, group.posting, members, group.holders)

    def people(self, owner: str, rule: Rule) -> list[Person]:
        """The people whom a rule takes; ``owner`` is the unit that the group belongs to."""
        posts = {*rule.posts, *(self._head_posts if rule.heads else ())}
        if not (rule.staff or posts or rule.sections):
            return []
        start = self.units.units[rule.below or owner]
        units = [start] if rule.scope == "unit" else self.units.below(start.id)
        result = []
        for unit in units:
            if rule.scope == "below" and unit is start:
                continue
            if rule.kinds and unit.kind not in rule.kinds:
                continue
            if rule.levels and set(rule.levels).isdisjoint(unit.levels):
                continue
            result += [
                person
                for person in self.units.people[unit.id]
                if (not posts or not posts.isdisjoint(person.posts))
                and (not rule.sections or person.section in rule.sections)
            ]
        return result

    @cached_property
    def _head_posts(self) -> frozenset[str]:
        return frozenset(code for code, post in self.units.province.posts.items() if post.head)
