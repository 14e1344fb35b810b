"""Files of the daemon that tells Postfix which receivers ask for verified TLS by MTA-STS (RFC 8461)."""

from __future__ import annotations

from pathlib import Path

from edumail.templates import render
from edumail.tree import File, Tree
from roles.common.paths import live

APP = Path(__file__).parent / "app" / "edumail_mtasts.py"


def tree() -> Tree:
    """The daemon, its settings, and a drop-in for its unit."""
    return Tree.of(
        {
            "edumail-mtasts": File(APP.read_bytes(), executable=True),
            "mta-sts-daemon.yml": render("mtasts/etc/mta-sts-daemon.yml.j2"),
            "service.conf": render("mtasts/etc/systemd/postfix-mta-sts-resolver.service.conf.j2", live=live("mtasts")),
        }
    )
