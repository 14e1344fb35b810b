"""clamd's configuration and units: the same on every host that has the role antivirus."""

from __future__ import annotations

from edumail.templates import render
from edumail.tree import Tree

FOLDER = "/var/lib/clamav"
SIGNATURES = f"{FOLDER}/*.{{c[vl]d,[hn]db}}"
"""Files of signatures, those that freshclam fetches or a house's own; a pattern of glob(7)."""


def tree(message_size_limit_mb: int) -> Tree:
    """clamd's file, a drop-in for its service and socket, and the unit that starts it when there are signatures."""
    values = {"folder": FOLDER, "signatures": SIGNATURES, "message_size_limit_mb": message_size_limit_mb}
    return Tree.of(
        {
            "clamd.conf": render("clamav/etc/clamav/clamd.conf.j2", **values),
            "clamav-daemon.conf": render("clamav/etc/systemd/clamav-daemon.conf.j2", **values),
            "edumail-clamav.path": render("clamav/etc/systemd/edumail-clamav.path.j2", **values),
        }
    )
