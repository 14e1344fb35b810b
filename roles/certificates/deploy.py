"""Certificates that people and strangers see: from a public authority or the province's own, and watched."""

from __future__ import annotations

from edumail.model import Host
from edumail.tree import Tree
from roles.certificates import operations
from roles.certificates.render import UNITS, acme, tree
from roles.common.inventory import Inventory
from roles.common.operations import activate_tree, stage_tree

PACKAGES = ("openssl", "python3")


def packages(inventory: Inventory, host: Host) -> tuple[str, ...]:
    """An ACME client, where there is something to do for it."""
    return ("lego",) if acme(inventory.province.settings, host) else ()


def configure(inventory: Inventory, host: Host) -> None:
    """Bring certificates that came as files; stage the program that keeps them all."""
    pairs = {c.supplied.id: c.supplied for c in inventory.certificates(host) if c.supplied is not None}
    operations.supply(name="certificates: bring files", inventory=inventory, pairs=list(pairs.values()))
    stage_tree(name="certificates: stage", role="certificates", tree=_tree(inventory, host), world_readable=True)


def activate(inventory: Inventory, host: Host) -> None:
    """Switch to it, start its timer, and have the certificates in place that daemons will name."""
    activate_tree(
        name="certificates: activate",
        role="certificates",
        tree=_tree(inventory, host),
        links={
            "/usr/local/sbin/edumail-certificates": "edumail-certificates",
            **{f"/etc/systemd/system/{unit}": unit for unit in UNITS},
        },
        reload="systemctl enable --quiet --now edumail-certificates.timer",
    )
    operations.show(name="certificates: show", digest=_tree(inventory, host).digest)


def order(inventory: Inventory, host: Host) -> None:
    """Once nginx answers: order what is due."""
    operations.order(name="certificates: order", digest=_tree(inventory, host).digest)


def _tree(inventory: Inventory, host: Host) -> Tree:
    return tree(inventory.province, host, inventory.certificates(host))
