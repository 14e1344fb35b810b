"""MTA-STS of others, on the gateway: which receivers ask for a verified certificate."""

from __future__ import annotations

from roles.common.operations import activate_tree, stage_tree
from roles.mtasts.render import tree

PACKAGES = ("postfix-mta-sts-resolver", "python3-dnspython")


def configure() -> None:
    """Stage the daemon and its settings."""
    stage_tree(name="mta-sts: stage", role="mtasts", tree=tree(), world_readable=True)


def activate() -> None:
    """See that it finds all it imports, switch, restart, and wait for its port. Postfix defers mail without it."""
    activate_tree(
        name="mta-sts: activate",
        role="mtasts",
        tree=tree(),
        links={
            "/etc/mta-sts-daemon.yml": "mta-sts-daemon.yml",
            "/etc/systemd/system/postfix-mta-sts-resolver.service.d/edumail.conf": "service.conf",
        },
        check=["{tree}/edumail-mtasts --help"],
        unit="postfix-mta-sts-resolver.service",
        reload="systemctl restart postfix-mta-sts-resolver.service",  # it can't reload
        probe=["ss -Hltn sport = :8461 | grep -q ."],
    )
