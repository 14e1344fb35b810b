"""ClamAV on hosts with the role antivirus: freshclam brings signatures, clamd scans for Rspamd."""

from __future__ import annotations

from roles.clamav.render import tree
from roles.common.inventory import Inventory
from roles.common.operations import activate_tree, stage_tree

PACKAGES = ("clamav-daemon", "clamav-freshclam")
# clamd's file is ours: an upgrade of the package must not write it anew.
PRESEED = ("clamav-daemon clamav-daemon/debconf boolean false",)
UNITS = ("clamav-freshclam.service", "edumail-clamav.path", "clamav-daemon.socket", "clamav-daemon.service")


def configure(inventory: Inventory) -> None:
    """Stage clamd's file and units."""
    stage_tree(
        name="clamav: stage",
        role="clamav",
        tree=tree(inventory.province.message_size_limit_mb),
        world_readable=True,
    )


def activate(inventory: Inventory) -> None:
    """Switch and start. There may be no signatures yet: then mail waits, and a deploy does not."""
    activate_tree(
        name="clamav: activate",
        role="clamav",
        tree=tree(inventory.province.message_size_limit_mb),
        links={
            "/etc/clamav/clamd.conf": "clamd.conf",
            "/etc/systemd/system/clamav-daemon.service.d/edumail.conf": "clamav-daemon.conf",
            "/etc/systemd/system/clamav-daemon.socket.d/edumail.conf": "clamav-daemon.conf",
            "/etc/systemd/system/edumail-clamav.path": "edumail-clamav.path",
        },
        check=["clamconf --config-dir={tree}"],
        reload=" && ".join(
            (
                # The package also enables a daily run of freshclam, which fails while the daemon holds the log.
                "systemctl disable --quiet --now clamav-freshclam-once.timer clamav-freshclam-once.service",
                "systemctl reset-failed 'clamav-*'",
                f"systemctl enable --quiet {' '.join(UNITS)}",
                f"systemctl restart {' '.join(UNITS)}",
            )
        ),
    )
