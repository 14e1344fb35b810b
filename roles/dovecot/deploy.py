"""Dovecot: mailboxes by IMAP and POP3, filters by ManageSieve, LMTP delivery, the sign-ins of Postfix, the front."""

from __future__ import annotations

from functools import cache, partial

from edumail.model import Host
from edumail.tree import Tree
from roles.common.inventory import Inventory
from roles.common.operations import activate_tree, stage_tree
from roles.dovecot.render import COMPILE, tree

PACKAGES = (
    "dovecot-flatcurve",
    "dovecot-imapd",
    "dovecot-lmtpd",
    "dovecot-managesieved",
    "dovecot-pop3d",
    "dovecot-sieve",
    "dovecot-sqlite",
    "dovecot-submissiond",
)


@cache
def _tree(inventory: Inventory, host: Host) -> Tree:
    return tree(inventory.mail.host(host.name), inventory.province.message_size_limit_mb)


def configure(inventory: Inventory, host: Host) -> None:
    """Stage the configuration."""
    # Readable by all: the script that warns of a full mailbox runs as the mailboxes' user. Nothing in it is secret.
    stage_tree(name="dovecot: stage", role="dovecot", tree=partial(_tree, inventory, host), world_readable=True)


def activate(inventory: Inventory, host: Host) -> None:
    """Let doveconf judge it, switch, reload, and ask for a user."""
    activate_tree(
        name="dovecot: activate",
        role="dovecot",
        tree=partial(_tree, inventory, host),
        links={"/etc/dovecot/dovecot.conf": "dovecot.conf", "/etc/dovecot/services.conf": "services.conf"},
        compile=[COMPILE],
        check=["doveconf -n -c {tree}/dovecot.conf >/dev/null"],
        unit="dovecot.service",
        restart_on=["services.conf"],
        probe=["doveadm user '*' >/dev/null", "ss -Hltn sport = :993 | grep -q ."],
    )
