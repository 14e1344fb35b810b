"""Who the host is: TLS keys and certificates of the internal authority, and its DKIM key."""

from __future__ import annotations

from edumail.model import Host
from roles.common.inventory import Inventory
from roles.identity.operations import identity

PACKAGES = ("openssl",)


def configure(inventory: Inventory, host: Host) -> None:
    """Keys, certificates, published halves; before any daemon that needs them."""
    identity(name="identity: keys and certificates", inventory=inventory, name_of_host=host.name)
