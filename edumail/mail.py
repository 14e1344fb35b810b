"""Where mail goes: the tables of each mail host, by address, compiled from the tree of units.

One class of domain does for everything: on a host, each domain that has an address here is a virtual mailbox
domain whose valid recipients are all listed, and those that live elsewhere have a transport. Two units may so share
a domain and live on different hosts.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from edumail.collector import collector_paused
from edumail.groups import NAMES_OF_RFC_2142, Groups
from edumail.model import Host, Province
from edumail.policies import Policies
from edumail.posting import PROVINCE, Permissions, Rule
from edumail.spread import Spread, part_domain
from edumail.srs import srs_domain, srs_hosts
from edumail.units import Units

MIB = 1024 * 1024
HEADROOM_MB = 1
"""MiB that a message may grow on its way through our hosts (Received, signatures, verdicts), above the size limit."""


class Mailbox(NamedTuple):
    """A mailbox on a host. ``person`` is None for a shared one, which nobody signs in to.

    The figures are those of the unit's policies. ``holds`` are the shared mailboxes that the person reads and may send
    as; they live on the same host. ``was`` are old addresses: it is still the same mailbox.
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
    forward_sender: str = "forwarder"
    holds: tuple[str, ...] = ()
    was: tuple[str, ...] = ()
    officer: bool = False
    """Whether the person is the unit's officer in charge of email (4.5), who may give its people new codes."""
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
    """Mailboxes of these domains that live on another host, and where to hand their mail to next."""
    remote_groups: dict[str, Host]
    """The same for groups that are expanded elsewhere, and for old addresses."""
    aliases: dict[str, tuple[str, ...]]
    """Groups, parts of groups and old addresses that are expanded here: address → addresses."""
    part_domains: dict[str, Host]
    """The domain of the parts on each host of the province: no person writes to a part."""
    senders: dict[str, tuple[str, ...]]
    """Envelope and From address → the sign-in names that may use it."""
    policies: dict[str, Policies]
    """Unit → what holds for it, of the units that live here. One host so can count what all of a unit send."""
    posting: dict[str, str]
    """Address that leads to a group → the rule that says who may write to it, by its key in ``rules``. Not listed is
    what anyone, or whoever signed in, may write to."""
    parts: dict[str, str | None]
    """On the gateway: each part of a group, with its group's rule if that has a list."""
    rules: dict[str, Rule]
    """The rules of these, by a short name that stays the same as long as the rule does."""
    posters: dict[str, tuple[str, ...]]
    """Sender → names of the rules that let it through. Everybody's on the gateway, which also judges what comes from
    other hosts; elsewhere those of the people who submit here."""
    closed: tuple[str, ...]
    """Every address of the province that leads to a group which strangers may not write to."""
    srs: dict[str, Host]
    """Domain of packed authors' addresses → its host: all on the gateway, elsewhere the host's own if it packs any."""
    peers: dict[str, tuple[str, ...]]
    """Host that hands us mail → the senders it is trusted for; empty for the gateway, which carries everybody's, and
    for a host whose mailboxes have all moved away: it gives back what came there for them.

    A host for pages alone has no mail to hand over, and is none of them."""
    handed_on: tuple[str, ...]
    """On the gateway: every mailbox and its former addresses. Whoever sent it, a host may hand back what came there for
    somebody who has moved away meanwhile; to no group, since who may write there is judged by the sender."""
    public: dict[str, str]
    """The address for the public of each unit that lives here (4.2.1) → the unit."""


@dataclass(frozen=True)
class HostAccounts:
    """Who has a mailbox on a host, and where the others of its domains are. Every mapping is sorted."""

    mailboxes: dict[str, Mailbox]
    """The mailboxes that live here, by address."""
    remote: dict[str, Host]
    """Mailboxes of the domains here that live on another host, and where to hand their mail to next."""
    elsewhere: tuple[str, ...]
    """Ids of the people who live on other hosts, sorted: whoever went there from here has not left the province."""


class Mail:
    """The mail tables of a province, host by host. Expansion is done once; :meth:`host` costs what the host holds."""

    def __init__(self, province: Province):
        self.province = province
        self.units = Units(province)
        self.groups = Groups(self.units)
        self.permissions = Permissions(self.groups)
        self.gateway = next(host for host in province.hosts.values() if "gateway" in host.roles)
        self._accounts: dict[str, HostAccounts] = {}
        self._hosts: dict[str, HostMail] = {}

    @cached_property
    def policies(self) -> dict[str, Policies]:
        """Unit → what holds for it."""
        return {unit.id: self.units.policies(unit) for unit in self.province.units.values()}

    @cached_property
    @collector_paused()
    def mailboxes(self) -> dict[str, dict[str, Mailbox]]:
        """Host name → its mailboxes by address."""
        result: dict[str, dict[str, Mailbox]] = {name: {} for name in self.province.hosts}
        was: dict[str, tuple[str, ...]] = defaultdict(tuple)
        for former in self.province.former:
            was[former.to] += (former.address,)
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
                policies.external_forward_sender or "forwarder",
            )
            here = result[unit.host]
            held: dict[str, list[str]] = defaultdict(list)
            chief = self.units.head(unit)
            head = chief.address if chief else ""
            for shared, holders in self.units.shared(unit):
                hours, old = policies.official_mailbox_check_hours or 0, was.get(shared.address, ())
                here[shared.address] = Mailbox(
                    shared.address, shared.name, unit.id, None, quota, *figures, was=old, check_hours=hours, head=head
                )
                for person in holders:
                    held[person.id].append(shared.address)
            officer = self.units.officer(unit)
            for person in self.units.people[unit.id]:
                holds = tuple(sorted(held[person.id])) if person.id in held else ()
                own = max([quota, *(larger.get(post, 0) for post in person.posts)]) if larger else quota
                old = was.get(person.address, ())
                here[person.address] = Mailbox(
                    person.address, person.name, unit.id, person.id, own, *figures, holds, old, person == officer
                )
        return {name: dict(sorted(boxes.items())) for name, boxes in result.items()}

    @cached_property
    def home(self) -> dict[str, str]:
        """Every address of the province → the host it lives on; a group lives where its unit does."""
        home = {address: host for host, boxes in self.mailboxes.items() for address in boxes}
        for group in self.groups.all.values():
            home[group.address] = self.province.units[group.unit].host
        return home | {old: home[new] for old, new in self.groups.former.items()}

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

    @cached_property
    def _srs(self) -> dict[str, Host]:
        return srs_hosts(self.province, self.policies)

    def keeps_authors(self, host: Host) -> bool:
        """Whether forwards of a unit that lives on the host keep their authors' addresses (SRS)."""
        return srs_domain(host) in self._srs

    def accounts(self, name: str) -> HostAccounts:
        """Who has a mailbox on a host: the part of its tables that is had without any group's members."""
        if name not in self._accounts:
            with collector_paused():
                self._accounts[name] = self._accounts_of(name)
        return self._accounts[name]

    def _accounts_of(self, name: str) -> HostAccounts:
        next_hop = self._next_hop(name)
        remote = {address: next_hop(home) for address, home in self._away(name) if address in self.mailboxes[home]}
        people = (p.id for p in self.province.people if self.province.units[p.unit].host != name)
        return HostAccounts(self.mailboxes[name], remote, tuple(sorted(people)))

    def _next_hop(self, name: str) -> Callable[[str], Host]:
        """From a host's name to the one that mail for it is handed to: the gateway knows all, others the gateway."""
        return self.province.hosts.__getitem__ if name == self.gateway.name else lambda home: self.gateway

    def _domains(self, name: str) -> list[str]:
        """Domains in which a host has addresses, sorted; the gateway answers for all."""
        if name == self.gateway.name:
            return sorted(self._addresses_of_domain)
        return sorted({address.partition("@")[2] for address, home in self.home.items() if home == name})

    def _away(self, name: str) -> Iterator[tuple[str, str]]:
        """The addresses of these domains that live on other hosts, each with its host."""
        for domain in self._domains(name):
            for address in sorted(self._addresses_of_domain[domain]):
                if (home := self.home[address]) != name:
                    yield address, home

    def host(self, name: str) -> HostMail:
        """The tables of one host, compiled when they are first asked for: several roles need them."""
        if name not in self._hosts:
            with collector_paused():
                self._hosts[name] = self._host(name)
        return self._hosts[name]

    @cached_property
    def _spread(self) -> Spread:
        return Spread(self.groups, self.home, self.province.hosts, self.gateway.name)

    @cached_property
    def _rule_names(self) -> dict[Rule, str]:
        """A name for each rule that has a list of senders, made from what the rule says."""
        rules = set(self.permissions.closed.values()) - {PROVINCE}
        digests = {rule: hashlib.sha256(repr(sorted(rule)).encode()).hexdigest() for rule in rules}
        length = 8
        while len({digest[:length] for digest in digests.values()}) < len(digests):
            length += 1
        return {rule: digest[:length] for rule, digest in digests.items()}

    @cached_property
    def _closed(self) -> tuple[str, ...]:
        return tuple(sorted(self.permissions.closed))

    def behind(self, recipient: str) -> set[str]:
        """The mailboxes that a recipient in some host's log stands for: a part of a group for those of one host."""
        group = self._spread.parts.get(recipient)
        if group is None:
            return self.groups.mailboxes(recipient)
        domain = recipient.partition("@")[2]
        hosts = {host.name for host in self.province.hosts.values() if part_domain(host) == domain}
        return {mailbox for mailbox in self.groups.mailboxes(group) if self.home[mailbox] in hosts}

    def _rule_of(self, address: str) -> str | None:
        return self._rule_names.get(self.permissions.closed.get(address, PROVINCE))

    def _host(self, name: str) -> HostMail:
        host = self.province.hosts[name]
        accounts = self.accounts(name)
        here, remote = accounts.mailboxes, accounts.remote
        everything = host is self.gateway
        aliases = self._spread.aliases[name]
        next_hop = self._next_hop(name)
        away = ((a, home) for a, home in self._away(name) if a not in aliases and a not in remote)
        remote_groups = {address: next_hop(home) for address, home in away}
        led = [a for a in (*aliases, *(remote_groups if everything else ())) if a in self.home]
        posting = {a: rule for a in sorted(led) if (rule := self._rule_of(a)) is not None}
        parts = {p: self._rule_of(group) for p, group in sorted(self._spread.parts.items()) if everything}
        used = {*posting.values(), *parts.values()}
        rules = {name: rule for rule, name in self._rule_names.items() if name in used}
        postmaster = {f"{local}@{host.fqdn}": (self._postmaster,) for local in ("root", *NAMES_OF_RFC_2142)}
        return HostMail(
            host=host,
            gateway=self.gateway,
            mailboxes=here,
            domains=tuple(self._domains(name)),
            own=self._own,
            remote=remote,
            remote_groups=remote_groups,
            aliases=dict(sorted((aliases | postmaster).items())),
            part_domains={part_domain(host): host for host in self.province.hosts.values()},
            senders={a: self._holders[a] if box.person is None else (a,) for a, box in here.items()},
            policies={unit: self.policies[unit] for unit in sorted({box.unit for box in here.values()})},
            posting=posting,
            parts=parts,
            rules=dict(sorted(rules.items())),
            posters=self._posters(rules, None if everything else here),
            closed=self._closed,
            srs={domain: of for domain, of in self._srs.items() if everything or of is host},
            peers=self._peers(name),
            handed_on=self._handed_on() if everything else (),
            public=dict(
                sorted((unit.public_address, unit.id) for unit in self.province.units.values() if unit.host == name)
            ),
        )

    def _posters(self, rules: dict[str, Rule], among: Container[str] | None) -> dict[str, tuple[str, ...]]:
        result: dict[str, list[str]] = defaultdict(list)
        for name, rule in sorted(rules.items()):
            for sender in self.permissions.passing(rule):
                if among is None or sender in among:
                    result[sender].append(name)
        return {sender: tuple(names) for sender, names in sorted(result.items())}

    def _handed_on(self) -> tuple[str, ...]:
        boxes = {address for here in self.mailboxes.values() for address in here}
        return tuple(sorted(boxes | {old for old, new in self.groups.former.items() if new in boxes}))

    def _peers(self, name: str) -> dict[str, tuple[str, ...]]:
        if name != self.gateway.name:
            return {self.gateway.name: ()}
        others = (host.name for host in self.province.hosts.values() if host.has_mail and host != self.gateway)
        return {other: tuple(self.mailboxes[other]) for other in sorted(others)}
