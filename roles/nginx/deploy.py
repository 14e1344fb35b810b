"""nginx: one web server for all sites of a host. A role that has a site gives its configuration to ``deploy.py``."""

from __future__ import annotations

from collections.abc import Mapping

from edumail.model import Host
from roles.common.inventory import Inventory
from roles.common.operations import activate_tree, stage_tree
from roles.nginx.render import tree

PACKAGES = ("libnginx-mod-stream", "nginx-light")


def configure(inventory: Inventory, host: Host, sites: Mapping[str, str]) -> None:
    """Stage the configuration of all sites."""
    stage_tree(name="nginx: stage", role="nginx", tree=tree(inventory.province, host, sites), world_readable=True)


def activate(inventory: Inventory, host: Host, sites: Mapping[str, str]) -> None:
    """Validate the whole, switch, reload."""
    activate_tree(
        name="nginx: activate",
        role="nginx",
        tree=tree(inventory.province, host, sites),
        # Files are named relative to nginx.conf, so that the staged one is checked with what is staged beside it.
        links={
            "/etc/nginx/nginx.conf": "nginx.conf",
            "/etc/nginx/acme-challenge.conf": "acme-challenge.conf",
            "/etc/nginx/https.conf": "https.conf",
            **({"/etc/nginx/stream.conf": "stream.conf"} if "gateway" in host.roles else {}),
            "/etc/nginx/sites": "sites",
            "/etc/nginx/sites-enabled/default": None,
            "/etc/logrotate.d/nginx": "logrotate",
        },
        check=["nginx -t -q -c {tree}/nginx.conf", "logrotate --debug {tree}/logrotate"],
        unit="nginx.service",
        probe=["systemctl is-active --quiet nginx.service", "ss -Hltn sport = :443 | grep -q ."],
    )
