"""Dovecot's configuration for one host."""

from __future__ import annotations

from edumail.certificates import HOST
from edumail.mail import HostMail
from edumail.ports import SIEVE_PORT, SUBMISSION_PORT
from edumail.templates import render
from edumail.tree import File, Tree
from roles.common.paths import (
    ACCOUNTS_DB,
    AUDIT_SIEVE,
    SHARING_MAP,
    TLS,
    VMAIL_ID,
    learn_domain,
    live,
    shown,
)

SCRIPTS = ("junk", "learn-ham", "learn-spam", "once")
"""Sieve scripts of the host's own."""
# Dovecot itself may not write beside its scripts.
COMPILE = (
    "umask 022; for script in {tree}/sieve/*.sieve; do"
    " sievec -c {tree}/dovecot.conf -x '+vnd.dovecot.pipe +imapsieve' $script || exit; done"
)
"""Compiles the scripts of a tree, with ``{tree}`` where it lies."""


def tree(mail: HostMail, message_size_limit_mb: int) -> Tree:
    """Everything Dovecot reads but the accounts, which are in their own database."""
    front = mail.host == mail.gateway
    addresses = ("127.0.0.1", "::1") if front else (mail.gateway.ipv4, mail.gateway.ipv6)
    values = {
        "host": mail.host,
        "front": front,
        "trusted": [str(address) for address in addresses if address],
        "tls": TLS,
        "shown": shown(HOST),
        "accounts_db": ACCOUNTS_DB,
        "audit_sieve": AUDIT_SIEVE,
        "sharing_map": SHARING_MAP,
        "submission_port": SUBMISSION_PORT,
        "sieve_port": SIEVE_PORT,
        "message_size_limit": message_size_limit_mb * 1024 * 1024,
        "vmail": VMAIL_ID,
        "live": live("dovecot"),
    }
    files: dict[str, str | File] = {
        file: render(f"dovecot/etc/dovecot/{file}.j2", **values) for file in ("dovecot.conf", "services.conf")
    }
    programs = {
        "quota-warning": render("dovecot/quota-warning.j2"),
        "sieve-pipe/learn": render("dovecot/learn.j2", domain=learn_domain(mail.gateway)),
    }
    files |= {path: File(text.encode(), executable=True) for path, text in programs.items()}
    files |= {f"sieve/{script}.sieve": render(f"dovecot/sieve/{script}.sieve.j2") for script in SCRIPTS}
    return Tree.of(files)
