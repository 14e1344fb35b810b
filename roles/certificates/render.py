"""The program that keeps a host's certificates, and what it has to know, as a tree."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from edumail.certificates import HOST, Certificate
from edumail.model import AcmeCertificates, Host, Province, Settings
from edumail.templates import render
from edumail.tree import File, Tree
from roles.common.paths import has_mail, has_web, internal, private_key, shown, supplied

APP = Path(__file__).parent / "app"
UNITS = ("edumail-certificates.service", "edumail-certificates.timer")


def acme(settings: Settings, host: Host) -> AcmeCertificates | None:
    """Whether the host orders its certificates itself: the authority asks at port 80, where nginx has to answer."""
    choice = settings.certificates
    return choice if isinstance(choice, AcmeCertificates) and has_web(host) else None


def tree(province: Province, host: Host, certificates: Iterable[Certificate]) -> Tree:
    """No key and no certificate is in it."""
    choice = acme(province.settings, host)
    gateway = next(one for one in province.hosts.values() if "gateway" in one.roles)
    wanted = {
        "acme": {"directory": choice.directory, "contact": choice.contact} if choice else None,
        "officer": f"postmaster@{host.fqdn}" if has_mail(host) else None,
        "certificates": [
            # Names of pages lead to the gateway, the host's own to the host.
            _row(certificate, host if certificate.id == HOST else gateway)
            for certificate in certificates
        ],
    }
    return Tree.of(
        {
            "certificates.json": json.dumps(wanted, indent=0) + "\n",
            "edumail-certificates": File((APP / "edumail_certificates.py").read_bytes(), executable=True),
            **{module: (APP / module).read_bytes() for module in ("certificate.py", "orders.py")},
            **{unit: render(f"certificates/etc/systemd/{unit}.j2") for unit in UNITS},
        }
    )


def _row(certificate: Certificate, entrance: Host) -> dict[str, object]:
    row = {
        "id": certificate.id,
        "names": certificate.names,
        "key": private_key(certificate.id),
        "internal": internal(certificate.id),
        "shown": shown(certificate.id),
        "addresses": [str(address) for address in (entrance.ipv4, entrance.ipv6) if address is not None],
        "units": ["postfix", "dovecot", "nginx"] if certificate.id == HOST else ["nginx"],
    }
    return row if certificate.supplied is None else {**row, "supplied": supplied(certificate.supplied.id)}
