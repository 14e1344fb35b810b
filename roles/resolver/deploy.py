"""unbound: each host validates DNSSEC for itself."""

from __future__ import annotations

from roles.common.operations import activate_tree, stage_tree
from roles.resolver.render import tree

PACKAGES = ("unbound", "dns-root-data")


def configure() -> None:
    """Stage the configuration."""
    stage_tree(name="unbound: stage", role="resolver", tree=tree(), world_readable=True)


def activate() -> None:
    """Validate it, switch, reload; then the host resolves through it."""
    activate_tree(
        name="unbound: activate",
        role="resolver",
        tree=tree(),
        links={"/etc/unbound/unbound.conf.d/edumail.conf": "unbound.conf", "/etc/resolv.conf": "resolv.conf"},
        check=["unbound-checkconf {tree}/unbound.conf"],
        unit="unbound.service",
        probe=["unbound-control status"],
    )
