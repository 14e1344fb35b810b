"""Dovecot: IMAPS, LMTP delivery with Sieve, and the sign-ins of Postfix."""

from __future__ import annotations

from edumail.model import Host
from roles.common.operations import activate_tree, stage_tree
from roles.dovecot.render import tree

PACKAGES = ("dovecot-imapd", "dovecot-lmtpd", "dovecot-sieve", "dovecot-sqlite")


def configure(host: Host) -> None:
    """Stage the configuration."""
    stage_tree(name="dovecot: stage", role="dovecot", tree=tree(host))


def activate(host: Host) -> None:
    """Let doveconf judge it, switch, reload, and ask for a user."""
    activate_tree(
        name="dovecot: activate",
        role="dovecot",
        tree=tree(host),
        links={"/etc/dovecot/dovecot.conf": "dovecot.conf"},
        check=["doveconf -n -c {tree}/dovecot.conf >/dev/null"],
        unit="dovecot.service",
        probe=["doveadm user '*' >/dev/null", "ss -Hltn sport = :993 | grep -q ."],
    )
