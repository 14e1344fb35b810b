"""Where things live on a host, for renderers: pure, so that templates and tests agree with the operations."""

from __future__ import annotations

from edumail.model import Host
from roles.common.scripts import trees_path

TLS = "/etc/edumail/tls"
"""``ca.pem``; ``host.key``, ``host.pem`` (the host's own name, and on the gateway the front's); ``portal.key``,
``portal.pem`` (its units' pages)."""
DKIM_KEY = "/etc/edumail/dkim/host.key"
ACCOUNTS_DB = "/var/lib/edumail/accounts/accounts.db"
AUDIT_SIEVE = "/var/lib/edumail/audit/audit.sieve"
AUDITOR_HOME = "/var/lib/edumail/auditor"
SHARING_MAP = "/var/vmail/shared-mailboxes"
"""By which Dovecot finds the shared mailboxes of a group; edumail-accounts writes it."""
SUBMISSION_PORT = 1587
"""Where the gateway's Postfix takes, on loopback, what its own users submit at Dovecot's front."""
VMAIL_ID = 5000
"""Numeric user and group of all mailboxes' files; Dovecot wants numbers in its user database."""
LEARN = ("learn_spam", "learn_ham")
"""Rspamd's commands for training, and local parts of the addresses by which hosts send messages to be learnt from."""


def learn_domain(gateway: Host) -> str:
    """The domain of these addresses, known to the province's hosts only."""
    return f"learn.{gateway.fqdn}"


def has_mail(host: Host) -> bool:
    """Whether mail runs on the host."""
    return host.has_mail


def has_web(host: Host) -> bool:
    """Whether nginx runs on the host: for the units' pages, and on the gateway for the webmail."""
    return not {"gateway", "portal"}.isdisjoint(host.roles)


def live(role: str) -> str:
    """The folder through which a role's live tree is seen; daemons' configuration names files by it."""
    return f"{trees_path(role)}/current"
