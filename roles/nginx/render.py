"""nginx's configuration: what is the same for all that a host serves, and a file for each role that has a site.

Browsers come in at the gateway. It reads the name that a connection asks for, passes the connection on to the host that
has it, and says from where it comes (PROXY protocol); TLS goes on to that host, which alone has the key. What the
gateway itself serves takes the same way, to its own loopback.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from edumail.certificates import Certificate
from edumail.model import Host, Province
from edumail.ports import HTTPS_PORT, sources
from edumail.templates import render
from edumail.tree import Tree
from edumail.units import portal_host
from roles.common.paths import ACME_WEBROOT, TLS, shown


def tree(province: Province, host: Host, sites: Mapping[str, str]) -> Tree:
    """``sites``: name of a site → its configuration at the level of ``http`` (server blocks, maps, zones)."""
    gateway = "gateway" in host.roles
    files = {f"sites/{name}.conf": configuration for name, configuration in sites.items()}
    if gateway:
        away = elsewhere(province, host)
        # Hosts ask hosts by their own names (account pages, the feedback of units whose portals others have).
        others = (other for other in province.hosts.values() if other.has_mail and other.name != host.name)
        hosts = {other.fqdn: str(other.ipv4) for other in others}
        files["stream.conf"] = render(
            "nginx/etc/nginx/stream.conf.j2",
            names=away,
            own=f"127.0.0.1:{HTTPS_PORT}",
            hosts=hosts,
            peers=sources(province, host, "peers"),
        )
        files["sites/elsewhere.conf"] = render("nginx/etc/nginx/sites/elsewhere.conf.j2", names=away)
    listens = {
        "entrances": [f"127.0.0.1:{HTTPS_PORT}"] if gateway else ["443", "[::]:443"],
        "trusted": ["127.0.0.1"] if gateway else sources(province, host, "peers"),
    }
    files["nginx.conf"] = render("nginx/etc/nginx/nginx.conf.j2", gateway=gateway, **listens)
    files["https.conf"] = render("nginx/etc/nginx/https.conf.j2", **listens)
    files["acme-challenge.conf"] = render("nginx/etc/nginx/acme-challenge.conf.j2", webroot=ACME_WEBROOT)
    files["logrotate"] = render("nginx/etc/logrotate.d/nginx.j2", days=province.log_retention_days)
    return Tree.of(files)


def peers(host: Host, locations: Iterable[str]) -> str:
    """The block that answers to the province's hosts alone; empty without ``locations``."""
    text = "".join(locations)
    return render("nginx/etc/nginx/sites/peers.conf.j2", host=host, locations=text, tls=TLS) if text else ""


def elsewhere(province: Province, gateway: Host) -> dict[str, str]:
    """Names of portals that other hosts than the gateway have → the address of that host."""
    return {
        name: str(province.hosts[portal_host(unit)].ipv4)
        for unit in province.units.values()
        if portal_host(unit) != gateway.name
        for name in unit.portal_names
    }


def moved(province: Province, names: Collection[str]) -> dict[str, str]:
    """Those of ``names`` that only lead to a portal → the portal's name."""
    units = province.units.values()
    return {name: unit.portal for unit in units for name in unit.former_portals if name in names}


def served(names: Collection[str], certificates: Iterable[Certificate]) -> list[tuple[str, list[str]]]:
    """For the names of a site: the file of each certificate that one of them has, and which of them have it.

    A site needs a server block each. That nginx could find the file by the name in a variable, in one block, helps
    nothing: then its workers, and whatever runs as the same user, would have to read private keys.
    """
    wanted = frozenset(names)
    found = ((shown(certificate.id), sorted(wanted.intersection(certificate.names))) for certificate in certificates)
    return [(file, here) for file, here in found if here]
