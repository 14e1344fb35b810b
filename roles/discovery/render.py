"""What the gateway's web server tells mail programs and other mail servers about the province's mail domains."""

from __future__ import annotations

from collections.abc import Collection

from edumail import discovery
from edumail.certificates import Certificate
from edumail.model import Host, Settings
from edumail.templates import render
from edumail.tree import Tree
from roles.common.paths import live
from roles.nginx.render import served


def tree(settings: Settings, gateway: Host) -> Tree:
    """The files that are served: the same for every mail domain."""
    return Tree.of(
        {
            "mta-sts.txt": discovery.sts_policy(gateway.fqdn),
            "config-v1.1.xml": discovery.autoconfig(settings),
            "autodiscover.xml": discovery.autodiscover(settings),
            "apple.mobileconfig": discovery.apple_profile(settings),
        }
    )


def site(domains: Collection[str], certificates: Collection[Certificate]) -> str:
    """nginx's part: the names under every mail domain."""
    names = discovery.names(domains)
    return render(
        "discovery/etc/nginx/sites/discovery.conf.j2",
        served={
            label: served([name for name in names if name.startswith(f"{label}.")], certificates)
            for label in discovery.LABELS
        },
        live=live("discovery"),
        address=discovery.ADDRESS,
    )
