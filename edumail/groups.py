"""Groups: addresses that stand for several mailboxes, from rules over the tree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from edumail.model import Group, Person, Rule, Unit
from edumail.policies import Posting
from edumail.units import Units

DUTIES_OF_RFC_2142 = ("abuse", "postmaster")
"""Local parts of every mail domain that reach the officer in charge, whatever an inventory would like (RFC 2142;
postmaster is a duty by RFC 5321, 4.5.1)."""
NAMES_OF_RFC_2142 = (*DUTIES_OF_RFC_2142, "hostmaster", "security", "webmaster")
"""Those, and the ones that reach the officer unless the inventory has a mailbox or a group of that name: they fit a
domain with DNS and web pages. ``noc`` is for networks, the rest for companies."""


LONGEST_LOCAL_PART = 64
"""RFC 5321, 4.5.3.1.1."""


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
    template: str | None = None
    """The standard group that it was made from."""


class Groups:
    """All groups of a province: those written by hand, those of sections, those of the catalogue that units have by
    themselves, and the names of RFC 2142."""

    def __init__(self, units: Units):
        self.units = units

    @cached_property
    def all(self) -> dict[str, Expansion]:
        """Every group by address."""
        result = {}
        written = map(self._written, self.units.province.groups)
        for expansion in [*self._standard(), *self._sections(), *self.names_of_rfc_2142(), *written]:
            result[expansion.address] = expansion
        return result

    @cached_property
    def former(self) -> dict[str, str]:
        """Old address that still receives → the mailbox or group that it leads to."""
        province = self.units.province
        return {former.address: former.to for former in province.former if province.today <= former.until}

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
        if group.holders is not None:
            return {person.address for person in self.units.named(group.unit, group.holders)}
        posts = self.units.province.posts
        duty = {code for code, post in posts.items() if post.head or post.clerk}
        return {person.address for person in self._with_posts(group.unit, duty)}

    def _with_posts(self, unit: str, posts: set[str]) -> list[Person]:
        return [person for person in self.units.named(unit, posts) if not posts.isdisjoint(person.posts)]

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
                posting = self._posting(unit, "posting_to_section_groups")
                result.append(Expansion(section.address, section.name, unit.id, posting, addresses))
        return result

    @cached_property
    def _highest(self) -> dict[str, str]:
        """Mail domain → the unit that stands highest in the tree of those that share it."""
        depths = {unit.id: sum(1 for _ in self.units.ancestors(unit)) for unit in self.units.units.values()}
        result: dict[str, str] = {}
        for unit in self.units.units.values():
            known = result.get(unit.domain)
            if known is None or depths[unit.id] < depths[known]:
                result[unit.domain] = unit.id
        return result

    @cached_property
    def _taken(self) -> set[str]:
        """What an inventory has written down; no group that comes by itself takes its place."""
        province = self.units.province
        taken = {mailbox.address for unit in self.units.units.values() for mailbox in unit.mailboxes}
        taken |= {section.address for unit in self.units.units.values() for section in unit.sections}
        taken |= {group.address for group in province.groups} | {former.address for former in province.former}
        taken |= {left.address for left in province.left}
        return taken | {person.address for person in province.people}

    def names_of_rfc_2142(self) -> list[Expansion]:
        """The names that come by themselves: where the inventory has one of its own, it is not among them."""
        result = []
        (root, *_) = self.units.children[None]
        old = dict.fromkeys((address.partition("@")[2] for address in self.former), root.id)
        for domain, owner in (old | self._highest).items():
            officer = self.units.officer(self.units.units[owner])
            for name in NAMES_OF_RFC_2142 if officer else ():
                assert officer is not None
                if f"{name}@{domain}" not in self._taken:
                    result.append(Expansion(f"{name}@{domain}", name, owner, "anyone", (officer.address,)))
        return result

    def _standard(self) -> list[Expansion]:
        """The groups of the catalogue, unit by unit."""
        result = []
        for unit in self.units.units.values():
            for address, local, policy in self.standard_addresses(unit):
                group = self.units.province.standard_groups[local]
                if address in self._taken:
                    continue
                members = tuple(sorted({person.address for person in self.people(unit.id, group.members)}))
                if members and len(address.partition("@")[0]) <= LONGEST_LOCAL_PART:
                    name = group.name.replace("{unit}", unit.name)
                    posting = self._posting(unit, policy)
                    result.append(Expansion(address, name, unit.id, posting, members, template=local))
        return result

    def standard_addresses(self, unit: Unit) -> Iterator[tuple[str, str, str]]:
        """Where the catalogue's groups of the unit are, whatever else may stand there: the address, the group's name in
        the catalogue, and the policy that says who may write to it."""
        share = "" if self._highest[unit.domain] == unit.id else "." + unit.public_address.partition("@")[0]
        for local, group in self.units.province.standard_groups.items():
            own = group.members.scope == "unit"
            if own or self.units.children[unit.id]:
                policy = "posting_to_unit_groups" if own else "posting_to_branch_groups"
                yield f"{local}{share}@{unit.domain}", local, policy

    def _posting(self, unit: Unit, policy: str) -> Posting:
        """Who may write to those of the unit's groups that come by themselves: a policy."""
        return cast(Posting, self.units.held(unit)[policy].value)

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
            people = self._with_posts(unit.id, posts) if posts else self.units.people[unit.id]
            result += [person for person in people if not rule.sections or person.section in rule.sections]
        return result

    @cached_property
    def _head_posts(self) -> frozenset[str]:
        return frozenset(code for code, post in self.units.province.posts.items() if post.head)
