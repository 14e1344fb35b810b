"""postsrsd's unit: it packs and unpacks authors' addresses for the host's Postfix."""

from __future__ import annotations

from edumail.model import Host
from edumail.ports import SRS_FORWARD_PORT, SRS_REVERSE_PORT
from edumail.srs import srs_domain
from edumail.templates import render
from edumail.tree import Tree

SIGNATURE_LENGTH = 8
"""Characters of the signature: 38^8 in all, as case does not count, and few enough for an address to stay short."""


def tree(host: Host) -> Tree:
    """A drop-in for the distribution's unit; all settings are arguments there."""
    service = render(
        "srs/etc/systemd/postsrsd.service.conf.j2",
        domain=srs_domain(host),
        length=SIGNATURE_LENGTH,
        forward_port=SRS_FORWARD_PORT,
        reverse_port=SRS_REVERSE_PORT,
    )
    return Tree.of({"service.conf": service})
