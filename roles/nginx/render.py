"""nginx's configuration: what is the same for all that a host serves, and a file for each role that has a site."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from edumail.certificates import Certificate
from edumail.templates import render
from edumail.tree import Tree
from roles.common.paths import ACME_WEBROOT, shown


def tree(sites: Mapping[str, str], log_retention_days: int) -> Tree:
    """``sites``: name of a site → its configuration at the level of ``http`` (server blocks, maps, zones)."""
    files = {f"sites/{name}.conf": configuration for name, configuration in sites.items()}
    files["nginx.conf"] = render("nginx/etc/nginx/nginx.conf.j2")
    files["acme-challenge.conf"] = render("nginx/etc/nginx/acme-challenge.conf.j2", webroot=ACME_WEBROOT)
    files["logrotate"] = render("nginx/etc/logrotate.d/nginx.j2", days=log_retention_days)
    return Tree.of(files)


def served(names: Collection[str], certificates: Iterable[Certificate]) -> list[tuple[str, list[str]]]:
    """For the names of a site: the file of each certificate that one of them has, and which of them have it.

    A site needs a server block each. That nginx could find the file by the name in a variable, in one block, helps
    nothing: then its workers, and whatever runs as the same user, would have to read private keys.
    """
    wanted = frozenset(names)
    found = ((shown(certificate.id), sorted(wanted.intersection(certificate.names))) for certificate in certificates)
    return [(file, here) for file, here in found if here]
