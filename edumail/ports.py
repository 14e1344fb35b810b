"""Which doors of a host are open, and to whom: for its packet filter, for tests and for audits. All others are shut."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from typing import Literal

from edumail.fields import Network
from edumail.load import place
from edumail.model import Host, Province
from edumail.problems import Problem

Audience = Literal["everyone", "admins", "peers"]

PEER_PORT = 2525
"""Where the province's hosts take mail from each other."""
SIEVE_PORT = 1588
"""Where a host's Postfix takes, on loopback, what people's filters send."""
SRS_FORWARD_PORT, SRS_REVERSE_PORT = 10001, 10002
"""Where a host's Postfix asks, on loopback, for an author's address packed into one of ours, and for the way back."""
HTTPS_PORT = 4430
"""Where the gateway's nginx takes, on loopback, what it does not pass on to another host."""
SUBMISSION_PORT = 1587
"""Where a host's Postfix takes what its people submit at the gateway's front; on the gateway itself, on loopback."""

EVERYWHERE: tuple[Network, ...] = (ip_network("0.0.0.0/0"), ip_network("::/0"))


@dataclass(frozen=True, order=True)
class Door:
    """A TCP port that a host opens to an audience; ``service`` is its name in IANA's registry, where it has one."""

    port: int
    service: str
    to: Audience = "everyone"


def doors(host: Host) -> tuple[Door, ...]:
    """The doors that the roles of ``host`` need, by port; IPv4 and IPv6 alike."""
    # Behind a forwarded port sshd itself still listens on 22.
    found = {Door(port, "ssh", "admins") for port in (22, host.ssh.port)}
    if "gateway" in host.roles:
        found |= {Door(25, "smtp")}
    if host.has_mail:
        found |= {Door(465, "submissions"), Door(587, "submission"), Door(143, "imap"), Door(993, "imaps")}
        found |= {Door(995, "pop3s"), Door(4190, "sieve"), Door(PEER_PORT, "mail between hosts", "peers")}
        if "gateway" not in host.roles:
            found |= {Door(SUBMISSION_PORT, "submission by the front", "peers")}
    if "gateway" in host.roles:
        found |= {Door(80, "http"), Door(443, "https")}
    elif host.has_mail or "portal" in host.roles:
        # A public authority asks the host itself for a proof of the host's own name; nothing else is there to see.
        found |= {Door(80, "http"), Door(443, "https from the gateway", "peers")}
    return tuple(sorted(found))


def sources(province: Province, host: Host, audience: Audience) -> tuple[Network, ...]:
    """From where an audience of ``host`` comes.

    peers: the hosts that hand mail to this one; the gateway hands it to everybody, the others to the gateway only.
    It is also the gateway alone that passes browsers on.
    """
    if audience == "everyone":
        return EVERYWHERE
    if audience == "admins":
        return province.settings.ssh_networks or EVERYWHERE
    takes_from_all = "gateway" in host.roles
    peers = [
        peer
        for peer in province.hosts.values()
        if peer.name != host.name and peer.has_mail and (takes_from_all or "gateway" in peer.roles)
    ]
    return tuple(ip_network(address) for peer in peers for address in (peer.ipv4, peer.ipv6) if address is not None)


def within(address: IPv4Address | IPv6Address, networks: Iterable[Network]) -> bool:
    """Whether ``address`` lies in one of ``networks``."""
    return any(address in network for network in networks)


def objection(
    province: Province, folder: Path, host: Host, address: IPv4Address | IPv6Address | None, port: int
) -> Problem | None:
    """Why an SSH client at ``address`` could not come back through the doors of ``host``; None when it can.

    address: as the host sees it, None when that is not known; port: where the host's sshd listens, 0 when not known;
    folder: the inventory, to say where it can be mended.
    """
    if port and port not in {door.port for door in doors(host) if door.to == "admins"}:
        return Problem(
            place(folder, "hosts.yml", list(province.hosts).index(host.name)),
            "ssh-port",
            f"sshd của «{host.name}» nghe ở cổng {port}, tường lửa sẽ chặn cổng này; thêm «ssh: {{port: {port}}}»",
            f"sshd of '{host.name}' listens on port {port}, which would be shut; add 'ssh: {{port: {port}}}'",
        )
    networks = sources(province, host, "admins")
    if networks == EVERYWHERE or (address is not None and within(address, networks)):
        return None
    where = place(folder, "province.yml", "ssh_networks")
    if address is None:
        return Problem(
            where,
            "ssh-networks",
            "không biết lượt triển khai này đến từ địa chỉ nào, nên nó có thể tự khóa mình ở ngoài",
            "from which address this deploy comes is not known, so it might lock itself out",
        )
    return Problem(
        where,
        "ssh-networks",
        f"lượt triển khai này đến từ {address}, không thuộc mạng nào ở đây, nên sẽ tự khóa mình ở ngoài; thêm mạng đó",
        f"this deploy comes from {address}, which is in none of these networks, and would lock itself out; add it",
    )
