"""From where a host sees this deploy come."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from pyinfra.api import FactBase


@dataclass(frozen=True)
class Connection:
    """The client's address and the port of the host's SSH server; None and 0 when they can't be told."""

    address: IPv4Address | IPv6Address | None = None
    port: int = 0


class SshConnection(FactBase[Connection]):
    """The two ends of the connection that asks."""

    def command(self) -> str:
        """sshd says it in the environment of each command (environ in ssh(1))."""
        return "echo ${SSH_CONNECTION-}"

    @staticmethod
    def default() -> Connection:
        """Nothing was said."""
        return Connection()

    def process(self, output: list[str]) -> Connection:
        """Reads ``address port address port``; a link-local address may name its interface."""
        words = " ".join(output).split()
        if len(words) != 4:
            return Connection()
        try:
            return Connection(ip_address(words[0].partition("%")[0]), int(words[3]))
        except ValueError:
            return Connection()
