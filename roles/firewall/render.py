"""The packet filter of one host: nftables' rules for the doors of :mod:`edumail.ports`."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import get_args

from edumail.fields import Network
from edumail.model import Host, Province
from edumail.ports import EVERYWHERE, Audience, doors, sources
from edumail.templates import render
from edumail.tree import Tree


@dataclass(frozen=True)
class Opening:
    """The ports that one audience reaches."""

    name: Audience
    ports: tuple[int, ...]
    networks: tuple[Network, ...]

    @property
    def everywhere(self) -> bool:
        """Whether the address of the sender does not matter."""
        return self.networks == EVERYWHERE

    @property
    def ipv4(self) -> list[Network]:
        """The networks that are IPv4."""
        return [network for network in self.networks if isinstance(network, IPv4Network)]

    @property
    def ipv6(self) -> list[Network]:
        """The networks that are IPv6."""
        return [network for network in self.networks if not isinstance(network, IPv4Network)]


def openings(province: Province, host: Host) -> list[Opening]:
    """What each audience of ``host`` reaches; an audience that reaches nothing is not listed."""
    found = []
    for audience in get_args(Audience):
        ports = tuple(door.port for door in doors(host) if door.to == audience)
        if ports:
            found.append(Opening(audience, ports, sources(province, host, audience)))
    return found


def tree(province: Province, host: Host) -> Tree:
    """The rules, and a drop-in for the unit that loads them."""
    return Tree.of(
        {
            "nftables.conf": render("firewall/etc/nftables.conf.j2", host=host, audiences=openings(province, host)),
            "nftables.service.conf": render("firewall/etc/systemd/nftables.service.conf.j2"),
        }
    )
