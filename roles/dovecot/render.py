"""Dovecot's configuration for one host."""

from __future__ import annotations

from edumail.model import Host
from edumail.templates import render
from edumail.tree import Tree
from roles.common.paths import ACCOUNTS_DB, AUDIT_SIEVE, TLS, VMAIL_ID


def tree(host: Host) -> Tree:
    """Everything Dovecot reads but the accounts, which are in their own database."""
    configuration = render(
        "dovecot/etc/dovecot/dovecot.conf.j2",
        host=host,
        tls=TLS,
        accounts_db=ACCOUNTS_DB,
        audit_sieve=AUDIT_SIEVE,
        vmail=VMAIL_ID,
    )
    return Tree.of({"dovecot.conf": configuration})
