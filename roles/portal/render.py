"""The pages of all units that a host serves, as one tree, and their part of nginx's configuration."""

from __future__ import annotations

from edumail.discovery import autoconfig
from edumail.model import Host
from edumail.pages import Pages
from edumail.templates import render
from edumail.tree import Tree
from roles.common.paths import TLS, live


def tree(pages: Pages, host: Host) -> Tree:
    """What ``host`` serves."""
    return Tree.of({**pages.files(host), "config-v1.1.xml": autoconfig(pages.province.settings)})


def site(pages: Pages, host: Host) -> str:
    """How nginx finds a unit's page by its name."""
    return render("portal/etc/nginx/sites/portal.conf.j2", sites=pages.sites(host), live=live("portal"), tls=TLS)
