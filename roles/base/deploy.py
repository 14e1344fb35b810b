"""What every host has before any daemon."""

from __future__ import annotations

from edumail.model import Host
from edumail.tree import Tree
from roles.base.render import links, tree
from roles.common.inventory import Inventory
from roles.common.operations import activate_tree, stage_tree
from roles.common.paths import live

PACKAGES = ("chrony", "logrotate", "needrestart", "sudo", "unattended-upgrades")


def configure(inventory: Inventory, host: Host) -> None:
    """Stage users, folders, drop-ins, and what is said to the journal and to apt."""
    stage_tree(name="base: stage", role="base", tree=_tree(inventory, host), world_readable=True)


def activate(inventory: Inventory, host: Host) -> None:
    """Make users and folders, and start what the packages were not allowed to start; the links also serve at boot.

    chrony starts where the kernel lets it set the clock: not in a container, whose host keeps the time.
    """
    here = live("base")
    activate_tree(
        name="base: activate",
        role="base",
        tree=_tree(inventory, host),
        links=links(host),
        check=["apt-config -c {tree}/apt.conf dump >/dev/null", "perl -c {tree}/needrestart.conf"],
        reload=" && ".join(
            (
                f"systemd-sysusers {here}/sysusers.conf",
                f"systemd-tmpfiles --create {here}/tmpfiles.conf",
                f"/usr/lib/systemd/systemd-sysctl {here}/sysctl.conf",
                "systemctl restart systemd-journald.service",
                "systemctl enable --quiet --now chrony.service logrotate.timer edumail-journal.timer",
                "systemctl try-restart apt-daily-upgrade.timer",
            )
        ),
    )


def _tree(inventory: Inventory, host: Host) -> Tree:
    return tree(host, inventory.province.log_retention_days)
