"""nginx's configuration and the pages of all units that a host serves, as one tree."""

from __future__ import annotations

from edumail.model import Host
from edumail.pages import Pages
from edumail.templates import render
from edumail.tree import Tree
from roles.common.paths import live


def tree(pages: Pages, host: Host) -> Tree:
    """What the web server of ``host`` needs."""
    configuration = render("portal/etc/nginx/nginx.conf.j2", sites=pages.sites(host), live=live("portal"))
    return Tree.of({"nginx.conf": configuration, **pages.files(host)})
