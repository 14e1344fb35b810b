"""Where things live on a host, for renderers: pure, so that templates and tests agree with the operations."""

from __future__ import annotations

from edumail.certificates import HOST
from edumail.model import Host
from roles.common.scripts import trees_path

TLS = "/etc/edumail/tls"
"""``ca.pem``; ``host.key`` and ``host.pem``, by which the province's hosts know each other; ``web.key``."""
ACME_WEBROOT = "/var/lib/edumail/acme-challenge"
"""Where nginx finds what an ACME authority asks for at port 80 (RFC 8555, 8.3)."""
DKIM_KEY = "/etc/edumail/dkim/host.key"
ACCOUNTS_DB = "/var/lib/edumail/accounts/accounts.db"
AUDIT_SIEVE = "/var/lib/edumail/audit/audit.sieve"
AUDIT_TOKENS = "edumail-audit"
"""The Redis set in which edumail-audit keeps the tokens of the audits that are open."""
AUDITOR_HOME = "/var/lib/edumail/auditor"
SHARING_MAP = "/var/vmail/shared-mailboxes"
"""By which Dovecot finds the shared mailboxes of a group; edumail-accounts writes it."""
VMAIL_ID = 5000
"""Numeric user and group of all mailboxes' files; Dovecot wants numbers in its user database."""
FEEDBACK_STATE = "/var/lib/edumail/feedback"
FEEDBACK = "phan-anh"
"""Local part of the address, at the gateway's name, that units answer to; what follows ``+`` says which matter."""
FEEDBACK_COPIES = ("letters", "answers")
"""Local parts of the addresses to which a host copies what reaches a public address, and what is sent from one."""
LEARN = ("learn_spam", "learn_ham")
"""Rspamd's commands for training, and local parts of the addresses by which hosts send messages to be learnt from."""


def learn_domain(gateway: Host) -> str:
    """The domain of these addresses, known to the province's hosts only."""
    return f"learn.{gateway.fqdn}"


def feedback_domain(host: Host) -> str:
    """The domain, known to the host alone, from which Postfix hands answers to the service."""
    return f"feedback.{host.fqdn}"


def has_mail(host: Host) -> bool:
    """Whether mail runs on the host."""
    return host.has_mail


def has_web(host: Host) -> bool:
    """Whether nginx runs on the host: for the units' pages and what they ask, account pages, the gateway's webmail."""
    return host.has_mail or "portal" in host.roles


def live(role: str) -> str:
    """The folder through which a role's live tree is seen; daemons' configuration names files by it."""
    return f"{trees_path(role)}/current"


def private_key(certificate: str) -> str:
    """The host's own key for a certificate of :mod:`edumail.certificates`: one for mail, one for all web pages."""
    return f"{TLS}/{'host' if certificate == HOST else 'web'}.key"


def internal(certificate: str) -> str:
    """The certificate in its form from the internal authority, which every certificate has."""
    return f"{TLS}/host.pem" if certificate == HOST else f"{TLS}/internal/{certificate}.pem"


def shown(certificate: str) -> str:
    """What daemons show to people and strangers: key and chain in one file, kept by ``edumail-certificates``."""
    return f"{TLS}/shown/{certificate}.pem"


def supplied(pair: str) -> str:
    """Key and chain that came as files; the folder lets nobody in but root."""
    return f"{TLS}/supplied/{pair}.pem"
