"""nginx's configuration: what is the same for all that a host serves, and a file for each role that has a site."""

from __future__ import annotations

from collections.abc import Mapping

from edumail.templates import render
from edumail.tree import Tree


def tree(sites: Mapping[str, str], log_retention_days: int) -> Tree:
    """``sites``: name of a site → its configuration at the level of ``http`` (server blocks, maps, zones)."""
    files = {f"sites/{name}.conf": configuration for name, configuration in sites.items()}
    rotation = render("nginx/etc/logrotate.d/nginx.j2", days=log_retention_days)
    return Tree.of({"nginx.conf": render("nginx/etc/nginx/nginx.conf.j2"), "logrotate": rotation, **files})
