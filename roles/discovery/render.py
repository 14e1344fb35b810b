"""What the gateway's web server tells mail programs and other mail servers about the province's mail domains."""

from __future__ import annotations

from edumail import discovery
from edumail.model import Host, Settings
from edumail.templates import render
from edumail.tree import Tree
from roles.common.paths import TLS, live


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


def site() -> str:
    """nginx's part: the names under every mail domain."""
    return render(
        "discovery/etc/nginx/sites/discovery.conf.j2", live=live("discovery"), tls=TLS, address=discovery.ADDRESS
    )
