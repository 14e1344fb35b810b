"""The machines, their names and their addresses. Nothing here touches the machine it runs on."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from lab.text import LabError

BRIDGE = "edumail0"
# RFC 2544 (benchmarking) and RFC 3849 (documentation): nobody routes to either.
NET4 = ipaddress.IPv4Network("198.18.37.0/24")
NET6 = ipaddress.IPv6Network("2001:db8:37::/64")
GATEWAY4 = "198.18.37.1"
GATEWAY6 = "2001:db8:37::1"
FOREIGN_DOMAIN = "ngoai.test"
STRICT_DOMAIN = "xa.test"
"""Another domain of the foreign mail server: it has no DANE, and asks for a verified certificate (MTA-STS)."""


@dataclass(frozen=True)
class Machine:
    """One host: its short name, its full name and its two addresses."""

    name: str
    fqdn: str
    ipv4: str
    ipv6: str


INTERNET = Machine("internet", f"mx.{FOREIGN_DOMAIN}", "198.18.37.53", "2001:db8:37::53")

DEFAULT = (
    Machine("mail-so", "mail-so.minhha.test", "198.18.37.11", "2001:db8:37::11"),
    Machine("mail-xa", "mail-xa.minhha.test", "198.18.37.12", "2001:db8:37::12"),
    Machine("mail-thpt", "mail-thpt.minhha.test", "198.18.37.13", "2001:db8:37::13"),
)


def check(machines: Iterable[Machine]) -> tuple[Machine, ...]:
    """Return ``machines`` if they can live beside each other in the lab; raise :class:`LabError` if not."""
    machines = tuple(machines)
    taken: set[object] = {GATEWAY4, GATEWAY6, INTERNET.name, INTERNET.ipv4, INTERNET.ipv6}
    for machine in machines:
        # `vb-<name>` is an interface name: the kernel allows 15 characters.
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,11}", machine.name):
            raise LabError(
                f"Tên máy `{machine.name}` không dùng được: tối đa 12 ký tự a-z, 0-9 và dấu gạch nối.",
                f"The host name `{machine.name}` cannot be used: at most 12 characters a-z, 0-9 and hyphen.",
            )
        try:
            inside = (
                ipaddress.IPv4Address(machine.ipv4) in NET4 and ipaddress.IPv6Address(machine.ipv6) in NET6
            )  # fmt: skip
        except ValueError:
            inside = False
        mine = {machine.name, machine.ipv4, machine.ipv6}
        if not inside or mine & taken:
            raise LabError(
                f"{machine.name}: tên hoặc địa chỉ ({machine.ipv4}, {machine.ipv6}) trùng máy khác hoặc ngoài "
                f"{NET4} và {NET6}.",
                f"{machine.name}: its name or an address ({machine.ipv4}, {machine.ipv6}) is taken or outside "
                f"{NET4} and {NET6}.",
            )
        taken |= mine
    return machines


def reverse_name(address: str) -> str:
    """Return the absolute name under which the DNS keeps the PTR record of ``address``."""
    return ipaddress.ip_address(address).reverse_pointer + "."


def reverse_zones() -> tuple[str, str]:
    """Return the names of the lab's two reverse zones, IPv4 first, without the final dot."""
    v4 = NET4.network_address.reverse_pointer.split(".", 1)[1]
    v6 = NET6.network_address.reverse_pointer.split(".", (128 - NET6.prefixlen) // 4)[-1]
    return v4, v6
