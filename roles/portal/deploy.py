"""nginx: each unit's page over HTTPS by name."""

from __future__ import annotations

from edumail.model import Host
from roles.common.inventory import Inventory
from roles.common.operations import activate_tree, stage_tree
from roles.portal.render import tree

PACKAGES = ("nginx-light",)


def configure(inventory: Inventory, host: Host) -> None:
    """Stage configuration and pages."""
    stage_tree(name="nginx: stage", role="portal", tree=tree(inventory.pages, host), world_readable=True)


def activate(inventory: Inventory, host: Host) -> None:
    """Validate, switch, reload, and ask the server for a page."""
    activate_tree(
        name="nginx: activate",
        role="portal",
        tree=tree(inventory.pages, host),
        links={"/etc/nginx/nginx.conf": "nginx.conf", "/etc/nginx/sites-enabled/default": None},
        check=["nginx -t -q -c {tree}/nginx.conf"],
        unit="nginx.service",
        probe=["systemctl is-active --quiet nginx.service", "ss -Hltn sport = :443 | grep -q ."],
    )
