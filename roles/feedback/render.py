"""Feedback as a tree: the form and the states for the web, and the mail side, on the host that has the mailboxes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from edumail.mail import HostMail
from edumail.model import Host, Province, Unit
from edumail.ports import SIEVE_PORT
from edumail.templates import render
from edumail.tree import File, Tree
from edumail.units import portal_host
from roles.common.paths import FEEDBACK_STATE, TLS, has_web, live

APP = Path(__file__).parent / "app"
PAGE = Path(__file__).parent.parent / "common" / "app" / "edumail_page.py"
UNITS = ("edumail-feedback.socket", "edumail-feedback.service", "edumail-feedback-mail.service")
SOCKET = "/run/edumail-feedback.socket"


def away(province: Province, host: Host) -> list[Unit]:
    """Units whose mailboxes live on ``host`` and whose portals do not."""
    return [unit for unit in province.units.values() if unit.host == host.name != portal_host(unit)]


def tree(province: Province, mail: HostMail, shells: Mapping[str, bytes], most_days: int) -> Tree:
    """The service, for the units whose mailboxes live on the host of ``mail``.

    shells: unit → the layout of its pages, of those whose portal another host has; most_days: how long any unit of the
    province keeps what citizens asked.
    """
    values = {
        "live": live("feedback"),
        "portal": live("portal"),
        "state": FEEDBACK_STATE,
        "port": SIEVE_PORT,
        "socket_group": "www-data" if has_web(mail.host) else "root",
    }
    known = {"own": sorted(mail.own), "gateway": mail.gateway.fqdn, "most_days": most_days}
    return Tree.of(
        {
            "edumail_page.py": PAGE.read_bytes(),
            "edumail_feedback.py": (APP / "edumail_feedback.py").read_bytes(),
            "edumail_feedback_moving.py": (APP / "edumail_feedback_moving.py").read_bytes(),
            "edumail_feedback_mail.py": (APP / "edumail_feedback_mail.py").read_bytes(),
            "edumail_feedback_web.py": (APP / "edumail_feedback_web.py").read_bytes(),
            "edumail_feedback_cli.py": File((APP / "edumail_feedback_cli.py").read_bytes(), executable=True),
            "units.json": json.dumps(_units(province, mail), ensure_ascii=False, indent=1) + "\n",
            "province.json": json.dumps(known, indent=1) + "\n",
            **{f"shells/{unit}.html": shell for unit, shell in shells.items()},
            "sysusers.conf": "u edumail-feedback - 'edumail feedback'\n",
            "copy.sh": File(render("feedback/copy.sh.j2", **values).encode(), executable=True),
            "tmpfiles.conf": render("feedback/tmpfiles.conf.j2", **values),
            **{unit: render(f"feedback/etc/systemd/{unit}.j2", **values) for unit in UNITS},
        }
    )


def _units(province: Province, mail: HostMail) -> dict[str, dict[str, object]]:
    """By the name of the portal: where its letters go, and who may answer them."""
    return {
        unit.portal: {
            "unit": unit.id,
            "name": unit.name,
            "portal": unit.portal,
            "address": unit.public_address,
            "holders": mail.senders[unit.public_address],
            # Whose name is in the address to answer to: letters keep it, and every host takes answers at any.
            "host": mail.gateway.fqdn,
            "days": mail.policies[unit.id].feedback_days,
        }
        for unit in province.units.values()
        if unit.host == mail.host.name
    }


def probe(name: str) -> str:
    """A command that succeeds when the service answers for the portal ``name``."""
    asked = f"GET /hoi-dap HTTP/1.0\\r\\nHost: {name}\\r\\n\\r\\n"
    return (
        f"python3 -c \"import socket; s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect('{SOCKET}');"
        f" s.sendall(b'{asked}'); assert b' 200 ' in s.recv(100)\""
    )


def zones(province: Province, host: Host) -> str:
    """For nginx on a host with portals, at the level of ``http``, beside those of search.

    A unit's feedback lives where its mailboxes are. Another host is reached through the gateway, which passes on every
    connection by the name that it asks for; both ends show the certificates by which hosts know each other.
    """
    here = [unit for unit in province.units.values() if portal_host(unit) == host.name and unit.host != host.name]
    names = {unit.portal: unit.host for unit in here}
    gateway = next(other for other in province.hosts.values() if "gateway" in other.roles)
    return render(
        "feedback/etc/nginx/zones.conf.j2",
        names=names,
        hosts={name: province.hosts[name].fqdn for name in sorted(set(names.values()))},
        # From its own address it would be a stranger to itself.
        gateway="127.0.0.1" if gateway == host else gateway.ipv4,
        socket=SOCKET,
        tls=TLS,
    )


def locations() -> str:
    """For nginx, in each server block of the portals."""
    return render("feedback/etc/nginx/locations.conf.j2")


def peer_location(province: Province, host: Host) -> str:
    """For nginx on a host with mailboxes of units whose portals others have, in the block that answers to hosts."""
    return render("feedback/etc/nginx/peer.location.j2", socket=SOCKET) if away(province, host) else ""
