"""Mail programs set themselves up, and others learn that mail to us has to be sent over verified TLS (MTA-STS)."""

from __future__ import annotations

from edumail.model import Host
from roles.common.inventory import Inventory
from roles.common.operations import activate_tree, stage_tree
from roles.discovery import render


def configure(inventory: Inventory, gateway: Host) -> None:
    """Stage the files."""
    files = render.tree(inventory.province.settings, gateway)
    stage_tree(name="discovery: stage", role="discovery", tree=files, world_readable=True)


def activate(inventory: Inventory, gateway: Host) -> None:
    """Switch to them; nothing has to be reloaded."""
    files = render.tree(inventory.province.settings, gateway)
    activate_tree(name="discovery: activate", role="discovery", tree=files)


def site(inventory: Inventory, gateway: Host) -> str:
    """Their part of nginx's configuration."""
    domains = {unit.domain for unit in inventory.province.units.values()}
    return render.site(domains, inventory.certificates(gateway))
