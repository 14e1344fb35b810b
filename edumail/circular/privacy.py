"""Evidence names posts, not people: whoever reads a report needs to know what is wrong, and no more about anybody."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence

from edumail.groups import NAMES_OF_RFC_2142, Groups
from edumail.model import Province
from edumail.units import Units

ADDRESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*@(?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
PACKED = re.compile(r"SRS[01][=+-][^\s@<>]*@?", re.IGNORECASE)
"""An author's address within one of ours (SRS)."""


class Veil:
    """Replaces the addresses of the province's people by their id in the roster and their posts, and the auditor's own.

    A person's old address, a sub-address (``name+word@``) and an address that was cut at its end are theirs too. In
    units' domains what is neither theirs nor a mailbox or a group of a unit may be anybody's: only its domain is told.
    """

    def __init__(self, province: Province, auditor: str | None = None):
        self.people: dict[str, str] = {}
        for person in province.people:
            posts = ", ".join(province.posts[code].name for code in person.posts)
            self.people[person.address] = f"[{person.id}{f' {posts}' if posts else ''}]"
        self.people |= {
            former.address: self.people[former.to] for former in province.former if former.to in self.people
        }
        self.people |= {left.address: f"[{left.id} đã nghỉ / left]" for left in province.left}
        if auditor:
            self.people.setdefault(auditor.lower(), "[người kiểm tra / the auditor]")
        self._sorted = sorted(self.people)
        self._units = sorted(_of_units(province))
        self._domains = {unit.domain for unit in province.units.values()}

    def __call__(self, line: str) -> str:
        """A line without personal addresses."""
        if "@" not in line:
            return line
        return ADDRESS.sub(lambda found: self._name(found[0].lower()) or found[0], PACKED.sub("[gói / packed]@", line))

    def _name(self, address: str) -> str | None:
        local, _, domain = address.partition("@")
        whole = f"{local.partition('+')[0]}@{domain}"
        if whole in self.people:
            return self.people[whole]
        found = _beginning(self._sorted, whole)
        if found:  # namesakes have the same beginning in many schools
            return self.people[found[0]] if len(found) == 1 else "[của ai đó / somebody's]"
        if _beginning(self._units, whole) or not any(name.startswith(domain) for name in self._domains):
            return None
        return f"[không rõ của ai / nobody known]@{domain}"


def _beginning(addresses: Sequence[str], whole: str) -> Sequence[str]:
    """The first of sorted addresses, two at most, that begin so: one may have been cut at its end."""
    place = bisect_left(addresses, whole)
    return [address for address in addresses[place : place + 2] if address.startswith(whole)]


def _of_units(province: Province) -> set[str]:
    """Every address that is a unit's, or that a unit's groups may have; nobody is known by one."""
    units = Units(province)
    groups, found = Groups(units), {group.address for group in province.groups}
    for unit in province.units.values():
        found |= {box.address for box in unit.mailboxes} | {section.address for section in unit.sections}
        found |= {unit.public_address}
        found |= {address for address, *_ in groups.standard_addresses(unit)}
        found |= {f"{name}@{unit.domain}" for name in NAMES_OF_RFC_2142}
    return found | {former.address for former in province.former}
