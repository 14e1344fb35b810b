"""What a mail domain says of itself to whom does not know it: where its programs sign in, and how to send to it safely.

All of it is the same for every mail domain of a province, since all mail comes and goes by the gateway and the front.
The gateway answers over HTTPS at the names of :func:`names`; DNS has the rest (:mod:`edumail.dns`).
"""

from __future__ import annotations

import hashlib
import plistlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from edumail.model import Settings
from edumail.templates import render

LABELS = ("autoconfig", "autodiscover", "mta-sts")
"""First labels of the names under every mail domain: Thunderbird's, Outlook's, and that of RFC 8461, 3.3."""
STS_DAYS = 14
"""How long senders keep the MTA-STS policy; RFC 8461, 3.2 asks for weeks."""


ADDRESS = "%EMAILADDRESS%"
"""Stands for the whole address of whoever asks: Thunderbird puts it in by itself, for Outlook the web server does."""


@dataclass(frozen=True)
class Service:
    """What mail programs find by an SRV record (RFC 6186, RFC 8314). The lower ``priority`` is tried first."""

    label: str
    port: int
    priority: int = 0


MAIL_SERVICES = (
    Service("_imaps", 993),
    Service("_pop3s", 995, priority=10),  # a program that has IMAP shall take it
    Service("_submissions", 465),
    Service("_submission", 587, priority=10),
    Service("_sieve", 4190),
)
AUTODISCOVER = Service("_autodiscover", 443)


def names(domains: Iterable[str]) -> list[str]:
    """The names under mail domains that lead to the gateway's web server, sorted."""
    return sorted(f"{label}.{domain}" for domain in domains for label in LABELS)


def sts_policy(exchanger: str) -> str:
    """The MTA-STS policy of every mail domain (RFC 8461, 3.2).

    It is enforced from the start: a sender can read it only where it trusts the gateway's web certificate, and the
    gateway's mail certificate comes from the same authority.
    """
    return f"version: STSv1\nmode: enforce\nmx: {exchanger}\nmax_age: {STS_DAYS * 86400}\n"


def sts_id(policy: str) -> str:
    """The policy's id in DNS (RFC 8461, 3.1): another one exactly when the policy is another one."""
    return hashlib.sha256(policy.encode()).hexdigest()[:32]


def autoconfig(settings: Settings) -> str:
    """``/mail/config-v1.1.xml`` as Thunderbird and others read it; the user name is the whole address."""
    return render("discovery/config-v1.1.xml.j2", settings=settings, address=ADDRESS)


def autodiscover(settings: Settings) -> str:
    """The answer to Outlook ([MS-OXDSCLI]), with ``ADDRESS`` where the address that it sent has to stand.

    Without a login name Outlook would take what stands before the @.
    """
    return render("discovery/autodiscover.xml.j2", settings=settings, address=ADDRESS)


def apple_profile(settings: Settings) -> bytes:
    """A configuration profile for iOS and macOS: it says everything but who one is, which the device then asks."""
    identifier = ".".join(reversed(settings.domain.split("."))) + ".mail"

    def payload(kind: str, name: str) -> dict[str, object]:
        return {
            "PayloadType": kind,
            "PayloadVersion": 1,
            "PayloadIdentifier": name,
            # The same profile installed again replaces the one before.
            "PayloadUUID": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.{kind}")).upper(),
            "PayloadDisplayName": settings.name,
        }

    account = {
        **payload("com.apple.mail.managed", f"{identifier}.account"),
        "EmailAccountDescription": settings.name,
        "EmailAccountType": "EmailTypeIMAP",
        "IncomingMailServerAuthentication": "EmailAuthPassword",
        "IncomingMailServerHostName": settings.front_name,
        "IncomingMailServerPortNumber": 993,
        "IncomingMailServerUseSSL": True,
        "OutgoingMailServerAuthentication": "EmailAuthPassword",
        "OutgoingMailServerHostName": settings.front_name,
        "OutgoingMailServerPortNumber": 465,
        "OutgoingMailServerUseSSL": True,
        "OutgoingPasswordSameAsIncomingPassword": True,
    }
    profile = {
        **payload("Configuration", identifier),
        "PayloadOrganization": settings.name,
        "PayloadDescription": f"Thư điện tử / Mail: {settings.front_name}",
        "PayloadContent": [account],
    }
    return plistlib.dumps(profile)
