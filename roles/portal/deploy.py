"""Each unit's portal over HTTPS by name; nginx serves them."""

from __future__ import annotations

from functools import cache, partial

from edumail.model import Host
from edumail.tree import Tree
from roles.common.inventory import Inventory
from roles.common.operations import activate_tree, stage_tree
from roles.portal import render
from roles.search.deploy import INDEX


@cache
def _tree(inventory: Inventory, host: Host) -> Tree:
    return render.tree(inventory.pages, host)


def configure(inventory: Inventory, host: Host) -> None:
    """Stage the pages."""
    stage_tree(name="portal: stage", role="portal", tree=partial(_tree, inventory, host), world_readable=True)


def activate(inventory: Inventory, host: Host) -> None:
    """Compress what changed and switch; what changed can be found at once."""
    activate_tree(
        name="portal: activate",
        role="portal",
        tree=partial(_tree, inventory, host),
        compile=[render.PRECOMPRESS],
        reload=INDEX,
    )


def site(inventory: Inventory, host: Host, locations: str = "", zones: str = "") -> str:
    """Their part of nginx's configuration, with that of programs that answer in every portal."""
    return render.site(inventory.pages, host, inventory.certificates(host), locations, zones)
