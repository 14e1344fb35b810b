"""Who may write to a group: rules over the tree, closed over all groups that an address leads to.

========  ==================================================================
holders   the group's holders in the unit that owns it
members   whom the group reaches
unit      the staff of that unit
branch    the staff of that unit, of all units under it and of those above it
province  whoever signed in, on any host of the province
anyone    strangers too
========  ==================================================================

A group may hold others. Whoever writes to it writes to them, and so has to pass their rules as well; an old name that
leads to a group has that group's rule. What is asked in the end is the sender of the envelope: submission takes only
senders that belong to whoever signed in, and hosts believe each other's senders.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property

from edumail.groups import Groups
from edumail.policies import Posting

Tag = tuple[Posting, str]
"""One condition: a posting class, and the unit or the group that it is about."""
Rule = frozenset[Tag]
"""What a sender has to be, all of it; empty for what anyone may write to."""
OPEN: Rule = frozenset()
PROVINCE: Rule = frozenset({("province", "")})
"""Nothing but a sign-in. It needs no list of senders, and any narrower condition implies it."""


class Permissions:
    """The posting rules of a province's groups, and whom each lets through."""

    def __init__(self, groups: Groups):
        self.groups = groups
        self.units = groups.units
        self._by_tag: dict[Tag, frozenset[str]] = {}

    def own(self, address: str) -> Rule:
        """The group's own rule, without those of the groups inside it."""
        group = self.groups.all[address]
        match group.posting:
            case "anyone":
                return OPEN
            case "province":
                return PROVINCE
            case "holders" | "members":
                return frozenset({(group.posting, address)})
            case posting:
                return frozenset({(posting, group.unit)})

    def rule(self, address: str) -> Rule:
        """What holds for mail to ``address``, whatever it is: the rules of all groups that it leads to."""
        tags = {tag for group in self.groups.inside(address) for tag in self.own(group)}
        return frozenset(tags) if tags <= PROVINCE else frozenset(tags - PROVINCE)

    @cached_property
    def closed(self) -> dict[str, Rule]:
        """The address of every group, and every old name of one, that not anyone may write to → its rule."""
        rules = ((address, self.rule(address)) for address in (*self.groups.all, *self.groups.former))
        return {address: rule for address, rule in rules if rule}

    def may(self, sender: str, address: str) -> bool:
        """Whether an address of the province may write to this one."""
        rule = self.rule(address)
        return rule in (OPEN, PROVINCE) or sender in self.passing(rule)

    def passing(self, rule: Rule) -> frozenset[str]:
        """The senders that a rule with a list lets through."""
        assert rule
        assert rule != PROVINCE
        return frozenset.intersection(*(self._passing(tag) for tag in sorted(rule)))

    def _passing(self, tag: Tag) -> frozenset[str]:
        """Whom the condition names, and the shared mailboxes of which it names all holders."""
        if tag not in self._by_tag:
            named = frozenset(self._named(*tag))
            shared = {box for person in named for box in self._held.get(person, ())}
            self._by_tag[tag] = named | {box for box in shared if self._holders[box] <= named}
        return self._by_tag[tag]

    def _named(self, posting: Posting, about: str) -> Iterable[str]:
        match posting:
            case "holders":
                return self.groups.holders(about)
            case "members":
                return self.groups.mailboxes(about)
            case "unit":
                units = [self.units.units[about]]
            case _:
                units = [*self.units.below(about), *self.units.ancestors(self.units.units[about])]
        return (person.address for unit in units for person in self.units.people[unit.id])

    @cached_property
    def _holders(self) -> dict[str, frozenset[str]]:
        """Shared mailbox → addresses of its holders."""
        return {
            shared.address: frozenset(person.address for person in holders)
            for unit in self.units.units.values()
            for shared, holders in self.units.shared(unit)
        }

    @cached_property
    def _held(self) -> dict[str, list[str]]:
        """Person → the shared mailboxes that they hold."""
        result: dict[str, list[str]] = defaultdict(list)
        for shared, holders in self._holders.items():
            for person in holders:
                result[person].append(shared)
        return result
