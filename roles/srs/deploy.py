"""postsrsd, on hosts with a unit whose forwards keep their authors' addresses."""

from __future__ import annotations

from edumail.model import Host
from edumail.ports import SRS_FORWARD_PORT, SRS_REVERSE_PORT
from roles.common.inventory import Inventory
from roles.common.operations import activate_tree, remove_tree, stage_tree
from roles.srs.render import tree

PACKAGES = ("postsrsd",)
UNIT = "postsrsd.service"


def wanted(inventory: Inventory, host: Host) -> bool:
    """Whether a unit of the host asks for it."""
    return inventory.mail.keeps_authors(host)


def configure(host: Host) -> None:
    """Stage the unit."""
    stage_tree(name="srs: stage", role="srs", tree=tree(host), world_readable=True)


def activate(host: Host) -> None:
    """Switch, restart, and wait for its ports. Postfix defers forwards without it."""
    activate_tree(
        name="srs: activate",
        role="srs",
        tree=tree(host),
        links={f"/etc/systemd/system/{UNIT}.d/edumail.conf": "service.conf"},
        check=["test -s /etc/postsrsd.secret"],
        unit=UNIT,
        reload=f"systemctl restart {UNIT}",  # it can't reload
        probe=[f"ss -Hltn sport = :{port} | grep -q ." for port in (SRS_FORWARD_PORT, SRS_REVERSE_PORT)],
    )


def remove() -> None:
    """Stop it where no unit of the host wants it any more. The secret stays: what it signed holds for three weeks."""
    remove_tree(name="srs: remove", role="srs", unit=UNIT)
