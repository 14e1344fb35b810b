"""Full-text search in the portals, and look-up of results by number: Flask behind nginx, on a socket of its own."""

from __future__ import annotations

from functools import cache, partial

from edumail.model import Host
from edumail.tree import Tree
from roles.common.inventory import Inventory
from roles.common.operations import activate_tree, stage_tree
from roles.common.paths import live
from roles.search import render

PACKAGES = ("python3", "python3-flask", "gunicorn")
LOOKED_UP = ("results.yml", "diplomas.csv")
"""The files of a unit's content that something is looked up in."""
INDEX = "systemctl start edumail-search-index.service"


@cache
def _tree(inventory: Inventory, host: Host) -> Tree:
    return render.tree(inventory.pages.by_host[host.name])


@cache
def _results(inventory: Inventory, host: Host) -> Tree:
    having = inventory.contents.having(*LOOKED_UP)
    units = (unit.id for unit in inventory.pages.by_host[host.name] if unit.id in having)
    return render.results(map(inventory.contents.of, units))


def configure(inventory: Inventory, host: Host) -> None:
    """Stage the service, and what may be looked up, which only root may read."""
    stage_tree(name="search: stage", role="search", tree=partial(_tree, inventory, host), world_readable=True)
    stage_tree(name="results: stage", role="results", tree=partial(_results, inventory, host))


def activate(inventory: Inventory, host: Host) -> None:
    """After the pages: see that all it imports is there, switch, build the databases, restart, and ask it."""
    here = live("search")
    activate_tree(
        name="search: activate",
        role="search",
        tree=partial(_tree, inventory, host),
        links={
            "/etc/sysusers.d/edumail-search.conf": "sysusers.conf",
            "/etc/tmpfiles.d/edumail-search.conf": "tmpfiles.conf",
            **{f"/etc/systemd/system/{unit}": unit for unit in render.UNITS},
        },
        check=["cd {tree} && python3 -B -c 'import edumail_search_web'"],
        reload=" && ".join(
            (
                f"systemd-sysusers {here}/sysusers.conf",
                f"systemd-tmpfiles --create {here}/tmpfiles.conf",
                INDEX,
                "systemctl enable --quiet --now edumail-search.socket",
                "systemctl enable --quiet edumail-search.service",
                "systemctl restart edumail-search.service",
            )
        ),
        probe=[render.probe(unit.portal) for unit in inventory.pages.by_host[host.name][:1]],
    )
    activate_tree(name="results: activate", role="results", tree=partial(_results, inventory, host), reload=INDEX)


def zones() -> str:
    """Its part of nginx's configuration at the level of ``http``."""
    return render.zones()


def locations() -> str:
    """Its part of each portal's server block."""
    return render.locations()
