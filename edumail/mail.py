"""Where mail goes: the tables of each mail host, by address, compiled from the tree of units.

One class of domain does for everything: on a host, each domain that has an address here is a virtual mailbox
domain whose valid recipients are all listed, and those that live elsewhere have a transport. Two units may so share
a domain and live on different hosts.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

from edumail.groups import NAMES_OF_RFC_2142, Expansion, Groups
from edumail.model import Host, Posting, Province
from edumail.policies import Policies
from edumail.units import Units

PROVINCE_RULE = "posting_province"
"""The rule that lets through whoever signed in, here or on another host of the province; it needs no list."""

MIB = 1024 * 1024
HEADROOM_MB = 1
"""MiB that a message may grow on its way through our hosts (Received, signatures, verdicts), above the size limit."""


@dataclass(frozen=True)
class Mailbox:
    """A mailbox on a host. ``person`` is None for a shared one, which nobody signs in to.

    The figures are those of the unit's policies. ``holds`` are the shared mailboxes that the person reads and may send
    as; they live on the same host.
    """

    address: str
    name: str
    unit: str
    person: str | None
    quota_mb: int
    trash_days: int
    junk_days: int
    code_days: int
    idle_days: int
    leaver_days: int
    password_characters: int
    password_classes: int
    holds: tuple[str, ...] = ()
    check_hours: int = 0
    head: str = ""
    """Of a shared mailbox: how long a letter may lie unread, and who else hears of it then."""


@dataclass(frozen=True)
class HostMail:
    """All that Postfix, Dovecot and Rspamd of one host need to know of units and people. Every mapping is sorted."""

    host: Host
    gateway: Host
    mailboxes: dict[str, Mailbox]
    """The mailboxes that live here, by address."""
    domains: tuple[str, ...]
    """Domains this host answers for at RCPT."""
    own: tuple[str, ...]
    """Every domain that only hosts of the province send for: the mail domains, and the hosts' own names."""
    remote: dict[str, Host]
    """Valid addresses of these domains that live on another host, and where to hand their mail to next."""
    aliases: dict[str, tuple[str, ...]]
    """Groups expanded here: address → addresses."""
    largest_expansion: int
    """How many mailboxes the largest of these groups reaches, through all groups inside it."""
    senders: dict[str, tuple[str, ...]]
    """Envelope and From address → the sign-in names that may use it."""
    policies: dict[str, Policies]
    """Unit → what holds for it, of the units that live here. One host so can count what all of a unit send."""
    posting: dict[str, str]
    """Group → the name of the rule that says who may write to it; groups open to anyone are not listed."""
    rules: dict[str, tuple[str, ...]]
    """Rule → the addresses that it lets through, as sign-in names and as senders that another host vouches for."""
    peers: dict[str, tuple[str, ...]]
    """Host that hands us mail → the senders it is trusted for; empty for the gateway, which carries everybody's.

    A host without mailboxes has no mail to hand over, and is none of them."""


class Mail:
    """The mail tables of a province, host by host. Expansion is done once; :meth:`host` costs what the host holds."""

    def __init__(self, province: Province):
        self.province = province
        self.units = Units(province)
        self.groups = Groups(self.units)
        self.gateway = next(host for host in province.hosts.values() if "gateway" in host.roles)
        self._hosts: dict[str, HostMail] = {}

    @cached_property
    def policies(self) -> dict[str, Policies]:
        """Unit → what holds for it."""
        return {unit.id: self.units.policies(unit) for unit in self.province.units.values()}

    @cached_property
    def mailboxes(self) -> dict[str, dict[str, Mailbox]]:
        """Host name → its mailboxes by address."""
        result: dict[str, dict[str, Mailbox]] = {name: {} for name in self.province.hosts}
        for unit in self.province.units.values():
            policies = self.policies[unit.id]
            quota, larger = policies.mailbox_quota_mb or 0, policies.mailbox_quota_mb_by_post or {}
            figures = (
                policies.trash_days or 0,
                policies.junk_days or 0,
                policies.activation_code_days or 0,
                policies.idle_account_days or 0,
                policies.leaver_days or 0,
                policies.password_min_characters or 0,
                policies.password_character_classes or 0,
            )
            here = result[unit.host]
            held: dict[str, list[str]] = defaultdict(list)
            chief = self.units.head(unit)
            head = chief.address if chief else ""
            for shared, holders in self.units.shared(unit):
                hours = policies.official_mailbox_check_hours or 0
                box = Mailbox(shared.address, shared.name, unit.id, None, quota, *figures, check_hours=hours, head=head)
                here[shared.address] = box
                for person in holders:
                    held[person.id].append(shared.address)
            for person in self.units.people[unit.id]:
                holds = tuple(sorted(held[person.id])) if person.id in held else ()
                own = max([quota, *(larger.get(post, 0) for post in person.posts)]) if larger else quota
                here[person.address] = Mailbox(person.address, person.name, unit.id, person.id, own, *figures, holds)
        return {name: dict(sorted(boxes.items())) for name, boxes in result.items()}

    @cached_property
    def home(self) -> dict[str, str]:
        """Every address of the province → the host it lives on; a group lives where its unit does."""
        home = {address: host for host, boxes in self.mailboxes.items() for address in boxes}
        for group in self.groups.all.values():
            home[group.address] = self.province.units[group.unit].host
        return home

    @cached_property
    def _addresses_of_domain(self) -> dict[str, list[str]]:
        result: dict[str, list[str]] = defaultdict(list)
        for address in self.home:
            result[address.partition("@")[2]].append(address)
        return result

    @cached_property
    def _holders(self) -> dict[str, tuple[str, ...]]:
        """Shared mailbox → addresses of its holders."""
        return {
            shared.address: tuple(sorted(person.address for person in holders))
            for unit in self.province.units.values()
            for shared, holders in self.units.shared(unit)
        }

    @cached_property
    def _own(self) -> tuple[str, ...]:
        hosts = (host.fqdn for host in self.province.hosts.values())
        return tuple(sorted({*self._addresses_of_domain, *hosts}))

    @cached_property
    def _postmaster(self) -> str:
        """Who gets what the hosts themselves have to say (cron, failed units): the top unit's postmaster."""
        top = next(unit for unit in self.province.units.values() if unit.parent is None)
        return f"postmaster@{top.domain}"

    def host(self, name: str) -> HostMail:
        """The tables of one host, compiled when they are first asked for: several roles need them."""
        if name not in self._hosts:
            self._hosts[name] = self._host(name)
        return self._hosts[name]

    def _host(self, name: str) -> HostMail:
        host = self.province.hosts[name]
        here = self.mailboxes[name]
        everything = host is self.gateway
        groups = self._groups_expanded_on(name)
        if everything:
            domains = set(self._addresses_of_domain)
        else:
            domains = {address.partition("@")[2] for address in [*here, *(g for g in groups if self.home[g] == name)]}
        remote = {
            address: self.province.hosts[self.home[address]] if everything else self.gateway
            for domain in sorted(domains)
            for address in sorted(self._addresses_of_domain[domain])
            if self.home[address] != name and address not in groups
        }
        aliases = {address: group.members for address, group in groups.items()}
        aliases |= {f"{name}@{host.fqdn}": (self._postmaster,) for name in ("root", *NAMES_OF_RFC_2142)}
        senders = {a: self._holders[a] if box.person is None else (a,) for a, box in here.items()}
        rules: dict[str, tuple[str, ...]] = {}
        posting = {}
        for address, group in groups.items():
            if group.posting != "anyone":
                rule, logins = self._rule(group.posting, group)
                posting[address] = rule
                if rule != PROVINCE_RULE:
                    rules[rule] = logins
        return HostMail(
            host=host,
            gateway=self.gateway,
            mailboxes=here,
            domains=tuple(sorted(domains)),
            own=self._own,
            remote=remote,
            aliases=dict(sorted(aliases.items())),
            largest_expansion=max((len(self.groups.mailboxes(address)) for address in groups), default=0),
            senders=senders,
            policies={unit: self.policies[unit] for unit in sorted({box.unit for box in here.values()})},
            posting=dict(sorted(posting.items())),
            rules=dict(sorted(rules.items())),
            peers=self._peers(name),
        )

    @cached_property
    def _groups_by_host(self) -> dict[str, list[str]]:
        """Host name → the groups of its units."""
        result: dict[str, list[str]] = defaultdict(list)
        for group in self.groups.all.values():
            result[self.province.units[group.unit].host].append(group.address)
        return result

    def _groups_expanded_on(self, name: str) -> dict[str, Expansion]:
        """The groups of this host's units, and the groups inside them; all of them on the gateway.

        The gateway expands every group, because mail from outside must not be sent on by a host that is trusted
        for its own senders only.
        """
        if name == self.gateway.name:
            return dict(sorted(self.groups.all.items()))
        result: dict[str, Expansion] = {}
        stack = list(self._groups_by_host[name])
        while stack:
            address = stack.pop()
            group = self.groups.all.get(address)
            if group is not None and address not in result:
                result[address] = group
                stack.extend(group.members)
        return dict(sorted(result.items()))

    def _rule(self, posting: Posting, group: Expansion) -> tuple[str, tuple[str, ...]]:
        """The rule's name (letters, digits and "_" only: it becomes a Postfix restriction class) and who passes."""
        if posting == "province":
            return PROVINCE_RULE, ()
        if posting == "unit":
            unit = self.province.units[group.unit]
            people = [person.address for person in self.units.people[unit.id]]
            shared = [mailbox.address for mailbox, _ in self.units.shared(unit)]
            return f"posting_unit_{_word(unit.id)}", tuple(sorted([*people, *shared]))
        return f"posting_members_{_word(group.address)}", tuple(sorted(self.groups.mailboxes(group.address)))

    def _peers(self, name: str) -> dict[str, tuple[str, ...]]:
        if name != self.gateway.name:
            return {self.gateway.name: ()}
        others = ((other, tuple(boxes)) for other, boxes in sorted(self.mailboxes.items()) if boxes)
        return {other: boxes for other, boxes in others if other != self.gateway.name}


def _word(text: str) -> str:
    """``text`` as a word for a restriction class; distinct texts stay distinct: "_" is in neither ids nor domains."""
    return "".join(c if c.isalnum() else f"_{ord(c):x}_" for c in text)
