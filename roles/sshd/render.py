"""What sshd is told beside the distribution's own configuration: the same on every host."""

from __future__ import annotations

from edumail.templates import render
from edumail.tree import Tree


def tree() -> Tree:
    """sshd's file."""
    return Tree.of({"sshd.conf": render("sshd/etc/ssh/sshd_config.d/edumail.conf.j2")})
