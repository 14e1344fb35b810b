"""nftables: what the roles of a host need comes in, everything else is dropped."""

from __future__ import annotations

from edumail.model import Host
from roles.common.inventory import Inventory
from roles.common.operations import activate_tree, stage_tree
from roles.firewall.operations import admit_deployer
from roles.firewall.render import tree

PACKAGES = ("nftables",)


def configure(inventory: Inventory, host: Host) -> None:
    """Make sure that the deploy does not lock itself out; stage the rules."""
    admit_deployer(name="nftables: the deploy's own way in", inventory=inventory, name_of_host=host.name)
    stage_tree(name="nftables: stage", role="firewall", tree=tree(inventory.province, host), world_readable=True)


def activate(inventory: Inventory, host: Host) -> None:
    """Let nft judge the rules and switch them as one; the unit loads them at boot."""
    activate_tree(
        name="nftables: activate",
        role="firewall",
        tree=tree(inventory.province, host),
        links={
            "/etc/nftables.conf": "nftables.conf",
            "/etc/systemd/system/nftables.service.d/edumail.conf": "nftables.service.conf",
        },
        # The rules name the auditor's account, which somebody may have taken away.
        check=["systemd-sysusers /etc/sysusers.d/edumail.conf", "nft -c -f {tree}/nftables.conf"],
        unit="nftables.service",
        probe=["nft list chain inet edumail input | grep -q 'policy drop'"],
    )
