"""The province's DNS zones as master files (RFC 1035, section 5): names, mail routes, and who may send as whom.

Also what others need to reach us safely: keys of our servers (DANE), the MTA-STS policy, where programs sign in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from functools import cached_property

from edumail import discovery
from edumail.discovery import Service
from edumail.model import Host, Nameserver, Province, Unit
from edumail.srs import srs_hosts
from edumail.units import Units

TTL = 3600
"""Seconds that resolvers keep a record: short enough to move a unit between hosts within an hour."""

# refresh, retry, expire, negative answers; in seconds, within the ranges of RIPE-203 and RFC 2308.
_SOA_TIMERS = "7200 900 1209600 900"
_TXT_PART = 255  # bytes in one <character-string> (RFC 1035, 3.3)

Record = tuple[str, str]
"""Type and data, with every name in the data absolute."""


def zones(province: Province, serial: int) -> dict[str, str]:
    """The master file of each zone of ``province.yml``, by zone name; ``serial`` (32 bits) goes into every SOA.

    The same province and serial give the same text. Each name stands in the deepest zone it lies in. Keys that no
    host has published yet are left out; the next deploy brings them.
    """
    writer = _Writer(province, serial)
    return {apex: writer.zone(apex) for apex in sorted(set(province.settings.zones))}


def deepest_zone(name: str, zones: Container[str]) -> str | None:
    """The longest of ``zones`` that ``name`` lies in, or None; costs what the name has labels."""
    while name:
        if name in zones:
            return name
        name = name.partition(".")[2]
    return None


class _Writer:
    def __init__(self, province: Province, serial: int):
        self.province = province
        self.serial = serial
        self.apexes = dict.fromkeys(sorted(province.settings.zones))
        self.children: dict[str | None, list[str]] = defaultdict(list)
        for apex in self.apexes:
            self.children[deepest_zone(apex.partition(".")[2], self.apexes)].append(apex)
        self.gateway = next(host for host in province.hosts.values() if "gateway" in host.roles)
        self.names: dict[str, list[str]] = {apex: [] for apex in self.apexes}
        self.records: dict[str, list[Record]] = defaultdict(list)
        self.titles: dict[str, str] = {}
        self._collect()
        for name in sorted(self.records, key=_order):
            home = deepest_zone(name, self.apexes)
            if home is not None:
                self.names[home].append(name)

    def _add(self, name: str, *records: Record) -> None:
        known = self.records[name]
        known.extend(record for record in records if record not in known)

    def _collect(self) -> None:
        """Every record of the province under its owner's name."""
        settings, hosts, units = self.province.settings, self.province.hosts, self.province.units
        for server in settings.nameservers:
            self._add(server.name, *_addresses(server))
            self.titles[server.name] = "name server"
        for host in hosts.values():
            # A host greets others and sends its bounces under its own name.
            self._add(host.fqdn, *_addresses(host), _HOST_SPF)
            self._keys(host.fqdn, {host.name, self.gateway.name})
            self.titles[host.fqdn] = f"host {host.name}: {', '.join(host.roles)}"
        self._server_key(self.gateway.fqdn, 25)
        for service in discovery.MAIL_SERVICES:
            self._server_key(settings.front_name, service.port)
        resolved = Units(self.province)
        policies = {unit.id: resolved.policies(unit) for unit in units.values()}
        for domain, host in srs_hosts(self.province, policies).items():
            # Forwards leave with senders in it, and what is said of them comes back.
            self._add(domain, ("MX", f"10 {self.gateway.fqdn}."), _text(f"v=spf1 a:{self.gateway.fqdn} -all"))
            self.titles[domain] = f"authors of what people of {host.name} forward"
        domains: dict[str, list[Unit]] = defaultdict(list)
        for unit in units.values():
            domains[unit.domain].append(unit)
        for domain, own in domains.items():
            self._mail_domain(domain, {unit.host for unit in own} | {self.gateway.name})
            more = f" and {len(own) - 1} more" if len(own) > 1 else ""
            self.titles.setdefault(domain, f"mail of {own[0].name}{more}")
        for former in self.province.former:
            domain = former.address.partition("@")[2]
            if domain not in domains and self.province.today <= former.until:
                domains[domain] = []
                # Nobody writes from there any more, and no program is set up for it.
                self._add(domain, ("MX", f"10 {self.gateway.fqdn}."), _text("v=spf1 -all"))
                self._add(f"_dmarc.{domain}", *self._dmarc_record(domain))
                self.titles.setdefault(domain, "old addresses of units that were renamed or merged")
        silent = [apex for apex in self.apexes if apex not in domains and apex not in self.records]
        if settings.front_name not in domains and settings.front_name not in self.records:
            silent.append(settings.front_name)
        self._add(settings.front_name, *_addresses(self.gateway))
        self.titles.setdefault(settings.front_name, "front: mail programs and browsers of the whole province")
        if settings.accounts_name not in domains and settings.accounts_name not in self.records:
            silent.append(settings.accounts_name)
        self._add(settings.accounts_name, *_addresses(self.gateway))
        self.titles.setdefault(settings.accounts_name, "account pages of the whole province")
        for unit in units.values():
            for name in unit.portal_names:
                if name not in domains and name not in self.records:
                    silent.append(name)
                # One way in for browsers: the gateway passes a connection on to the host that has the portal.
                self._add(name, *_addresses(self.gateway))
                title = f"portal of {unit.name}" if name == unit.portal else f"leads to {unit.portal}"
                self.titles.setdefault(name, title)
        for name in silent:
            # Nobody has an address here: no mail to it (RFC 7505), none from it.
            self._add(name, ("MX", "0 ."), _text("v=spf1 -all"))
        for apex in self.apexes:
            # Receivers look here for names that have no policy of their own (RFC 7489, 3.2).
            self._add(f"_dmarc.{apex}", *self._dmarc_record(apex))
            self._add(apex, *self._authorities)

    def _mail_domain(self, domain: str, hosts: set[str]) -> None:
        own = ""
        if _HOST_SPF in self.records[domain]:  # one SPF record a name (RFC 7208, 4.5): the domain's replaces the host's
            self.records[domain].remove(_HOST_SPF)
            own = " a"
        self._add(domain, ("MX", f"10 {self.gateway.fqdn}."))
        # One lookup of the ten that RFC 7208 allows; a new address of the gateway changes one record, not all.
        self._add(domain, _text(f"v=spf1{own} a:{self.gateway.fqdn} -all"))
        self._keys(domain, hosts)
        self._add(f"_dmarc.{domain}", *self._dmarc_record(domain))
        self._add(f"_mta-sts.{domain}", self._sts)
        self._add(f"_smtp._tls.{domain}", _text(f"v=TLSRPTv1; rua=mailto:{self.province.settings.hostmaster}"))
        for name in discovery.names([domain]):
            # Addresses and no CNAME: one signature and one question fewer for whoever asks.
            self._add(name, *_addresses(self.gateway))
        for service in (*discovery.MAIL_SERVICES, discovery.AUTODISCOVER):
            self._add(f"{service.label}._tcp.{domain}", self._service(service))

    @cached_property
    def _sts(self) -> Record:
        """RFC 8461, 3.1; the policy is the same for every mail domain."""
        return _text(f"v=STSv1; id={discovery.sts_id(discovery.sts_policy(self.gateway.fqdn))}")

    @cached_property
    def _authorities(self) -> list[Record]:
        """Who may certify names of the province (RFC 8659): no public authority while it has one of its own."""
        issuers = self.province.settings.certificates.issuers
        permitted: list[Record] = [("CAA", f'0 issue "{issuer}"') for issuer in issuers or (";",)]
        return [*permitted, ("CAA", f'0 iodef "mailto:{self.province.settings.hostmaster}"')]

    def _service(self, service: Service) -> Record:
        return "SRV", f"{service.priority} 1 {service.port} {self.province.settings.front_name}."

    def _server_key(self, name: str, port: int) -> None:
        """The gateway's keys, by which others know it (RFC 7672, RFC 7673); certificates come and go over them."""
        published = self.province.published.get(self.gateway.name)
        # With a certificate from a file its key is shown, and the host's own again should that certificate end.
        for key in (published.identity, published.supplied) if published is not None else ():
            if key is not None:
                self._add(f"_{port}._tcp.{name}", ("TLSA", f"3 1 1 {key.replace(':', '').lower()}"))

    def _keys(self, domain: str, hosts: set[str]) -> None:
        """The keys of all who sign for ``domain``: the hosts of its units, and the gateway its bounces."""
        for host in sorted(hosts):
            published = self.province.published.get(host)
            if published is not None and published.dkim is not None:
                key = published.dkim
                self._add(f"{key.selector}._domainkey.{domain}", _text(f"v=DKIM1; k=rsa; p={key.public_key}"))

    def _dmarc_record(self, domain: str) -> list[Record]:
        mailbox = self.province.settings.hostmaster
        self._permit_reports(domain, mailbox.partition("@")[2])
        return [_text(f"v=DMARC1; p=reject; adkim=s; aspf=s; rua=mailto:{mailbox}")]

    def _permit_reports(self, domain: str, destination: str) -> None:
        """Let reports on ``domain`` go to ``destination`` where receivers may take that for somebody else's.

        They compare organizational domains, which only the Public Suffix List knows; two names in one zone have the
        same one (RFC 7489, 7.1). A record too many does no harm; a wildcard would take anybody's reports.
        """
        if deepest_zone(domain, self.apexes) != deepest_zone(destination, self.apexes):
            self._add(f"{domain}._report._dmarc.{destination}", _text("v=DMARC1"))

    def zone(self, apex: str) -> str:
        lines = [
            f"; {apex}: zone of {self.province.settings.name_en}, written by edumail. Mend the inventory, not this.",
            f"$ORIGIN {apex}.",
            f"$TTL {TTL}",
            *self._apex(apex),
        ]
        titled = apex
        for name in self.names[apex]:
            owner = _base(name)
            if owner != titled:
                lines.append("")
                if owner in self.titles:
                    lines.append(f"; {self.titles[owner]}")
                titled = owner
            lines += self._lines(name, apex, self.records[name])
        return "\n".join(lines) + "\n"

    def _apex(self, apex: str) -> Iterator[str]:
        settings = self.province.settings
        first = settings.nameservers[0].name
        local, _, domain = settings.hostmaster.partition("@")
        # A dot in the local part is not a separator (RFC 1035, 8).
        rname = local.replace(".", "\\.") + "." + domain
        servers: list[Record] = [("NS", f"{server.name}.") for server in settings.nameservers]
        soa = ("SOA", f"{first}. {rname}. {self.serial} {_SOA_TIMERS}")
        yield from self._lines(apex, apex, [soa, *servers])
        for child in self.children[apex]:
            yield ""
            yield f"; {child} is a zone of its own"
            yield from self._lines(child, apex, servers)
            for server in settings.nameservers:
                if deepest_zone(server.name, self.apexes) == child:
                    yield from self._lines(server.name, apex, _addresses(server))

    def _lines(self, name: str, apex: str, records: Iterable[Record]) -> Iterator[str]:
        owner = "@" if name == apex else name.removesuffix("." + apex)
        for kind, data in records:
            yield f"{owner:<31} {kind:<4} {data}"


def _addresses(machine: Host | Nameserver) -> list[Record]:
    kinds = (("A", machine.ipv4), ("AAAA", machine.ipv6))
    return [(kind, str(address)) for kind, address in kinds if address is not None]


def _text(content: str) -> Record:
    """A TXT record; its content is ASCII without quotes by the types of the model."""
    parts = [content[start : start + _TXT_PART] for start in range(0, len(content), _TXT_PART)]
    return "TXT", " ".join(f'"{part}"' for part in parts)


_HOST_SPF = _text("v=spf1 a -all")


def _base(name: str) -> str:
    """The name that ``name`` says something about: its part after the last label with an underscore."""
    labels = name.split(".")
    while any(label.startswith("_") for label in labels):
        labels.pop(0)
    if labels[0] in discovery.LABELS:
        labels.pop(0)
    return ".".join(labels)


def _order(name: str) -> tuple[list[str], bool, str]:
    """Names below each other come together, records about a name right after it."""
    base = _base(name)
    return base.split(".")[::-1], name != base, name
