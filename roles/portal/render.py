"""The pages of all units that a host serves, as one tree, and their part of nginx's configuration."""

from __future__ import annotations

from collections.abc import Iterable

from edumail.certificates import Certificate
from edumail.discovery import autoconfig
from edumail.model import Host
from edumail.portal.site import Portals
from edumail.templates import render
from edumail.tree import Tree
from roles.common.paths import live
from roles.nginx.render import served


def tree(pages: Portals, host: Host) -> Tree:
    """What ``host`` serves."""
    return Tree.of({**pages.files(host), "config-v1.1.xml": autoconfig(pages.province.settings)})


def site(pages: Portals, host: Host, certificates: Iterable[Certificate]) -> str:
    """How nginx finds a unit's page by its name."""
    sites = pages.sites(host)
    return render(
        "portal/etc/nginx/sites/portal.conf.j2", sites=sites, served=served(sites, certificates), live=live("portal")
    )
