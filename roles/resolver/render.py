"""unbound's configuration: the same on every host."""

from __future__ import annotations

from edumail.templates import render
from edumail.tree import Tree


def tree() -> Tree:
    """The resolver's file and the host's ``resolv.conf``; ``trust-ad`` lets Postfix believe validated answers."""
    return Tree.of(
        {
            "unbound.conf": render("resolver/etc/unbound.conf.j2"),
            "resolv.conf": "nameserver 127.0.0.1\noptions edns0 trust-ad\n",
        }
    )
