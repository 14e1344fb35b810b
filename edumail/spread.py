"""Where groups are expanded: on the host that has the members, so that a message travels once to each host.

A group is resolved to mailboxes when tables are compiled, whatever groups it holds. Its own host and the gateway know
for it the mailboxes they have themselves, and one *part* for each other host with members: an address in a domain of
that host, which only hosts use. A list longer than Postfix takes well is cut into parts of a part.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping
from math import ceil

from edumail.groups import Groups
from edumail.model import Host

LONGEST_LIST = 1000
"""Members of one alias. Postfix takes more than linear time for a list: one of 130,000 does not end in minutes, 130 of
1,000 take seconds."""


def part_domain(host: Host) -> str:
    """The domain of the parts on a host; it is in no DNS, and no stranger may write to it."""
    return f"groups.{host.fqdn}"


def expanding(home: str, gateway: str, members: Collection[str]) -> set[str]:
    """The hosts that expand a group of the host ``home``, given the hosts of its members."""
    # The gateway expands what spans hosts: a host that is trusted for its own senders only could not pass on what came
    # from outside.
    return {home} if set(members) <= {home} else {home, gateway}


class Spread:
    """The alias tables of all hosts, and the parts in them."""

    def __init__(self, groups: Groups, homes: Mapping[str, str], hosts: Mapping[str, Host], gateway: str):
        """``homes`` gives the host of every mailbox and group."""
        self.aliases: dict[str, dict[str, tuple[str, ...]]] = {host: {} for host in hosts}
        """Host → address → addresses."""
        self.parts: dict[str, str] = {}
        """Part → the group that it is a part of."""
        self._homes = homes
        self._domains = {name: part_domain(host) for name, host in hosts.items()}
        for address in groups.all:
            self._spread(address, groups.mailboxes(address), gateway)
        for old, new in groups.former.items():
            for host in {homes[new], gateway}:
                if host == homes[new] or new in self.aliases[host]:
                    self.aliases[host][old] = (new,)

    def _spread(self, group: str, mailboxes: set[str], gateway: str) -> None:
        members: dict[str, list[str]] = defaultdict(list)
        for mailbox in sorted(mailboxes):
            members[self._homes[mailbox]].append(mailbox)
        for host in expanding(self._homes[group], gateway, members):
            found: list[str] = []
            for other, there in sorted(members.items()):
                if other == host:
                    found += self._listed(host, group, there)
                else:
                    part = self._part(other, group)
                    found.append(part)
                    self.parts[part] = group
                    self.aliases[other][part] = self._listed(other, group, there)
            self.aliases[host][group] = tuple(found)

    def _listed(self, host: str, group: str, mailboxes: list[str]) -> tuple[str, ...]:
        if len(mailboxes) <= LONGEST_LIST:
            return tuple(mailboxes)
        lists = ceil(len(mailboxes) / LONGEST_LIST)
        chunks = {}
        for number in range(lists):
            # Postfix asks for the rule of "part+1" and then of "part": a chunk has the rule of its part.
            chunk = self._part(host, group, f"+{number + 1}")
            chunks[chunk] = tuple(mailboxes[number::lists])
        self.aliases[host] |= chunks
        return tuple(chunks)

    def _part(self, host: str, group: str, chunk: str = "") -> str:
        return f"{hashlib.sha256(group.encode()).hexdigest()[:16]}{chunk}@{self._domains[host]}"
