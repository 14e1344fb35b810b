"""Addresses by the province's rule: none that somebody else has or had, or that a group has by itself."""

from __future__ import annotations

import re

from edumail.groups import LONGEST_LOCAL_PART, NAMES_OF_RFC_2142, Groups
from edumail.model import AddressRule, Province
from edumail.text import fold
from edumail.units import Units

_LONGEST = LONGEST_LOCAL_PART - 6
"""Characters of a derived local part: a number must still fit behind it."""


def local_part(name: str, rule: AddressRule) -> str:
    """What the rule makes of a name: Nguyễn Thị Hương gives ``huongnt`` by ``given_initials``, and
    ``nguyen.thi.huong`` by ``full_name``. Empty where the name has no letters that mail can carry.

    What tells namesakes apart on paper, "(B)" or a capital at the end, is left out.
    """
    spoken = re.sub(r"\(.*?\)", " ", name)
    written = spoken.split()
    if len(written) > 2 and written[-1] in ("A", "B", "C", "D", "E"):
        written.pop()
    words = [word for part in written if (word := "".join(c for c in fold(part) if c.isascii() and c.isalnum()))]
    if not words:
        return ""
    if rule == "full_name":
        return ".".join(words)[:_LONGEST].rstrip(".")
    *others, given = words
    return (given + "".join(word[0] for word in others))[:_LONGEST]


class Taken:
    """Every address of a province that nobody else may get. A namesake's has a number: ``huongnt2``."""

    def __init__(self, units: Units):
        province, groups = units.province, Groups(units)
        self.addresses: set[str] = {person.address for person in province.people}
        self.addresses |= {left.address for left in province.left}
        self.addresses |= {former.address for former in province.former} | set(groups.all)
        for unit in units.units.values():
            self.addresses |= {mailbox.address for mailbox in unit.mailboxes}
            self.addresses |= {section.address for section in unit.sections}
            # Such a group may be empty today and come tomorrow.
            self.addresses |= {address for address, _, _ in groups.standard_addresses(unit)}
        self._last: dict[tuple[str, str], int] = {}
        self._reserved = {*NAMES_OF_RFC_2142, *province.standard_groups}

    def free(self, address: str) -> bool:
        """Whether somebody may get the address."""
        return address not in self.addresses and address.partition("@")[0] not in self._reserved

    def give(self, name: str, rule: AddressRule, domain: str) -> str | None:
        """The first free address for the name, from now on taken; None where nothing can be made of the name."""
        local = local_part(name, rule)
        # A thousand namesakes are not counted through again for each of them.
        number = self._last.get((local, domain), 0)
        while local:
            number += 1
            address = f"{local}{number if number > 1 else ''}@{domain}"
            if self.free(address):
                self.addresses.add(address)
                self._last[local, domain] = number
                return address
        return None


class Ids:
    """Ids for people without one: as those of their unit, counted on, and none that anybody has or had."""

    def __init__(self, province: Province, unit: str, written: set[str]):
        known = [(person.unit, person.id) for person in province.people] + [
            (left.unit, left.id) for left in province.left
        ]
        self._used = {id for _, id in known} | written
        self.prefix, self._width = self._style(province, unit, known)
        last = 0
        for id in self._used:
            if (number := id.removeprefix(self.prefix)) != id and number.isdecimal():
                last = max(last, int(number))
        self._last = last

    def _style(self, province: Province, unit: str, known: list[tuple[str, str]]) -> tuple[str, int]:
        own: dict[tuple[str, int], int] = {}
        others: set[str] = set()
        for owner, id in known:
            if match := re.fullmatch(r"(.*?)([0-9]+)", id):
                if owner == unit:
                    style = (match[1], len(match[2]))
                    own[style] = own.get(style, 0) + 1
                else:
                    others.add(match[1])
        if own:
            return max(own, key=lambda style: (own[style], style))
        officer = re.fullmatch(r"(.+-)([0-9]+)", province.units[unit].officer)
        if officer and officer[1] not in others:
            return officer[1], len(officer[2])
        return f"{unit}-", 2

    def next(self) -> str:
        """One that is free, from now on used."""
        while True:
            self._last += 1
            id = f"{self.prefix}{self._last:0{self._width}}"
            if id not in self._used:
                self._used.add(id)
                return id
