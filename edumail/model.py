"""The province as typed, frozen data: what an inventory may say, and nothing else."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from edumail.fields import (
    DIRECTORY_PATTERN,
    PATH_PATTERN,
    Address,
    Day,
    Digest,
    Domain,
    Extension,
    Id,
    Ipv4,
    Ipv6,
    LocalPart,
    Model,
    Networks,
    Phone,
    PostCode,
    RequirementId,
    SshKey,
    Text,
    Whole,
)
from edumail.inherit import above_units
from edumail.policies import PolicyLevel, Posting

HostRole = Literal["gateway", "mailstore", "portal", "antivirus"]
Level = Literal["mamnon", "tieuhoc", "thcs", "thpt", "gdtx"]
AddressRule = Literal["given_initials", "full_name"]


class Kind(Model):
    """A kind of unit, as data: its names, what it may stand under, and whom the circular means by it."""

    name: Text
    name_en: Text
    binds: Literal["sở", "phòng", "school"]
    """The circular's word for such a unit (Article 1)."""
    by_succession: bool = False
    """The unit took over the duties of a body that the circular names (communes' offices, since 1 July 2025)."""
    parents: tuple[Id, ...] = ()
    """Kinds that it may stand under; empty means the root of the tree."""


class Post(Model):
    """A post that people hold in a unit."""

    name: Text
    name_en: Text
    head: bool = False
    """The holder is the unit's head («thủ trưởng», Article 2)."""
    clerk: bool = False
    """The holder keeps the unit's correspondence («văn thư»)."""


class Filtering(Model):
    """What the filters of all the province's hosts refuse and whom they trust."""

    blocked_attachments: tuple[Extension, ...] = ()
    """Kinds of file that are refused as attachments and inside archives, by the ending of the file's name."""
    trusted_senders: tuple[Domain, ...] = ()
    """Domains, with all below them, whose mail is never put off by greylisting (5.1: the Ministry's)."""


class Nameserver(Model):
    """An authoritative name server of the province's zones, for NS records and glue."""

    name: Domain
    ipv4: Ipv4 | None = None
    ipv6: Ipv6 | None = None


class Auditor(Model):
    """Someone who may verify the hosts: an SSH public key (``auditors/<name>.pub``), never a password."""

    name: str
    ssh_key: SshKey


class Ministry(Model):
    """The Ministry's two mailing lists (5.1), and our addresses that are registered for them (5.2).

    Where the circular names an address it is the default here; a reorganised Ministry is an edit, not a release.
    """

    director: Address
    """The department's address on the directors' list: one of its mailboxes."""
    clerk: Address
    """The department's address on the clerks' list: one of its mailboxes."""
    director_list: Address = "giamdocso@moet.gov.vn"
    clerk_list: Address = "vanthuso@moet.gov.vn"
    contact: Address = "cuccntt@moet.gov.vn"
    """Where the department registers its addresses."""

    @property
    def domains(self) -> frozenset[str]:
        """The Ministry's mail domains."""
        return frozenset(a.partition("@")[2] for a in (self.director_list, self.clerk_list, self.contact))


class InternalCertificates(Model):
    """What people and strangers are shown comes from the province's own authority, which their devices must trust."""

    source: Literal["internal"] = Field(default="internal", alias="from")

    @property
    def issuers(self) -> tuple[Domain, ...]:
        """No public authority certifies anything."""
        return ()


class SuppliedCertificates(Model):
    """Certificates that somebody has bought or been given, as pairs of files in ``secrets/certificates/``."""

    source: Literal["files"] = Field(alias="from")
    issuers: Annotated[tuple[Domain, ...], Field(min_length=1)]
    """The authorities that may certify names of the province, as they write themselves in CAA records (RFC 8659)."""


class AcmeCertificates(Model):
    """Each host with a web server has its certificates from a public authority by ACME (RFC 8555), and renews them."""

    source: Literal["acme"] = Field(alias="from")
    directory: Annotated[str, StringConstraints(pattern=DIRECTORY_PATTERN, max_length=300)]
    """The authority's ACME directory, such as ``https://acme-v02.api.letsencrypt.org/directory``."""
    contact: Address
    """Whom the authority may write to; the account there is made under it. The choice agrees to its terms."""
    issuers: Annotated[tuple[Domain, ...], Field(min_length=1)]
    """As for files: the authority's name in CAA records, such as ``letsencrypt.org``."""


CERTIFICATE_SOURCES = ("internal", "files", "acme")
Certificates = Annotated[InternalCertificates | SuppliedCertificates | AcmeCertificates, Field(discriminator="source")]
"""Where the certificates come from that people and strangers see. Hosts know each other by the internal authority in
any case."""


WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Calendar(Model):
    """On which days the province's offices work; only these count until a letter to a unit is late (4.4c.2)."""

    working_days: Annotated[tuple[Weekday, ...], Field(min_length=1)] = ("mon", "tue", "wed", "thu", "fri")
    """Default Monday to Friday, by habit."""
    holidays: tuple[Day, ...] = ()
    """Public holidays, and days off in their place: the State says them anew each year."""

    @property
    def weekdays(self) -> list[int]:
        """The working days as numbers; 0 is Monday."""
        return sorted({WEEKDAYS.index(day) for day in self.working_days})


class Settings(PolicyLevel):
    """``province.yml``: the province as a whole."""

    id: Id
    name: Text
    name_en: Text
    domain: Domain
    """The province's own domain; postmaster of the hosts lies under it."""
    zones: Annotated[tuple[Domain, ...], Field(min_length=1)]
    """DNS zones that ``edumail dns`` renders; every name of the inventory lies in one of them."""
    allowed_suffixes: Annotated[tuple[Domain, ...], Field(min_length=1)]
    """Where mail domains and portal names may lie (3.1b.1)."""
    nameservers: Annotated[tuple[Nameserver, ...], Field(min_length=1)]
    front: Domain | None = None
    """The one name that everybody's mail program and browser use, whatever host has the mailbox; it leads to the
    gateway. Default ``mail.<domain>``, see :attr:`front_name`."""
    hostmaster: Address
    """Who answers for the zones (SOA RNAME) and receives DMARC reports."""
    ministry: Ministry | None = None
    """The Ministry's lists; without it nothing about them is checked."""
    certificates: Certificates = InternalCertificates()
    """Default: the internal authority."""
    address_rule: AddressRule = "given_initials"
    """How the address of a new person is made of the name: the given name and the initials of the others
    (``huongnt``), or all of it (``nguyen.thi.huong``). Default ``given_initials``, by habit. Whoever has an address
    keeps it."""
    calendar: Calendar = Calendar()
    """The working days."""
    ssh_config: Annotated[str, StringConstraints(pattern=PATH_PATTERN)] | None = None
    """An OpenSSH configuration file for all hosts; without it the user's own is taken."""
    ssh_networks: Networks | None = None
    """From where hosts let SSH in; default: from everywhere. What comes from elsewhere is dropped, so the networks of
    everybody who deploys, audits or mends belong here, and so does a second way in, should the first one change."""

    @property
    def front_name(self) -> str:
        """The name of the front: ``front``, or ``mail.<domain>``."""
        return self.front or f"mail.{self.domain}"

    @property
    def accounts_name(self) -> str:
        """The name of the account pages, where people choose their passwords; it leads to the gateway."""
        return f"taikhoan.{self.domain}"

    @property
    def ministry_domains(self) -> frozenset[str]:
        """The Ministry's domains; where :attr:`ministry` is not said, those that the circular names."""
        return (self.ministry or Ministry(director=self.hostmaster, clerk=self.hostmaster)).domains


class Ssh(Model):
    """How the control machine reaches a host, where that is not in an OpenSSH configuration file."""

    address: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:][A-Za-z0-9.:-]*$")] | None = None
    user: Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_-]*$")] = "root"
    port: Annotated[Whole, Field(ge=1, le=65535)] = 22


class Host(Model):
    """A server running Debian 13."""

    name: Id
    fqdn: Domain
    ipv4: Ipv4
    ipv6: Ipv6 | None = None
    roles: Annotated[tuple[HostRole, ...], Field(min_length=1)]
    ssh: Ssh = Ssh()

    @property
    def has_mail(self) -> bool:
        """Whether mail runs on the host: the gateway has the whole mail stack, as a mail store has."""
        return not {"gateway", "mailstore"}.isdisjoint(self.roles)


Holder = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]+$")]
"""A person of the unit by id, or whoever holds a post."""
Holders = Annotated[tuple[Holder, ...], Field(min_length=1)]


class Section(Model):
    """An internal section of a unit, with an address of its own (4.3.3)."""

    id: Id
    name: Text
    address: Address
    holders: Holders | None = None
    """With holders the address is a shared mailbox, as those of the unit are: people by id, or whoever of the section
    holds a post. Without, it is a group: each of the section's people gets a copy."""


class SharedMailbox(Model):
    """A mailbox of the unit, not of a person: the public address, the clerk's office. Nobody has its password."""

    address: Address
    name: Text
    holders: Holders
    """Who reads it and may send as it: people by id, or whoever holds a post in the unit."""


class Unit(PolicyLevel):
    """A department, a commune's office, a school, a centre."""

    id: Id
    kind: Id
    name: Text
    name_en: Text | None = None
    parent: Id | None = None
    levels: tuple[Level, ...] = ()
    host: Id
    """The one mail host its mailboxes live on."""
    domain: Domain
    """Mail domain; several units may share one."""
    portal: Domain
    """The name of its portal. Like every name of a portal it leads to the gateway, which knows the host."""
    former_portals: tuple[Domain, ...] = ()
    """Names that the portal had before: whoever comes by one is sent on to ``portal``."""
    portal_host: Id | None = None
    """The host that serves the portal; by default the one with its mailboxes."""
    street_address: Text
    phone: Phone
    officer: Holder
    """The officer in charge of email (4.5): a person of the unit by id, or the first in its roster who holds a post."""
    public_address: Address
    """The address for the public's questions (4.2.1): one of the unit's mailboxes."""
    mailboxes: Annotated[tuple[SharedMailbox, ...], Field(min_length=1)]
    sections: tuple[Section, ...] = ()

    @property
    def portal_names(self) -> tuple[str, ...]:
        """The name of its portal, and those that lead there."""
        return (self.portal, *self.former_portals)


class Person(Model):
    """One row of a roster. The address is assigned once and kept; nothing derives it anew."""

    id: Id
    unit: Id
    name: Text
    section: Id | None
    posts: tuple[PostCode, ...]
    address: Address


class Left(Model):
    """Somebody who left: a row of ``left/<unit>.csv``. Nobody else ever gets the id or the address."""

    id: Id
    unit: Id
    """The last one."""
    name: Text
    address: Address
    since: Day
    """The day on which the roster did not have them any more."""


class Rule(Model):
    """Who belongs to a group: people of the tree by what they are, plus addresses and groups by hand.

    Conditions on people are joined by "and"; with none of them no person is taken.
    """

    below: Id | None = None
    """The unit at which ``scope`` begins; by default the group's own."""
    scope: Literal["unit", "branch", "below"] = "branch"
    """That unit alone, with all units under it, or those under it alone."""
    kinds: tuple[Id, ...] = ()
    levels: tuple[Level, ...] = ()
    sections: tuple[Id, ...] = ()
    """Everybody in a section with such an id."""
    posts: tuple[PostCode, ...] = ()
    heads: bool = False
    """Whoever holds a post of which the catalogue says ``head``, besides ``posts``."""
    staff: bool = False
    """Everybody, whatever the post."""
    addresses: tuple[Address, ...] = ()
    """Single mailboxes, or other groups, of the province."""


class Group(Model):
    """An address that stands for several mailboxes (5.3)."""

    address: Address
    name: Text
    unit: Id
    """The unit that owns it; it lives on that unit's host."""
    members: Rule
    posting: Posting = "province"
    holders: Holders | None = None
    """Who may write where ``posting`` is ``holders``: people of the unit by id, or whoever holds a post there. Default:
    its heads and clerks."""


class StandardGroup(Model):
    """A group that units have by themselves: ``toanthe@`` of a unit that has a mail domain to itself, or is the highest
    in it, ``toanthe.<local part of its public address>@`` of another. Where it would be empty it does not come into
    being, and what an inventory has at that address comes first."""

    name: Text
    """With ``{unit}`` where the unit's name belongs."""
    members: Rule
    """``scope`` ``unit`` makes a group of each unit, anything else one of each that has units under it."""


class Defaults(PolicyLevel):
    """What ``group_vars/all.yml`` holds: catalogues of kinds, posts and groups, the default policies, the filters."""

    kinds: dict[Id, Kind] = Field(default_factory=dict)
    posts: dict[PostCode, Post] = Field(default_factory=dict)
    standard_groups: dict[LocalPart, StandardGroup | None] = Field(default_factory=dict)
    """By the local part of their addresses; ``null`` takes one of the defaults away."""
    filtering: Filtering = Filtering()
    log_retention_days: Annotated[Whole, Field(ge=1, le=3660)] | None = None
    """For how many days a host keeps its journal and its web server's access log; then they are deleted."""


class Former(Model):
    """An address as it was before units were renamed, merged or closed (``former.yml``). It receives until its date.

    It is no sender, and nobody else ever gets it.
    """

    address: Address
    to: Address
    """Where its mail goes: a mailbox or a group."""
    until: Day
    """The last day."""


class Attestation(Model):
    """What a person says that no host can show (``attestations.yml``): a decision was signed, a duty is carried out.

    It is a statement and no proof: an audit shows it apart, and after ``until`` the question is open again.
    """

    requirements: Annotated[tuple[RequirementId, ...], Field(min_length=1)]
    units: Annotated[tuple[Id, ...], Field(min_length=1)]
    """The units of which it is said."""
    by: Text
    """Who says so, with their post."""
    on: Day
    until: Day
    """The last day on which it counts."""
    document: Text
    """The number of the document that says so."""
    sha256: Digest
    """The SHA-256 of the document's file: whoever is shown the file can tell whether it is that one."""

    @property
    def entry(self) -> str:
        """By what it is told from the others."""
        return f"{self.document} ({', '.join(self.units)}): {', '.join(self.requirements)}"


class Dkim(Model):
    """The public half of a host's DKIM key (RFC 6376)."""

    selector: Id
    public_key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]+=*$", max_length=2000)]
    """The ``p=`` value: base64 of the SubjectPublicKeyInfo."""


Fingerprint = Annotated[str, StringConstraints(pattern=r"^(?:[0-9A-F]{2}:){31}[0-9A-F]{2}$")]


class Published(Model):
    """What a host gave back: ``published/<host>.yml``, written by a deploy, never by hand."""

    dkim: Dkim | None = None
    identity: Fingerprint | None = None
    """SHA-256 of the host's own public key, as Postfix prints it: hosts know each other by it."""
    supplied: Fingerprint | None = None
    """The same of the key that strangers see at the host where that came with a certificate from a file."""


class Province(Model):
    """A whole inventory, read and checked."""

    settings: Settings
    kinds: dict[str, Kind]
    posts: dict[str, Post]
    standard_groups: dict[str, StandardGroup]
    levels: dict[str, PolicyLevel]
    """What is said of policies above the units, by the name of its place: edumail's defaults first."""
    filtering: Filtering
    log_retention_days: int
    hosts: dict[str, Host]
    units: dict[str, Unit]
    people: tuple[Person, ...]
    groups: tuple[Group, ...]
    former: tuple[Former, ...]
    attestations: tuple[Attestation, ...] = ()
    left: tuple[Left, ...] = ()
    """Everybody who left, whenever that was."""
    today: date
    """On which day this holds: old addresses end."""
    auditors: tuple[Auditor, ...]
    published: dict[str, Published]

    @property
    def message_size_limit_mb(self) -> int:
        """Largest message in MiB, the same on every host: a limit that differs between hosts bounces mail."""
        return above_units(self.levels)["message_size_limit_mb"].value or 25
